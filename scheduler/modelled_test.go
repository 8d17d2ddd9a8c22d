package scheduler

import (
	"errors"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the device of the policy's tests: it computes nothing, and its steps take what a model says of a clock that nobody
// waits for.

// modelled is an instance whose steps sample token 7, and take base and so much for each row.
type modelled struct {
	*enginetest.Instance
	clock     *time.Time
	base, row time.Duration
	under     []Shape
	steps     []Shape // done
	took      []time.Duration
	rows      [][]int // of each sequence, by step
	// beforeWait is called when a step is waited for; nil: nothing is.
	beforeWait func()
}

func (m *modelled) Submit(b *engine.Batch) error {
	for i := range b.Results {
		b.Results[i] = engine.Result{Token: 7}
	}
	m.under = append(m.under, ShapeOf(b))
	var rows []int
	for _, q := range b.Sequences {
		rows = append(rows, int(q.TokenCount))
	}
	m.rows = append(m.rows, rows)
	return nil
}

func (m *modelled) Wait() error {
	if m.beforeWait != nil {
		m.beforeWait()
	}
	s := m.under[0]
	m.under = m.under[1:]
	d := m.base + time.Duration(s.Decode+s.Prefill)*m.row
	*m.clock = m.clock.Add(d)
	m.steps, m.took = append(m.steps, s), append(m.took, d)
	return nil
}

// world is a loop on such devices that share a clock.
type world struct {
	t       *testing.T
	clock   time.Time
	loop    *Loop
	lanes   []*Lane
	devices []*modelled
	turns   int
}

// roomy are limits that nothing is short by.
func roomy(sequences, step int) engine.Limits {
	return engine.Limits{Depth: 1, MaxTokens: step, MaxSequences: sequences, MaxOutputs: step, MaxTop: 1, MaxContext: 8192, Vocab: vocab,
		Groups: []engine.GroupLimits{enginetest.Full(4096)}}
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, clock: time.Unix(1_000_000, 0)}
	w.loop = NewLoop(LoopConfig{Now: func() time.Time { return w.clock }, Synchronous: true})
	return w
}

// add gives the loop a lane. Its cost model knows the device from the start.
func (w *world) add(l engine.Limits, c Config) *Lane {
	w.t.Helper()
	d := &modelled{Instance: enginetest.New(l), clock: &w.clock, base: 10 * time.Millisecond, row: time.Millisecond}
	lane, err := w.loop.Add(d, c)
	if err != nil {
		w.t.Fatal(err)
	}
	lane.costs.model = CostFrom(CostState{Steps: 1000, ConstantMS: 10, DecodeRowMS: 1, PrefillRowMS: 1})
	w.lanes, w.devices = append(w.lanes, lane), append(w.devices, d)
	return lane
}

// one is a world of one lane.
func one(t *testing.T, l engine.Limits, c Config) (*world, *Lane) {
	w := newWorld(t)
	return w, w.add(l, c)
}

func (w *world) submit(lane *Lane, r Request) *Sequence {
	w.t.Helper()
	r.IgnoreEnd = true
	seq, err := lane.Submit(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return seq
}

func (w *world) turn() {
	w.t.Helper()
	if _, err := w.loop.Turn(); err != nil {
		w.t.Fatal(err)
	}
	if w.turns++; w.turns%50 != 0 { // it looks at each page
		return
	}
	for _, lane := range w.lanes {
		if err := errors.Join(lane.check(), lane.checkGuests()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// until turns the loop until something holds, and tells how long that took.
func (w *world) until(what string, holds func() bool) time.Duration {
	w.t.Helper()
	begin := w.clock
	for range 200_000 {
		if holds() {
			return w.clock.Sub(begin)
		}
		w.turn()
	}
	w.t.Fatalf("it never comes to: %s", what)
	return 0
}

// first tells whether the sequence has its first token.
func (s *Sequence) first() bool { return s.delivered() > 0 }

// ttft is from a sequence's arrival to its first token.
func (s *Sequence) ttft() time.Duration { return s.events[0].At.Sub(s.arrived) }

// of gives a request a tenant.
func of(tenant string, r Request) Request {
	r.Tenant = tenant
	return r
}

func as(c Class, r Request) Request {
	r.Class = c
	return r
}
