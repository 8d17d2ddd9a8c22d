//go:build cuda

package cuda

// #include "plan.h"
import "C"

import (
	"fmt"
	"math/bits"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"chimera/engine"
	"chimera/hostmem"
)

// This file owns a step: the batch goes in, a graph runs, results come out, an event marks the end. All of
// it is queued on one stream without waiting.

// Phases of errors.
const (
	batching = "making a batch for"
	stepping = "computing a step of"
)

// backgroundRows bounds a background step: kernels that run can't be asked to give way, so what waits behind such a step
// must not wait long. Sixteen rows read the weights as often as one, and of a model for which a small GPU takes a
// millisecond a row, they take about two.
const backgroundRows = 16

// pinnedBatch is a batch in memory that the GPU reads and writes itself.
type pinnedBatch struct {
	region *hostmem.Region
	counts *C.struct_step_counts
	batch  *engine.Batch
	done   cu.Event
	// Of the step under way.
	generation *generation
	macs       int64 // multiply-accumulates
}

// NewBatch carves a batch out of a pinned region of its own.
func (in *instance) NewBatch() (*engine.Batch, error) {
	r, err := in.device.pinned(batching, hostmem.Batch, in.plan.BatchBytes)
	if err != nil {
		return nil, err
	}
	counts, arrays := carveBatch(hostmem.NewCarver(r), in.Program, in.options)
	p := &pinnedBatch{region: r, counts: &counts[0], batch: engine.NewBatch(in.limits, arrays)}
	err = in.do(batching, func() (err error) {
		p.done, err = in.device.makeEvent()
		return err
	})
	if err != nil {
		_ = in.device.giveBack(r) // with the same cause
		return nil, err
	}
	in.batches[p.batch] = p
	return p.batch, nil
}

// Submit queues a step.
func (in *instance) Submit(b *engine.Batch) error {
	if err := in.ready(); err != nil {
		return err
	}
	p := in.batches[b]
	switch {
	case p == nil:
		return &engine.BatchError{Field: "batch", Reason: "another instance's"}
	case len(in.underway) == depth:
		return &engine.BatchError{Field: "depth", Reason: "two steps are under way"}
	case len(in.underway) == 1 && in.underway[0] == p:
		return &engine.BatchError{Field: "batch", Reason: "it is under way"}
	case b.Background && len(in.underway) > 0:
		return &engine.BatchError{Field: "depth", Reason: "a background step behind another step"}
	case b.Background && len(b.Tokens) > backgroundRows:
		return &engine.BatchError{Field: "tokens", Reason: fmt.Sprintf("%d rows of a background step, which has at most %d", len(b.Tokens), backgroundRows)}
	case len(b.Tokens) == 0:
		return &engine.BatchError{Field: "tokens", Reason: "an empty step"}
	case slices.ContainsFunc(b.Tokens, func(t int32) bool { return engine.IsPreviousRow(t) && int(t) < -in.outputs }):
		return &engine.BatchError{Field: "tokens", Reason: "an output row that the step before does not have"}
	}
	g, err := in.generations.Find(b.Generation)
	if err == nil {
		err = in.checkStep(b)
	}
	if err != nil {
		return err
	}
	p.generation, p.macs = g, in.macsOf(b)
	in.device.owed.Add(p.macs)
	if err = in.do(stepping, func() error { return in.submit(p) }); err != nil {
		in.device.owed.Add(-p.macs)
		return err
	}
	in.underway, in.outputs = append(in.underway, p), len(b.Outputs)
	return nil
}

func (in *instance) submit(p *pinnedBatch) error {
	b := p.batch
	*p.counts = C.struct_step_counts{
		tokens: C.int32_t(len(b.Tokens)), sequences: C.int32_t(len(b.Sequences)),
		outputs: C.int32_t(len(b.Outputs)), max_top: C.int32_t(in.limits.MaxTop),
	}
	graph, err := in.graphs.of(graphKey{p.generation, in.bucketOf(b)})
	if err != nil {
		return err
	}
	if err := in.copyBatchIn(p); err != nil {
		return err
	}
	if err := in.device.launchGraph(graph, *in.stream); err != nil {
		return err
	}
	if err := in.copyResultsOut(p); err != nil {
		return err
	}
	return in.device.record(p.done, *in.stream)
}

