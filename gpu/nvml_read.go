//go:build cuda

package gpu

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// This file owns one reading through NVML: a call for each field, and what it means that a call refuses.

// sheet is a reading being filled. A call that fails loses its field alone, unless it says that the device itself is
// lost; the first failure is the whole reading's where nothing else was told either.
type sheet struct {
	library *library
	device  nvml.Device
	call    *Call
	told    bool // something was
	failed  []string
	first   error // failure
	lost    error // the device is, or wants a reset: no further call is made
}

// ask makes one call and returns its answer, or nil where device, mode, driver or rights don't give it.
func ask[T any](s *sheet, symbol string, f func() (T, nvml.Return)) *T {
	if s.lost != nil || !s.library.has(symbol) {
		return nil
	}
	s.call.Enter(symbol)
	value, ret := f()
	switch ret {
	case nvml.SUCCESS:
		s.told = true
		return &value
	case nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_NO_PERMISSION, nvml.ERROR_NO_DATA, nvml.ERROR_FUNCTION_NOT_FOUND, nvml.ERROR_ARGUMENT_VERSION_MISMATCH, nvml.ERROR_DEPRECATED:
		return nil
	}
	s.fail(failed(symbol, ret))
	return nil
}

func (s *sheet) fail(err error) {
	switch {
	case errors.Is(err, ErrLost), errors.Is(err, ErrResetRequired):
		s.lost = err
	case s.first == nil:
		s.first = err
	}
	if !slices.Contains(s.failed, err.Error()) {
		s.failed = append(s.failed, err.Error())
	}
}

// err is why there is no reading at all.
func (s *sheet) err() error {
	if s.lost == nil && !s.told {
		return s.first
	}
	return s.lost
}

// Read implements Reader.
func (l *library) Read(index int, call *Call) (Reading, error) {
	if r, refuses := l.devices[index].(refusing); refuses {
		return Reading{}, failed("nvmlDeviceGetHandleByIndex", r.ret)
	}
	s := &sheet{library: l, device: l.devices[index], call: call}
	var r Reading
	s.load(&r)
	s.clocks(&r)
	s.heat(&r)
	s.memory(&r)
	s.fields(&r)
	r.Failed = s.failed
	return r, s.err()
}

func (s *sheet) load(r *Reading) {
	if m := ask(s, "nvmlDeviceGetMemoryInfo", s.device.GetMemoryInfo); m != nil {
		r.MemoryUsed, r.MemoryTotal = &m.Used, &m.Total
	}
	if u := ask(s, "nvmlDeviceGetUtilizationRates", s.device.GetUtilizationRates); u != nil {
		r.Utilisation, r.MemoryUtilisation = &u.Gpu, &u.Memory
	}
	type modes struct{ current int }
	if m := ask(s, "nvmlDeviceGetMigMode", func() (modes, nvml.Return) {
		current, _, ret := s.device.GetMigMode()
		return modes{current}, ret
	}); m != nil {
		r.MIG = new(m.current == nvml.DEVICE_MIG_ENABLE)
	}
}

func (s *sheet) clocks(r *Reading) {
	watts := func(milliwatts *uint32) *float64 {
		if milliwatts == nil {
			return nil
		}
		return new(float64(*milliwatts) / 1000)
	}
	clock := func(kind nvml.ClockType) *uint32 {
		return ask(s, "nvmlDeviceGetClockInfo", func() (uint32, nvml.Return) { return s.device.GetClockInfo(kind) })
	}
	r.Power = watts(ask(s, "nvmlDeviceGetPowerUsage", s.device.GetPowerUsage))
	r.PowerLimit = watts(ask(s, "nvmlDeviceGetEnforcedPowerLimit", s.device.GetEnforcedPowerLimit))
	if millijoules := ask(s, "nvmlDeviceGetTotalEnergyConsumption", s.device.GetTotalEnergyConsumption); millijoules != nil {
		r.Energy = new(float64(*millijoules) / 1000)
	}
	r.SMClock, r.MemoryClock = clock(nvml.CLOCK_SM), clock(nvml.CLOCK_MEM)
	mask := ask(s, "nvmlDeviceGetCurrentClocksEventReasons", s.device.GetCurrentClocksEventReasons)
	if mask == nil { // drivers before 535
		mask = ask(s, "nvmlDeviceGetCurrentClocksThrottleReasons", s.device.GetCurrentClocksThrottleReasons)
	}
	if mask != nil {
		r.Throttle = Reasons(*mask)
	}
}

