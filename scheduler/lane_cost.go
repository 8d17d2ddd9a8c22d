package scheduler

import (
	"sync"
	"time"
)

// This file owns a lane's cost model on its way: what it observes, and who may ask it.

// costs is a cost model behind a lock: the loop observes and plans by it, others look at it.
type costs struct {
	mu    sync.Mutex
	model *Cost
}

func (c *costs) observe(s Shape, d time.Duration) {
	c.mu.Lock()
	c.model.Observe(s, d)
	c.mu.Unlock()
}

// Cost is what the lane knows of the time that its steps take. Any goroutine may ask.
func (s *Lane) Cost() CostState {
	s.costs.mu.Lock()
	model := *s.costs.model
	s.costs.mu.Unlock()
	return model.State()
}

// observe learns from a step that is done now. It began when it was submitted, or when the step before it, of any lane, was done. One
// that gives way to others says nothing of what it takes.
func (s *Lane) observe(done *step) {
	now, began := s.loop.config.Now(), done.submitted
	if began.Before(s.loop.completed) {
		began = s.loop.completed
	}
	if done.kind == givesWay {
		return
	}
	s.loop.completed, s.foreseen.learned = now, now
	took := now.Sub(began)
	s.costs.observe(done.shape, took)
	s.cache.observe(done, took)
	s.account(done, took)
}

// account lays a step's time to the lane and, by their rows, to the classes that were in it.
func (s *Lane) account(done *step, took time.Duration) {
	if took > 0 {
		s.used[done.class] += (took - done.predicted).Seconds()
	}
	all := done.shape.Decode + done.shape.Prefill
	var by [classes]time.Duration
	for c := range by {
		by[c] = took * time.Duration(done.rows[c]) / time.Duration(max(1, all))
	}
	s.shares.spent(by, &s.present, &s.policy.rules)
	s.loop.shares.spent(by, &s.loop.present, &s.policy.rules)
}
