package api

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chimera/scheduler"
)

// This file owns tests of what is told of requests for an answer, and of answers' names.

// hearing keeps what a server tells.
type hearing struct {
	mu   sync.Mutex
	told []Answered
}

// listen has the server tell.
func (h *bench) listen() *hearing {
	l := &hearing{}
	h.Server.Answered = func(a Answered) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.told = append(l.told, a)
	}
	return l
}

// only is what was told since it was asked last, which must be one.
func (l *hearing) only(t *testing.T) Answered {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	told := l.told
	if l.told = nil; len(told) != 1 {
		t.Fatalf("%d are told: %+v", len(told), told)
	}
	return told[0]
}

// Each request for an answer is told once: with what was computed, and with its status if nothing was. What a client got wrong is none.
func TestAnswered(t *testing.T) {
	h, e := newWatched(t)
	l := h.listen()
	h.Server.KeepsTexts = true
	var a struct {
		ID string `json:"id"`
	}
	r := h.post(textPath, `{"prompt":"abc","max_tokens":5,"n":2,"ignore_eos":true,"seed":1}`)
	r.into(&a)
	got := l.only(t)
	w := got.Work
	if got.Model != "first" || got.Status != 200 || got.Tokens != 10 || got.PromptTokens != 4 || got.TTFT <= 0 || len(got.ITL) != 8 || got.Queued <= 0 || time.Since(got.Ended) > time.Minute {
		t.Errorf("%+v", got)
	}
	if w == nil || w.ID.String() != strings.TrimPrefix(a.ID, textPrefix) || w.Numerics != "fp_echo" || len(w.Requests) != 2 || len(w.Answers) != 2 {
		t.Fatalf("%+v of %s", w, r.body)
	}
	for _, x := range w.Answers {
		if x.Tokens != 5 || x.Finish != "length" || x.Text == "" || x.First.IsZero() || x.Last.Before(x.First) || x.Digest != w.Answers[0].Digest {
			t.Errorf("%+v", x)
		}
	}
	if string(r.header.Peek(numericsHeader)) != "fp_echo" {
		t.Errorf("head %q", r.header.Peek(numericsHeader))
	}
	stream := h.post(chatPath, `{"messages":[{"role":"user","content":"a"}],"max_tokens":3,"stream":true}`)
	if got := l.only(t); got.Status != 200 || got.Work == nil || got.Work.Answers[0].Tokens == 0 || !strings.Contains(string(stream.body), chatPrefix+got.Work.ID.String()) || len(stream.header.Peek(numericsHeader)) == 0 {
		t.Errorf("a stream: %+v", got)
	}
	for _, body := range []string{`{"prompt":7}`, `{"prompt":"a","model":"nowhere"}`, `{`} {
		if r := h.post(textPath, body); r.status < 400 || len(l.told) > 0 {
			t.Errorf("%s: %d, told %+v", body, r.status, l.told)
		}
	}
	h.do("GET", "/v1/models", "")
	h.post("/tokenize", `{"content":"a"}`)
	if len(l.told) > 0 {
		t.Errorf("what asks for no answer: %+v", l.told)
	}
	h.post(textPath, `{"prompt":"a","model":"second"}`)
	if got := l.only(t); got.Status != 503 || got.Model != "second" {
		t.Errorf("a model that is not there: %+v", got)
	}
	e.precheck = &scheduler.OverloadError{RetryAfter: time.Second, Err: scheduler.ErrQueueFull}
	for path, body := range map[string]string{textPath: `{"prompt":"abc"}`, chatPath: `{"model":"first","messages":[{"role":"user","content":"a"}]}`} {
		h.post(path, body)
		if got := l.only(t); got.Status != 429 || got.Work != nil || got.Model != "first" || got.PromptTokens != 0 {
			t.Errorf("refused by its size: %+v", got)
		}
	}
	e.precheck = nil
	e.submit = &scheduler.OverloadError{RetryAfter: time.Second, Err: scheduler.ErrQueueFull}
	h.post(textPath, `{"prompt":"abc"}`)
	if got := l.only(t); got.Status != 429 || got.Work != nil || got.Model != "first" {
		t.Errorf("refused: %+v", got)
	}
}