func (s *sheet) heat(r *Reading) {
	threshold := func(kind nvml.TemperatureThresholds) *uint32 {
		return ask(s, "nvmlDeviceGetTemperatureThreshold", func() (uint32, nvml.Return) { return s.device.GetTemperatureThreshold(kind) })
	}
	r.Temperature = ask(s, "nvmlDeviceGetTemperature", func() (uint32, nvml.Return) { return s.device.GetTemperature(nvml.TEMPERATURE_GPU) })
	r.SlowdownAt = threshold(nvml.TEMPERATURE_THRESHOLD_SLOWDOWN)
	r.ShutdownAt = threshold(nvml.TEMPERATURE_THRESHOLD_SHUTDOWN)
	if m := ask(s, "nvmlDeviceGetMarginTemperature", s.device.GetMarginTemperature); m != nil {
		r.Margin = &m.MarginTemperature
	}
}

// memory reads errors and repairs. Pages are asked for only where rows are not remapped: no device has both.
func (s *sheet) memory(r *Reading) {
	errors := func(kind nvml.MemoryErrorType) *uint64 {
		return ask(s, "nvmlDeviceGetTotalEccErrors", func() (uint64, nvml.Return) { return s.device.GetTotalEccErrors(kind, nvml.VOLATILE_ECC) })
	}
	r.ECCCorrected, r.ECCUncorrected = errors(nvml.MEMORY_ERROR_TYPE_CORRECTED), errors(nvml.MEMORY_ERROR_TYPE_UNCORRECTED)
	r.Remapped = ask(s, "nvmlDeviceGetRemappedRows", func() (RemappedRows, nvml.Return) {
		corrected, uncorrected, pending, failed, ret := s.device.GetRemappedRows()
		return RemappedRows{uint64(corrected), uint64(uncorrected), pending, failed}, ret
	})
	if r.Remapped != nil {
		return
	}
	pages := func(cause nvml.PageRetirementCause) *uint64 {
		return ask(s, "nvmlDeviceGetRetiredPages", func() (uint64, nvml.Return) {
			list, ret := s.device.GetRetiredPages(cause)
			return uint64(len(list)), ret
		})
	}
	single, double := pages(nvml.PAGE_RETIREMENT_CAUSE_MULTIPLE_SINGLE_BIT_ECC_ERRORS), pages(nvml.PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR)
	pending := ask(s, "nvmlDeviceGetRetiredPagesPendingStatus", s.device.GetRetiredPagesPendingStatus)
	if single != nil && double != nil && pending != nil { // what is not told is not false
		r.Retired = &RetiredPages{*single, *double, *pending == nvml.FEATURE_ENABLED}
	}
}

