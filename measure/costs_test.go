package measure

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"chimera/store"
)

// This file owns tests of what a stretch has cost and whom.

// unread is energy that nobody could read.
var unread = Energy{math.NaN(), math.NaN()}

func payer(model, tenant, class string) Payer { return Payer{Key{model, tenant, class}, "weights"} }

func seconds(x float64) time.Duration { return time.Duration(x * float64(time.Second)) }

// Steps are charged to whose they were, overhead goes by tokens, and a row is of its stretch alone.
func TestCosts(t *testing.T) {
	a, b, idle := payer("m", "a", "interactive"), payer("m", "b", "batch"), payer("n", "a", "batch")
	c := NewCosts(noon)
	first := Spent{map[Payer]Charge{a: {"t", seconds(2), seconds(1)}, idle: {"t", seconds(1), 0}}, seconds(5)}
	if rows := c.Close(noon.Add(time.Minute), first, nil, unread, false, named); len(rows) != 3 || rows[0].Model != "" || rows[0].OverheadSeconds != 5 || rows[0].CoreSeconds != 0 || rows[1].CoreSeconds != 2 {
		t.Errorf("nobody had tokens: %+v", rows)
	}
	next := Spent{map[Payer]Charge{a: {"t", seconds(5), seconds(3)}, b: {"t", seconds(4), seconds(2)}, idle: {"t", seconds(1), 0}}, seconds(9)}
	used := map[Line]Usage{{a.Key, "t"}: {1, 20, 10}, {b.Key, "t"}: {2, 80, 10}}
	rows := c.Close(noon.Add(2*time.Minute), next, used, Energy{CPU: 22, GPU: 40}, true, named)
	if len(rows) != 2 {
		t.Fatalf("%+v", rows)
	}
	wants := []store.Cost{
		{Model: "m", Tenant: named("a"), Class: "interactive", Requests: 1, PromptTokens: 20, AnswerTokens: 10, Tier: "t", CoreSeconds: 3, GPUSeconds: 2, OverheadSeconds: 1, CPUJoules: 8, GPUJoules: 20},
		{Model: "m", Tenant: named("b"), Class: "batch", Requests: 2, PromptTokens: 80, AnswerTokens: 10, Tier: "t", CoreSeconds: 4, GPUSeconds: 2, OverheadSeconds: 3, CPUJoules: 14, GPUJoules: 20},
	}
	for i, want := range wants {
		want.From, want.Until = noon.Add(time.Minute), noon.Add(2*time.Minute)
		if rows[i] != want {
			t.Errorf("%+v, want %+v", rows[i], want)
		}
	}
	if rows := c.Close(noon.Add(3*time.Minute), next, nil, Energy{}, false, named); len(rows) != 0 {
		t.Errorf("nothing was spent: %+v", rows)
	}
	if rows := c.Close(noon.Add(4*time.Minute), Spent{map[Payer]Charge{a: {"t", seconds(6), seconds(4)}}, seconds(9)}, nil, unread, false, named); len(rows) != 1 || !math.IsNaN(rows[0].GPUSeconds) || !math.IsNaN(rows[0].CPUJoules) || !math.IsNaN(rows[0].GPUJoules) {
		t.Errorf("without a GPU, and energy that nobody can read: %+v", rows)
	}
	if rows := c.Close(noon.Add(5*time.Minute), Spent{Overhead: seconds(9)}, nil, Energy{CPU: 0, GPU: 7}, true, named); len(rows) != 1 || rows[0].Model != "" || rows[0].GPUJoules != 7 || rows[0].CPUJoules != 0 {
		t.Errorf("a GPU that idles is nobody's: %+v", rows)
	}
	if sum := c.Used(); sum[Line{a.Key, "t"}] != (Energy{8, 20}) || sum[Line{}] != (Energy{0, 7}) {
		t.Errorf("%+v", sum)
	}
}

