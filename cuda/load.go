//go:build cuda

package cuda

// #include <stdlib.h>
// #include "layout.h"
import "C"

import (
	"maps"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"chimera/engine"
	"chimera/hostmem"
)

// This file owns loading: memory, kernels, weights through the staging ring, and the launches' structs.

const (
	allocating = "allocating memory for"
	writing    = "writing the plan of"
)

// allocate takes what the plan announced.
func (in *instance) allocate() error {
	err := in.device.do(allocating, func() error {
		for _, want := range []struct {
			at    *Pointer
			bytes int64
		}{
			{&in.weightsAt, in.plan.WeightBytes}, {&in.actsAt, in.plan.ActBytes + in.plan.BatchBytes}, {&in.kvAt, in.plan.KVBytes},
		} {
			p, err := in.device.memAlloc(want.bytes)
			if err != nil {
				return err
			}
			*want.at = p
		}
		s, err := in.device.makeStream()
		if err != nil {
			return err
		}
		in.stream = &s
		return in.device.memsetZero(in.kvAt, in.plan.KVBytes, *in.stream) // masked positions are computed before they are masked
	})
	if err != nil {
		return err
	}
	in.weights = carveWeights(&arena{base: in.weightsAt}, in.lowered)
	in.buffers = carveBuffers(&arena{base: in.actsAt}, in.lowered, in.options)
	in.batches, in.graphs = map[*engine.Batch]*pinnedBatch{}, newGraphCache(in)
	in.bounce, err = in.device.pinned(allocating, hostmem.Staging, bounceBytes(in.plan))
	return err
}

// loadKernels finds every kernel that a launch names.
func (in *instance) loadKernels() error {
	f := in.filler()
	in.launches = f.launches()
	names := map[string]bool{"copy_pages": true, "repack": true}
	for _, l := range in.launches {
		names[l.kernel] = true
	}
	in.functions = map[string]cu.Function{}
	return in.device.doWithin(moduleLimit, "loading the kernels of", func() (err error) {
		m, err := in.device.loadModule(kernelImage)
		if err != nil {
			return err
		}
		in.module = &m
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if in.functions[name], err = in.device.function(m, name); err != nil {
				return err
			}
		}
		return nil
	})
}

func (in *instance) filler() *filler {
	return &filler{lowered: in.lowered, options: in.options, buffers: in.buffers, weights: in.weights, pages: in.kvAt}
}

func (in *instance) phaseAt(i int) Pointer {
	return in.buffers.phases + Pointer(i*C.sizeof_struct_phase)
}

// writePhases writes the launches' structs and the batch's addresses to the device.
func (in *instance) writePhases() error {
	f := in.filler()
	bytes := int64(len(in.launches)) * C.sizeof_struct_phase
	size := max(bytes+C.sizeof_struct_device_batch, in.plan.BatchBytes) // pointBatch carves a batch in it
	r, err := in.device.pinned(writing, hostmem.Staging, size)
	if err != nil {
		return err
	}
	in.draft = r
	phases := hostmem.Slice[C.struct_phase](r, 0, int64(len(in.launches)))
	for i, l := range in.launches {
		f.common(&phases[i])
		l.fill(&phases[i])
	}
	batch := &hostmem.Slice[C.struct_device_batch](r, bytes, 1)[0]
	in.pointBatch(batch, r)
	err = in.device.do(writing, func() error {
		// What of a batch nobody writes, such as Result.Reserved, reads as on the CPU.
		if err := in.device.memsetZero(in.buffers.mirror, in.plan.BatchBytes, *in.stream); err != nil {
			return err
		}
		if err := in.device.copyIn(in.buffers.phases, r.Pointer(), bytes, *in.stream); err != nil {
			return err
		}
		if err := in.device.copyIn(in.buffers.batch, unsafe.Pointer(batch), C.sizeof_struct_device_batch, *in.stream); err != nil {
			return err
		}
		return in.device.synchronize(*in.stream)
	})
	if err != nil {
		return err // copies may be under way: release waits for them, then the draft goes
	}
	in.draft = nil
	return in.device.giveBack(r)
}

// pointBatch says where the arrays of the current step lie: in the mirror, at the offsets that they have in a
// batch's pinned region. region is any of that size; it is only measured.
func (in *instance) pointBatch(c *C.struct_device_batch, region *hostmem.Region) {
	counts, a := carveBatch(hostmem.NewCarver(region), in.Program, in.options)
	at := func(p unsafe.Pointer) Pointer {
		return in.buffers.mirror + Pointer(uintptr(p)-uintptr(region.Pointer()))
	}
	point(&c.counts, at(unsafe.Pointer(&counts[0])))
	point(&c.tokens, at(unsafe.Pointer(unsafe.SliceData(a.Tokens))))
	point(&c.positions, at(unsafe.Pointer(unsafe.SliceData(a.Positions))))
	point(&c.pages, at(unsafe.Pointer(unsafe.SliceData(a.Pages))))
	point(&c.sequences, at(unsafe.Pointer(unsafe.SliceData(a.Sequences))))
	point(&c.outputs, at(unsafe.Pointer(unsafe.SliceData(a.Outputs))))
	point(&c.penalties, at(unsafe.Pointer(unsafe.SliceData(a.Penalties))))
	point(&c.biases, at(unsafe.Pointer(unsafe.SliceData(a.Biases))))
	point(&c.results, at(unsafe.Pointer(unsafe.SliceData(a.Results))))
	point(&c.top, at(unsafe.Pointer(unsafe.SliceData(a.Top))))
	point(&c.logits, at(unsafe.Pointer(unsafe.SliceData(a.Logits))))
	point(&c.ids, in.buffers.ids)
	point(&c.sequence_of, in.buffers.sequenceOf)
	point(&c.whole_row, in.buffers.wholeRow)
}
