package daemon

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"

	"chimera/cgo"
	"chimera/engine"
)

// This file owns where a model computes: on the CPU, or on a GPU in the build that has that backend.

// errNoGPUBuild is what asking a build without the backend for a GPU gives.
var errNoGPUBuild = errors.New("this build computes on the CPU alone: `make cuda` builds the one for GPUs")

// device is the setting of that name: auto, cpu or cuda:N.
type device struct{ value *string }

func (d device) String() string { return *d.value }

// Type is what --help calls the value.
func (d device) Type() string { return "string" }

// Set implements pflag.Value.
func (d device) Set(text string) error {
	if _, err := gpuIndex(text); err != nil {
		return err
	}
	*d.value = text
	return nil
}

// What a device setting names when it names no GPU by its number.
const (
	autoDevice = -1
	cpuDevice  = -2
)

// gpuIndex is the N of cuda:N, or autoDevice or cpuDevice.
func gpuIndex(text string) (int, error) {
	switch text {
	case "auto", "": // verbs made in code leave it out
		return autoDevice, nil
	case "cpu":
		return cpuDevice, nil
	}
	number, found := strings.CutPrefix(text, "cuda:")
	n, err := strconv.ParseUint(number, 10, 8)
	if !found || err != nil {
		return 0, errors.New("use auto, cpu or cuda:N")
	}
	return int(n), nil
}

// heldBackend is a backend that holds a device until it is closed.
type heldBackend interface {
	engine.Backend
	io.Closer
	// GPUs are the bus addresses of what it computes on, by which their health is known: gpu.BusID.
	GPUs() []string
}

// cpuBackend holds nothing.
type cpuBackend struct{ cgo.Backend }

func (cpuBackend) Close() error { return nil }

func (cpuBackend) GPUs() []string { return nil }

// openBackend opens the device that the setting names. Of auto it is the first GPU that can be used; why
// there is none is logged, since a server that was bought for its GPU must not be slow in silence.
func (o EngineOptions) openBackend(path string) (heldBackend, error) {
	index, err := gpuIndex(o.Device)
	if err != nil {
		return nil, &ConfigError{fmt.Errorf("device: %w", err)}
	}
	if index == cpuDevice {
		return cpuBackend{}, nil
	}
	name := strings.TrimSuffix(filepath.Base(path), ".gguf")
	b, err := openGPU(max(index, 0), name)
	switch {
	case err == nil:
		return b, nil
	case index != autoDevice && errors.Is(err, errNoGPUBuild):
		return nil, &ConfigError{fmt.Errorf("device: %s: %w", o.Device, err)}
	case index != autoDevice:
		return nil, fmt.Errorf("device: %s: %w", o.Device, err)
	case !errors.Is(err, errNoGPUBuild):
		slog.Warn("computing on the CPU", "cause", err)
	}
	return cpuBackend{}, nil
}
