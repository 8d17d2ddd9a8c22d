package cgo

import (
	"sync"
	"time"
)

// This file owns how many workers a step has when other programs use the cores too.

const (
	// crowdedSteps are judged together: a single one may have met a moment's work of somebody else.
	crowdedSteps = 4
	// shortestRest and longestRest are for how long a worker sits out. Then all are tried again, which costs a few slow
	// steps if the cores are still wanted by others; each time that they are the rest is twice as long.
	shortestRest = 100 * time.Millisecond
	longestRest  = 2 * time.Second
)

// crowd lets a worker sit out while other programs want its core.
//
// A phase ends when all workers have met, so one that was put off its core for a scheduler's slice of 3 ms holds up all others
// some hundred times a second. With a busy loop on one of two cores, decoding SmolLM2 took 8.7 ms a token on two workers,
// 4.2 ms on one and 2.9 ms undisturbed on two: each of the two slept or waited for a core half of the time. A step of many rows has
// chunks enough for the others to go on with: of 512 rows 0.25 of the time was slept, and one worker was no faster.
type crowd struct {
	mu      sync.Mutex
	most    int // workers of a step, while the rest lasts
	until   time.Time
	rest    time.Duration
	steps   int // that were judged together so far, and what they took and lost
	workers int // of these steps
	took    time.Duration
	slept   time.Duration
	stolen  time.Duration
}

// limit is how many of so many workers the next step should have.
func (c *crowd) limit(workers int, now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Before(c.until) {
		return min(workers, c.most)
	}
	return workers
}

// ran counts a step: what it took, how much of that its workers slept together, and for how long one of them was put off its core.
func (c *crowd) ran(workers int, took, slept, stolen time.Duration, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if workers != c.workers {
		c.forget(workers)
	}
	c.steps, c.took, c.slept, c.stolen = c.steps+1, c.took+took, c.slept+slept, c.stolen+stolen
	if c.steps < crowdedSteps {
		return
	}
	if workers > 1 && c.crowded() {
		c.sitOut(workers-1, now)
	}
	c.forget(workers)
}

// sitOut leaves so many workers for a while.
func (c *crowd) sitOut(most int, now time.Time) {
	if now.Sub(c.until) > longestRest {
		c.rest = 0 // the others had left, and came again
	}
	c.rest = min(max(2*c.rest, shortestRest), longestRest)
	c.most, c.until = most, now.Add(c.rest)
}

// crowded tells whether the workers waited for each other for a good part of the time, and other programs were the cause: sleep alone comes
// of phases that have less work than workers, too.
func (c *crowd) crowded() bool { return c.slept > c.took*2/5 && c.stolen > c.took/8 }

func (c *crowd) forget(workers int) {
	c.steps, c.took, c.slept, c.stolen, c.workers = 0, 0, 0, 0, workers
}
