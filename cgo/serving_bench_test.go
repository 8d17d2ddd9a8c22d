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
// loaded beside them. docs/BENCHMARKS.md has the figures.

// smolLM2 is a real model, where CHIMERA_SMOLLM2 names its file.
func smolLM2(b *testing.B) (*engine.Program, engine.Weights) {
	b.Helper()
	path := os.Getenv("CHIMERA_SMOLLM2")
	if path == "" {
		b.Skip("CHIMERA_SMOLLM2 is not set")
	}
	f, err := gguf.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := f.Close(); err != nil {
			b.Error(err)
		}
	})
	p, err := model.Build(f)
	if err != nil {
		b.Fatal(err)
	}
	return p, model.NewSource(f)
}

func loadModel(b *testing.B, device *Backend, p *engine.Program, w engine.Weights, kv engine.DType) *instance {
	b.Helper()
	const context = 2048
	pages := make([]int, len(p.Groups))
	for i, g := range p.Groups {
		pages[i] = g.PagesFor(context, 512)
	}
	in, err := device.Load(p, w, engine.LoadOptions{Policy: engine.Policy{KV: kv}, Pages: pages, MaxTokens: 512, MaxSequences: 1, MaxOutputs: 1, MaxContext: context})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := in.Close(); err != nil {
			b.Error(err)
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

func newStepper(b *testing.B, in *instance) *stepper {
	b.Helper()
	s := &stepper{in: in}
	var err error
	if s.batch, err = in.NewBatch(); err != nil {
		b.Fatal(err)
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

// histogram counts times in classes, few enough for a benchmark's log.
func histogram(times []time.Duration) string {
	var text strings.Builder
	from := time.Duration(0)
	for to := 50 * time.Microsecond; from <= slices.Max(times); to *= 4 {
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

// openDevice opens the CPU with a worker for each of its threads.
func openDevice(b *testing.B) *Backend {
	b.Helper()
	device, err := Open(Options{Threads: runtime.NumCPU(), ISA: "auto"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := device.Close(); err != nil {
			b.Error(err)
		}
	})
	return device
}

// report tells quantiles of times in milliseconds.
func report(b *testing.B, what string, times []time.Duration) {
	for name, q := range map[string]float64{"p50": 0.5, "p99": 0.99} {
		b.ReportMetric(float64(quantile(times, q))/1e6, what+"-"+name+"-ms")
	}
}

// Two tiers of one model and another instance of it decode in turn, at random times, beside background steps of 512
// tokens that never end: how long from Submit until their step begins. An operation is a step.
func BenchmarkForegroundWait(b *testing.B) {
	p, w := smolLM2(b)
	device := openDevice(b)
	background := newStepper(b, loadModel(b, device, p, w, engine.F16))
	background.background = true
	var serving []*stepper
	for _, kv := range []engine.DType{engine.F16, engine.Q8_0, engine.F16} {
		serving = append(serving, newStepper(b, loadModel(b, device, p, w, kv)))
	}
	var stop atomic.Bool
	var aborted, whole int
	var owner sync.WaitGroup
	owner.Go(func() {
		for ; !stop.Load(); time.Sleep(time.Millisecond) { // in which a scheduler plans it again
			switch err := background.step(0, 512); {
			case err == nil:
				whole++
			case errors.Is(err, engine.ErrAborted):
				aborted++
			default:
				b.Error(err)
				return
			}
		}
	})
	var waits []time.Duration
	r := rand.New(rand.NewPCG(1, 2))
	for i := 0; b.Loop(); i++ {
		time.Sleep(time.Duration(r.IntN(20000)) * time.Microsecond)
		s := serving[i%len(serving)]
		if err := s.step(i/len(serving)%1024, 1); err != nil {
			b.Fatal(err)
		}
		waits = append(waits, s.began.Sub(s.submitted))
	}
	stop.Store(true)
	owner.Wait()
	report(b, "wait", waits)
	b.Logf("%d steps waited; of the background steps %d gave way, %d did not:%s", len(waits), aborted, whole, histogram(waits))
}

// A model decodes while further weights for it are loaded: how much later its tokens come. Stretches with and without
// a load alternate, so that what else the machine does meets both. An operation is a load.
func BenchmarkServingBesideALoad(b *testing.B) {
	p, w := smolLM2(b)
	s, tokens := newStepper(b, loadModel(b, openDevice(b), p, w, engine.F16)), 0
	decode := func(times []time.Duration, goesOn func(n int) bool) []time.Duration {
		last := time.Now()
		for n := 0; goesOn(n); n++ {
			if err := s.step(tokens%1024, 1); err != nil {
				b.Fatal(err)
			}
			times = append(times, time.Since(last))
			last = time.Now()
			tokens++
		}
		return times
	}
	replace := func() {
		if _, err := s.in.Replace(w, nil); err != nil {
			b.Error(err)
		}
	}
	retire := func() {
		if err := s.in.Retire(s.in.Generation() - 1); err != nil {
			b.Error(err)
		}
	}
	began := time.Now()
	replace()
	b.ReportMetric(float64(time.Since(began))/1e6, "undisturbed-load-ms")
	retire()
	decode(nil, func(n int) bool { return n < 1024 }) // all pages have been touched
	var alone, beside []time.Duration
	for b.Loop() {
		alone = decode(alone, func(n int) bool { return n < 80 })
		var done atomic.Bool
		var load sync.WaitGroup
		load.Go(func() { replace(); done.Store(true) })
		beside = decode(beside, func(int) bool { return !done.Load() })
		load.Wait()
		retire()
	}
	report(b, "alone", alone)
	report(b, "beside", beside)
	b.ReportMetric(float64(quantile(beside, 0.99))/float64(quantile(alone, 0.99)), "p99-ratio")
}
