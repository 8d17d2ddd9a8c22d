package simulator

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"chimera/scheduler"
	"chimera/scheduler/trace"
)

// This file owns the tests of runs: that the clock, the device and the counts are right where they can be worked out by hand.

// plain is a device of 10 ms a step, whatever is in it.
func plain() Config {
	c := DefaultConfig()
	c.Cost = scheduler.CostState{ConstantMS: 10}
	return c
}

// asked is a trace of our own blocks.
func asked(requests ...trace.Request) *trace.Trace {
	return &trace.Trace{BlockTokens: 16, Requests: requests}
}

func run(t testing.TB, tr *trace.Trace, c Config) *Report {
	t.Helper()
	r, err := Run(context.Background(), tr, c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// near allows what a histogram and the smallest costs leave open.
func near(got, want float64) bool { return math.Abs(got-want) <= 0.01*want+0.01 }

// The first is alone in step 1, at 10 ms; the second comes meanwhile and is in steps 2 and 3.
func TestTwoRequests(t *testing.T) {
	r := run(t, asked(
		trace.Request{Prompt: 10, Answer: 3},
		trace.Request{At: 5 * time.Millisecond, Prompt: 12, Answer: 2},
	), plain())
	if r.Requests != 2 || r.Answered != 2 || r.Steps != 3 || r.ITL.N != 3 {
		t.Errorf("%+v", r)
	}
	for what, x := range map[string][2]float64{
		"first TTFT": {r.TTFT.P50, 10}, "last TTFT": {r.TTFT.Max, 15}, "mean TTFT": {r.TTFT.Mean, 12.5}, "ITL": {r.ITL.Mean, 10}, "longest ITL": {r.ITL.Max, 10},
		"mean E2E": {r.E2E.Mean, 27.5}, "longest E2E": {r.E2E.Max, 30}, "longest wait": {r.Wait.Max, 5}, "seconds": {r.Seconds, 0.03}, "busy": {r.Busy, 1},
		"QPS": {r.QPS, 2 / 0.03}, "answer tokens": {r.AnswerRate, 5 / 0.03}, "prompt tokens": {r.PromptRate, 22 / 0.03}, "step": {r.StepMS, 10},
		"in the queue": {r.Queue, 5.0 / 30}, "prefill": {r.Prefill, 1}, "good": {r.Goodput, 1},
	} {
		if !near(x[0], x[1]) {
			t.Errorf("%s: %.4g, want %.4g", what, x[0], x[1])
		}
	}
	if r.LongestWait != 1 || r.HitShare != 0 || r.Fairness != nil || r.Classes != nil {
		t.Errorf("%+v", r)
	}
}

// A device with nothing to do waits for the next arrival, and nobody waits for the device.
func TestIdleHoursTakeNoTime(t *testing.T) {
	began := time.Now()
	r := run(t, asked(trace.Request{Prompt: 10, Answer: 1}, trace.Request{At: 1000 * time.Hour, Prompt: 10, Answer: 1}), plain())
	if !near(r.Seconds, 3600*1000) || !near(r.TTFT.Max, 10) || r.Busy > 1e-6 || r.Steps != 2 {
		t.Errorf("%+v", r)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// What the cost model says of a shape is what its step takes.
func TestStepsTakeWhatTheyCost(t *testing.T) {
	c := plain()
	c.Cost = scheduler.CostState{ConstantMS: 100, PrefillRowMS: 1, DecodeRowMS: 7, OutputMS: 3, AttentionMSMToken: 1000}
	r := run(t, asked(trace.Request{Prompt: 700, Answer: 2}), c)
	attention := func(from, rows int) float64 { return float64(rows*(2*from+rows+1)/2) / 1000 }
	first := 100 + 512 + attention(0, 512)
	second := 100 + 188 + 3 + attention(512, 188)
	if !near(r.TTFT.Mean, first+second) || !near(r.ITL.Mean, 100+7+3+0.701) || r.Steps != 3 {
		t.Errorf("TTFT %.2f, want %.2f; ITL %.3f", r.TTFT.Mean, first+second, r.ITL.Mean)
	}
}

// What comes late is as what comes at once: a recording begins when the daemon does.
func TestLateTraces(t *testing.T) {
	late := func(by time.Duration) *Report {
		return run(t, asked(
			trace.Request{At: by, Prompt: 10, Answer: 3, Tenant: "a"}, trace.Request{At: by + 5*time.Millisecond, Prompt: 12, Answer: 2, Tenant: "b"},
		), plain())
	}
	at, after := late(0), late(3*time.Hour)
	if !reflect.DeepEqual(at, after) || !near(after.QPS, 2/0.03) {
		t.Errorf("at once %+v\nafter hours %+v", at, after)
	}
	if _, err := Run(context.Background(), asked(), plain()); err == nil {
		t.Error("nothing is run")
	}
}

func TestRunsAreTheSameTwice(t *testing.T) {
	s := trace.DefaultSynthetic()
	s.Requests, s.Rate, s.Burst = 300, 3, 4
	s.Tenants = []trace.Weight{{Name: "a", Weight: 1}, {Name: "b", Weight: 5}}
	s.Classes = []trace.Weight{{Name: "interactive", Weight: 2}, {Name: "batch", Weight: 1}, {Name: "background", Weight: 1}}
	c := DefaultConfig()
	first := run(t, s.Make(), c)
	for range 2 {
		if again := run(t, s.Make(), c); !reflect.DeepEqual(first, again) {
			t.Fatalf("%+v\n%+v", first, again)
		}
	}
	if first.Answered != 300 || len(first.Tenants) != 2 || len(first.Classes) != 3 {
		t.Errorf("%+v", first)
	}
	sum := 0
	for _, p := range slices.Concat(first.Tenants, first.Classes) {
		sum += p.Answered
	}
	if sum != 600 {
		t.Errorf("%d answers of tenants and classes, want 300 each: %+v", sum, first)
	}
}

// Prompts that a trace says begin alike share pages, those that it says nothing of don't.
func TestPrefixesAreShared(t *testing.T) {
	blocks := []uint64{7, 8, 1<<47 | 9, 10}
	r := run(t, asked(
		trace.Request{Prompt: 70, Answer: 1, Blocks: blocks},
		trace.Request{At: time.Second, Prompt: 90, Answer: 1, Blocks: blocks},
		trace.Request{At: 2 * time.Second, Prompt: 90, Answer: 1, Blocks: []uint64{7, 8, 9}}, // two of them are the same
		trace.Request{At: 3 * time.Second, Prompt: 90, Answer: 1},
		trace.Request{At: 4 * time.Second, Prompt: 90, Answer: 1},
	), plain())
	if !near(r.HitShare, (64+32)/430.0) {
		t.Errorf("hits %.4f, want %.4f", r.HitShare, (64+32)/430.0)
	}
	m := &trace.Trace{BlockTokens: 512, Requests: []trace.Request{
		{Prompt: 1500, Answer: 1, Blocks: []uint64{0, 1, 2}}, {At: time.Second, Prompt: 1030, Answer: 1, Blocks: []uint64{0, 1, 3}},
	}}
	if r := run(t, m, plain()); !near(r.HitShare, 1024/2530.0) {
		t.Errorf("hits of Mooncake's blocks %.4f, want %.4f", r.HitShare, 1024/2530.0)
	}
}

// What can't wait is refused, and counts against the goodput.
func TestRefusals(t *testing.T) {
	c := plain()
	c.QueueLength, c.MaxSequences = 2, 1
	var list []trace.Request
	for range 5 {
		list = append(list, trace.Request{At: time.Millisecond, Prompt: 10, Answer: 1})
	}
	list = append(list, trace.Request{At: time.Second, Prompt: 9000, Answer: 1})
	r := run(t, asked(list...), c)
	if r.Refused != (Refusals{Queue: 3, TooLong: 1}) || r.Answered != 2 || !near(r.Goodput, 2.0/6) {
		t.Errorf("%+v", r)
	}
}

// Goodput counts what keeps both objectives.
func TestObjectives(t *testing.T) {
	tr := asked(trace.Request{Prompt: 10, Answer: 3}, trace.Request{At: 5 * time.Millisecond, Prompt: 12, Answer: 2})
	for _, x := range []struct {
		ttft, itl, want float64
	}{{10, 10, 0.5}, {15, 10, 1}, {15, 9, 0}, {9, 100, 0}} {
		c := plain()
		c.Objectives = Objectives{TTFT: time.Duration(x.ttft * 1.001e6), ITL: time.Duration(x.itl * 1.001e6)}
		if r := run(t, tr, c); r.Goodput != x.want {
			t.Errorf("TTFT %g, ITL %g: %.2f are good, want %.2f", x.ttft, x.itl, r.Goodput, x.want)
		}
	}
}

// How long who reads along waits is what the run says; where pages are short it is for them.
func TestWaitIsBounded(t *testing.T) {
	for _, pages := range []int{0, 40} {
		c := plain()
		c.Cost, c.MaxSequences, c.QueueLength, c.Context, c.Pages = scheduler.CostState{ConstantMS: 10, PrefillRowMS: 1}, 8, 1000, 400, pages
		var list []trace.Request
		for i := range 400 {
			list = append(list, trace.Request{At: time.Duration(i) * 50 * time.Millisecond, Prompt: 100, Answer: 50})
		}
		refused := func(wait time.Duration) (int, float64) {
			c.Wait = wait
			r := run(t, asked(list...), c)
			if r.Refused.Queue > 0 {
				t.Errorf("%d pages: the queue of 1,000 was full for %d", pages, r.Refused.Queue)
			}
			return r.Refused.Wait, r.Wait.P90
		}
		if n, _ := refused(0); n != 0 {
			t.Errorf("%d pages: %d are refused without a bound", pages, n)
		}
		if n, p90 := refused(time.Second); n < 50 || p90 > 3000 {
			t.Errorf("%d pages: %d are refused, and of the others nine in ten wait up to %.0f ms", pages, n, p90)
		}
	}
}

// A request's own deadline is its objective, whatever others have: the second one's token comes after 15 ms.
func TestDeadlinesAreObjectives(t *testing.T) {
	for deadline, want := range map[time.Duration]float64{0: 0.5, 14 * time.Millisecond: 0.5, 16 * time.Millisecond: 1, time.Second: 1} {
		c := plain()
		c.Objectives.TTFT = 12 * time.Millisecond
		c.Without, _ = scheduler.CharacteristicsOf("admission")
		tr := asked(trace.Request{Prompt: 10, Answer: 3}, trace.Request{At: 5 * time.Millisecond, Prompt: 12, Answer: 2, Deadline: deadline})
		if r := run(t, tr, c); r.Goodput != want || r.Answered != 2 {
			t.Errorf("deadline %v: %d answers, %.2f are good, want %.2f", deadline, r.Answered, r.Goodput, want)
		}
	}
}

// A background step gives way to who comes while it is computed.
func TestBackgroundGivesWay(t *testing.T) {
	c := plain()
	c.Cost = scheduler.CostState{ConstantMS: 10, PrefillRowMS: 10}
	r := run(t, asked(
		trace.Request{Prompt: 500, Answer: 1, Class: scheduler.Background},
		trace.Request{At: 100 * time.Millisecond, Prompt: 1, Answer: 1},
	), c)
	if r.Answered != 2 || len(r.Classes) != 2 || r.Classes[0].Name != "interactive" || !near(r.Classes[0].TTFT.Max, 10) || r.Classes[1].TTFT.Max < 5000 {
		t.Errorf("%+v", r.Classes)
	}
}

// Where pages are short, preemptions and what is computed again show.
func TestPreemptionsShow(t *testing.T) {
	c := plain()
	c.Context, c.Pages = 200, 20
	c.Without, _ = scheduler.CharacteristicsOf("watermark") // which keeps them from happening
	var list []trace.Request
	for i := range 6 {
		list = append(list, trace.Request{At: time.Duration(i), Prompt: 60, Answer: 100})
	}
	r := run(t, asked(list...), c)
	if r.Answered != 6 || r.Preemptions == 0 || r.Prefill <= 1 {
		t.Errorf("%d answered, %d preemptions, %.2f computed", r.Answered, r.Preemptions, r.Prefill)
	}
}

// A constant of the policy is what the run says.
func TestRulesAreTried(t *testing.T) {
	c := plain()
	c.Cost = scheduler.CostState{ConstantMS: 10, PrefillRowMS: 1}
	asks := asked(trace.Request{Prompt: 10, Answer: 200}, trace.Request{At: 50 * time.Millisecond, Prompt: 2000, Answer: 1})
	longest := func(stretch float64) float64 {
		c.Rules.LongStretch, c.Rules.LeastRows = stretch, 1
		return run(t, asks, c).ITL.Max
	}
	if short, long := longest(1.5), longest(20); short > 20 || long < 100 {
		t.Errorf("a long prompt lengthens steps of 10 ms to %.0f ms, and with another rule to %.0f ms", short, long)
	}
	for _, x := range [][2]string{{"Horizont", "5"}, {"Horizon", "x"}, {"Horizon", "1.5"}, {"Horizon", "-1"}, {"LongStretch", "NaN"}, {"ShortStep", "5"}, {"InputWeight", "1e99"}} {
		if err := SetRule(&c.Rules, x[0], x[1]); err == nil {
			t.Errorf("%s=%s is taken", x[0], x[1])
		}
	}
	if err := errors.Join(SetRule(&c.Rules, "Horizon", "7"), SetRule(&c.Rules, "ShortStep", "20ms"), SetRule(&c.Rules, "LongStretch", "1.25")); err != nil ||
		c.Rules.Horizon != 7 || c.Rules.ShortStep != 20*time.Millisecond || c.Rules.LongStretch != 1.25 {
		t.Errorf("%+v, %v", c.Rules, err)
	}
}

// Of two tenants that ask for as much all the time, windows tell how evenly they are served.
func TestFairnessIsSeen(t *testing.T) {
	var list []trace.Request
	for i := range 600 {
		r := trace.Request{Prompt: 20, Answer: 100, Tenant: "a"}
		if i%2 == 1 {
			r.Tenant = "b"
		}
		list = append(list, r)
	}
	c := plain()
	c.QueueLength, c.MaxSequences, c.Wait = 1000, 8, 0
	r := run(t, asked(list...), c)
	if r.Fairness == nil || r.Fairness.Windows < 5 || r.Fairness.Jain < 0.98 || r.Fairness.MinShare < 0.9 || r.Fairness.MinShare > 1 {
		t.Errorf("tenants in turn: %+v", r.Fairness)
	}
}

func TestBadConfigurations(t *testing.T) {
	one := asked(trace.Request{Prompt: 10, Answer: 1})
	for _, change := range []func(*Config){
		func(c *Config) { c.StepTokens = 0 }, func(c *Config) { c.MaxSequences = 0 }, func(c *Config) { c.QueueLength = 0 },
		func(c *Config) { c.Context = 1 }, func(c *Config) { c.Pages = -1 },
	} {
		c := plain()
		change(&c)
		if _, err := Run(context.Background(), one, c); err == nil {
			t.Errorf("%+v is run", c)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, one, plain()); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody wants it any more: %v", err)
	}
}

func TestPromptsDiffer(t *testing.T) {
	tr := asked(trace.Request{Prompt: 40}, trace.Request{Prompt: 40}, trace.Request{Prompt: 40, Blocks: []uint64{0, 1}}, trace.Request{Prompt: 40, Blocks: []uint64{1 << 30, 1}})
	seen := map[[3]int32]int{}
	for i := range tr.Requests {
		p := promptOf(tr, i)
		for _, token := range p {
			if token < 0 || token >= vocabulary {
				t.Fatalf("request %d has token %d", i, token)
			}
		}
		seen[[3]int32(p[:3])]++
	}
	if len(seen) != 4 {
		t.Errorf("four prompts begin in %d ways", len(seen))
	}
}

func BenchmarkSimulator(b *testing.B) {
	s := trace.DefaultSynthetic()
	s.Requests, s.Rate = 2000, 2.2
	tr := s.Make()
	tokens := uint64(0)
	for b.Loop() {
		tokens += run(b, tr, DefaultConfig()).Tokens
	}
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds()/1e6, "Mtokens/s")
}