// Wait blocks until the oldest step's results are in its batch.
func (in *instance) Wait() error {
	if err := in.ready(); err != nil {
		return err
	}
	if len(in.underway) == 0 {
		return &engine.BatchError{Field: "depth", Reason: "no step is under way"}
	}
	p := in.underway[0]
	err := in.do(stepping, func() error { return in.device.await(p.done) })
	in.underway = in.underway[1:]
	in.device.owed.Add(-p.macs)
	return err
}

// Withdraw has nothing to do: background steps can't be aborted, and are short.
func (*instance) Withdraw() {}

// macsOf is how many multiply-accumulates a step takes at most.
func (in *instance) macsOf(b *engine.Batch) (n int64) {
	visible := int64(0)
	for i, s := range b.Sequences {
		seen := int32(0) // of any group: at most so many positions
		for _, t := range b.Tables[i*len(in.groups):][:len(in.groups)] {
			seen = max(seen, t.Length)
		}
		visible += int64(s.TokenCount) * int64(seen)
	}
	for i, ph := range in.Phases {
		times := int64(len(b.Tokens))
		switch ph.Op.(type) {
		case engine.Attend:
			times = visible
		case engine.Head:
			times = int64(b.LogitRows())
		}
		n += times * in.plan.Phases[i].MACs
	}
	return n
}

// copyBatchIn copies the used part of each input array to the same place of the device's mirror.
func (in *instance) copyBatchIn(p *pinnedBatch) error {
	b := p.batch
	for _, part := range [][]byte{
		bytesOf(unsafe.Slice(p.counts, 1)), bytesOf(b.Tokens), bytesOf(b.Positions), bytesOf(b.Vectors), bytesOf(b.Pages), bytesOf(b.Sequences),
		bytesOf(b.Tables), bytesOf(b.Outputs), bytesOf(b.Penalties), bytesOf(b.Biases), bytesOf(b.Targets),
	} {
		if len(part) == 0 {
			continue
		}
		if err := in.device.copyIn(in.mirrorOf(p, part), unsafe.Pointer(&part[0]), int64(len(part)), *in.stream); err != nil {
			return err
		}
	}
	return nil
}

// copyResultsOut queues the way back of what the outputs asked for.
func (in *instance) copyResultsOut(p *pinnedBatch) error {
	b := p.batch
	parts := [][]byte{bytesOf(b.Results), nil, bytesOf(b.TargetLogits), bytesOf(b.Logits), bytesOf(b.Taps)}
	for _, o := range b.Outputs {
		if o.Top > 0 {
			parts[1] = bytesOf(b.Top)
			break
		}
	}
	for _, part := range parts {
		if len(part) == 0 {
			continue
		}
		if err := in.device.copyOut(unsafe.Pointer(&part[0]), in.mirrorOf(p, part), int64(len(part)), *in.stream); err != nil {
			return err
		}
	}
	return nil
}

// mirrorOf is where a part of the pinned region lies on the device.
func (in *instance) mirrorOf(p *pinnedBatch, part []byte) Pointer {
	offset := uintptr(unsafe.Pointer(&part[0])) - uintptr(p.region.Pointer())
	return in.buffers.mirror + Pointer(offset)
}

func bytesOf[T any](s []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(zero)))
}

// bucketOf rounds the step's shape up, so that few graphs serve all steps.
func (in *instance) bucketOf(b *engine.Batch) bucket {
	k := bucket{
		rows: roundUp(len(b.Tokens), in.limits.MaxTokens), sequences: roundUp(len(b.Sequences), in.limits.MaxSequences),
		outputs: roundUp(len(b.Outputs), in.limits.MaxOutputs), tapped: len(b.Taps) > 0,
	}
	longest := 0
	for i, s := range b.Sequences {
		if s.TokenCount > 1 {
			k.many = true
			continue
		}
		for _, t := range b.Tables[i*len(in.groups):][:len(in.groups)] {
			longest = max(longest, int(t.Length))
		}
	}
	k.splits = roundUp((longest+C.SPLIT_TOKENS-1)/C.SPLIT_TOKENS, int(in.splits(in.options)))
	return k
}

// roundUp is the next power of two, or most.
func roundUp(n, most int) int {
	if n == 0 {
		return 0
	}
	return min(1<<bits.Len(uint(n-1)), most)
}
