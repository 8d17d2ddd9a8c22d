//go:build cuda

package gpu

import (
	"encoding/binary"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// This file owns one reading through NVML: a call for each field, and what it means that a call refuses.

// sheet is a reading being filled. The first error that is more than a missing feature ends it.
type sheet struct {
	library *library
	device  nvml.Device
	call    *Call
	err     error
}

// ask makes one call and returns its answer, or nil where device, mode, driver or rights don't give it.
func ask[T any](s *sheet, symbol string, f func() (T, nvml.Return)) *T {
	if s.err != nil || !s.library.has(symbol) {
		return nil
	}
	s.call.Enter(symbol)
	value, ret := f()
	switch ret {
	case nvml.SUCCESS:
		return &value
	case nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_NO_PERMISSION, nvml.ERROR_NO_DATA, nvml.ERROR_FUNCTION_NOT_FOUND, nvml.ERROR_ARGUMENT_VERSION_MISMATCH, nvml.ERROR_DEPRECATED:
		return nil
	}
	s.err = failed(symbol, ret)
	return nil
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
	return r, s.err
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
	if single != nil && double != nil {
		r.Retired = &RetiredPages{*single, *double, pending != nil && *pending == nvml.FEATURE_ENABLED}
	}
}

// fields reads what NVML has no call of its own for, and PCIe beside it. A driver that does not know a field says so in that
// field alone.
func (s *sheet) fields(r *Reading) {
	if replays := ask(s, "nvmlDeviceGetPcieReplayCounter", s.device.GetPcieReplayCounter); replays != nil {
		r.PCIeReplays = new(uint64(*replays))
	}
	values := []nvml.FieldValue{
		{FieldId: nvml.FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL}, {FieldId: nvml.FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL},
		{FieldId: nvml.FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL}, {FieldId: nvml.FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL},
		{FieldId: nvml.FI_DEV_GET_GPU_RECOVERY_ACTION},
	}
	if ask(s, "nvmlDeviceGetFieldValues", func() (struct{}, nvml.Return) { return struct{}{}, s.device.GetFieldValues(values) }) == nil {
		return
	}
	var link NVLinkErrors
	for i, count := range []*uint64{&link.CRCFlit, &link.CRCData, &link.Replay, &link.Recovery} {
		if value, ok := number(values[i]); ok {
			*count, r.NVLink = value, &link
		}
	}
	if value, ok := number(values[4]); ok {
		r.Recovery = new(Recovery(value))
	}
}

// number is a field's value, whatever unsigned type it came in.
func number(v nvml.FieldValue) (value uint64, ok bool) {
	if nvml.Return(v.NvmlReturn) != nvml.SUCCESS {
		return 0, false
	}
	switch nvml.ValueType(v.ValueType) {
	case nvml.VALUE_TYPE_UNSIGNED_INT, nvml.VALUE_TYPE_SIGNED_INT:
		return uint64(binary.NativeEndian.Uint32(v.Value[:])), true
	case nvml.VALUE_TYPE_UNSIGNED_LONG, nvml.VALUE_TYPE_UNSIGNED_LONG_LONG, nvml.VALUE_TYPE_SIGNED_LONG_LONG:
		return binary.NativeEndian.Uint64(v.Value[:]), true
	case nvml.VALUE_TYPE_UNSIGNED_SHORT:
		return uint64(binary.NativeEndian.Uint16(v.Value[:])), true
	}
	return 0, false
}
