//go:build cuda

package cuda

// #cgo CFLAGS: -std=c11 -D_GNU_SOURCE -Wall -Wextra
// #cgo LDFLAGS: -ldl
// #include <cuda.h>
// #include "shim.h"
// #include <stdlib.h>
import "C"

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"gorgonia.org/cu"
)

// This file owns what a machine has: the driver and its devices.

const (
	library = "libcuda.so.1"
	// neededVersion is CUDA 13.0: what the kernels were compiled with. neededDriver is the first that has it.
	neededVersion = 13000
	neededDriver  = 580
	// neededCapability is the oldest architecture that the kernels are compiled for (A100).
	neededCapability = 80
	moduleLoading    = "CUDA_MODULE_LOADING" // read by the driver when it initialises
)

// openLimit bounds cuInit, which takes seconds on a machine of many GPUs that nobody keeps awake, and then the
// listing of what there is. Tests lower it.
var openLimit = 60 * time.Second

var open = sync.OnceValue(func() error {
	answer := make(chan error, 1)
	go func() { answer <- openDriver() }()
	select {
	case err := <-answer:
		return err
	case <-time.After(openLimit):
		e := hungError("cuInit", openLimit)
		e.Phase = "opening the driver"
		return e
	}
})

// Open opens the driver's library and initialises it, once; later calls return what the first one did.
// Without a driver, with one that finds no device or with one that is too old the error is ErrNoDriver,
// ErrNoDevice or ErrDriverTooOld, with what was found.
func Open() error { return open() }

func openDriver() error {
	if _, chosen := os.LookupEnv(moduleLoading); !chosen {
		// Lazily loaded kernels would take memory after the plan, and stop a step to do so.
		if err := os.Setenv(moduleLoading, "EAGER"); err != nil {
			return err
		}
	}
	name := C.CString(library)
	defer C.free(unsafe.Pointer(name))
	a := C.shim_open(name, neededVersion)
	switch code := int(a.code); {
	case a.missing != nil:
		return fmt.Errorf("%w: %s", ErrNoDriver, C.GoString(a.missing))
	case code == C.CUDA_ERROR_NO_DEVICE:
		return fmt.Errorf("%w: the driver (CUDA %s) finds none", ErrNoDevice, versionText(int(a.version)))
	case code != C.CUDA_SUCCESS:
		return openError(C.GoString(a.call), code)
	case a.version < neededVersion:
		return fmt.Errorf("%w: it has CUDA %s, this build needs CUDA %s: install driver %d or later",
			ErrDriverTooOld, versionText(int(a.version)), versionText(neededVersion), neededDriver)
	}
	return nil
}

// openError knows the codes of cuInit itself: the driver that could explain them is not bound.
func openError(call string, code int) error {
	e := newError(call, code)
	e.Phase = "opening the driver"
	e.machine = call == "cuInit" && (code == C.CUDA_ERROR_UNKNOWN || code == C.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH)
	switch code {
	case C.CUDA_ERROR_UNKNOWN:
		e.Text = "the driver does not say why; as a rule the kernel module nvidia-uvm is not loaded or /dev/nvidia-uvm may not be used: " +
			"run nvidia-modprobe -u -c=0 as root, and see that the unit shows the device (DeviceAllow=char-nvidia-uvm, docs/GPU.md)"
	case C.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH:
		e.Text = "the driver's library and kernel module are of different versions: restart the machine"
	case C.CUDA_ERROR_SYSTEM_NOT_READY:
		e.Text = "the system is not ready: is nvidia-fabricmanager running?"
	}
	return e
}

func versionText(version int) string { return fmt.Sprintf("%d.%d", version/1000, version%1000/10) }

// DeviceInfo is what a device is.
type DeviceInfo struct {
	Index           int
	Name            string // "NVIDIA H200"
	UUID            string // "GPU-" and hexadecimal digits, as nvidia-smi and NVML have it; of a MIG instance the digits after "MIG-"
	PCIBusID        string // "0000:18:00.0"
	TotalBytes      int64
	Major, Minor    int // compute capability
	Multiprocessors int
}

// String is the device in one line.
func (i DeviceInfo) String() string {
	return fmt.Sprintf("GPU %d (%s): %s, compute capability %d.%d, %d multiprocessors, PCI %s, %s",
		i.Index, i.Name, formatBytes(i.TotalBytes), i.Major, i.Minor, i.Multiprocessors, i.PCIBusID, i.UUID)
}

