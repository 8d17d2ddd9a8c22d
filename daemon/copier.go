package daemon

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"
)

// This file owns copies to and from a GPU, for the verb that measures them.

// Copier is a GPU that bytes are copied to and from: bench.Copier, held until it is closed. While it is
// held, host memory that is to be pinned is.
type Copier interface {
	io.Closer
	Device() string
	HostToDevice(host []byte) error
	DeviceToHost(host []byte) error
	RoundTrip(host []byte) error
}

// DeviceFlag binds the setting alone, for verbs that load no model.
func DeviceFlag(f *pflag.FlagSet, to *string, usage string) { f.Var(device{to}, "device", usage) }

// OpenCopier takes so many bytes of the device that the setting names: nil on the CPU, and for auto in a build
// that looks for no GPU. Of auto it is the first that can be used; why there is none satisfies errors.Is(err, ErrNoGPU).
func OpenCopier(setting string, bytes int64) (Copier, error) {
	index, err := gpuIndex(setting)
	switch {
	case err != nil:
		return nil, &ConfigError{fmt.Errorf("device: %w", err)}
	case index == cpuDevice:
		return nil, nil
	}
	c, err := openCopier(index, bytes)
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, errNoGPUBuild) && index == autoDevice:
		return nil, nil
	case errors.Is(err, errNoGPUBuild):
		return nil, &ConfigError{fmt.Errorf("device: %s: %w", setting, err)}
	case index == autoDevice:
		return nil, fmt.Errorf("%w: %w", ErrNoGPU, err)
	}
	return nil, fmt.Errorf("device: %s: %w", setting, err)
}

// ErrNoGPU is wrapped by why none can be used where none was named.
var ErrNoGPU = errors.New("device rows are left out")
