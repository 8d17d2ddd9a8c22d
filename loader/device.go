package loader

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"chimera/cgo"
	"chimera/config"
	"chimera/engine"
	"chimera/gpu"
)

// This file owns where a model computes: on the CPU, or on a GPU in the build that has that backend.

// errNoGPUBuild is what asking a build without the backend for a GPU gives.
var errNoGPUBuild = errors.New("this build computes on the CPU alone: `make cuda` builds the one for GPUs")

// noGPUError says why the machine has no GPU that this build could use.
type noGPUError struct{ cause error }

func (e *noGPUError) Error() string { return e.cause.Error() }

func (e *noGPUError) Unwrap() error { return e.cause }

// MachineError says that no process can use the GPU until a person has changed something about the machine.
type MachineError struct{ Cause error }

func (e *MachineError) Error() string { return e.Cause.Error() }

func (e *MachineError) Unwrap() error { return e.Cause }

// Backend is a backend, which holds its device until it is closed.
type Backend interface {
	engine.Backend
	// GPUs are the places it computes on, by which their health is known.
	GPUs() []gpu.Place
	// SetActive lets the steps from now on run on so many of the CPU's workers; a GPU has none.
	SetActive(workers int)
}

// cpuBackend is the CPU.
type cpuBackend struct{ *cgo.Backend }

func (cpuBackend) GPUs() []gpu.Place { return nil }

// OpenCPU starts the CPU's workers.
func (o Options) OpenCPU() (Backend, error) {
	threads, _ := o.Workers()
	b, err := cgo.Open(cgo.Options{Threads: threads, ISA: o.ISA})
	if err != nil {
		return nil, err
	}
	return cpuBackend{b}, nil
}

// OpenBackend opens the device that the setting names. Of auto it is the first GPU that can be used; why there
// is none is logged. A GPU that is there and fails ends the start: after a fault, or at boot before its services are
// up, a server that was bought for it would else compute on the CPU until somebody notices.
func (o Options) OpenBackend(path string) (Backend, error) {
	index, err := config.GPUIndex(o.Device)
	if err != nil {
		return nil, &config.Error{Err: fmt.Errorf("device: %w", err)}
	}
	if index == config.CPUDevice {
		return o.OpenCPU()
	}
	b, err := openGPU(index, strings.TrimSuffix(filepath.Base(path), ".gguf"))
	none := (*noGPUError)(nil)
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, errNoGPUBuild) && index != config.AutoDevice:
		return nil, &config.Error{Err: fmt.Errorf("device: %s: %w", o.Device, err)}
	case errors.Is(err, errNoGPUBuild):
		return o.OpenCPU()
	case errors.As(err, &none):
		slog.Warn("computing on the CPU", "cause", err)
		return o.OpenCPU()
	case index == config.AutoDevice:
		return nil, fmt.Errorf("device: auto: %w (--device cpu computes without it)", err)
	}
	return nil, fmt.Errorf("device: %s: %w", o.Device, err)
}
