//go:build cuda

package cuda

// #include "plan.h"
import "C"

import (
	"fmt"

	"chimera/engine"
	"chimera/engine/lowering"
)

// This file owns Backend: the same programs as on the CPU, on one GPU.

const (
	group     = C.GROUP
	actBlock  = C.BLOCK
	headRows  = C.HEAD_ROWS
	rowTokens = C.PRODUCT_TOKENS
)

// Backend runs programs on one GPU, whose context it holds until Close.
type Backend struct{ device *device }

var _ engine.Backend = (*Backend)(nil)

// New takes a GPU for a model; model is its name, for errors. Sentinels as of Open.
func New(index int, model string) (*Backend, error) {
	d, err := openDevice(index, model)
	if err != nil {
		return nil, err
	}
	return &Backend{d}, nil
}

// Name returns "cuda".
func (*Backend) Name() string { return "cuda" }

// BusID is the GPU's PCI address.
func (b *Backend) BusID() string { return b.device.info.PCIBusID }

// Close gives the GPU back, after the instances. An error names what was not given back before.
func (b *Backend) Close() error { return b.device.close() }

// Available is how much of the GPU's memory is free, and which GPU that is.
func (b *Backend) Available() (bytes int64, bound string) {
	var free int64 // not to be touched after an error: the call may still be writing to it
	err := b.device.do("asking for free memory for", func() (err error) {
		free, _, err = b.device.memInfo()
		return err
	})
	if err != nil {
		return 0, ""
	}
	return free, b.device.name()
}

// Plan lowers the program and adds up its memory.
func (b *Backend) Plan(p *engine.Program, w engine.Weights, o engine.LoadOptions) (*engine.Plan, error) {
	l, err := lower(p, w)
	if err != nil {
		return nil, err
	}
	if err := o.Check(p); err != nil {
		return nil, err
	}
	return planOf(l, o, b.device), nil
}

// Load builds an instance; see engine.Backend.
func (b *Backend) Load(p *engine.Program, w engine.Weights, o engine.LoadOptions) (engine.Instance, error) {
	l, err := lower(p, w)
	if err != nil {
		return nil, err
	}
	if err := o.Check(p); err != nil {
		return nil, err
	}
	in := &instance{lowered: l, device: b.device, options: o, plan: planOf(l, o, b.device)}
	in.limits = in.limitsOf()
	for _, step := range []struct {
		what string
		run  func() error
	}{
		{"allocating memory", in.allocate},
		{"loading kernels", in.loadKernels},
		{"loading weights", func() error { return in.upload(w) }},
		{"writing the plan", in.writePhases},
	} {
		if err := step.run(); err != nil {
			return nil, fmt.Errorf("%s: %w", step.what, in.abandon(err))
		}
	}
	return in, nil
}

// lowered is a lowered program with what this backend knows of it.
type lowered struct{ *lowering.Lowered }

var capacity = lowering.Capacity{Backend: "CUDA", HeadDim: C.MAX_HEAD_DIM}

func lower(p *engine.Program, w engine.Weights) (*lowered, error) {
	l, err := lowering.Lower(p, w, capacity)
	return &lowered{l}, err
}
