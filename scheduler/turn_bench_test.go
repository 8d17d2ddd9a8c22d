package scheduler

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the benchmark of the loop's own time: what a step costs beside the device's.

// instant is an instance whose steps take no time and sample the same token for all.
type instant struct {
	*enginetest.Instance
	submitted time.Time
}

func (in *instant) Submit(b *engine.Batch) error {
	in.submitted = time.Now()
	for i := range b.Results {
		b.Results[i] = engine.Result{Token: 7}
	}
	return nil
}

func (*instant) Wait() error { return nil }

// crowd is how many sequences decode, how many wait for a place, and of how many tenants they are in turn.
type crowd struct{ running, waiting, tenants int }

// BenchmarkTurn decodes one token of each sequence a turn: plan, batch, keys and commit. Sequences hold 1,024 to 2,048 tokens, as those
// of conversations do. Their clients take each event between two turns, outside of the time, or wait for none.
func BenchmarkTurn(b *testing.B) {
	for _, c := range []crowd{{64, 0, 1}, {512, 0, 1}} {
		b.Run(fmt.Sprint(c.running, " sequences"), func(b *testing.B) { c.decode(b) })
	}
}

// BenchmarkTurnBesideAQueue is the same while others wait, whom no turn lets in.
func BenchmarkTurnBesideAQueue(b *testing.B) {
	for _, c := range []crowd{{64, 256, 1}, {64, 256, 2}, {64, 512, 8}, {512, 256, 1}, {512, 256, 2}, {512, 512, 8}} {
		b.Run(fmt.Sprintf("%d run, %d wait, of %d", c.running, c.waiting, c.tenants), func(b *testing.B) { c.decode(b) })
	}
}

// turnTimes are sums over engine.PageTokens turns each, in which every sequence fills a page once.
type turnTimes struct {
	turns                   int
	planning, commits       time.Duration
	all, plansOf, commitsOf []time.Duration
}

func (t *turnTimes) add(planning, commit time.Duration) {
	t.planning, t.commits = t.planning+planning, t.commits+commit
	if t.turns++; t.turns%engine.PageTokens == 0 {
		t.all = append(t.all, t.planning+t.commits)
		t.plansOf, t.commitsOf = append(t.plansOf, t.planning), append(t.commitsOf, t.commits)
		t.planning, t.commits = 0, 0
	}
}

// report tells the lowest tenth's bound: the machine has other work.
func (t *turnTimes) report(b *testing.B) {
	quiet := func(all []time.Duration) float64 {
		slices.Sort(all)
		return float64(all[len(all)/10].Nanoseconds()) / 1000 / engine.PageTokens
	}
	if len(t.all) == 0 {
		return
	}
	b.ReportMetric(quiet(t.all), "us/step")
	b.ReportMetric(quiet(t.plansOf), "us/plan")
	b.ReportMetric(quiet(t.commitsOf), "us/commit")
}

// decode has the benchmark's turns decode for those that run.
func (c crowd) decode(b *testing.B) {
	d := c.begin(b)
	var times turnTimes
	for b.Loop() {
		if len(d.lane.running[0].tokens) >= 2*1024 {
			b.StopTimer()
			d.refill(b)
			b.StartTimer()
		}
		began := time.Now()
		if _, err := d.loop.Turn(); err != nil {
			b.Fatal(err)
		}
		times.add(d.in.submitted.Sub(began), time.Since(d.in.submitted))
		d.takeEvents()
	}
	times.report(b)
}

// bench is a lane with a crowd.
type bench struct {
	crowd
	loop *Loop
	lane *Lane
	in   *instant
	all  []*Sequence
}

func (c crowd) begin(tb testing.TB) *bench {
	const context = 4096
	l := engine.Limits{Depth: 1, MaxTokens: 1024, MaxSequences: c.running, MaxOutputs: 1024, MaxTop: 4, MaxContext: context, Vocab: vocab,
		Groups: []engine.GroupLimits{enginetest.Full(c.running * context / engine.PageTokens)}}
	d := &bench{crowd: c, loop: NewLoop(LoopConfig{Synchronous: true}), in: &instant{Instance: enginetest.New(l)}}
	var err error
	if d.lane, err = d.loop.Add(d.in, Config{StepTokens: l.MaxTokens, QueueLength: c.running + c.waiting}); err != nil {
		tb.Fatal(err)
	}
	d.refill(tb)
	return d
}

// refill ends all sequences and begins as many, until each that has a place has sampled a token.
func (d *bench) refill(tb testing.TB) {
	for _, seq := range d.all {
		seq.Stop()
	}
	d.all = nil
	turn := func() {
		if _, err := d.loop.Turn(); err != nil {
			tb.Fatal(err)
		}
	}
	turn() // nobody is left of those before
	for i := range d.running + d.waiting {
		seq, err := d.lane.Submit(context.Background(), of(fmt.Sprint(i%d.tenants), greedy(prompt(i, 1024, 0), 2048)))
		if err != nil {
			tb.Fatal(err)
		}
		d.all = append(d.all, seq)
	}
	for turn(); len(d.lane.running) < d.running || slices.ContainsFunc(d.lane.running, func(seq *Sequence) bool { return seq.generated == 0 }); {
		turn()
	}
	d.takeEvents()
}

func (d *bench) takeEvents() {
	for _, seq := range d.all {
		seq.events, seq.taken = seq.events[:0], 0
	}
}

// A turn in which all decode allocates nothing, also while others wait who have a place of nobody's to hope for.
func TestTurnAllocatesNothing(t *testing.T) {
	for _, c := range []crowd{{16, 0, 1}, {16, 40, 1}, {16, 40, 2}, {16, 40, 4}} {
		d := c.begin(t)
		if n := testing.AllocsPerRun(engine.PageTokens-4, func() {
			if _, err := d.loop.Turn(); err != nil {
				t.Fatal(err)
			}
			d.takeEvents()
		}); n != 0 {
			t.Errorf("%d run, %d wait, of %d tenants: %.0f allocations a turn", c.running, c.waiting, c.tenants, n)
		}
	}
}
