// Package simulator runs the scheduler itself, its loop and lanes as a daemon has them, on a device that computes nothing:
// steps take the time that the cost model says, on a clock that nobody waits for. So an hour of requests is seen in seconds, twice
// the same, and what a rule of the policy is worth can be told before anybody is served by it.
//
// What is not simulated: parsing and tokenising, clients that hang up, and answers that end by themselves (the trace says how long
// each is).
//
// This file owns a run: arrivals, turns of the loop, and who is told of what.
package simulator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chimera/engine"
	"chimera/scheduler"
	"chimera/scheduler/trace"
)

// Config is what is simulated. Its sizes are those of chimera serve.
type Config struct {
	Cost         scheduler.CostState
	StepTokens   int
	MaxSequences int
	QueueLength  int
	Context      int                         // tokens of a request, prompt and answer, at most
	Pages        int                         // of 16 tokens, in the pool; 0: as the daemon has them, those of four full contexts and one for each sequence
	ITL          time.Duration               // as the setting itl_ms; 0: automatic
	Wait         time.Duration               // as the setting wait_ms; 0: no bound
	Rules        scheduler.Rules             // the policy's constants
	Without      scheduler.CharacteristicSet // parts of the policy that are switched off
	Objectives   Objectives
}

// Objectives are what an answer must keep to count as good.
type Objectives struct {
	TTFT time.Duration `json:"ttft"` // of its first token, behind the arrival
	ITL  time.Duration `json:"itl"`  // between tokens, in the mean of the answer
}

// DefaultConfig is a daemon's with its default settings, on two cores with a small model.
func DefaultConfig() Config {
	return Config{
		Cost: scheduler.NewCost().State(), StepTokens: 512, MaxSequences: 32, QueueLength: 256, Wait: 10 * time.Second, Context: 8192, Rules: scheduler.DefaultRules,
		Objectives: Objectives{TTFT: 2 * time.Second, ITL: 200 * time.Millisecond}, // who reads along reads five words a second
	}
}

// check names what can't be simulated.
func (c *Config) check() error {
	switch {
	case c.StepTokens < 1 || c.MaxSequences < 1 || c.QueueLength < 1 || c.Context < 2:
		return errors.New("step tokens, sequences, queue length and context must be above zero")
	case c.Pages < 0:
		return errors.New("a pool has no fewer pages than none")
	}
	return nil
}

// epoch is when all traces begin. A simulation begins with the first arrival.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// simulation is a run.
type simulation struct {
	config  Config
	trace   *trace.Trace
	clock   time.Time
	next    int // request to arrive
	device  *device
	loop    *scheduler.Loop
	lane    *scheduler.Lane
	running []*request // submitted, without their last event
	tally   *tally
	gone    context.Context // done: a Sequence.Next that has nothing to give returns at once
}

// request is one that was submitted.
type request struct {
	trace.Request
	seq         *scheduler.Sequence
	first, last time.Time // tokens
	tokens      int
}

