package daemon

import (
	"math"
	"testing"

	"chimera/api"
	group "chimera/quality/control"
	"chimera/scheduler"
)

// This file owns the test of drawn requests whose answers were the source's.

// escalatedAs is a request as s, whose answer the source gave in the place of the tier's.
func escalatedAs(s *sample, source string, tokens []int32) api.Answered {
	return api.Answered{Model: s.model, Status: 200, Class: scheduler.Interactive, Work: &api.Work{
		Numerics: source, Tier: api.SourceTier, Drawn: &api.Drawn{Load: group.Idle, Share: s.share}, Requests: []scheduler.Request{s.answers[0].request},
		Answers: []api.AnswerWork{{IDs: tokens, Finish: "stop"}}, Extra: &api.Extra{From: s.tier, Numerics: s.numerics, Tokens: 9},
	}}
}

// What a client was given in the place of a tier's draft is the control's own answer: it agrees in each token, in the window of the tier, with the weight of any
// other request. It is lost as any other is: where there is no control it waits, and of weights that serve no more, or of another source, nothing is said.
func TestEscalatedAnswersCount(t *testing.T) {
	r := small(t, "q2_k", 100, nil)
	l := r.models.live
	var own group.Window // of the answers that the tier has given
	var last *sample
	for range 20 {
		s := r.liveSample()
		paired, err := l.score(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		own.Score(s.stratum, s.share, paired...)
		l.note(s, paired)
		last = s
	}
	given := []int32{5, 6, 7, 8, 9, 10}
	for range 20 {
		l.answered(escalatedAs(last, last.control, append([]int32(nil), given...)))
		l.next(t.Context())
	}
	l.mu.Lock()
	window, tier := l.models["m"].window.Clone(), l.models["m"].tier
	l.mu.Unlock()
	now, err := window.Overall()
	if err != nil {
		t.Fatal(err)
	}
	before, err := own.Overall()
	if err != nil {
		t.Fatal(err)
	}
	tokens, added := float64(0), float64(20*len(given))
	for range 20 { // each of the tier's answers has as many
		tokens += float64(len(last.answers[0].tokens))
	}
	want := (before[0].Estimate*tokens + added) / (tokens + added)
	if tier != "q2_k" || now[0].Metric != group.Agreement || now[0].Requests != 40 || !(math.Abs(now[0].Estimate-want) < 1e-9) || !(before[0].Estimate < 0.99) {
		t.Errorf("agreement at %s is %v of %d requests, want %v; without them %v", tier, now[0].Estimate, now[0].Requests, want, before[0].Estimate)
	}
	if all := l.shown("m").Requests[0]; all.Scored != 40 || all.Lost != 0 {
		t.Errorf("%+v", all)
	}
	l.answered(escalatedAs(last, "another source", given))
	if l.next(t.Context()); l.shown("m").Requests[0].Lost != 1 {
		t.Errorf("of another source: %+v", l.shown("m").Requests[0])
	}
	r.models.mu.Lock()
	r.models.short = append(r.models.short, r.models.list[0])
	r.models.mu.Unlock()
	l.answered(escalatedAs(last, last.control, append([]int32(nil), given...)))
	if l.next(t.Context()); l.shown("m").Requests[0].Waiting != 1 {
		t.Errorf("without a control: %+v", l.shown("m").Requests[0])
	}
	r.models.mu.Lock()
	r.models.short = nil
	r.models.mu.Unlock()
	if status, text := r.set("q4_k"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	if l.next(t.Context()); l.shown("m").Requests[0].Lost != 2 {
		t.Errorf("of weights that serve no more: %+v", l.shown("m").Requests[0])
	}
}
