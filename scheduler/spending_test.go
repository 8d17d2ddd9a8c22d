package scheduler

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns tests of what steps cost and who is charged.

// metered is a lane whose steps take a second of two cores, on clocks that the test moves.
type metered struct {
	loop *Loop
	lane *Lane
	cpu  time.Duration
	now  time.Time
}

func newMetered(t fatal, depth int) *metered {
	m := &metered{now: time.Unix(1_000_000, 0), cpu: 3 * time.Second} // that the start has taken
	in := enginetest.New(testLimits(depth))
	in.Fail = func(int) error {
		m.pass(time.Second, 2*time.Second)
		return nil
	}
	m.loop = NewLoop(LoopConfig{Now: func() time.Time { return m.now }, CPU: func() time.Duration { return m.cpu }, Synchronous: true})
	lane, err := m.loop.Add(in, Config{StepTokens: 64, QueueLength: 100})
	if err != nil {
		t.Fatal(err)
	}
	m.lane = lane
	return m
}

func (m *metered) pass(d, cpu time.Duration) { m.now, m.cpu = m.now.Add(d), m.cpu+cpu }

func (m *metered) submit(t fatal, r Request) *Sequence {
	t.Helper()
	seq, err := m.lane.Submit(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

type fatal interface {
	Helper()
	Fatal(...any)
}

// turn turns the loop until there is nothing to do.
func (m *metered) turn(t fatal) {
	t.Helper()
	for worked := true; worked; {
		var err error
		if worked, err = m.loop.Turn(); err != nil {
			t.Fatal(err)
		}
	}
}

// spent are the charges by payer.
func (m *metered) spent() map[payer]charge {
	list := map[payer]charge{}
	for _, s := range m.lane.Spent() {
		p := payer{tenant: s.Tenant, class: s.Class} // of whichever weights
		c := list[p]
		list[p] = charge{c.cpu + s.CPU, c.device + s.Device}
	}
	return list
}

// about tells whether a time is another, but for the nanoseconds that divisions round away.
func about(got, want time.Duration) bool { return (got - want).Abs() < time.Microsecond }

// Whoever asks the same pays the same, in equal parts of the step; what passes between is overhead, and a sequence knows its own part.
func TestChargesAreDivided(t *testing.T) {
	m := newMetered(t, 1)
	a, b, c := greedy(prompt(1, 20, 0), 1), greedy(prompt(2, 20, 0), 1), greedy(prompt(3, 20, 0), 1)
	a.Tenant, b.Tenant, c.Tenant, c.Class = "a", "b", "b", Batch
	seqs := []*Sequence{m.submit(t, a), m.submit(t, b), m.submit(t, c)}
	m.pass(time.Minute, time.Second)
	m.turn(t)
	m.pass(time.Minute, 5*time.Second)
	third := charge{2 * time.Second / 3, time.Second / 3}
	for p, got := range m.spent() {
		if !about(got.cpu, third.cpu) || !about(got.device, third.device) {
			t.Errorf("%+v is charged %+v, want %+v", p, got, third)
		}
	}
	for _, seq := range seqs {
		if cpu, device := seq.Spent(); !about(cpu, third.cpu) || !about(device, third.device) {
			t.Errorf("a sequence of %q knows of %v and %v", seq.request.Tenant, cpu, device)
		}
	}
	if got := m.loop.Overhead(); len(m.spent()) != 3 || got != 9*time.Second {
		t.Errorf("%d payers, overhead %v", len(m.spent()), got)
	}
}

// A long prompt pays more than a short one, and so does who has several rows' outputs: as the cost model has it.
func TestChargesFollowTheCostModel(t *testing.T) {
	m := newMetered(t, 1)
	long, short := greedy(prompt(1, 40, 0), 1), greedy(prompt(2, 10, 0), 1)
	long.Tenant, short.Tenant = "long", "short"
	m.submit(t, long)
	m.submit(t, short)
	want := float64(m.lane.costs.model.Predict(Shape{Prefill: 40, Outputs: 1, Attention: 820})) / float64(m.lane.costs.model.Predict(Shape{Prefill: 10, Outputs: 1, Attention: 55}))
	m.turn(t)
	spent := m.spent()
	got := float64(spent[payer{tenant: "long"}].cpu) / float64(spent[payer{tenant: "short"}].cpu)
	if !(got > want*0.999 && got < want*1.001) || !(want > 1.5) {
		t.Errorf("a prompt of 40 tokens pays %.3f times what one of 10 does, want %.3f", got, want)
	}
}

// Whatever is asked, stopped or computed at once: all that was charged and the overhead are what the process took, and the overhead never falls.
func TestChargesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMetered(t, rapid.IntRange(1, 2).Draw(t, "depth"))
		overhead, chunks := time.Duration(0), 0
		var seqs []*Sequence
		for range rapid.IntRange(1, 30).Draw(t, "actions") {
			switch rapid.IntRange(0, 3).Draw(t, "action") {
			case 0:
				r := greedy(prompt(len(seqs), rapid.IntRange(1, 90).Draw(t, "prompt"), 0), rapid.IntRange(1, 5).Draw(t, "answer"))
				r.Tenant, r.Class = fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "tenant")), Class(rapid.IntRange(0, 2).Draw(t, "class"))
				seqs = append(seqs, m.submit(t, r))
			case 1:
				if len(seqs) > 0 {
					rapid.SampledFrom(seqs).Draw(t, "stopped").Stop()
				}
			case 2:
				m.pass(time.Second, time.Duration(rapid.IntRange(0, 1000).Draw(t, "cpu"))*time.Millisecond)
			case 3:
				if _, err := m.loop.Turn(); err != nil {
					t.Fatal(err)
				}
			}
			chunks += 10
			if now := m.loop.Overhead(); now < overhead {
				t.Fatalf("the overhead falls from %v to %v", overhead, now)
			} else {
				overhead = now
			}
		}
		m.turn(t)
		sum := m.loop.Overhead()
		for _, c := range m.spent() {
			sum += c.cpu
		}
		if !about(sum, m.cpu) {
			t.Fatalf("%v are accounted for of %v", sum, m.cpu)
		}
	})
}

