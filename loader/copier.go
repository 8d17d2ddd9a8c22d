package loader

import (
	"errors"
	"fmt"
	"io"

	"chimera/config"
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

// OpenCopier takes so many bytes of the device that the setting names: nil on the CPU, and for auto in a build
// that looks for no GPU. Of auto it is the first that can be used; why there is none satisfies errors.Is(err, ErrNoGPU).
func OpenCopier(setting string, bytes int64) (Copier, error) {
	index, err := config.GPUIndex(setting)
	switch {
	case err != nil:
		return nil, &config.Error{Err: fmt.Errorf("device: %w", err)}
	case index == config.CPUDevice:
		return nil, nil
	}
	c, err := openCopier(index, bytes)
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, errNoGPUBuild) && index == config.AutoDevice:
		return nil, nil
	case errors.Is(err, errNoGPUBuild):
		return nil, &config.Error{Err: fmt.Errorf("device: %s: %w", setting, err)}
	case index == config.AutoDevice:
		return nil, fmt.Errorf("%w: %w", ErrNoGPU, err)
	}
	return nil, fmt.Errorf("device: %s: %w", setting, err)
}

// ErrNoGPU is wrapped by why none can be used where none was named.
var ErrNoGPU = errors.New("device rows are left out")
