//go:build cuda

package cuda

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"chimera/bench"
	"chimera/engine"
	"chimera/hostmem"
)

// This file owns the GPU check of what lies around the kernels: two steps under way, graphs, pages on the move,
// copies through pinned memory.

func checkSteps(c *checker) {
	s := fixtureShape("llama", engine.Q8_0)
	s.layers = c.size(2, 1)
	for _, part := range []struct {
		name string
		run  func(*verdict, *pair) error
	}{
		{"two steps under way, tokens that stay on the device", c.depth},
		{"graphs against single launches", c.graphs},
		{"pages from the GPU go on on the CPU, and back", c.pagesMove},
		{"pages copied on the device", c.pagesCopied},
	} {
		c.check(part.name, func(v *verdict) error {
			p, w, err := s.open()
			if err != nil {
				return err
			}
			q, err := c.pair(p, w, checkOptions(p, engine.F16))
			if err != nil {
				return err
			}
			return errors.Join(part.run(v, q), q.close())
		})
	}
}

// depth decodes three sequences, two steps under way on the GPU and one on the CPU.
func (c *checker) depth(v *verdict, q *pair) error {
	second, err := q.gpu.NewBatch()
	if err != nil {
		return err
	}
	steps := c.size(40, 8)
	want, err := q.decode(q.cpu, []*engine.Batch{q.off}, steps)
	if err != nil {
		return err
	}
	got, err := q.decode(q.gpu, []*engine.Batch{q.on, second}, steps)
	if err != nil {
		return err
	}
	for i := range want {
		v.results(fmt.Sprintf("step %d", i), want[i], got[i])
	}
	return nil
}