// Run simulates a trace from its first arrival to the last answer.
func Run(ctx context.Context, t *trace.Trace, c Config) (*Report, error) {
	s, err := begin(t, c)
	if err != nil {
		return nil, err
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	return s.report(), nil
}

// begin is a simulation that stands before its first arrival.
func begin(t *trace.Trace, c Config) (*simulation, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if len(t.Requests) == 0 {
		return nil, errors.New("a trace without requests")
	}
	began := epoch.Add(t.Requests[0].At)
	s := &simulation{config: c, trace: t, clock: began}
	s.tally = newTally(c.Objectives, t, began)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	s.gone = gone
	s.device = &device{limits: c.limits(), cost: scheduler.CostFrom(c.Cost), now: s.now, pass: s.pass, free: began}
	s.loop = scheduler.NewLoop(scheduler.LoopConfig{Now: s.now, Synchronous: true})
	var err error
	if s.lane, err = s.loop.Add(s.device, scheduler.Config{
		StepTokens: c.StepTokens, QueueLength: c.QueueLength, ITL: c.ITL, Wait: c.Wait, Rules: &c.Rules, Without: c.Without,
	}); err != nil {
		return nil, err
	}
	return s, nil
}

// limits are the device's. The vocabulary is so large that prompts which differ do so in each block.
func (c *Config) limits() engine.Limits {
	rows := max(c.StepTokens, c.MaxSequences)
	return engine.Limits{
		MaxTokens: rows, MaxSequences: c.MaxSequences, MaxOutputs: rows, MaxContext: c.Context, Vocab: vocabulary, Depth: 1,
		Groups: []engine.GroupLimits{{Name: "all", Pages: c.pages(), PageBytes: 1, Mask: engine.Causal, Written: true}},
	}
}

func (c *Config) pages() int {
	if c.Pages > 0 {
		return c.Pages
	}
	return 4*((c.Context+engine.PageTokens-1)/engine.PageTokens) + c.MaxSequences
}

func (s *simulation) now() time.Time { return s.clock }

// run turns the loop until nothing is left.
func (s *simulation) run(ctx context.Context) error {
	s.arrive()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		worked, err := s.loop.Turn()
		if err != nil {
			return fmt.Errorf("the loop ended: %w", err)
		}
		select {
		case <-s.lane.Done():
			return fmt.Errorf("the lane ended: %w", s.lane.Err())
		default:
		}
		s.hear()
		switch {
		case worked:
		case s.waitsFor().IsZero() && len(s.running) > 0:
			return fmt.Errorf("%d requests wait, and the scheduler computes nothing: a bug of its policy", len(s.running))
		case s.waitsFor().IsZero():
			return nil
		default:
			s.pass(s.waitsFor(), func() bool { return false })
		}
	}
}

// waitsFor is when an idle loop has something to do again: the next arrival, or a deadline of who waits. Zero: never.
func (s *simulation) waitsFor() (at time.Time) {
	if s.next < len(s.trace.Requests) {
		at = epoch.Add(s.trace.Requests[s.next].At)
	}
	for _, r := range s.running {
		if r.Deadline > 0 && r.seq.Waited() == 0 {
			if due := epoch.Add(r.At + r.Deadline + 1); due.After(s.clock) && (at.IsZero() || due.Before(at)) {
				at = due
			}
		}
	}
	return at
}

// pass lets the clock go on to a time, and requests arrive on the way.
func (s *simulation) pass(to time.Time, stop func() bool) {
	for s.next < len(s.trace.Requests) && !stop() {
		at := epoch.Add(s.trace.Requests[s.next].At)
		if at.After(to) {
			break
		}
		s.advance(at)
		s.arrive()
	}
	if !stop() {
		s.advance(to)
	}
}

// advance moves the clock. A queue counts as long as it is there.
func (s *simulation) advance(to time.Time) {
	if to.After(s.clock) {
		s.tally.lasted(to.Sub(s.clock), s.lane.Snapshot())
		s.clock = to
	}
}

// arrive submits what arrives now.
func (s *simulation) arrive() {
	for ; s.next < len(s.trace.Requests) && !epoch.Add(s.trace.Requests[s.next].At).After(s.clock); s.next++ {
		r := s.trace.Requests[s.next]
		q := scheduler.Request{
			Prompt: promptOf(s.trace, s.next), MaxTokens: r.Answer, IgnoreEnd: true, Sampling: scheduler.Sampling{TopP: 1, Repetition: 1},
			Class: r.Class, Priority: r.Priority, Tenant: r.Tenant,
		}
		if r.Deadline > 0 {
			q.Deadline = s.clock.Add(r.Deadline)
		}
		seq, err := s.lane.Submit(context.Background(), q)
		if err != nil {
			s.tally.refused(&r, err)
			continue
		}
		if r.Class != scheduler.Background {
			s.device.Withdraw() // as a submitted step would
		}
		s.tally.arrived(&r, s.clock)
		s.running = append(s.running, &request{Request: r, seq: seq})
	}
}

// hear takes the events that the last turn has given.
func (s *simulation) hear() {
	s.running = slices.DeleteFunc(s.running, func(r *request) bool {
		if r.seq.Waited() == 0 && (r.Deadline == 0 || s.clock.Before(epoch.Add(r.At+r.Deadline))) {
			return false // it is in the queue, and there are many
		}
		for {
			e, err := r.seq.Next(s.gone)
			if err != nil {
				return false
			}
			if e.HasToken {
				s.tally.token(r, s.clock)
			}
			if e.Finish != scheduler.Running {
				s.tally.ended(r, s.clock, e.Err)
				return true
			}
		}
	})
}