// A lane that breaks leaves no step that the next lane would be charged for.
func TestBrokenLaneIsNotChargedToOthers(t *testing.T) {
	m := newMetered(t, 2)
	broken := enginetest.New(testLimits(2))
	broken.Fail = func(int) error {
		m.pass(time.Second, time.Second)
		return engine.ErrPoisoned
	}
	lane, err := m.loop.Add(broken, Config{StepTokens: 64, QueueLength: 100})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lane.Submit(context.Background(), greedy(prompt(1, 5, 0), 9)); err != nil {
		t.Fatal(err)
	}
	m.turn(t)
	if !errors.Is(lane.Err(), engine.ErrPoisoned) {
		t.Fatal(lane.Err())
	}
	m.pass(time.Minute, time.Minute)
	r := greedy(prompt(2, 5, 0), 1)
	r.Tenant = "a"
	m.submit(t, r)
	m.turn(t)
	if got := m.spent()[payer{tenant: "a"}]; !about(got.cpu, 2*time.Second) {
		t.Errorf("the other lane's is charged %v", got.cpu)
	}
}

// What is charged is apart by the weights that computed it, so that tiers have costs of their own.
func TestChargesByWeights(t *testing.T) {
	m := newMetered(t, 1)
	first := m.lane.Weights()
	m.submit(t, greedy(prompt(1, 20, 0), 1))
	m.turn(t)
	if _, err := m.lane.Replace(enginetest.Weights{Text: "second"}, nil); err != nil {
		t.Fatal(err)
	}
	m.submit(t, greedy(prompt(2, 20, 0), 2))
	m.turn(t)
	got := map[string]time.Duration{}
	for _, s := range m.lane.Spent() {
		got[s.Weights] += s.CPU
	}
	if second := m.lane.Weights(); len(got) != 2 || second == first || !about(got[first], 2*time.Second) || !about(got[second], 4*time.Second) {
		t.Errorf("%v: %s and then %s", got, first, second)
	}
}

// The device is busy while steps are under way, and crowded in those that leave a request without a place: not one that is there, and no background work.
func TestCrowded(t *testing.T) {
	m := newMetered(t, 1)
	check := func(what string, busy, crowded time.Duration) {
		t.Helper()
		if m.loop.Busy() != busy || m.lane.Crowded() != crowded {
			t.Errorf("%s: busy for %v, crowded for %v; want %v and %v", what, m.loop.Busy(), m.lane.Crowded(), busy, crowded)
		}
	}
	ask := func(n int, c Class) {
		for i := range n {
			r := greedy(prompt(100*int(c)+i, 5, 0), 1)
			r.Class = c
			m.submit(t, r)
		}
		m.pass(time.Minute, 0)
		m.turn(t)
	}
	places := testLimits(1).MaxSequences
	ask(places, Interactive)
	check("a place for each", time.Second, 0)
	ask(places+1, Batch)
	check("one too many", 3*time.Second, time.Second)
	ask(2*places, Background)
	if m.lane.Crowded() != time.Second || m.loop.Busy() <= 3*time.Second {
		t.Errorf("background work that waits: crowded for %v of %v", m.lane.Crowded(), m.loop.Busy())
	}
	if ask(1, Interactive); m.lane.Crowded() != time.Second {
		t.Errorf("beside a client, background work that waits: crowded for %v", m.lane.Crowded())
	}
}
