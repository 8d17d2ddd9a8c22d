package experiment

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"chimera/quality/stats"
)

// This file owns tests of the layout, the load, the figures and the causes, by arms whose truth is known.

func free(ctx context.Context) (context.Context, func(), error) { return ctx, func() {}, nil }

func never() bool { return false }

// Each block asks both arms twice, so that what changes steadily is the same for both, and which begins is a coin's.
func TestOrder(t *testing.T) {
	first := 0
	for block := range 1000 {
		o := Order(7, block)
		if o != Order(7, block) {
			t.Fatal("an order was made twice, and was another")
		}
		sum := 0 // of places at which the change was asked: a drift is the same for both where it is that of the others
		for place, arm := range o {
			if arm == Changed {
				sum += place
			}
		}
		if sum != 3 || o[0] != o[3] || o[1] != o[2] || o[0] == o[1] {
			t.Fatalf("block %d: %v", block, o)
		}
		if o[0] == Changed {
			first++
		}
	}
	if first < 430 || first > 570 { // 4.4 standard deviations
		t.Errorf("the change began %d of 1000 blocks", first)
	}
}

// A machine that becomes slower steadily makes no difference of two arms that are the same.
func TestDriftIsNoEffect(t *testing.T) {
	turns := 0.0
	d := Design{Seed: 1, Least: 4, Most: 12, HalfWidth: 0, Over: never, Begin: free}
	r, err := d.Run(t.Context(), func(context.Context, Arm, int) (Reading, error) {
		turns++
		return Reading{"qps": 100 - turns}, nil
	})
	if err != nil || r.Blocks != 4 || turns != 16 {
		t.Fatalf("%v, %d blocks, %v turns", err, r.Blocks, turns)
	}
	if e := r.Effects[0]; math.Abs(e.After-e.Before) > 1e-9 || math.Abs(e.Difference.High) > 1e-9 {
		t.Errorf("%+v", e)
	}
}

// Intervals of as few blocks as there may be hold the truth about as often as they say.
func TestCoverage(t *testing.T) {
	draw := rand.New(rand.NewPCG(3, 4))
	for _, blocks := range []int{4, 6, 12} {
		const runs, effect = 400, 2.0
		held := 0
		for range runs {
			var list [][2]Reading
			for range blocks {
				of := 100 + 10*draw.NormFloat64() // what a block has in common
				list = append(list, [2]Reading{{"x": of + draw.NormFloat64()}, {"x": of + effect + draw.NormFloat64()}})
			}
			e, err := effects(list)
			if err != nil {
				t.Fatal(err)
			}
			if e[0].Difference.Low <= effect && effect <= e[0].Difference.High {
				held++
			}
		}
		if share := float64(held) / runs; !(share >= 0.89 && share <= 0.99) {
			t.Errorf("of %d blocks %.3f of the intervals hold the truth", blocks, share)
		}
	}
}

// It ends when the figures are known, when time is up, or with all blocks; never with fewer than it needs.
func TestEnds(t *testing.T) {
	noisy := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]struct {
		noise float64
		over  bool
		want  int
	}{
		"known at once": {0.001, false, 4}, "never known": {30, false, 9}, "time is up": {30, true, 4},
	} {
		d := Design{Seed: 1, Least: 4, Most: 9, HalfWidth: 0.02, Over: func() bool { return c.over }, Begin: free}
		r, err := d.Run(t.Context(), func(context.Context, Arm, int) (Reading, error) {
			return Reading{"qps": 100 + c.noise*noisy.NormFloat64(), "ttft_ms": 50 + c.noise*noisy.NormFloat64()}, nil
		})
		if err != nil || r.Blocks != c.want || len(r.Effects) != 2 {
			t.Errorf("%s: %v, %d blocks, %d effects", name, err, r.Blocks, len(r.Effects))
		}
	}
}

// A block that had to give way counts for nothing, and is asked again whole.
func TestInterrupted(t *testing.T) {
	begun, ended, turns := 0, 0, 0
	d := Design{Seed: 1, Least: 3, Most: 3, Over: never, Begin: func(ctx context.Context) (context.Context, func(), error) {
		begun++
		return ctx, func() { ended++ }, nil
	}}
	r, err := d.Run(t.Context(), func(_ context.Context, arm Arm, block int) (Reading, error) {
		if turns++; turns == 2 || turns == 9 {
			return nil, ErrInterrupted
		}
		if turns == 1 {
			return Reading{"qps": 1e6}, nil // of the block that is discarded
		}
		return Reading{"qps": 10}, nil
	})
	if err != nil || r.Blocks != 3 || r.Discarded != 2 || begun != 5 || ended != 5 {
		t.Fatalf("%v, %+v, %d begun, %d ended", err, r, begun, ended)
	}
	if e := r.Effects[0]; e.Before != 10 || e.After != 10 {
		t.Errorf("what was discarded counts: %+v", e)
	}
}

func TestRefuses(t *testing.T) {
	d := Design{Least: 2, Most: 5, Over: never, Begin: free}
	if _, err := d.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "3 at least") {
		t.Errorf("two blocks: %v", err)
	}
	d.Least = 3
	if _, err := d.Run(t.Context(), func(context.Context, Arm, int) (Reading, error) { return Reading{"qps": math.NaN()}, nil }); err == nil || !strings.Contains(err.Error(), "qps is no number") {
		t.Errorf("no number: %v", err)
	}
	broken := errors.New("broken")
	if _, err := d.Run(t.Context(), func(context.Context, Arm, int) (Reading, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("an arm that fails: %v", err)
	}
}

