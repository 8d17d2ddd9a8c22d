package daemon

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/engine/enginetest"
	group "chimera/quality/control"
	"chimera/scheduler"
)

// This file owns tests of what the daemon asks its models itself: it keeps them loaded, and is nobody who uses them.

// borrowed is a hold of the daemon's own.
func (all *runtimes) borrowed(ctx context.Context, name string) api.Held {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.borrow(all.find(name), ctx)
}

// ownRequest is one that is computed in idle time.
func ownRequest() scheduler.Request {
	return scheduler.Request{Prompt: []int32{1, 2}, MaxTokens: 20, Class: scheduler.Background, Own: true, Idle: true, Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}}
}

// Own requests run and wait apart from clients', make no load that clients find, no request that an objective is missed for, and no use of a model.
func TestOwnRequestsAreNoClients(t *testing.T) {
	c := fakeConfig(t, "a")
	inBubble(t, func(t *testing.T) {
		d, gate := newFakeDevice(), make(chan struct{}, 1)
		gate <- struct{}{} // the load decodes a token
		d.tune = func(in *enginetest.Instance) { in.Gate = gate }
		all := serveFake(t, d, c)
		all.used(t, "a")
		held := all.borrowed(t.Context(), "a")
		var list []*scheduler.Sequence
		for range c.MaxSequences + 2 {
			one, err := held.Model.Engine.SubmitGroup(t.Context(), []scheduler.Request{ownRequest()})
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, one[0])
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		s, lanes := all.state("a"), all.Lanes()[0]
		if own := (api.OwnRequests{Running: c.MaxSequences, Waiting: 2}); s.Own != own || s.Running+s.Waiting != 0 || lanes.Own != scheduler.OwnRequests(own) || lanes.Running+lanes.Waiting != 0 {
			t.Errorf("%+v, %+v", s, lanes)
		}
		if s.Idle == nil || *s.Idle < 60 || *s.Idle > 61 {
			t.Errorf("idle for %v", s.Idle)
		}
		if n := all.waitingFor("a"); n != 0 {
			t.Errorf("%d wait", n)
		}
		one, other := all.held(t, "a"), all.held(t, "a")
		if load := all.loadFor("a"); load != group.Busy {
			t.Errorf("a client finds it %s", load)
		}
		if all.state("a").Idle != nil {
			t.Error("nobody uses it")
		}
		one.Release()
		other.Release()
		for _, seq := range list {
			seq.Stop()
		}
		held.Release()
		close(gate)
	})
}

// A model stays as long as the daemon itself computes with it, though its time is up, and goes then; that it did so does not prolong its time.
func TestOwnHoldsKeepAModel(t *testing.T) {
	c := fakeConfig(t, "a demand")
	c.Model[0].KeepAlive = config.Duration{Duration: time.Minute}
	inBubble(t, func(t *testing.T) {
		d := newFakeDevice()
		all := serveFake(t, d, c)
		all.used(t, "a")
		time.Sleep(10 * time.Second)
		held := all.borrowed(t.Context(), "a")
		time.Sleep(10 * time.Second)
		held.Release()
		if time.Sleep(39 * time.Second); d.loaded() != "a" {
			t.Error("it has gone before its time")
		}
		time.Sleep(2 * time.Second)
		if synctest.Wait(); d.loaded() != "" {
			t.Error("it stays, since the daemon has used it")
		}
		all.used(t, "a")
		time.Sleep(50 * time.Second)
		held = all.borrowed(t.Context(), "a")
		time.Sleep(5 * time.Minute)
		if synctest.Wait(); d.loaded() != "a" || held.Context.Err() != nil {
			t.Errorf("it has gone while the daemon computes: %v", context.Cause(held.Context))
		}
		if err := answer(held.Context, held, 3); err != nil {
			t.Error(err)
		}
		held.Release()
		if synctest.Wait(); d.loaded() != "" {
			t.Error("it stays")
		}
	})
}
