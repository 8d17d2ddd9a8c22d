//go:build cgo

package cgo

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chimera/engine"
	"chimera/model"
	gguf "chimera/weights"
)

// This file measures, with a real model, what steps wait for: background steps that give way, and weights that are
// loaded beside them. It prints what it finds and judges only that everything gets on: times on a machine that others
// use prove nothing. docs/BENCHMARKS.md has the figures.

// smolLM2 is a real model, where CHIMERA_SMOLLM2 names its file.
func smolLM2(t *testing.T) (*engine.Program, engine.Weights) {
	t.Helper()
	path := os.Getenv("CHIMERA_SMOLLM2")
	if path == "" {
		t.Skip("CHIMERA_SMOLLM2 is not set")
	}
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	p, err := model.Build(f)
	if err != nil {
		t.Fatal(err)
	}
	return p, model.NewSource(f)
}

func loadModel(t *testing.T, b *Backend, p *engine.Program, w engine.Weights, kv engine.DType) *instance {
	t.Helper()
	const context = 2048
	pages := make([]int, len(p.Groups))
	for i, g := range p.Groups {
		pages[i] = g.PagesFor(context, 512)
	}
	in, err := b.Load(p, w, engine.LoadOptions{Policy: engine.Policy{KV: kv}, Pages: pages, MaxTokens: 512, MaxSequences: 1, MaxOutputs: 1, MaxContext: context})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in.(*instance)
}

// stepper runs steps of one sequence and notes when the last of them was submitted and began.
type stepper struct {
	in               *instance
	batch            *engine.Batch
	background       bool
	tables           []engine.PageTable
	submitted, began time.Time
}

func newStepper(t *testing.T, in *instance) *stepper {
	t.Helper()
	s := &stepper{in: in}
	var err error
	if s.batch, err = in.NewBatch(); err != nil {
		t.Fatal(err)
	}
	for _, g := range in.limits.Groups {
		table := engine.PageTable{Pages: make([]int32, g.Pages)}
		for i := range table.Pages {
			table.Pages[i] = int32(i)
		}
		s.tables = append(s.tables, table)
	}
	compute := in.step.compute
	in.step.compute = func() bool { s.began = time.Now(); return compute() }
	return s
}

func (s *stepper) step(first, n int) error {
	s.batch.Reset()
	s.batch.Generation, s.batch.Background = s.in.Generation(), s.background
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32((first + i) * 37 % 1000)
	}
	row, err := s.batch.AddSequence(tokens, first, s.tables)
	if err == nil {
		_, err = s.batch.AddOutput(engine.Output{Row: int32(row + n - 1), Mode: engine.Sample, TopP: 1, Repetition: 1}, nil, nil)
	}
	if err != nil {
		return err
	}
	s.submitted = time.Now()
	if err := s.in.Submit(s.batch); err != nil {
		return err
	}
	return s.in.Wait()
}

func quantile(times []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// histogram counts times in classes that double.
func histogram(times []time.Duration) string {
	var text strings.Builder
	from := time.Duration(0)
	for to := 50 * time.Microsecond; from <= slices.Max(times); to *= 2 {
		n := 0
		for _, d := range times {
			if d >= from && d < to {
				n++
			}
		}
		fmt.Fprintf(&text, "\n  below %8v: %5d %s", to, n, strings.Repeat("#", n*50/len(times)))
		from = to
	}
	return text.String()
}

// Two tiers of one model and another instance of it decode in turn, at random times, beside background steps of 512
// tokens: how long from Submit until their step begins.
func TestForegroundStepsHardlyWait(t *testing.T) {
	p, w := smolLM2(t)
	device, err := Open(Options{Threads: runtime.NumCPU(), ISA: "auto"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = device.Close() })
	background := newStepper(t, loadModel(t, device, p, w, engine.F16))
	background.background = true
	var serving []*stepper
	for _, kv := range []engine.DType{engine.F16, engine.Q8_0, engine.F16} {
		serving = append(serving, newStepper(t, loadModel(t, device, p, w, kv)))
	}
	var stop atomic.Bool
	var aborted, whole int
	var owner sync.WaitGroup
	owner.Go(func() {
		for !stop.Load() {
			switch err := background.step(0, 512); {
			case err == nil:
				whole++
			case errors.Is(err, engine.ErrAborted):
				aborted++
			default:
				t.Error(err)
				return
			}
		}
	})
	var waits []time.Duration
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 600 {
		time.Sleep(time.Duration(r.IntN(20000)) * time.Microsecond)
		s := serving[i%len(serving)]
		if err := s.step(i/len(serving), 1); err != nil {
			t.Fatal(err)
		}
		waits = append(waits, s.began.Sub(s.submitted))
	}
	stop.Store(true)
	owner.Wait()
	t.Logf("%d foreground steps beside %d background steps that gave way and %d that did not; from Submit to the step's beginning p50 %v, p99 %v, at most %v:%s",
		len(waits), aborted, whole, quantile(waits, 0.5), quantile(waits, 0.99), slices.Max(waits), histogram(waits))
	if aborted == 0 {
		t.Error("no step gave way: the test tests nothing")
	}
}

// A model decodes while further weights for it are loaded: how much later its tokens come. Stretches with and without
// a load alternate, so that what else the machine does meets both.
func TestServingBesideALoad(t *testing.T) {
	p, w := smolLM2(t)
	device, err := Open(Options{Threads: runtime.NumCPU(), ISA: "auto"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = device.Close() })
	s, tokens := newStepper(t, loadModel(t, device, p, w, engine.F16)), 0
	decode := func(times []time.Duration, goesOn func(n int) bool) []time.Duration {
		last := time.Now()
		for n := 0; goesOn(n); n++ {
			if err := s.step(tokens%1024, 1); err != nil {
				t.Fatal(err)
			}
			times = append(times, time.Since(last))
			last = time.Now()
			tokens++
		}
		return times
	}
	replace := func() time.Duration {
		began := time.Now()
		if _, err := s.in.Replace(w, nil); err != nil {
			t.Error(err)
		}
		return time.Since(began)
	}
	retire := func() {
		if err := s.in.Retire(s.in.Generation() - 1); err != nil {
			t.Error(err)
		}
	}
	free, loads := replace(), time.Duration(0)
	retire()
	decode(nil, func(n int) bool { return n < 1024 }) // all pages have been touched
	var alone, beside []time.Duration
	const rounds = 8
	for range rounds {
		alone = decode(alone, func(n int) bool { return n < 80 })
		var done atomic.Bool
		var load sync.WaitGroup
		load.Go(func() { loads += replace(); done.Store(true) })
		beside = decode(beside, func(int) bool { return !done.Load() })
		load.Wait()
		retire()
	}
	t.Logf("a load takes %v while nothing is served, %v beside decoding", free, loads/rounds)
	for _, c := range []struct {
		what  string
		times []time.Duration
	}{{"alone", alone}, {"beside the load", beside}} {
		t.Logf("%4d tokens %-15s p50 %v, p90 %v, p99 %v, at most %v", len(c.times), c.what, quantile(c.times, 0.5), quantile(c.times, 0.9), quantile(c.times, 0.99), slices.Max(c.times))
	}
	t.Logf("beside the load p50 is %.2f of that alone, p99 %.2f",
		float64(quantile(beside, 0.5))/float64(quantile(alone, 0.5)), float64(quantile(beside, 0.99))/float64(quantile(alone, 0.99)))
}