// What is made up is as long as what it stands for, and shares as much.
func TestMakeUp(t *testing.T) {
	at := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	list := []Recorded{
		{at, 40, 32, 10, nil}, {at.Add(time.Second), 50, 32, 20, nil}, {at.Add(3 * time.Second), 5000, 0, 1e9, nil}, {at, 3, 0, 0, []int32{7, 8, 9}}, {at, 0, 9, 1, nil},
	}
	got := MakeUp(list, 100, 256, 1)
	var lengths []int
	for _, r := range got {
		lengths = append(lengths, len(r.Prompt), r.Answer)
		if len(r.Prompt)+r.Answer > 256 {
			t.Errorf("%d and %d tokens have no room", len(r.Prompt), r.Answer)
		}
		for _, id := range r.Prompt {
			if id < 0 || id >= 100 {
				t.Fatalf("token %d", id)
			}
		}
	}
	if want := []int{40, 10, 50, 20, 128, 128, 3, 1, 1, 1}; !slices.Equal(lengths, want) {
		t.Errorf("lengths %v, not %v", lengths, want)
	}
	if !slices.Equal(got[0].Prompt[:32], got[1].Prompt[:32]) || slices.Equal(got[0].Prompt[32:40], got[1].Prompt[32:40]) {
		t.Error("two that found 32 tokens computed share other than 32")
	}
	if got[1].Gap != time.Second || got[3].Gap != 0 || !got[0].MadeUp || got[3].MadeUp {
		t.Errorf("%+v", got)
	}
	if again := MakeUp(list, 100, 256, 1); !slices.Equal(again[2].Prompt, got[2].Prompt) {
		t.Error("made up twice it is another")
	}
}

func TestArrivals(t *testing.T) {
	list := []Request{{}, {Gap: time.Second}, {Gap: 3 * time.Second}}
	if at := Arrivals(list, 10); at[1] != 50*time.Millisecond || at[2] != 200*time.Millisecond { // 1 to 3, at 10 a second
		t.Error(at)
	}
	if at := Arrivals([]Request{{}, {}, {}}, 10); at[1] != 100*time.Millisecond || at[2] != 200*time.Millisecond {
		t.Error("all at once", at)
	}
	begins := map[time.Duration]int{}
	for block := range 60 {
		w := Window(list, block, 4, 5)
		if begins[w[0].Gap]++; w[3].Gap != w[0].Gap || w[1].Gap == w[0].Gap || Window(list, block, 4, 5)[0].Gap != w[0].Gap {
			t.Fatal("a block's window", w)
		}
	}
	if len(begins) != 3 {
		t.Error("windows begin at", begins)
	}
}

// The first fifth is cut off.
func TestFigures(t *testing.T) {
	var ends, first []time.Duration
	for i := range 10 {
		ends = append(ends, time.Duration(10-i)*100*time.Millisecond)
		first = append(first, 40*time.Millisecond)
	}
	ends[9], first[0], first[1] = time.Millisecond, time.Hour, time.Hour
	if got := Rate(ends); !(math.Abs(got-10) <= 1e-9) {
		t.Error("rate", got)
	}
	if got := Wait(first); !(math.Abs(got-40) <= 1e-9) {
		t.Error("wait", got)
	}
	if !math.IsNaN(Rate(ends[:1])) || !math.IsNaN(Wait(nil)) || !math.IsNaN(Rate([]time.Duration{1, 1, 1})) {
		t.Error("of nothing there is a figure")
	}
}

// rights is a score: how many of a hundred are right.
func rights(sum []float64) float64 { return 100 * sum[0] / sum[1] }

// Whatever costs most is named so, factors that cost nothing give nothing back, and a tag's questions give back what was lost on them.
func TestCauses(t *testing.T) {
	const n = 200
	draw := rand.New(rand.NewPCG(5, 6))
	control, served := make(Answers, n), make(Answers, n)
	restored := map[string]Answers{"tier": make(Answers, n), "KV type": make(Answers, n), "cache": nil, All: control}
	tags := make([][]string, n)
	for i := range n {
		control[i], served[i] = []float64{1, 1}, []float64{1, 1}
		if tags[i] = []string{"everyone's"}; i < 50 {
			tags[i] = append(tags[i], "hard")
		}
		if i < 5 {
			tags[i] = append(tags[i], "rare")
		}
		tier, kv := draw.Float64() < 0.6 && i < 50, draw.Float64() < 0.05
		if tier || kv {
			served[i] = []float64{0, 1}
		}
		restored["tier"][i], restored["KV type"][i] = []float64{1, 1}, []float64{1, 1}
		if kv {
			restored["tier"][i] = []float64{0, 1}
		}
		if tier {
			restored["KV type"][i] = []float64{0, 1}
		}
	}
	restored["cache"] = served
	list, err := Causes(served, restored, tags, rights, 1)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]Effect{}
	var names []string
	for _, e := range list {
		by[e.Measure] = e
		names = append(names, e.Measure)
	}
	if want := []string{"KV type", "cache", "tag:hard", "tier", All}; !slices.Equal(names, want) {
		t.Fatalf("%v, not %v", names, want)
	}
	gain := func(name string) float64 { return by[name].After - by[name].Before }
	if all := gain(All); by[All].After != 100 || !(gain("tier") > gain("KV type") && gain("KV type") > 0 && all >= gain("tier")) || gain("cache") != 0 {
		t.Errorf("%+v", list)
	}
	if by["cache"].Difference != (stats.Interval{}) || !(by["tier"].Difference.Low > 0) || !(gain("tag:hard") > 0.7*gain(All) && gain("tag:hard") < gain(All)) {
		t.Errorf("%+v", list)
	}
}
