package api

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"
)

// This file owns the tests of what requests hold before they are admitted.

// A body is counted while it is decoded, and no longer; beyond the budget large ones are to be tried again, small ones not.
func TestBodiesTogetherAreBounded(t *testing.T) {
	h := newBench(t, letters)
	large := `{"prompt":"x","max_tokens":1,"user":"` + strings.Repeat("u", 1<<20) + `"}`
	if !h.budgets.bodies.TryAcquire(openBodies*benchBody - 1<<19) {
		t.Fatal("the budget is not what it should be")
	}
	if r := h.post(textPath, large); r.status != 429 || r.problem().Code != "too_many_bodies" || len(r.header.Peek("Retry-After")) == 0 {
		t.Errorf("beside others: status %d: %s", r.status, r.body)
	}
	if r := h.post(textPath, "{"+soundBodies[textPath]+"}"); r.status != 200 {
		t.Errorf("a small one: status %d: %s", r.status, r.body)
	}
	h.budgets.bodies.Release(openBodies*benchBody - 1<<19)
	for range 2 * openBodies * benchBody >> 20 {
		if r := h.post(textPath, large); r.status != 200 {
			t.Fatalf("one after the other: status %d: %s", r.status, r.body)
		}
	}
	if !h.budgets.bodies.TryAcquire(openBodies * benchBody) {
		t.Error("bodies that were answered are still counted")
	}
}

// readAll takes what comes in any pieces, holds what it has, and reads one byte beyond the limit at most.
func TestReadAll(t *testing.T) {
	h := newBench(t, letters)
	for _, n := range []int{0, 1, 4095, 4096, 4097, freeBody, freeBody + 1, benchBody, benchBody + 1, 2 * benchBody} {
		c := &call{server: h.Server}
		text := strings.Repeat("x", n)
		raw, err := c.readAll(oneByOne{strings.NewReader(text)}, benchBody)
		if want := text[:min(n, benchBody+1)]; err != nil || string(raw) != want {
			t.Errorf("%d bytes: %d read, %v", n, len(raw), err)
		}
		if c.counted < int64(cap(raw)) && cap(raw) > freeBody || c.counted > benchBody+1 {
			t.Errorf("%d bytes: %d are counted, %d taken", n, c.counted, cap(raw))
		}
		c.release()
	}
}

// oneByOne gives 1000 bytes at a time.
type oneByOne struct{ *strings.Reader }

func (r oneByOne) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), 1000)]) }

// While a request is answered nothing of its body is counted, so that long prompts keep no others out.
func TestAnswersHoldNoBodies(t *testing.T) {
	large := `,"user":"` + strings.Repeat("u", 1<<20) + `"}`
	for _, path := range strings.Fields(both) {
		h := newBench(t, letters)
		open := make(chan struct{})
		h.instance.gate = open
		done := make(chan reply)
		go func() { done <- h.post(path, "{"+soundBodies[path]+large) }()
		h.until(func() bool { return h.instance.computing.Load() })
		if !h.budgets.bodies.TryAcquire(openBodies * benchBody) {
			t.Errorf("%s: the body is counted while the answer is computed", path)
		}
		close(open)
		if r := <-done; r.status != 200 {
			t.Errorf("%s: status %d: %s", path, r.status, r.body)
		}
	}
}

// A text that can't fit is refused before it is tokenised; one that may be long is tokenised when there is room.
func TestTokenisingIsBounded(t *testing.T) {
	h := newBench(t, letters)
	letter := strings.Repeat("x", benchBody-1000)
	for path, body := range map[string]string{textPath: `{"prompt":"` + letter + `"}`, chatPath: `{"messages":[{"role":"user","content":"` + letter + `"}]}`} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := h.post(path, body)
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; r.status != 400 || r.problem().Code != codeTooLong || taken > 20*benchBody {
			t.Errorf("%s: status %d, %d MiB allocated: %.200s", path, r.status, taken>>20, r.body)
		}
	}
	h.budgets.large.TryAcquire(benchBody)
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	h.client = gone
	large := `{"content":"` + strings.Repeat("x", 2*smallText) + `"}`
	if r := h.post("/tokenize", large); r.status != StatusClientGone {
		t.Errorf("without room, and the client gone: status %d: %.200s", r.status, r.body)
	}
	patient, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	h.client = patient
	if r := h.post("/tokenize", "{"+soundBodies["/tokenize"]+"}"); r.status != 200 {
		t.Errorf("a small text waits for no large one: status %d: %s", r.status, r.body)
	}
	h.budgets.large.Release(benchBody)
	if r := h.post("/tokenize", large); r.status != 200 {
		t.Errorf("with room: status %d: %.200s", r.status, r.body)
	}
}

// Normalisation makes a third of some texts (three letters of Hangul are one syllable then): a text as long as that may still
// fit, and is tokenised.
func TestNormalisedTextsAreNotRefused(t *testing.T) {
	h := newBench(t, letters)
	c := &call{server: h.Server, ctx: t.Context()}
	letters := "\u1112\u1161\u11ab" // of which NFC makes 한
	most := benchContext * h.model.Tokenizer.LongestPiece() * len(letters) / len("한")
	for n, fits := range map[int]bool{most: true, most + len(letters): false} {
		text := strings.Repeat(letters, n/len(letters)+1)[:n]
		ids, err := c.promptIDs(h.model, "prompt", text, func() []int32 { return []int32{1} })
		if fits != (err == nil && len(ids) == 1) {
			t.Errorf("%d bytes: %v, %v", n, ids, err)
		}
	}
}
