//go:build cuda

package loader

import (
	"errors"
	"sync"

	"chimera/config"
	"chimera/cuda"
	"chimera/gpu"
	"chimera/hostmem"
)

// This file owns the GPU backend's start and end: its context, and the pinning of host memory through it.

// pinning is the one pinner of the process: what it pins is good for every GPU, and regions go back to the
// pinner that made them, so it lives as long as any model does.
var pinning struct {
	sync.Mutex
	models int
	pinner *cuda.Pinner
}

func holdPinner(index int) error {
	pinning.Lock()
	defer pinning.Unlock()
	if pinning.models == 0 {
		p, err := cuda.OpenPinner(index)
		if err != nil {
			return err
		}
		pinning.pinner = p
		hostmem.UsePinner(p)
	}
	pinning.models++
	return nil
}

func releasePinner() error {
	pinning.Lock()
	defer pinning.Unlock()
	if pinning.models--; pinning.models > 0 {
		return nil
	}
	hostmem.UsePinner(nil)
	return pinning.pinner.Close()
}

// gpuBackend is a GPU whose host memory is pinned through the process's pinner.
type gpuBackend struct{ *cuda.Backend }

// chosen is the index of a GPU: of config.AutoDevice that of the first that can be used.
func chosen(index int) (int, error) {
	if index != config.AutoDevice {
		return index, nil
	}
	first, err := cuda.FirstUsable()
	return first, told(absent(err))
}

// told marks what a person must see to.
func told(err error) error {
	if errors.Is(err, cuda.ErrMachine) {
		return &MachineError{err}
	}
	return err
}

func openGPU(index int, model string) (Backend, error) {
	index, err := chosen(index)
	if err != nil {
		return nil, err
	}
	b, err := cuda.New(index, model)
	if err != nil {
		return nil, told(err)
	}
	if err := holdPinner(index); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return gpuBackend{b}, nil
}

// absent marks what says that the machine has no GPU for this build. A driver that fails is no such thing.
func absent(err error) error {
	for _, nothing := range []error{cuda.ErrNoDriver, cuda.ErrNoDevice, cuda.ErrDriverTooOld} {
		if errors.Is(err, nothing) {
			return &noGPUError{err}
		}
	}
	return err
}

// GPUs is the one.
func (b gpuBackend) GPUs() []gpu.Place {
	return []gpu.Place{{Bus: gpu.BusID(b.BusID()), UUID: b.UUID()}}
}

// SetActive does nothing: no step waits for the CPU's workers.
func (gpuBackend) SetActive(int) {}

// Close gives the GPU back, after the instance.
func (b gpuBackend) Close() error { return errors.Join(releasePinner(), b.Backend.Close()) }

// gpuCopier is a copier beside a pinner, so that the memory it copies may be pinned.
type gpuCopier struct{ *cuda.Copier }

func openCopier(index int, bytes int64) (Copier, error) {
	index, err := chosen(index)
	if err != nil {
		return nil, err
	}
	c, err := cuda.OpenCopier(index, bytes)
	if err != nil {
		return nil, err
	}
	if err := holdPinner(index); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return gpuCopier{c}, nil
}

// Close gives the GPU back, after the memory that was pinned.
func (c gpuCopier) Close() error { return errors.Join(releasePinner(), c.Copier.Close()) }

// gpusFound says what this build found: driver and devices, or what is missing.
func gpusFound() string { return cuda.Describe() }
