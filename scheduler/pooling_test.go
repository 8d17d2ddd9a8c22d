package scheduler

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns tests of pooling: the mean is that of all states that were asked for, each once, however the prompt was computed.

// tapped are limits of an instance whose states are the token and its position.
func tapped(l engine.Limits, rows int) engine.Limits {
	l.TapWidth, l.MaxTaps = 2, rows
	return l
}

func pooled(tokens []int32, from int) Request {
	return Request{Prompt: tokens, Pool: true, PoolFrom: from, Sampling: Sampling{Repetition: 1, TopP: 1}}
}

// meanOf is what the mean of the states is, from a position on.
func meanOf(tokens []int32, from int) []float32 {
	var token, position float64
	for i := from; i < len(tokens); i++ {
		token, position = token+float64(tokens[i]), position+float64(i)
	}
	n := float64(len(tokens) - from)
	return []float32{float32(token / n), float32(position / n)}
}

// wantPooled waits for the end of a sequence, whose only event it is.
func wantPooled(t *testing.T, s *Sequence, want []float32) {
	t.Helper()
	e, err := s.Next(t.Context())
	if err != nil || e.Err != nil || e.Finish != Length || e.HasToken || !slices.Equal(e.Pooled, want) {
		t.Errorf("%+v, %v, want the mean %v", e, err, want)
	}
}

// A prompt is pooled in as many steps as its taps take, beside others, though its pages are in the cache.
func TestPooling(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := start(t, tapped(l, 7), Config{StepTokens: 20, QueueLength: 20}, nil)
		for range 2 { // the second time all pages are in the cache
			var all []*Sequence
			var want [][]float32
			for i, n := range []int{1, 2, 7, 8, 40, 100} {
				for _, from := range []int{0, n / 2, n - 1} {
					tokens := prompt(i, n, 16)
					s, err := f.Submit(t.Context(), pooled(tokens, from))
					if err != nil {
						t.Fatal(err)
					}
					all, want = append(all, s), append(want, meanOf(tokens, from))
				}
			}
			for i, s := range all {
				wantPooled(t, s, want[i])
			}
		}
		f.finish(t)
	})
}

