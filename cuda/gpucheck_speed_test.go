//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gorgonia.org/cu"

	"chimera/engine"
)

// This file owns the GPU check's figures: steps at SmolLM2's shapes, and where their time goes.

// speedShape is what is measured, and at which sizes.
type speedShape struct {
	modelShape
	prefill, context int
	decode           []int
	runs             int
}

func (c *checker) speedShape() speedShape {
	s := speedShape{smolLM2Shape(), 512, 1024, []int{1, 8, 32}, 30}
	if c.small {
		s.layers, s.width, s.feed, s.heads, s.kvHeads, s.vocab = 1, 96, 128, 3, 1, 512
		s.prefill, s.context, s.decode, s.runs = 32, 96, []int{1, 3}, 2
	}
	return s
}

func checkSpeed(c *checker) {
	s := c.speedShape()
	c.check("a model of SmolLM2's shapes", func(v *verdict) error {
		p, w, err := s.open()
		if err != nil {
			return err
		}
		o := checkOptions(p, engine.F16)
		o.MaxTokens, o.MaxContext = s.prefill, s.context
		o.Pages = checkPages(p, s.context)
		began := time.Now()
		in, err := c.backend.Load(p, w, o)
		if err != nil {
			return err
		}
		took := time.Since(began).Seconds()
		c.figure("loading the model", "s", took)
		c.figure("loading the model", "GB/s of packed weights", float64(in.Plan().WeightBytes)/1e9/took)
		if err := in.Close(); err != nil {
			return err
		}
		q, err := c.pair(p, w, o)
		if err != nil {
			return err
		}
		return errors.Join(c.measure(v, q, s), q.close())
	})
}

