package api

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"chimera/quality/escalate"
	"chimera/scheduler"
)

// This file owns tests of answers that are escalated: what a client gets of which tier, and what is counted.

// edges is a server whose tier says "abc" and is as sure of it as asked for, and its source, which says "xyz".
type edges struct {
	*bench
	source  *bench
	rule    *escalate.Rule
	below   bool
	control func(ctx context.Context) (Held, error)
	held    int // controls that were given and not released
	asked   int // for one
	work    *Work
}

const edgePrompt = 4 // tokens

// newEdges makes one whose rule knows that answers have a log-probability of -0.5, and of its budget has the share of so many tokens.
func newEdges(t *testing.T, budget float64) *edges {
	t.Helper()
	e := &edges{bench: newBench(t, says(edgePrompt, 'a', 'b', 'c')), source: newBench(t, says(edgePrompt, 'x', 'y', 'z')), rule: escalate.New(budget), below: true}
	e.source.model.Tier = func(string) string { return "source" }
	e.source.model.Numerics = func(string) string { return "fp_source" }
	e.control = func(ctx context.Context) (Held, error) {
		e.held, e.asked = e.held+1, e.asked+1
		return Held{e.source.model, ctx, func() { e.held-- }}, nil
	}
	e.model.Escalation = &Escalation{Rule: e.rule, Below: func() bool { return e.below }, Control: func(ctx context.Context, _ scheduler.Class) (Held, error) { return e.control(ctx) }}
	for _, kind := range []escalate.Kind{escalate.Whole, escalate.Opening} {
		for range 320 {
			e.rule.Answered(escalate.Answer{Tier: "tier_echo", Kind: kind, Confidence: -0.5, Prompt: 10, Tokens: 10}, 10)
		}
	}
	e.Answered = func(a Answered) { e.work = a.Work }
	return e
}

// unsure are the log-probabilities of what the tier says: the first token's and the others'.
func (e *edges) unsure(first, others float64) {
	e.instance.sure = func(history []int32) float32 {
		if len(history) == edgePrompt {
			return logSumExp + float32(first)
		}
		return logSumExp + float32(others)
	}
}

// counts are what the rule has counted since it was made.
func (e *edges) counts() (escalated, tokens, extra int64, fellBack map[escalate.Reason]int64) {
	s := e.rule.Of("tier_echo")
	return s.Escalated, s.Tokens - 2*320*20, s.Extra, s.FellBack
}

// ask asks for a completion, and returns its text, who has answered by body and head, and its tokens by the usage.
func (e *edges) ask(more string) (text, fingerprint, tier, numerics string, tokens int) {
	e.t.Helper()
	r := e.post("/v1/completions", `{"prompt": [1, 2, 3, 4], "max_tokens": 20, "temperature": 0`+more+`}`)
	tier, numerics = string(r.header.Peek("X-Chimera-Tier")), string(r.header.Peek("X-Chimera-Numerics"))
	if !strings.Contains(more, `"stream": true`) {
		var a completionAnswer
		a.Usage = &usage{}
		r.into(&a)
		u := a.Usage.(*usage)
		return a.Choices[0].Text, a.Fingerprint, tier, numerics, u.CompletionTokens
	}
	for _, event := range r.events() {
		if event == "[DONE]" {
			continue
		}
		var a completionAnswer
		a.Usage = &usage{}
		reply{t: e.t, status: 200, body: []byte(event)}.into(&a)
		fingerprint = a.Fingerprint
		if len(a.Choices) > 0 {
			text += a.Choices[0].Text
		} else {
			tokens = a.Usage.(*usage).CompletionTokens
		}
	}
	return text, fingerprint, tier, numerics, tokens
}

const streamed = `, "stream": true, "stream_options": {"include_usage": true}`

