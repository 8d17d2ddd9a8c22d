//go:build cuda

package cuda

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// This file owns plain copies between host and device, for those who measure them: bench.Memory.

const copying = "copying"

// Copier moves bytes between host memory and one GPU, by the calls that the engine makes. Host memory may be
// of any kind. One goroutine at a time may use it.
type Copier struct {
	d      *device
	memory Pointer
	bytes  int64
	stream *cu.Stream // nil before it is made
}

// OpenCopier takes a GPU and so many bytes of its memory.
func OpenCopier(index int, bytes int64) (*Copier, error) {
	d, err := openDevice(index, "")
	if err != nil {
		return nil, err
	}
	c := &Copier{d: d, bytes: bytes}
	if err := d.do(copying, c.open); err != nil {
		return nil, oneCause(err, c.Close())
	}
	return c, nil
}

func (c *Copier) open() (err error) {
	if c.memory, err = c.d.memAlloc(c.bytes); err != nil {
		return err
	}
	s, err := c.d.makeStream()
	if err == nil {
		c.stream = &s
	}
	return err
}

// Device is what the GPU is called.
func (c *Copier) Device() string { return c.d.name() }

// HostToDevice copies host to the start of the GPU's memory, and waits.
func (c *Copier) HostToDevice(host []byte) error { return c.copy(host, c.in) }

// DeviceToHost fetches as many bytes as host has from the start of the GPU's memory, and waits.
func (c *Copier) DeviceToHost(host []byte) error { return c.copy(host, c.out) }

// RoundTrip sends host to the GPU and fetches it back, and waits once, at the end.
func (c *Copier) RoundTrip(host []byte) error { return c.copy(host, c.in, c.out) }

func (c *Copier) in(host []byte) error {
	return c.d.copyIn(c.memory, unsafe.Pointer(&host[0]), int64(len(host)), *c.stream)
}

func (c *Copier) out(host []byte) error {
	return c.d.copyOut(unsafe.Pointer(&host[0]), c.memory, int64(len(host)), *c.stream)
}

// copy queues the ways and waits for them; after an error of the second the first is waited for all the same,
// since host is the caller's again.
func (c *Copier) copy(host []byte, ways ...func([]byte) error) error {
	if len(host) == 0 || int64(len(host)) > c.bytes {
		return fmt.Errorf("%s: a copy of %d bytes, the copier was opened for 1 to %d", c.d.name(), len(host), c.bytes)
	}
	return c.d.do(copying, func() error {
		var err error
		for _, way := range ways {
			if err = way(host); err != nil {
				break
			}
		}
		return oneCause(err, c.d.synchronize(*c.stream))
	})
}

// Close gives memory and GPU back. An error names what was not given back.
func (c *Copier) Close() error {
	err := c.d.do("closing", func() (err error) {
		if c.stream != nil {
			err = c.d.destroyStream(*c.stream)
			c.stream = nil
		}
		if c.memory != 0 {
			err = oneCause(err, c.d.memFree(c.memory))
			c.memory = 0
		}
		return err
	})
	return oneCause(err, c.d.close())
}