// An answer that is drawn when it begins has its text told when it has ended, and each has its tokens; what has no name is not asked about.
func TestDrawn(t *testing.T) {
	h, _ := newWatched(t)
	l := h.listen()
	var asked []string
	draw := &Drawn{Load: "busy", KeepsText: true}
	h.Server.Draw = func(id AnswerID, model string, class scheduler.Class) *Drawn {
		asked = append(asked, id.String()+" "+model+" "+class.String())
		return draw
	}
	h.post(textPath, `{"prompt":"abc","max_tokens":5,"n":2,"ignore_eos":true,"seed":1}`)
	w := l.only(t).Work
	if w.Drawn != draw || len(asked) != 1 || asked[0] != w.ID.String()+" first interactive" {
		t.Fatalf("%+v, asked of %q", w.Drawn, asked)
	}
	for _, a := range w.Answers {
		own := Work{Answers: []AnswerWork{a}}
		if len(a.IDs) != 5 || a.Text == "" || digestOf(a.IDs) != a.Digest || own.TokensDigest() == "" {
			t.Errorf("%+v", a)
		}
	}
	draw = nil
	h.post(chatPath, `{"messages":[{"role":"user","content":"a"}],"max_tokens":3,"stream":true}`)
	if w := l.only(t).Work; w.Drawn != nil || len(w.Answers[0].IDs) != 3 || w.Answers[0].Text != "" || len(asked) != 2 {
		t.Errorf("what was not drawn: %+v", w)
	}
}

// digestOf is that of token ids, as an answer has it.
func digestOf(ids []int32) [sha256.Size]byte {
	var raw []byte
	for _, id := range ids {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(id))
	}
	return sha256.Sum256(raw)
}

// A client that hangs up is told of with what its answer had by then.
func TestAnsweredWhoHungUp(t *testing.T) {
	h := newBench(t, letters)
	l := h.listen()
	ctx, cancel := context.WithCancel(context.Background())
	h.client = ctx
	h.instance.mu.Lock()
	h.instance.fail = func(step int) error {
		if step == 4 {
			cancel()
		}
		return nil
	}
	h.instance.mu.Unlock()
	h.post(textPath, `{"prompt":"abc","max_tokens":200,"ignore_eos":true}`)
	if got := l.only(t); got.Status != StatusClientGone || got.Work == nil || got.Work.Answers[0].Tokens == 0 || got.Work.Answers[0].Finish != "" {
		t.Errorf("%+v", got)
	}
}

// The digest is that of the tokens, and of nothing else.
func TestTokensDigest(t *testing.T) {
	h := newBench(t, says(4, 'x', 0x1f0))
	l := h.listen()
	digest := func(body string) string {
		h.post(textPath, body)
		return l.only(t).Work.TokensDigest()
	}
	h.answer(says(4, 'x', 'y', 'z'))
	one := sha256.Sum256([]byte{'x', 0, 0, 0, 'y', 0, 0, 0})
	both := sha256.Sum256(one[:])
	if got := digest(`{"prompt":"abc","max_tokens":2}`); got != hex.EncodeToString(both[:]) {
		t.Errorf("%s, want %x", got, both)
	}
	whole := digest(`{"prompt":"abc","max_tokens":3}`)
	for _, body := range []string{`{"prompt":"abc","max_tokens":3,"stop":"z"}`, `{"prompt":"abc","max_tokens":3,"stream":true}`, `{"prompt":"abc","max_tokens":3,"logprobs":2,"echo":true}`} {
		if got := digest(body); got != whole {
			t.Errorf("%s: %s, want %s", body, got, whole)
		}
	}
	if got := digest(`{"prompt":"abc","max_tokens":2}`); got == whole {
		t.Error("two tokens have the digest of three")
	}
}

func TestAnswerIDs(t *testing.T) {
	h := newBench(t, letters)
	var ids []string
	for range 100 {
		var a struct {
			ID string `json:"id"`
		}
		h.post(textPath, `{"prompt":"abc","max_tokens":1}`).into(&a)
		if !regexp.MustCompile(`^cmpl-[0-9a-f]{32}$`).MatchString(a.ID) {
			t.Fatal(a.ID)
		}
		id, ok := ParseAnswerID(a.ID)
		if again, _ := ParseAnswerID(id.String()); !ok || again != id || slices.Contains(ids, a.ID) {
			t.Errorf("%s: %t", a.ID, ok)
		}
		ids = append(ids, a.ID)
	}
	for _, bad := range []string{"", "cmpl-", "cmpl-" + strings.Repeat("0", 31), strings.Repeat("0", 33), strings.Repeat("g", 32), "x-" + strings.Repeat("0", 32)} {
		if _, ok := ParseAnswerID(bad); ok {
			t.Errorf("%q names an answer", bad)
		}
	}
}