// Answers that the tier is unsure of are the source's, whole or streamed, and say so; others stay what they are.
func TestEscalation(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, others float64
		more          string
		escalated     bool
		extra         int64 // least; a stream's draft goes on until the source has answered
	}{
		{"sure", -0.1, -0.1, "", false, 0},
		{"unsure", -1, -1, "", true, edgePrompt + 4},
		{"unsure in the mean", -0.1, -0.9, "", true, edgePrompt + 4},
		{"sure in the mean", -0.9, -0.1, "", false, 0},
		{"as sure as others", -0.5, -0.5, "", false, 0},
		{"a stream, sure", -0.1, -3, streamed, false, 0},
		{"a stream, unsure", -0.9, -0.1, streamed, true, edgePrompt + 1},
		{"several answers", -3, -3, `, "n": 2`, false, 0},
		{"with log-probabilities", -3, -3, `, "logprobs": 1`, false, 0},
	} {
		e := newEdges(t, 0.1)
		e.unsure(c.first, c.others)
		text, fingerprint, tier, numerics, tokens := e.ask(c.more)
		want, by, id := "abc", "tier_echo", "fp_echo"
		if c.escalated {
			want, by, id = "xyz", "source", "fp_source"
		}
		if text != want || tier != by || numerics != id || fingerprint != id || tokens != 4 && c.name != "several answers" {
			t.Errorf("%s: %q of %s, %s, %s, %d tokens", c.name, text, tier, numerics, fingerprint, tokens)
		}
		escalated, given, extra, _ := e.counts()
		if (escalated == 1) != c.escalated || given != int64(edgePrompt+tokens) || extra < c.extra || extra > c.extra+3 || !c.escalated && extra > 0 || e.held != 0 {
			t.Errorf("%s: %d escalated, %d tokens, %d extra, %d held", c.name, escalated, given, extra, e.held)
		}
		w := e.work
		if w == nil || w.Tier != by || w.Numerics != id || len(w.Answers) == 0 || w.Answers[0].Tokens != 4 || (w.Extra != nil) != c.escalated {
			t.Fatalf("%s: %+v", c.name, w)
		}
		if whole, opening := confidenceOf(c.first, c.others, c.more, c.escalated); !alikeSure(w.Confidence, whole) || !alikeSure(w.Opening, opening) {
			t.Errorf("%s: confidence %v, opening %v", c.name, w.Confidence, w.Opening)
		}
		if c.escalated && (w.Extra.From != "tier_echo" || w.Extra.Numerics != "fp_echo" || int64(w.Extra.Tokens) != extra || w.Came.After(w.Answers[0].First)) {
			t.Errorf("%s: extra %+v", c.name, w.Extra)
		}
	}
}

// confidenceOf is what is known of how sure the tier was of what it says, NaN where nothing is: of an answer of four tokens, of its first, or of one that is
// the source's.
func confidenceOf(first, others float64, more string, escalated bool) (whole, opening float64) {
	switch whole, opening = math.NaN(), math.NaN(); {
	case escalated:
	case more == "":
		whole = (first + 3*others) / 4
	case more == streamed:
		opening = first
	}
	return whole, opening
}

func alikeSure(got *float64, want float64) bool {
	if got == nil {
		return math.IsNaN(want)
	}
	return math.Abs(*got-want) < 1e-5
}

// An answer that is not the source's where nothing says so, and what is asked of a tier that is the source, is left alone, and not counted.
func TestNotEscalated(t *testing.T) {
	for name, change := range map[string]func(*edges){
		"at the source":  func(e *edges) { e.below = false },
		"switched off":   func(e *edges) { e.rule.SetBudget(0) },
		"no way to go":   func(e *edges) { e.model.Escalation = nil },
		"not calibrated": func(e *edges) { e.model.Tier = func(string) string { return "q3_k" } },
	} {
		e := newEdges(t, 0.1)
		change(e)
		e.unsure(-5, -5)
		for _, more := range []string{"", streamed} {
			if text, _, _, _, _ := e.ask(more); text != "abc" {
				t.Errorf("%s: %q", name, text)
			}
		}
		if escalated, given, extra, fell := e.counts(); escalated+extra != 0 || len(fell) > 0 || (given > 0) != (name == "not calibrated") {
			t.Errorf("%s: %d escalated, %d tokens, %d extra, %v", name, escalated, given, extra, fell)
		}
	}
}

// Whatever keeps the source from answering, the client has the draft, and the reason is counted.
func TestFallsBack(t *testing.T) {
	away := errors.New("away")
	for _, c := range []struct {
		name   string
		change func(e *edges)
		head   []string
		reason escalate.Reason
	}{
		{"no control", func(e *edges) { e.control = func(context.Context) (Held, error) { return Held{}, away } }, nil, escalate.NoControl},
		{"it breaks", func(e *edges) { e.source.instance.fail = func(int) error { return away } }, nil, escalate.Failed},
		{"it refuses", func(e *edges) { e.source.scheduler.Drain(); <-e.source.ended }, nil, escalate.Failed},
		{"it goes", func(e *edges) {
			gate := make(chan struct{})
			e.source.instance.gate = gate
			e.control = func(ctx context.Context) (Held, error) {
				ctx, cancel := context.WithCancelCause(ctx)
				time.AfterFunc(20*time.Millisecond, func() { cancel(away); close(gate) })
				return Held{e.source.model, ctx, func() {}}, nil
			}
		}, nil, escalate.NoControl},
		{"nothing is saved", func(e *edges) { e.rule.SetBudget(0.2) }, nil, escalate.OverBudget},
	} {
		for _, more := range []string{"", streamed} {
			e := newEdges(t, 0.1)
			c.change(e)
			e.unsure(-1, -1)
			text, fingerprint, tier, _, tokens := e.ask(more)
			if text != "abc" || tier != "tier_echo" || fingerprint != "fp_echo" || tokens != 4 {
				t.Errorf("%s%s: %q of %s, %s, %d tokens", c.name, more, text, tier, fingerprint, tokens)
			}
			if escalated, given, _, fell := e.counts(); escalated != 0 || given != edgePrompt+4 || len(fell) != 1 || fell[c.reason] != 1 || e.held != 0 {
				t.Errorf("%s%s: %d escalated, %d tokens, fell back %v, %d held", c.name, more, escalated, given, fell, e.held)
			}
			if e.work == nil || e.work.Tier != "tier_echo" || e.work.Answers[0].Tokens != 4 || e.work.Extra != nil && e.work.Extra.From != "" {
				t.Errorf("%s%s: %+v", c.name, more, e.work)
			}
		}
	}
}

