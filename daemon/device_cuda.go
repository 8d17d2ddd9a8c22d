//go:build cuda

package daemon

import (
	"errors"

	"chimera/cuda"
	"chimera/gpu"
	"chimera/hostmem"
)

// This file owns the GPU backend's start and end: its context, and the pinning of host memory through it.

// gpuBackend is a GPU with the pinner that hostmem uses while the model is loaded.
type gpuBackend struct {
	*cuda.Backend
	pinner *cuda.Pinner
}

func openGPU(index int, model string) (heldBackend, error) {
	b, err := cuda.New(index, model)
	if err != nil {
		return nil, err
	}
	p, err := cuda.OpenPinner(index)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	hostmem.UsePinner(p)
	return gpuBackend{b, p}, nil
}

// GPUs is the one.
func (b gpuBackend) GPUs() []string { return []string{gpu.BusID(b.BusID())} }

// Close gives the GPU back, after the instance.
func (b gpuBackend) Close() error {
	hostmem.UsePinner(nil)
	return errors.Join(b.pinner.Close(), b.Backend.Close())
}

// gpusFound says what this build found: driver and devices, or what is missing.
func gpusFound() string { return cuda.Describe() }