// fields reads what NVML has no call of its own for, and PCIe beside it.
func (s *sheet) fields(r *Reading) {
	if replays := ask(s, "nvmlDeviceGetPcieReplayCounter", s.device.GetPcieReplayCounter); replays != nil {
		r.PCIeReplays = new(uint64(*replays))
	}
	known := s.values(fieldIDs)
	for id, count := range map[uint32]func(*NVLinkErrors) *uint64{
		nvml.FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL: func(n *NVLinkErrors) *uint64 { return &n.CRCFlit },
		nvml.FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL: func(n *NVLinkErrors) *uint64 { return &n.CRCData },
		nvml.FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL:   func(n *NVLinkErrors) *uint64 { return &n.Replay },
		nvml.FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL: func(n *NVLinkErrors) *uint64 { return &n.Recovery },
	} {
		if value, ok := known[id]; ok {
			if r.NVLink == nil {
				r.NVLink = &NVLinkErrors{}
			}
			*count(r.NVLink) = value
		}
	}
	if value, ok := known[nvml.FI_DEV_GET_GPU_RECOVERY_ACTION]; ok {
		r.Recovery = new(Recovery(value))
	}
	if value, ok := known[nvml.FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT]; ok {
		r.SlowdownMargin = new(int32(value))
	}
	if value, ok := known[nvml.FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT]; ok {
		r.ShutdownMargin = new(int32(value))
	}
	for reason, id := range slowTimes {
		if value, ok := known[id]; ok {
			if r.Slowed == nil {
				r.Slowed = SlowTime{}
			}
			r.Slowed[reason] = time.Duration(value) // nanoseconds
		}
	}
}

// slowTimes are the fields that count how long a reason held the clocks down.
var slowTimes = map[Reason]uint32{
	SWPowerCap:   nvml.FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP,
	SWThermal:    nvml.FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN,
	HWThermal:    nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN,
	HWPowerBrake: nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN,
}

var fieldIDs = []uint32{
	nvml.FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL, nvml.FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL,
	nvml.FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL, nvml.FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL,
	nvml.FI_DEV_GET_GPU_RECOVERY_ACTION,
	nvml.FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT, nvml.FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT,
	nvml.FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP, nvml.FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN,
	nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN, nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN,
}

// values asks for all fields at once. A driver says of each field that it does not know it; one that refuses the lot
// because of a field that is newer than itself is asked for one after the other.
func (s *sheet) values(ids []uint32) map[uint32]uint64 {
	const symbol = "nvmlDeviceGetFieldValues"
	known := map[uint32]uint64{}
	if s.lost != nil || !s.library.has(symbol) {
		return known
	}
	list := make([]nvml.FieldValue, len(ids))
	for i, id := range ids {
		list[i].FieldId = id
	}
	s.call.Enter(symbol)
	if ret := s.device.GetFieldValues(list); ret != nvml.SUCCESS {
		if len(ids) == 1 {
			s.refusedField(ids[0], ret)
			return known
		}
		for i := range ids {
			maps.Copy(known, s.values(ids[i:i+1]))
		}
		return known
	}
	for _, v := range list {
		if value, ok := number(v); ok {
			known[v.FieldId], s.told = value, true
		}
	}
	return known
}

// refusedField takes it for a missing feature that a driver does not know a field, and for a failure what else it says.
func (s *sheet) refusedField(id uint32, ret nvml.Return) {
	switch ret {
	case nvml.ERROR_INVALID_ARGUMENT, nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_NO_PERMISSION, nvml.ERROR_FUNCTION_NOT_FOUND:
		return
	}
	s.fail(failed("nvmlDeviceGetFieldValues of field "+strconv.Itoa(int(id)), ret))
}

// number is a field's value, whatever type it came in.
func number(v nvml.FieldValue) (value uint64, ok bool) {
	if nvml.Return(v.NvmlReturn) != nvml.SUCCESS {
		return 0, false
	}
	switch nvml.ValueType(v.ValueType) {
	case nvml.VALUE_TYPE_UNSIGNED_INT:
		return uint64(binary.NativeEndian.Uint32(v.Value[:])), true
	case nvml.VALUE_TYPE_SIGNED_INT:
		return uint64(int32(binary.NativeEndian.Uint32(v.Value[:]))), true
	case nvml.VALUE_TYPE_UNSIGNED_LONG, nvml.VALUE_TYPE_UNSIGNED_LONG_LONG, nvml.VALUE_TYPE_SIGNED_LONG_LONG:
		return binary.NativeEndian.Uint64(v.Value[:]), true
	case nvml.VALUE_TYPE_UNSIGNED_SHORT:
		return uint64(binary.NativeEndian.Uint16(v.Value[:])), true
	}
	return 0, false
}
