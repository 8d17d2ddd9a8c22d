//go:build cuda

package gpu

import (
	"errors"
	"fmt"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// This file owns the way into NVML: start, devices, events, end. nvml_read.go owns the readings.

// library is NVML as a Reader. After a failed Init nothing of it may be called, since the process would die of a
// missing symbol; so a library exists only behind an Init that succeeded.
type library struct {
	nvml    nvml.Interface
	devices []nvml.Device
	index   map[nvml.Device]int // handles are comparable
	events  nvml.EventSet
	deaf    error // why there are no events
}

// Open opens the driver's management library.
func Open(call *Call) (Reader, error) { return openLibrary(nvml.New(), call) }

func openLibrary(lib nvml.Interface, call *Call) (Reader, error) {
	call.Enter("nvmlInit")
	switch ret := lib.Init(); ret {
	case nvml.SUCCESS:
		return &library{nvml: lib, index: map[nvml.Device]int{}}, nil
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return nil, errors.New("there is no NVIDIA driver: libnvidia-ml.so.1 was not found")
	case nvml.ERROR_DRIVER_NOT_LOADED:
		return nil, errors.New("the NVIDIA driver is installed but its kernel module is not loaded: see modprobe nvidia, dmesg")
	case nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		return nil, errors.New("NVIDIA's libraries and its kernel module differ in version: restart the machine")
	case nvml.ERROR_NO_PERMISSION:
		return nil, errors.New("the NVIDIA driver may not be used: check the rights of /dev/nvidia* and the unit's DeviceAllow=")
	default:
		return nil, fmt.Errorf("nvmlInit: code %d", int(ret)) // its text would be a call into the library
	}
}

// has tells whether the installed driver knows a symbol.
func (l *library) has(symbol string) bool {
	return l.nvml.Extensions().LookupSymbol(symbol) == nil
}

// Devices implements Reader.
func (l *library) Devices(call *Call) ([]Device, error) {
	call.Enter("nvmlDeviceGetCount")
	count, ret := l.nvml.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return nil, failed("nvmlDeviceGetCount", ret)
	}
	var list []Device
	for i := range count {
		call.Enter("nvmlDeviceGetHandleByIndex")
		handle, ret := l.nvml.DeviceGetHandleByIndex(i)
		if ret != nvml.SUCCESS { // one broken card keeps its place, so that it is seen and the others are numbered right
			list, l.devices = append(list, Device{Index: i, Name: "unknown"}), append(l.devices, refusing{ret: ret})
			continue
		}
		list, l.devices = append(list, l.describe(i, handle, call)), append(l.devices, handle)
		l.index[handle] = i
	}
	l.register(call)
	return list, nil
}

// refusing stands for a device that NVML lists and gives no handle for.
type refusing struct {
	nvml.Device
	ret nvml.Return
}

func (l *library) describe(index int, handle nvml.Device, call *Call) Device {
	d := Device{Index: index}
	call.Enter("nvmlDeviceGetName")
	d.Name, _ = handle.GetName() // without a name it still has an index
	call.Enter("nvmlDeviceGetUUID")
	d.UUID, _ = handle.GetUUID()
	call.Enter("nvmlDeviceGetPciInfo")
	if info, ret := handle.GetPciInfo(); ret == nvml.SUCCESS {
		d.Bus = BusID(text(info.BusId[:]))
	}
	d.Instances = l.instances(handle, call)
	return d
}

// instances lists the MIG instances that this process may see.
func (l *library) instances(handle nvml.Device, call *Call) (list []Instance) {
	if !l.has("nvmlDeviceGetMigMode") || !l.has("nvmlDeviceGetMigDeviceHandleByIndex") {
		return nil
	}
	call.Enter("nvmlDeviceGetMigMode")
	if mode, _, ret := handle.GetMigMode(); ret != nvml.SUCCESS || mode != nvml.DEVICE_MIG_ENABLE {
		return nil
	}
	call.Enter("nvmlDeviceGetMaxMigDeviceCount")
	most, _ := handle.GetMaxMigDeviceCount()
	for i := range most { // places may be empty
		call.Enter("nvmlDeviceGetMigDeviceHandleByIndex")
		part, ret := handle.GetMigDeviceHandleByIndex(i)
		if ret != nvml.SUCCESS {
			continue
		}
		call.Enter("nvmlDeviceGetUUID")
		uuid, ret := part.GetUUID()
		call.Enter("nvmlDeviceGetGpuInstanceId")
		if id, ret2 := part.GetGpuInstanceId(); ret == nvml.SUCCESS && ret2 == nvml.SUCCESS {
			list = append(list, Instance{uuid, uint32(id)})
		}
	}
	return list
}

// text reads a C string.
func text[T int8 | uint8](chars []T) string {
	var b []byte
	for _, c := range chars {
		if c == 0 {
			break
		}
		b = append(b, byte(c))
	}
	return string(b)
}

// register asks for the Xid errors of all devices that report them.
func (l *library) register(call *Call) {
	l.deaf = ErrNoEvents
	call.Enter("nvmlEventSetCreate")
	set, ret := l.nvml.EventSetCreate()
	if ret != nvml.SUCCESS {
		return
	}
	for handle := range l.index {
		call.Enter("nvmlDeviceGetSupportedEventTypes")
		types, ret := handle.GetSupportedEventTypes()
		if ret != nvml.SUCCESS || types&nvml.EventTypeXidCriticalError == 0 {
			continue
		}
		call.Enter("nvmlDeviceRegisterEvents")
		if handle.RegisterEvents(nvml.EventTypeXidCriticalError, set) == nvml.SUCCESS {
			l.deaf = nil
		}
	}
	l.events = set
}

// noInstance is the GPU instance of an event that is of none.
const noInstance = 0xffffffff

// NextEvent implements Reader.
func (l *library) NextEvent(wait time.Duration, call *Call) (Event, bool, error) {
	if l.deaf != nil {
		return Event{}, false, l.deaf
	}
	call.Enter("nvmlEventSetWait")
	data, ret := l.events.Wait(uint32(wait.Milliseconds()))
	switch {
	case ret == nvml.ERROR_TIMEOUT:
		return Event{}, false, nil
	case ret != nvml.SUCCESS:
		return Event{}, false, failed("nvmlEventSetWait", ret)
	}
	index, known := l.index[data.Device]
	e := Event{Device: index, Xid: data.EventData}
	if data.GpuInstanceId != noInstance {
		e.Instance = &data.GpuInstanceId
	}
	return e, known && data.EventType == nvml.EventTypeXidCriticalError, nil
}

// Close implements Reader.
func (l *library) Close() {
	if l.events != nil {
		l.events.Free()
	}
	l.nvml.Shutdown()
}

// failed words the error of a call; the states of a device that it may stand for satisfy errors.Is.
func failed(call string, ret nvml.Return) error {
	switch ret {
	case nvml.ERROR_GPU_IS_LOST:
		return fmt.Errorf("%s: %w", call, ErrLost)
	case nvml.ERROR_RESET_REQUIRED:
		return fmt.Errorf("%s: %w", call, ErrResetRequired)
	}
	return fmt.Errorf("%s: %s", call, ret.Error())
}
