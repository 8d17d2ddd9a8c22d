package daemon

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/scheduler"
)

// This file owns tests of readiness.

// gated is a loop whose steps wait to be let go, and its probe.
func gated(t *testing.T) (p probe, gate chan struct{}, stop context.CancelFunc) {
	t.Helper()
	limits := engine.Limits{MaxTokens: 8, MaxSequences: 2, MaxOutputs: 8, MaxTop: 1, MaxContext: 64, Groups: []engine.GroupLimits{enginetest.Full(8)}, Vocab: 100}
	in := enginetest.New(limits)
	in.Gate = make(chan struct{}, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	lane := onItsOwn(t, ctx, in, scheduler.Config{StepTokens: 8, QueueLength: 4})
	t.Cleanup(func() {
		cancel()
		for {
			select {
			case in.Gate <- struct{}{}:
			case <-lane.Done():
				return
			}
		}
	})
	return probe{lane, []int32{1}, 200 * time.Millisecond}, in.Gate, cancel
}

// ask submits n requests, and waits until the loop has taken as many as it runs at a time.
func (p probe) ask(t *testing.T, n int) {
	t.Helper()
	// At once: a step that began with the first alone would wait for its gate.
	r := scheduler.Request{Prompt: []int32{1, 2}, MaxTokens: 60, Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}}
	if _, err := p.loop.SubmitGroup(context.Background(), slices.Repeat([]scheduler.Request{r}, n)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); p.loop.Snapshot().Running < min(n, 2); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not running: %+v", p.loop.Snapshot())
		}
	}
}

// atOnce holds an answer to come without waiting for a client's step.
func (p probe) atOnce(t *testing.T) error {
	t.Helper()
	began := time.Now()
	err := p.ready(t.Context())
	if d := time.Since(began); d > 100*time.Millisecond {
		t.Errorf("the question took %v", d)
	}
	return err
}

// An idle model is ready if it decodes a token, and not if it hangs.
func TestIdleReadinessIsADecode(t *testing.T) {
	p, gate, _ := gated(t)
	if err := p.ready(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a model that hangs: %v", err)
	}
	gate <- struct{}{}
	gate <- struct{}{}
	for end := time.Now().Add(10 * time.Second); p.loop.Snapshot().Occupied() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	before := p.loop.Snapshot().Steps
	if err := p.ready(t.Context()); err != nil {
		t.Error(err)
	}
	// A step is counted when its tokens are out, so a moment later.
	for end := time.Now().Add(10 * time.Second); p.loop.Snapshot().Steps == before && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if n := p.loop.Snapshot().Steps - before; n != 1 {
		t.Errorf("%d steps", n)
	}
}

// Requests run from the moment that their step is planned; with all places and the whole queue taken the model is ready without
// a decode of its own, as long as steps are completed.
func TestBusyIsReady(t *testing.T) {
	p, gate, _ := gated(t)
	p.ask(t, 2)
	if now := p.loop.Snapshot(); now.Running != 2 || now.Steps > 0 {
		t.Errorf("in their first step: %+v", now)
	}
	if err := p.atOnce(t); err != nil {
		t.Errorf("all places are taken: %v", err)
	}
	for range 3 { // all places are taken: these wait until the queue is full
		p.ask(t, 1)
	}
	p.ask(t, 1)
	if err := p.atOnce(t); err != nil {
		t.Errorf("a full queue: %v", err)
	}
	time.Sleep(p.limit / 2)
	gate <- struct{}{}
	time.Sleep(3 * p.limit / 4) // longer than the limit since the requests came, shorter since the step
	if err := p.atOnce(t); err != nil {
		t.Errorf("slow, but it moves: %v", err)
	}
	time.Sleep(p.limit)
	if err := p.atOnce(t); err == nil || !strings.Contains(err.Error(), "2 requests run and 4 wait, but no step was completed for") {
		t.Errorf("it hangs: %v", err)
	}
}

// What the daemon asks itself may wait for idle time for ever: it is no reason not to be ready, nor does its place keep the question from an answer.
func TestReadinessBesideOwnRequests(t *testing.T) {
	p, gate, _ := gated(t)
	p.limit = 2 * time.Second
	own := scheduler.Request{Prompt: []int32{1, 2}, MaxTokens: 60, Class: scheduler.Background, Own: true, Idle: true, Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}}
	if _, err := p.loop.Submit(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); p.loop.Snapshot().Own.Running == 0 || time.Since(p.loop.Snapshot().Progress) <= p.limit; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not running: %+v", p.loop.Snapshot())
		}
	}
	answered := make(chan error, 1)
	go func() { answered <- p.ready(t.Context()) }()
	for end := time.Now().Add(10 * time.Second); p.loop.Snapshot().Own.Running+p.loop.Snapshot().Own.Waiting < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the question is not asked: %+v", p.loop.Snapshot())
		}
	}
	for range 100 {
		gate <- struct{}{}
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// A loop that takes nothing more is not ready, whatever it still computes.
func TestDrainingIsNotReady(t *testing.T) {
	p, _, _ := gated(t)
	p.ask(t, 2)
	p.loop.Drain()
	if err := p.atOnce(t); !errors.Is(err, scheduler.ErrDraining) {
		t.Errorf("draining: %v", err)
	}
}

// A question that came when the loop was idle, and whose token waits behind clients by now, is answered by their next step.
func TestReadinessDoesNotQueueBehindClients(t *testing.T) {
	p, gate, _ := gated(t)
	p.limit = 10 * time.Second
	idle := p.loop.Snapshot()
	p.ask(t, 2) // all places are taken for 60 steps
	answered := make(chan error, 1)
	go func() { answered <- p.readyAfter(t.Context(), idle) }()
	for end := time.Now().Add(10 * time.Second); p.loop.Snapshot().Own.Waiting == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the question's token does not wait")
		}
	}
	select {
	case err := <-answered:
		t.Fatalf("answered before any step: %v", err)
	case <-time.After(3 * readyLook):
	}
	gate <- struct{}{}
	select {
	case err := <-answered:
		if now := p.loop.Snapshot(); err != nil || now.Steps != 1 {
			t.Errorf("%v, after %d steps", err, now.Steps)
		}
	case <-time.After(p.limit / 2):
		t.Error("the clients' step was no answer")
	}
}

// Until the models of the start are there, the daemon is loading, and one that has been unloaded since is no reason not to be ready.
func TestReadinessOfSeveral(t *testing.T) {
	c := fakeConfig(t, "a", "b start")
	inBubble(t, func(t *testing.T) {
		d, gate := newFakeDevice(), make(chan struct{})
		d.load = func(string) error { <-gate; return nil }
		all := newFakeModels(t, c)
		loading := func() {
			t.Helper()
			if h := httpOf(all.State()); h.Code != "loading" || httpOf(all.ready(t.Context())).Code != "loading" {
				t.Errorf("%v, %v", all.State(), all.ready(t.Context()))
			}
		}
		loading() // without a device
		all.begin(holdDevice(d))
		defer all.end()
		loading()
		gate <- struct{}{}
		synctest.Wait()
		if loading(); d.loaded() != "a" {
			t.Errorf("%q", d.loaded())
		}
		gate <- struct{}{}
		synctest.Wait()
		if err := errors.Join(all.State(), all.ready(t.Context()), all.Unload(t.Context(), "b"), all.ready(t.Context()), all.State()); err != nil {
			t.Error(err)
		}
	})
}
