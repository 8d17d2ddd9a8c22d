//go:build cuda

package cuda

// #include <stdlib.h>
// #include "layout.h"
import "C"

import (
	"fmt"
	"maps"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"chimera/engine"
	"chimera/hostmem"
)

// This file owns loading: memory, kernels, and where a step's arrays lie.

const (
	allocating = "allocating memory for"
	writing    = "writing the plan of"
)

// load takes what the plan announced and reads the weights.
func (in *instance) load(w engine.Weights) error {
	if err := in.allocate(); err != nil {
		return fmt.Errorf("allocating memory: %w", err)
	}
	if err := in.loadModule(); err != nil {
		return fmt.Errorf("loading kernels: %w", err)
	}
	if err := in.writeBatch(); err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	_, err := in.addGeneration(in.lowered, w, in.options.Progress)
	return err
}

// allocate takes all memory but the weights'.
func (in *instance) allocate() error {
	err := in.device.do(allocating, func() (err error) {
		in.stream = in.backend.stream
		if in.cache, in.groups, err = in.backend.cacheOf(in.Program, in.options); err != nil {
			return err
		}
		if in.actsAt, err = in.device.memAlloc(in.plan.ActBytes + in.plan.BatchBytes); err != nil {
			return err
		}
		in.buffers = carveBuffers(&arena{base: in.actsAt}, in.lowered, in.options)
		// What of a batch nobody writes reads as on the CPU.
		return in.device.memsetZero(in.buffers.mirror, in.plan.BatchBytes, *in.stream)
	})
	if err != nil {
		return err
	}
	in.batches, in.graphs = map[*engine.Batch]*pinnedBatch{}, newGraphCache(in)
	in.bounce, err = in.device.pinned(allocating, hostmem.Staging, bounceBytes(in.plan))
	return err
}

func (in *instance) loadModule() error {
	in.functions = map[string]cu.Function{}
	return in.device.doWithin(moduleLimit, "loading the kernels of", func() error {
		m, err := in.device.loadModule(kernelImage)
		if err == nil {
			in.module = &m
		}
		return err
	})
}

// findKernels finds every kernel that a launch names.
func (in *instance) findKernels(g *generation) error {
	names := map[string]bool{"copy_pages": true, "repack": true}
	for _, l := range g.launches {
		names[l.kernel] = true
	}
	return in.device.do("loading the kernels of", func() error {
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if _, found := in.functions[name]; found {
				continue
			}
			f, err := in.device.function(*in.module, name)
			if err != nil {
				return err
			}
			in.functions[name] = f
		}
		return nil
	})
}

func (in *instance) filler(g *generation) *filler {
	return &filler{lowered: g.lowered, options: in.options, buffers: in.buffers, weights: g.weights, frequencies: g.frequencies, groups: in.groups}
}

// writeBatch writes the batch's addresses to the device.
func (in *instance) writeBatch() error {
	r, err := in.device.pinned(writing, hostmem.Staging, max(C.sizeof_struct_device_batch, in.plan.BatchBytes)) // pointBatch carves a batch in it
	if err != nil {
		return err
	}
	in.draft = r
	batch := &hostmem.Slice[C.struct_device_batch](r, 0, 1)[0]
	in.pointBatch(batch, r)
	err = in.device.do(writing, func() error {
		if err := in.device.copyIn(in.buffers.batch, unsafe.Pointer(batch), C.sizeof_struct_device_batch, *in.stream); err != nil {
			return err
		}
		return in.device.synchronize(*in.stream)
	})
	if err != nil {
		return err // the copy may be under way: release waits for it, then the draft goes
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
	point(&c.vectors, at(unsafe.Pointer(unsafe.SliceData(a.Vectors))))
	point(&c.pages, at(unsafe.Pointer(unsafe.SliceData(a.Pages))))
	point(&c.sequences, at(unsafe.Pointer(unsafe.SliceData(a.Sequences))))
	point(&c.tables, at(unsafe.Pointer(unsafe.SliceData(a.Tables))))
	point(&c.outputs, at(unsafe.Pointer(unsafe.SliceData(a.Outputs))))
	point(&c.penalties, at(unsafe.Pointer(unsafe.SliceData(a.Penalties))))
	point(&c.biases, at(unsafe.Pointer(unsafe.SliceData(a.Biases))))
	point(&c.targets, at(unsafe.Pointer(unsafe.SliceData(a.Targets))))
	point(&c.results, at(unsafe.Pointer(unsafe.SliceData(a.Results))))
	point(&c.top, at(unsafe.Pointer(unsafe.SliceData(a.Top))))
	point(&c.target_logits, at(unsafe.Pointer(unsafe.SliceData(a.TargetLogits))))
	point(&c.logits, at(unsafe.Pointer(unsafe.SliceData(a.Logits))))
	point(&c.taps, at(unsafe.Pointer(unsafe.SliceData(a.Taps))))
	point(&c.ids, in.buffers.ids)
	point(&c.sequence_of, in.buffers.sequenceOf)
	point(&c.whole_row, in.buffers.wholeRow)
}