// A deadline that has passed when the draft is there is no time to ask another.
func TestEscalationAfterTheDeadline(t *testing.T) {
	e := newEdges(t, 0.1)
	e.unsure(-1, -1)
	began := time.Now()
	r := make(chan reply)
	gate := make(chan struct{})
	e.instance.gate = gate
	go func() {
		r <- e.do("POST", "/v1/completions", `{"prompt": [1, 2, 3, 4], "max_tokens": 20, "temperature": 0}`, "X-Chimera-Deadline-Ms", "1000")
	}()
	for !e.instance.computing.Load() {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(1100*time.Millisecond - time.Since(began)) // it has a place, so it is answered
	close(gate)
	if a := <-r; a.status != 200 || string(a.header.Peek("X-Chimera-Tier")) != "tier_echo" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if _, _, extra, fell := e.counts(); extra != 0 || fell[escalate.Late] != 1 || e.asked != 0 {
		t.Errorf("%d extra, %v", extra, fell)
	}
}

// An answer of the source that outgrows what was saved is given up: what was computed of it was paid for, and is told.
func TestEscalationEndsWithTheBudget(t *testing.T) {
	e := newEdges(t, 0.1)
	e.unsure(-1, -1)
	e.source.answer(says(edgePrompt, slices.Repeat([]int32{'x'}, 200)...))
	e.rule.SetBudget(0.2)
	e.rule.Answered(escalate.Answer{Tier: "tier_echo", Prompt: 50, Tokens: 50}, 50) // 20 tokens are saved
	r := e.post("/v1/completions", `{"prompt": [1, 2, 3, 4], "max_tokens": 200, "temperature": 0}`)
	if !strings.Contains(string(r.body), `"abc"`) {
		t.Errorf("%s", r.body)
	}
	escalated, _, extra, fell := e.counts()
	if escalated != 0 || fell[escalate.OverBudget] != 1 || extra < 15 || extra > 20 || e.work.Extra == nil || int64(e.work.Extra.Tokens) != extra || e.work.Extra.From != "" {
		t.Errorf("%d escalated, %d extra, %v, %+v", escalated, extra, fell, e.work.Extra)
	}
}

// A client that goes while the source answers has gone: that is no answer that fell back, and nothing is held for it.
func TestClientGoesDuringEscalation(t *testing.T) {
	for _, more := range []string{"", streamed} {
		e := newEdges(t, 0.1)
		e.unsure(-1, -1)
		gate := make(chan struct{})
		e.source.instance.gate = gate
		ctx, cancel := context.WithCancel(context.Background())
		e.client = ctx
		time.AfterFunc(30*time.Millisecond, func() { cancel(); close(gate) })
		r := e.post("/v1/completions", `{"prompt": [1, 2, 3, 4], "max_tokens": 20, "temperature": 0`+more+`}`)
		escalated, given, _, fell := e.counts()
		if r.status != StatusClientGone && r.broken == nil || escalated+given != 0 || len(fell) > 0 || e.held != 0 {
			t.Errorf("%s: %d, %d escalated, %d given, %v", more, r.status, escalated, given, fell)
		}
	}
}

// What a tier is sure of costs nothing where nobody asks: log-probabilities are computed for whole answers, of streams for the first token, and not
// at all at the source.
func TestConfidenceIsAskedWhereItIsOfUse(t *testing.T) {
	for _, c := range []struct {
		more  string
		below bool
		want  string
	}{{"", true, "1111"}, {streamed, true, "1000"}, {"", false, "0000"}, {streamed, false, "0000"}, {`, "n": 2`, true, "00000000"}} {
		e := newEdges(t, 0.1)
		e.below = c.below
		e.unsure(-0.1, -0.1)
		if e.ask(c.more); e.instance.asked != c.want {
			t.Errorf("%+v: asked %s", c, e.instance.asked)
		}
	}
}

// The confidence is the mean over all tokens, also the one that ends the answer.
func TestConfidenceIsTheMean(t *testing.T) {
	for others, claimed := range map[float64]int64{-1.49: 1, -1.51: 0} {
		e := newEdges(t, 0.1)
		e.model.Tier = func(string) string { return "q3_k" }
		e.instance.sure = func(history []int32) float32 { return logSumExp - float32(len(history)-edgePrompt) } // 0, -1, -2, -3
		for range 320 {
			e.rule.Answered(escalate.Answer{Tier: "q3_k", Kind: escalate.Whole, Confidence: others, Prompt: 10, Tokens: 10}, 10)
		}
		e.ask("")
		if escalated, _, _, _ := e.counts(); escalated != claimed {
			t.Errorf("beside answers of %g one of -1.5 is escalated %d times", others, escalated)
		}
	}
}