// measure compares a prompt and a few tokens behind it, then takes the times.
func (c *checker) measure(v *verdict, q *pair, s speedShape) error {
	prompt := tokensFrom(1, s.prefill, q.vocab)
	if err := q.last(v, "prompt", part{0, 0, prompt}); err != nil {
		return err
	}
	if err := meaningful(q.off.Logits); err != nil {
		return err
	}
	for i := range 3 {
		if err := q.rows(v, fmt.Sprintf("decode %d", i), part{0, s.prefill + i, prompt[i : i+1]}); err != nil {
			return err
		}
	}
	if err := c.timePrefill(q, s); err != nil {
		return err
	}
	for _, n := range s.decode {
		if err := errors.Join(c.timeDecode(q, s, n), c.timeUnderWay(q, s, n)); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) timePrefill(q *pair, s speedShape) error {
	q.on.Reset()
	row, err := q.add(q.on, part{0, 0, tokensFrom(1, s.prefill, q.vocab)})
	if err == nil {
		_, err = q.on.AddOutput(engine.Output{Row: int32(row + s.prefill - 1), Mode: engine.Sample, TopP: 1, Repetition: 1}, nil, nil)
	}
	if err != nil {
		return err
	}
	what := fmt.Sprintf("prefill of %d", s.prefill)
	seconds, err := median(s.runs, func() error { return runOn(q.gpu, q.on) })
	if err != nil {
		return err
	}
	c.figure(what, "ms", 1e3*seconds)
	c.figure(what, "tokens/s", float64(s.prefill)/seconds)
	return c.kernelTimes(q, what)
}

// addDecode fills b with n sequences of one token, half of the context behind each.
func (q *pair) addDecode(b *engine.Batch, s speedShape, n, at int, unknown bool) error {
	b.Reset()
	for i := range n {
		token := int32(i)
		if unknown {
			token = engine.PreviousRow(i)
		}
		if _, err := q.add(b, part{i, at, []int32{token}}); err != nil {
			return err
		}
		if _, err := b.AddOutput(engine.Output{Row: int32(i), Mode: engine.Sample, TopP: 1, Repetition: 1}, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// timeDecode is one step at a time, from a graph and launch by launch.
func (c *checker) timeDecode(q *pair, s speedShape, n int) error {
	if err := q.addDecode(q.on, s, n, s.context/2, false); err != nil {
		return err
	}
	what := fmt.Sprintf("decode of %d rows", n)
	if n == 1 {
		what = "decode of 1 row"
	}
	for _, way := range []struct {
		name string
		run  func() error
	}{{"", func() error { return runOn(q.gpu, q.on) }}, {", single launches", func() error { return launchSingly(q.gpu.(*instance), q.on) }}} {
		seconds, err := median(s.runs, way.run)
		if err != nil {
			return err
		}
		c.figure(what+way.name, "ms", 1e3*seconds)
		c.figure(what+way.name, "tokens/s", float64(n)/seconds)
	}
	return c.kernelTimes(q, what)
}

// timeUnderWay decodes with two steps under way, as the scheduler does.
func (c *checker) timeUnderWay(q *pair, s speedShape, n int) error {
	second, err := q.gpu.NewBatch()
	if err != nil {
		return err
	}
	batches, steps := []*engine.Batch{q.on, second}, 4*s.runs
	began := time.Now()
	for i := range steps {
		if err := q.addDecode(batches[i%2], s, n, s.context/2+i, i > 0); err != nil {
			return err
		}
		batches[i%2].Generation = 1
		if err := q.gpu.Submit(batches[i%2]); err != nil {
			return err
		}
		if i == 0 {
			began = time.Now()
			continue
		}
		if err := q.gpu.Wait(); err != nil {
			return err
		}
	}
	if err := q.gpu.Wait(); err != nil {
		return err
	}
	c.figure(fmt.Sprintf("decode of %d, two steps under way", n), "tokens/s", float64(n*steps)/time.Since(began).Seconds())
	return nil
}

// median is the median time of f, in seconds, when it has been done twice already.
func median(runs int, f func() error) (float64, error) {
	var times []float64
	for i := range runs + 2 {
		began := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		if i >= 2 {
			times = append(times, time.Since(began).Seconds())
		}
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// kernelRepeats makes the time between two events longer than what an event costs.
const kernelRepeats = 10

// kernelTimes says where a step's time goes: each launch of the batch that ran last, many times in a row between two
// events, summed by kernel. What it computes meanwhile is of no use to anyone.
func (c *checker) kernelTimes(q *pair, what string) error {
	in := q.gpu.(*instance)
	g, err := in.generations.Find(q.on.Generation)
	if err != nil {
		return err
	}
	k, sums := in.bucketOf(q.on), map[string]float64{}
	var names []string
	err = in.do("timing the kernels of", func() error {
		return withStopwatch(in.device, *in.stream, func(w *stopwatch) error {
			for i, l := range g.launches {
				size := l.size(k)
				if size.empty() {
					continue
				}
				milliseconds, err := w.time(c.size(kernelRepeats, 1), func() error {
					return in.device.launch(in.functions[l.kernel], size, l.block, *in.stream, g.phaseAt(i))
				})
				if err != nil {
					return err
				}
				if _, seen := sums[l.kernel]; !seen {
					names = append(names, l.kernel)
				}
				sums[l.kernel] += milliseconds
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		c.figure(what+": "+name, "ms", sums[name])
	}
	return nil
}

// stopwatch takes the time on the device: two events, which the engine's own are not, since those take none.
type stopwatch struct {
	*device
	stream     cu.Stream
	begun, end cu.Event
}

// withStopwatch makes one on the device's thread.
func withStopwatch(d *device, s cu.Stream, use func(*stopwatch) error) (err error) {
	w := &stopwatch{device: d, stream: s}
	for _, e := range []*cu.Event{&w.begun, &w.end} {
		if err := d.begin("cuEventCreate", 0); err != nil {
			return err
		}
		*e, err = cu.MakeEvent(cu.DefaultEvent)
		if err = d.end(err); err != nil {
			return err
		}
		d.book(func(l *ledger) { l.Events++ })
		defer func() { err = errors.Join(err, d.destroyEvent(*e)) }()
	}
	return use(w)
}

// time is how long f's work takes on the device, in milliseconds, the mean of so many runs.
func (w *stopwatch) time(runs int, f func() error) (milliseconds float64, err error) {
	if err := w.record(w.begun, w.stream); err != nil {
		return 0, err
	}
	for range runs {
		if err := f(); err != nil {
			return 0, err
		}
	}
	if err := errors.Join(w.record(w.end, w.stream), w.synchronize(w.stream)); err != nil {
		return 0, err
	}
	if err := w.device.begin("cuEventElapsedTime", 0); err != nil {
		return 0, err
	}
	milliseconds, err = w.begun.Elapsed(w.end)
	return milliseconds / float64(runs), w.device.end(err)
}