// decode answers three prompts, greedily and not, with as many steps under way as there are batches.
func (q *pair) decode(in engine.Instance, batches []*engine.Batch, steps int) (all [][]engine.Result, err error) {
	collect := func() error {
		err := in.Wait()
		if err == nil {
			all = append(all, slices.Clone(batches[len(all)%len(batches)].Results))
		}
		return err
	}
	for n := range steps {
		b := batches[n%len(batches)]
		b.Reset()
		for s := range 3 {
			if err := q.addTurn(b, s, n, all, len(batches) > 1); err != nil {
				return nil, err
			}
		}
		b.Generation = in.Generation()
		if err := in.Submit(b); err != nil {
			return nil, err
		}
		for n+1-len(all) >= len(batches) {
			if err := collect(); err != nil {
				return nil, err
			}
		}
	}
	for len(all) < steps {
		if err := collect(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// addTurn adds step n of sequence s: its prompt, then the token that the step before chose, known or not.
func (q *pair) addTurn(b *engine.Batch, s, n int, all [][]engine.Result, unknown bool) error {
	prompt := tokensFrom(s, 5+3*s, q.vocab)
	tokens, first := prompt, 0
	if n > 0 {
		first = len(prompt) + n - 1
		if unknown {
			tokens = []int32{engine.PreviousRow(s)}
		} else {
			tokens = []int32{all[n-1][s].Token}
		}
	}
	row, err := q.add(b, part{s, first, tokens})
	if err == nil {
		_, err = b.AddOutput(engine.Output{Row: int32(row + len(tokens) - 1), Mode: engine.Sample, Temperature: float32(s) * 0.6, TopP: 0.95,
			Repetition: 1, Seed: uint64(s), TopK: 50}, nil, nil)
	}
	return err
}

// graphs runs the same steps from a new graph, from a kept one, and launch by launch.
func (c *checker) graphs(v *verdict, q *pair) error {
	for _, shape := range [][2]int{{1, 1}, {33, 1}, {1, 64}, {3, 20}} {
		what := fmt.Sprintf("%d sequences of %d", shape[0], shape[1])
		var first []float32
		for i, run := range []func() error{
			func() error { return runOn(q.gpu, q.on) }, func() error { return runOn(q.gpu, q.on) }, func() error { return launchSingly(q.gpu.(*instance), q.on) },
		} {
			if err := q.fill(shape[0], shape[1]); err != nil {
				return err
			}
			if err := run(); err != nil {
				return err
			}
			if i == 0 {
				first = slices.Clone(q.on.Logits)
			}
			v.floats(fmt.Sprintf("%s, run %d", what, i), first, q.on.Logits)
			clear(q.on.Logits)
		}
		if err := meaningful(first); err != nil {
			return err
		}
	}
	return nil
}

// fill makes a batch of sequences of n tokens each.
func (q *pair) fill(sequences, n int) error {
	q.on.Reset()
	for s := range sequences {
		if _, err := q.add(q.on, part{s, 0, tokensFrom(s, n, q.vocab)}); err != nil {
			return err
		}
	}
	rows := sequences * n
	return addRows(q.on, rows-min(rows, wholeRows), rows)
}

// launchSingly computes a step without a graph. The counts are those of the step before, which was the same.
func launchSingly(in *instance, b *engine.Batch) error {
	p := in.batches[b]
	g, err := in.generations.Find(in.Generation())
	if err != nil {
		return err
	}
	return in.do(stepping, func() error {
		if err := in.copyBatchIn(p); err != nil {
			return err
		}
		if err := in.launchAll(g, in.bucketOf(b)); err != nil {
			return err
		}
		if err := in.copyResultsOut(p); err != nil {
			return err
		}
		return in.device.synchronize(*in.stream)
	})
}

// pagesMove lets each backend go on from pages that the other computed.
func (c *checker) pagesMove(v *verdict, q *pair) error {
	prompt := tokensFrom(1, 40, q.vocab)
	for s, side := range []struct {
		from, to engine.Instance
		b        *engine.Batch
	}{{q.gpu, q.cpu, q.on}, {q.cpu, q.gpu, q.off}} {
		side.b.Reset()
		if _, err := q.add(side.b, part{s, 0, prompt}); err != nil {
			return err
		}
		if err := runOn(side.from, side.b); err != nil {
			return err
		}
		for i, g := range q.gpu.Limits().Groups {
			page := make([]byte, g.PageBytes)
			for _, id := range q.pagesOf(s)[:pagesFor(len(prompt))] {
				if err := waited(side.from.Export(engine.GroupID(i+1), id, page)); err != nil {
					return err
				}
				if err := waited(side.to.Import(engine.GroupID(i+1), id, page)); err != nil {
					return err
				}
			}
		}
		if err := q.rows(v, "the step behind", part{s, len(prompt), prompt[:1]}); err != nil {
			return err
		}
	}
	return nil
}

// pagesCopied goes on from copies, on both.
func (c *checker) pagesCopied(v *verdict, q *pair) error {
	prompt := tokensFrom(2, 40, q.vocab)
	if err := q.rows(v, "prompt", part{0, 0, prompt}); err != nil {
		return err
	}
	var copies []engine.PageCopy
	for i, from := range q.pagesOf(0)[:pagesFor(len(prompt))] {
		copies = append(copies, engine.PageCopy{From: from, To: q.pagesOf(5)[i]})
	}
	for i := range q.gpu.Limits().Groups {
		if err := errors.Join(q.cpu.CopyPages(engine.GroupID(i+1), copies), q.gpu.CopyPages(engine.GroupID(i+1), copies)); err != nil {
			return err
		}
	}
	return q.rows(v, "the step behind", part{5, len(prompt), prompt[:1]})
}

func checkCopies(c *checker) {
	size := c.size(64<<20, 1<<20) + 4097
	for _, kind := range []struct {
		name    string
		options hostmem.Option
	}{{"pageable", hostmem.SmallPages}, {"pinned", hostmem.Pinned}, {"write-combined", hostmem.WriteCombined}} {
		c.check("copies of "+kind.name+" memory", func(v *verdict) error { return roundTrips(v, int64(size), kind.options) })
	}
	if !c.small { // the emulated driver's speed says nothing, and TestBenchMemoryOnTheDevice runs the benchmark there
		c.check("the memory benchmark", func(v *verdict) error {
			v.Values++ // it compares nothing
			return c.memoryFigures(256 << 20)
		})
	}
}

// roundTrips sends noise there and back, in sizes around those of a page and of a staging buffer.
func roundTrips(v *verdict, most int64, options hostmem.Option) error {
	copier, err := OpenCopier(0, most)
	if err != nil {
		return err
	}
	region, err := hostmem.Alloc(hostmem.Other, most, options)
	if err != nil {
		return errors.Join(err, copier.Close())
	}
	v.equal("it is pinned", options != hostmem.SmallPages, region.Pinned())
	for _, n := range []int64{1, 4, 511, 4096, 65537, most} {
		sent, host := make([]byte, n), region.Bytes()[:n]
		noise(uint64(n), sent)
		copy(host, sent)
		err = errors.Join(copier.RoundTrip(host), copier.HostToDevice(host))
		clear(host)
		if err = errors.Join(err, copier.DeviceToHost(host)); err != nil {
			break
		}
		v.equal(fmt.Sprintf("%d bytes are the same", n), true, bytes.Equal(sent, host))
	}
	return errors.Join(err, region.Free(), copier.Close())
}

// memoryFigures are those of chimera bench memory. What a machine's limits refuse to lock or pin is a remark.
func (c *checker) memoryFigures(size int64) error {
	copier, err := OpenCopier(0, size)
	if err != nil {
		return err
	}
	r, err := bench.Memory{Bytes: size, Copier: copier}.Run(context.Background())
	if err = errors.Join(err, copier.Close()); err != nil {
		return err
	}
	for _, row := range r.Rows {
		if row.Fallback != "" {
			c.remark("%s: %s", row.Name, row.Fallback)
		}
		c.figure(row.Name+" to the GPU", "GB/s", row.ToDevice.Median)
		c.figure(row.Name+" from the GPU", "GB/s", row.FromDevice.Median)
		for _, trip := range row.RoundTrips {
			c.figure(fmt.Sprintf("%s, %d bytes there and back", row.Name, trip.Bytes), "us", trip.Microseconds.Median)
		}
	}
	return nil
}
