//go:build cuda

package cuda

import (
	"unsafe"

	"chimera/hostmem"
)

// This file owns what hostmem asks of a driver.

// What a pinner does and for what, in errors: it serves all models.
const (
	pinning    = "pinning"
	hostMemory = "host memory"
)

// Pinner pins host memory for all devices. It has a thread of its own, so that it may be asked while a
// device computes, and from inside a call of one.
type Pinner struct{ d *device }

var _ hostmem.Pinner = (*Pinner)(nil)

// OpenPinner opens a pinner on a device, for hostmem.UsePinner.
func OpenPinner(index int) (*Pinner, error) {
	d, err := openDevice(index, hostMemory)
	if err != nil {
		return nil, err
	}
	return &Pinner{d}, nil
}

// Alloc gives pinned memory.
func (p *Pinner) Alloc(bytes int64, writeCombined bool) (memory unsafe.Pointer, err error) {
	var got unsafe.Pointer
	if err := p.d.do(pinning, func() (err error) { got, err = p.d.hostAlloc(bytes, writeCombined); return err }); err != nil {
		return nil, err
	}
	return got, nil
}

// Free takes back what Alloc gave. Memory that a lost device may still write to stays mapped.
func (p *Pinner) Free(memory unsafe.Pointer) error {
	return p.d.do(pinning, func() error { return p.d.hostFree(memory) })
}

// Register pins memory that is mapped already.
func (p *Pinner) Register(memory unsafe.Pointer, bytes int64, readOnly bool) error {
	return p.d.do(pinning, func() error { return p.d.hostRegister(memory, bytes, readOnly) })
}

// Unregister undoes Register.
func (p *Pinner) Unregister(memory unsafe.Pointer) error {
	return p.d.do(pinning, func() error { return p.d.hostUnregister(memory) })
}

// Close ends the pinner. An error names memory that was not given back.
func (p *Pinner) Close() error { return p.d.close() }
