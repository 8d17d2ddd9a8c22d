//go:build cuda

package cuda

// #include "plan.h"
import "C"

import (
	"gorgonia.org/cu"

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
type Backend struct {
	device *device
	stream *cu.Stream // of the steps of all instances: they run in the order of Submit, and what one has written another may read
}

var _ engine.Backend = (*Backend)(nil)

// New takes a GPU for a model; model is its name, for errors. Sentinels as of Open.
func New(index int, model string) (*Backend, error) {
	d, err := openDevice(index, model)
	if err != nil {
		return nil, err
	}
	b := &Backend{device: d}
	err = d.do("opening the device for", func() error {
		s, err := d.makeStream()
		b.stream = &s
		return err
	})
	if err != nil {
		return nil, oneCause(err, d.close())
	}
	return b, nil
}

// Name returns "cuda".
func (*Backend) Name() string { return "cuda" }

// BusID is the GPU's PCI address.
func (b *Backend) BusID() string { return b.device.info.PCIBusID }

// UUID is the GPU's, or that of the MIG instance.
func (b *Backend) UUID() string { return b.device.info.UUID }

// Close gives the GPU back, after the instances. An error names what was not given back before.
func (b *Backend) Close() error {
	err := b.device.do("closing", func() error { return b.device.destroyStream(*b.stream) })
	return oneCause(err, b.device.close())
}

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
	l, o, err := b.prepare(p, w, o)
	if err != nil {
		return nil, err
	}
	return planOf(l, o, b.device), nil
}

// prepare checks what Load and Plan are asked for, before any memory is taken.
func (b *Backend) prepare(p *engine.Program, w engine.Weights, o engine.LoadOptions) (*lowered, engine.LoadOptions, error) {
	if err := o.Check(p); err != nil {
		return nil, o, err
	}
	if o.Share != nil {
		groups, err := b.sharedGroups(p, o)
		if err != nil {
			return nil, o, err
		}
		o.Pages = nil
		for _, g := range groups {
			o.Pages = append(o.Pages, g.pages)
		}
	}
	l, err := lower(p, w)
	return l, o, err
}

// Load builds an instance; see engine.Backend.
func (b *Backend) Load(p *engine.Program, w engine.Weights, o engine.LoadOptions) (engine.Instance, error) {
	l, o, err := b.prepare(p, w, o)
	if err != nil {
		return nil, err
	}
	in := &instance{lowered: l, backend: b, device: b.device, options: o, plan: planOf(l, o, b.device)}
	in.limits = in.limitsOf()
	if err := in.load(w); err != nil {
		return nil, in.abandon(err)
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