// Supported returns an error for a device that the kernels can't run on.
func (i DeviceInfo) Supported() error {
	if i.Major*10+i.Minor < neededCapability {
		return fmt.Errorf("GPU %d (%s) has compute capability %d.%d, at least %d.%d is needed (A100 or later)",
			i.Index, i.Name, i.Major, i.Minor, neededCapability/10, neededCapability%10)
	}
	return nil
}

// Devices lists the devices, those that are not supported too. It opens the driver.
func Devices() ([]DeviceInfo, error) {
	if err := Open(); err != nil {
		return nil, err
	}
	l := &listing{done: make(chan error, 1)}
	go func() { l.done <- l.all() }()
	select {
	case err := <-l.done:
		return l.infos, err
	case <-time.After(openLimit):
		e := hungError(*l.call.Load(), openLimit)
		e.Phase = listingPhase
		return nil, e
	}
}

// FirstUsable is the first device that the kernels can run on. ErrNoDevice says that there is none.
func FirstUsable() (index int, err error) {
	infos, err := Devices()
	if err != nil {
		return 0, err
	}
	var unfit error
	for _, i := range infos {
		err := i.Supported()
		if err == nil {
			return i.Index, nil
		}
		unfit = errors.Join(unfit, err)
	}
	return 0, fmt.Errorf("%w that can be used: %w", ErrNoDevice, unfit)
}

const listingPhase = "listing the devices"

// listing asks for the devices on a goroutine of its own, since there is no device's thread yet and any of its calls may hang.
type listing struct {
	call  atomic.Pointer[string] // the one under way
	infos []DeviceInfo           // to be read after done
	done  chan error             // buffered: a listing that comes back late finds nobody waiting
}

// ask makes one call.
func (l *listing) ask(call string, f func() error) error {
	l.call.Store(&call)
	err := f()
	if err == nil {
		return nil
	}
	e := newError(call, codeOf(err))
	e.Phase = listingPhase
	return e
}

func (l *listing) all() error {
	var n int
	if err := l.ask("cuDeviceGetCount", func() (err error) { n, err = cu.NumDevices(); return err }); err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("%w: the driver finds none", ErrNoDevice)
	}
	l.infos = make([]DeviceInfo, n)
	for i := range l.infos {
		if err := l.one(i, &l.infos[i]); err != nil {
			return err
		}
	}
	return nil
}

func (l *listing) one(index int, i *DeviceInfo) error {
	i.Index = index
	var d cu.Device
	for _, question := range []struct {
		call string
		ask  func() error
	}{
		{"cuDeviceGet", func() (err error) { d, err = cu.GetDevice(index); return err }},
		{"cuDeviceGetName", func() (err error) { i.Name, err = d.Name(); return err }},
		{"cuDeviceGetUuid", func() error {
			uuid, err := d.UUID()
			i.UUID = "GPU-" + uuid.String()
			return err
		}},
		{"cuDeviceTotalMem", func() (err error) { i.TotalBytes, err = d.TotalMem(); return err }},
		{"cuDeviceGetAttribute", func() (err error) { i.Major, err = d.Attribute(cu.ComputeCapabilityMajor); return err }},
		{"cuDeviceGetAttribute", func() (err error) { i.Minor, err = d.Attribute(cu.ComputeCapabilityMinor); return err }},
		{"cuDeviceGetAttribute", func() (err error) { i.Multiprocessors, err = d.Attribute(cu.MultiprocessorCount); return err }},
		{"cuDeviceGetPCIBusId", func() (err error) { i.PCIBusID, err = pciBusID(d); return err }},
	} {
		if err := l.ask(question.call, question.ask); err != nil {
			return err
		}
	}
	return nil
}

// pciBusID is bound beside cu, which lacks it.
func pciBusID(d cu.Device) (string, error) {
	var id [32]C.char
	if code := C.cuDeviceGetPCIBusId(&id[0], C.int(len(id)), C.CUdevice(d)); code != C.CUDA_SUCCESS {
		return "", newError("cuDeviceGetPCIBusId", int(code))
	}
	return C.GoString(&id[0]), nil
}

// Describe says what this build found on this machine, one line for the driver or what is missing, and
// one for each device.
func Describe() string {
	infos, err := Devices()
	if err != nil {
		return "CUDA: " + err.Error()
	}
	lines := []string{"CUDA: driver for CUDA " + versionText(cu.Version())}
	for _, i := range infos {
		line := i.String()
		if err := i.Supported(); err != nil {
			line += ": not usable: " + err.Error()
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
