package cgo

// #include "ceiling.h"
// #include "step.h"
import "C"

import (
	"time"
	"unsafe"

	"chimera/engine"
)

// This file owns where the time of an instance's steps goes, once somebody asks: phase by phase, beside what the machine can do.

var _ engine.Profiler = (*instance)(nil)

// profile is what was counted since it was last asked for.
type profile struct {
	times []C.int64_t        // of each phase, in nanoseconds: C adds to it
	costs []engine.PhaseCost // of which Time is not filled in
}

// PhaseCosts gives what was counted and begins anew.
func (in *instance) PhaseCosts() []engine.PhaseCost {
	if in.profile.times == nil {
		in.profile.times = calloc[C.int64_t](&in.memory, len(in.Phases))
		in.c.phase_ns = unsafe.SliceData(in.profile.times)
	}
	costs := in.profile.costs
	if costs == nil {
		costs = make([]engine.PhaseCost, len(in.Phases))
	}
	for i, took := range in.profile.times {
		costs[i].Time = time.Duration(took)
	}
	clear(in.profile.times)
	in.profile.costs = make([]engine.PhaseCost, len(in.Phases))
	return costs
}

// count adds what the step under way does, where somebody asks.
func (p *profile) count(in *instance) {
	if p.costs == nil {
		return
	}
	rows := map[engine.Domain]int64{
		engine.PerToken: int64(len(in.batch.Tokens)), engine.PerOutput: int64(len(in.batch.Outputs)), engine.PerSequence: int64(len(in.batch.Sequences)),
	}
	plan := in.using.shown
	for i, ph := range in.Phases {
		times, read := int64(0), plan.Phases[i].ReadBytes
		switch o := ph.Op.(type) {
		case engine.Embed:
			times, read = 0, read*rows[engine.PerToken]
		case engine.Linears:
			times = rows[in.Program.Value(o.In).Rows]
		case engine.Head:
			times = int64(in.batch.LogitRows())
			read *= (times + logitRows - 1) / logitRows // so many rows have logits at a time
		case engine.Attend:
			times, read = in.attended(o.Group)
		}
		p.costs[i].MACs += times * plan.Phases[i].MACs
		p.costs[i].ReadBytes += read
	}
}

// attended is how many positions of a group the queries of the step see, and how many bytes of a layer its sequences have there.
func (in *instance) attended(id engine.GroupID) (seen, bytes int64) {
	g := in.groups[id-1]
	mask, positions := in.Program.Group(id), int64(0)
	for i, s := range in.batch.Sequences {
		last := int(in.batch.Tables[i*len(in.groups)+int(id)-1].Length)
		first := last - int(s.TokenCount)
		if mask.Mask == engine.Cross || mask.Mask == engine.Bidirectional {
			seen += int64(last) * int64(s.TokenCount)
			positions += int64(last)
			continue
		}
		for at := first; at < last; at++ {
			seen += int64(at + 1 - mask.FirstSeen(at))
		}
		positions += int64(last - mask.FirstSeen(first))
	}
	return seen, positions * int64(g.layout.page_bytes) / int64(g.Layers*engine.PageTokens)
}

// ceilings is how often each ceiling is measured: the best counts, since what comes between only slows.
const ceilings = 5

// Ceiling reads the weights and multiplies, on the workers of the steps.
func (in *instance) Ceiling() engine.Ceiling {
	g, _ := in.generations.Newest()
	all, workers := g.weights.region.Bytes(), in.backend.workers()
	read := in.backend.fastest(func() {
		C.ceiling_read(in.backend.pool, C.int(workers), in.backend.kernels, (*C.uint8_t)(unsafe.SliceData(all)), C.int64_t(len(all)))
	})
	multiplied := in.backend.fastest(func() { C.ceiling_multiply(in.backend.pool, C.int(workers), in.backend.kernels) })
	return engine.Ceiling{
		ReadBytesPerSecond: float64(len(all)) / read.Seconds(), MACsPerSecond: float64(workers) * C.CEILING_MACS / multiplied.Seconds(),
	}
}

// fastest runs f some times in the place of steps and returns the shortest time.
func (b *Backend) fastest(f func()) (best time.Duration) {
	s := &step{done: make(chan bool, 1)}
	s.compute = func() bool {
		for i := range ceilings {
			began := time.Now()
			f()
			if took := time.Since(began); i == 0 || took < best {
				best = took
			}
		}
		return false
	}
	b.queue.submit(s)
	<-s.done
	return best
}