// A tier has its own row, and weights whose tier is called otherwise from one minute to the next are not paid for twice.
func TestCostsByTier(t *testing.T) {
	a, b := payer("m", "a", "batch"), payer("m", "a", "batch")
	b.Weights = "other"
	c := NewCosts(noon)
	used := map[Line]Usage{{a.Key, "source"}: {1, 30, 0}, {a.Key, "q4_k"}: {1, 10, 0}}
	rows := c.Close(noon.Add(time.Minute), Spent{map[Payer]Charge{a: {"source", seconds(3), 0}, b: {"q4_k", seconds(1), 0}}, seconds(4)}, used, Energy{CPU: 16, GPU: math.NaN()}, false, named)
	if len(rows) != 2 || rows[0].Tier != "q4_k" || rows[0].CoreSeconds != 1 || rows[0].OverheadSeconds != 1 || rows[0].CPUJoules != 4 || rows[1].Tier != "source" || rows[1].CPUJoules != 12 || rows[1].PromptTokens != 30 {
		t.Errorf("%+v", rows)
	}
	rows = c.Close(noon.Add(2*time.Minute), Spent{map[Payer]Charge{a: {"source", seconds(3), 0}, b: {"q8_0", seconds(2), 0}}, seconds(4)}, nil, unread, false, named)
	if len(rows) != 1 || rows[0].Tier != "q8_0" || rows[0].CoreSeconds != 1 {
		t.Errorf("%+v", rows)
	}
}

// Whatever is used and spent, the rows of all stretches add up to it, and to the energy.
func TestCostsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := []Payer{payer("m", "a", "batch"), payer("m", "", "interactive"), payer("n", "a", "batch")}
		c, spent, sum, joules, wantJoules := NewCosts(noon), Spent{Steps: map[Payer]Charge{}}, 0.0, 0.0, 0.0
		for minute := range rapid.IntRange(1, 8).Draw(t, "minutes") {
			used, now := map[Line]Usage{}, Spent{Steps: map[Payer]Charge{}, Overhead: spent.Overhead + seconds(rapid.Float64Range(0, 9).Draw(t, "overhead"))}
			for _, k := range keys {
				now.Steps[k] = spent.Steps[k]
				if rapid.Bool().Draw(t, "steps") {
					now.Steps[k] = Charge{"t", spent.Steps[k].CPU + seconds(rapid.Float64Range(0, 9).Draw(t, "cpu")), spent.Steps[k].Device + seconds(rapid.Float64Range(0, 9).Draw(t, "device"))}
				}
				if rapid.Bool().Draw(t, "used") {
					used[Line{k.Key, rapid.SampledFrom([]string{"", "t"}).Draw(t, "tier")}] = Usage{1, rapid.Int64Range(0, 99).Draw(t, "prompt"), rapid.Int64Range(0, 99).Draw(t, "answer")}
				}
			}
			e := Energy{rapid.Float64Range(0, 900).Draw(t, "cpu joules"), rapid.Float64Range(0, 900).Draw(t, "gpu joules")}
			rows := c.Close(noon.Add(time.Duration(minute)*time.Minute), now, used, e, false, named)
			if wantJoules += e.GPU; now.Overhead > spent.Overhead || slices.ContainsFunc(rows, func(r store.Cost) bool { return r.CoreSeconds > 0 }) {
				wantJoules += e.CPU // what computed nothing has used nothing
			}
			spent = now
			for _, r := range rows {
				sum, joules = sum+r.CoreSeconds+r.OverheadSeconds, joules+r.CPUJoules+r.GPUJoules
			}
		}
		want := spent.Overhead.Seconds()
		for _, took := range spent.Steps {
			want += took.CPU.Seconds()
		}
		if !(math.Abs(sum-want) <= 1e-6) || !(math.Abs(joules-wantJoules) <= 1e-6) {
			t.Fatalf("the rows have %v s and %v J, %v s and %v J were spent", sum, joules, want, wantJoules)
		}
	})
}
