package scheduler

import (
	"errors"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of what predictions know of those who wait: their length, their tenants, the pages that they want.

// seen lets the lane have seen what steps take.
func seen(w *world, lane *Lane) {
	seq := w.submit(lane, greedy(prompt(9999, 600, 0), 1))
	w.until("its end", func() bool { return seq.ended })
	w.turn()
}

// A short prompt is not refused for long ones that it goes before, nor a long one taken as if it went before the short.
func TestPredictionsKnowLengths(t *testing.T) {
	for _, without := range []CharacteristicSet{0, byLength} {
		w, lane := one(t, roomy(32, 512), Config{StepTokens: 512, QueueLength: 100, Without: without})
		for i := range 10 { // ten seconds of prompts
			w.submit(lane, greedy(prompt(i, 1000, 0), 1))
		}
		w.turn()
		r := greedy(prompt(20, 100, 0), 1)
		r.Deadline = w.clock.Add(2 * time.Second)
		short, err := lane.Submit(t.Context(), r)
		if (err == nil) != (without == 0) {
			t.Fatalf("without %b: the short one: %v", without, err)
		}
		if err == nil {
			w.until("its token", short.first)
			if at := short.events[0].At; at.After(r.Deadline) {
				t.Errorf("it was %v late", at.Sub(r.Deadline))
			}
		}
		r = greedy(prompt(21, 2000, 0), 1)
		r.Deadline = w.clock.Add(4 * time.Second)
		if _, err := lane.Submit(t.Context(), r); !errors.Is(err, ErrDeadline) {
			t.Errorf("without %b: the long one: %v", without, err)
		}
	}
}

// A long prompt is foreseen behind all that is shorter.
func TestLongPromptsAreForeseenLast(t *testing.T) {
	w, lane := one(t, roomy(4, 512), Config{StepTokens: 512, QueueLength: 100})
	seen(w, lane)
	for i := range 30 { // three seconds of prompts
		w.submit(lane, greedy(prompt(i, 100, 0), 1))
	}
	for _, c := range []struct {
		within time.Duration
		taken  bool
	}{{1500 * time.Millisecond, false}, {5 * time.Second, true}} {
		r := greedy(prompt(40, 200, 0), 1)
		r.Deadline = w.clock.Add(c.within)
		if _, err := lane.Submit(t.Context(), r); (err == nil) != c.taken {
			t.Errorf("within %v: %v", c.within, err)
		}
	}
}

// Who asks little is not refused for the flood of another, whose turn comes once for each of his.
func TestPredictionsKnowTenants(t *testing.T) {
	for _, without := range []CharacteristicSet{0, byTenant} {
		w, lane := one(t, roomy(4, 512), Config{StepTokens: 512, QueueLength: 100, Without: without})
		for i := range 60 {
			w.submit(lane, of("flood", greedy(prompt(i, 200, 0), 1)))
		}
		w.turn()
		w.turn()
		r := of("small", greedy(prompt(70, 200, 0), 1))
		r.Deadline = w.clock.Add(2 * time.Second)
		seq, err := lane.Submit(t.Context(), r)
		if (err == nil) != (without == 0) {
			t.Fatalf("without %b: %v", without, err)
		}
		if err == nil {
			w.until("its token", seq.first)
			if at := seq.events[0].At; at.After(r.Deadline) {
				t.Errorf("it was %v late", at.Sub(r.Deadline))
			}
		}
		r = of("flood", greedy(prompt(71, 200, 0), 1))
		r.Deadline = w.clock.Add(2 * time.Second)
		if _, err := lane.Submit(t.Context(), r); !errors.Is(err, ErrDeadline) {
			t.Errorf("without %b: one more of the flood: %v", without, err)
		}
	}
}

// Where pages are short of places, it is their coming back that is waited for.
func TestPredictionsKnowPages(t *testing.T) {
	l := roomy(32, 64)
	l.Groups = []engine.GroupLimits{enginetest.Full(80)} // of some eight sequences
	w, lane := one(t, l, Config{StepTokens: 64, QueueLength: 100})
	var all []*Sequence
	foreseen := map[*Sequence]time.Duration{}
	for len(all) < 150 {
		for lane.Snapshot().Waiting < 10 {
			lane.mu.Lock()
			d := demand{rows: 64, pages: pagesTo(64 + 64)}
			wait := lane.foreseenWait(&d) + lane.forecast.own(&d)
			lane.mu.Unlock()
			seq := w.submit(lane, greedy(prompt(len(all), 64, 0), 64))
			all, foreseen[seq] = append(all, seq), wait
		}
		w.turn()
	}
	var told, took float64
	for _, seq := range all[50:] {
		w.until("its token", seq.first)
		told, took = told+foreseen[seq].Seconds(), took+seq.ttft().Seconds()
	}
	if ratio := told / took; ratio < 0.7 || ratio > 1.4 || lane.stats.Preemptions > 50 {
		t.Errorf("first tokens came after %.1f s in the mean and were foreseen after %.1f s; %d preemptions", took/100, told/100, lane.stats.Preemptions)
	}
}

// A short prompt has the rows that short ones have beside those who decode, and not the few of long ones.
func TestPredictionsKnowTheBudget(t *testing.T) {
	w, lane := decoding(t, 2, Interactive, Config{})
	for i, c := range []struct {
		tokens int
		within time.Duration
	}{{100, 200 * time.Millisecond}, {120, 250 * time.Millisecond}, {100, 200 * time.Millisecond}} {
		w.turn() // what is under way, that predictions tell of, is no step of the prompt before
		r := greedy(prompt(200+i, c.tokens, 0), 1)
		r.Deadline = w.clock.Add(c.within)
		seq := w.submit(lane, r)
		w.until("its token", seq.first)
		if at := seq.events[0].At; at.After(r.Deadline) || seq.events[0].Err != nil {
			t.Errorf("%d tokens within %v: %v late, %v", c.tokens, c.within, at.Sub(r.Deadline), seq.events[0].Err)
		}
	}
}

// An interactive request without a deadline waits no longer than is set; who waits for the end, or says how long he waits, is not concerned.
func TestForeseenWaitIsBounded(t *testing.T) {
	w, lane := one(t, roomy(4, 512), Config{StepTokens: 512, QueueLength: 100, Wait: 2 * time.Second})
	seen(w, lane)
	taken := 0
	for range 100 {
		_, err := lane.Submit(t.Context(), greedy(prompt(taken, 500, 0), 1))
		var refused *OverloadError
		if err != nil {
			if !errors.As(err, &refused) || !errors.Is(err, ErrQueueFull) || refused.RetryAfter > 2*time.Second {
				t.Fatal(err)
			}
			break
		}
		taken++
	}
	if taken < 4 || taken > 6 {
		t.Errorf("%d prompts of half a second are taken, four of them for places, and the others wait no longer than two seconds", taken)
	}
	if err := lane.Precheck(Ask{PromptTokens: 50_000}); !errors.Is(err, ErrQueueFull) {
		t.Errorf("before its tokens are known: %v", err)
	}
	patient := greedy(prompt(101, 500, 0), 1)
	patient.Deadline = w.clock.Add(time.Minute)
	for what, r := range map[string]Request{
		"batch": as(Batch, greedy(prompt(102, 500, 0), 1)), "background": as(Background, greedy(prompt(103, 500, 0), 1)), "a deadline": patient,
		"a short one": greedy(prompt(104, 20, 0), 1), // it goes before them
	} {
		if _, err := lane.Submit(t.Context(), r); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// As many clients as there are places, each of whom asks again when it has its answer, are never refused, be the machine as slow as it may.
func TestOnesOwnPlaceIsFree(t *testing.T) {
	w, lane := one(t, roomy(4, 512), Config{StepTokens: 512, QueueLength: 100, Wait: 2 * time.Second})
	w.devices[0].base = 3 * time.Second
	var clients [4]*Sequence
	for id := range 400 {
		client := id % len(clients)
		if seq := clients[client]; seq != nil {
			w.until("its answer", func() bool { return seq.ended })
		}
		r := greedy(prompt(id, 20, 0), 5+id%7)
		seq, err := lane.Submit(t.Context(), r)
		if err != nil {
			t.Fatalf("request %d: %v", id, err)
		}
		clients[client] = seq
	}
}

// While there are places a machine that is slow is waited for: to be refused where nobody else is served would help nobody.
func TestPlacesAreGivenHoweverSlow(t *testing.T) {
	w, lane := one(t, roomy(4, 512), Config{StepTokens: 512, QueueLength: 100, Wait: 2 * time.Second})
	lane.costs.model = CostFrom(CostState{Steps: 1000, ConstantMS: 10, DecodeRowMS: 20, PrefillRowMS: 20})
	w.devices[0].row = 20 * time.Millisecond
	seen(w, lane)
	for i := range 5 {
		_, err := lane.Submit(t.Context(), greedy(prompt(i, 500, 0), 1)) // ten seconds each
		if (err == nil) != (i < 4) {
			t.Errorf("request %d of four places: %v", i, err)
		}
	}
}