// Steps that gave way count once, and so do those before a sequence was sent back.
func TestPoolingGoesOn(t *testing.T) {
	l := tapped(testLimits(1), 7)
	l.Groups = []engine.GroupLimits{enginetest.Full(14)}
	in := enginetest.New(l)
	in.Abort = func(step int) bool { return step%3 == 1 }
	loop, lane := still(t, in, Config{StepTokens: 20, QueueLength: 20})
	tokens := prompt(1, 150, 0)
	s, err := lane.Submit(t.Context(), later(pooled(tokens, 3)))
	if err != nil {
		t.Fatal(err)
	}
	for range 12 {
		turn(t, loop)
	}
	if s.pooled.n < 20 || s.pooled.n > 100 {
		t.Fatalf("%d states after 12 turns", s.pooled.n)
	}
	for i := range 3 { // they have the pages instead
		if _, err := lane.Submit(t.Context(), Request{Prompt: prompt(2+i, 60, 0), MaxTokens: 40, Sampling: Sampling{Repetition: 1, TopP: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	for range 400 {
		turn(t, loop)
	}
	if s.releases == 0 {
		t.Error("it was not sent back")
	}
	wantPooled(t, s, meanOf(tokens, 3))
}

func TestPoolingIsRefused(t *testing.T) {
	with := func(change func(r *Request)) Request {
		r := pooled(prompt(1, 10, 0), 0)
		change(&r)
		return r
	}
	f := start(t, tapped(testLimits(1), 7), Config{StepTokens: 20, QueueLength: 20}, nil)
	for i, r := range []Request{
		with(func(r *Request) { r.MaxTokens = 1 }), with(func(r *Request) { r.ScorePrompt = true }),
		with(func(r *Request) { r.PoolFrom = 10 }), with(func(r *Request) { r.PoolFrom = -1 }),
	} {
		_, err := f.Submit(t.Context(), r)
		if refused := (*engine.BatchError)(nil); !errors.As(err, &refused) {
			t.Errorf("request %d: %v", i, err)
		}
	}
	f.finish(t)
	f = start(t, testLimits(1), Config{StepTokens: 20, QueueLength: 20}, nil)
	if _, err := f.Submit(t.Context(), pooled(prompt(1, 10, 0), 0)); !errors.Is(err, ErrNoStates) {
		t.Errorf("without taps: %v", err)
	}
	f.finish(t)
}

// A state that is no number ends its own request alone.
func TestPoolingOfSpoiltStates(t *testing.T) {
	f := start(t, tapped(testLimits(1), 7), Config{StepTokens: 20, QueueLength: 20}, func(in *enginetest.Instance) {
		in.Spoil = func(token int32, _ int) bool { return token == 4999 }
	})
	tokens := append(prompt(1, 10, 0), 4999)
	bad, err := f.Submit(t.Context(), pooled(tokens, 0))
	if err != nil {
		t.Fatal(err)
	}
	good, err := f.Submit(t.Context(), pooled(prompt(2, 30, 0), 0))
	if err != nil {
		t.Fatal(err)
	}
	e, err := bad.Next(t.Context())
	if err != nil || e.Finish != Failed || e.Err == nil || e.Pooled != nil {
		t.Errorf("%s", fmt.Sprintf("%+v, %v", e, err))
	}
	wantPooled(t, good, meanOf(prompt(2, 30, 0), 0))
	f.finish(t)
}

// planned is the first step of requests, as the lane would submit it.
func planned(t *testing.T, requests ...Request) *Lane {
	t.Helper()
	loop, lane := still(t, enginetest.New(tapped(testLimits(1), 64)), Config{StepTokens: 64, QueueLength: 20})
	for _, r := range requests {
		if _, err := lane.Submit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	loop.arrivals()
	if !lane.prepare(ordinary) || len(lane.next.chunks) != len(requests) {
		t.Fatalf("%d are in the step", len(lane.next.chunks))
	}
	return lane
}

// No logits are formed of what is pooled, so that a step of it is not taken for one of as many outputs.
func TestPoolingIsPredicted(t *testing.T) {
	lane := planned(t, pooled(prompt(1, 20, 0), 0), greedy(prompt(2, 8, 0), 4))
	if s := lane.next.shape; s.Outputs != 1 || s.Prefill != 28 || len(lane.next.batch.Outputs) != 21 {
		t.Errorf("%+v, %d outputs", s, len(lane.next.batch.Outputs))
	}
}

// Nor does it pay for them.
func TestPoolingIsCharged(t *testing.T) {
	lane := planned(t, pooled(prompt(1, 20, 0), 0), pooled(prompt(2, 20, 0), 19))
	alone, all := lane.takeAlone(lane.next)
	want := float64(lane.costs.model.Predict(Shape{Prefill: 20, Attention: 210}))
	for i, got := range alone {
		if !(got > want*0.999 && got < want*1.001) || !(all > 1.99*got) {
			t.Errorf("prompt %d of %d pays for %v, want %v", i, len(alone), got, want)
		}
	}
}

// A group is refused for one of its requests, which is named; of a request alone there is nothing to name.
func TestRefusedGroupNamesTheRequest(t *testing.T) {
	f := start(t, tapped(testLimits(1), 7), Config{StepTokens: 20, QueueLength: 20}, nil)
	good, bad := pooled(prompt(1, 10, 0), 0), pooled(prompt(1, 10, 0), 10)
	_, err := f.SubmitGroup(t.Context(), []Request{good, good, bad, bad})
	var one *RequestError
	var refused *engine.BatchError
	if !errors.As(err, &one) || one.Request != 2 || !errors.As(err, &refused) || refused.Field != "prompt" {
		t.Errorf("%v", err)
	}
	one = nil
	if _, err := f.Submit(t.Context(), bad); errors.As(err, &one) || !errors.As(err, &refused) {
		t.Errorf("alone: %v", err)
	}
	f.finish(t)
}
