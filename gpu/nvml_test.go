//go:build cuda

package gpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxh100"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/server"
)

// field is a value as the driver fills it.
func field(v *nvml.FieldValue, kind nvml.ValueType, value uint64) {
	v.ValueType = uint32(kind)
	if kind == nvml.VALUE_TYPE_UNSIGNED_INT || kind == nvml.VALUE_TYPE_SIGNED_INT {
		binary.NativeEndian.PutUint32(v.Value[:], uint32(value))
		return
	}
	binary.NativeEndian.PutUint64(v.Value[:], value)
}

// fill gives a mock device what its maker left out. Numbers are told apart by their values.
func fill(d *server.Device) {
	d.GetPciInfoFunc = func() (info nvml.PciInfo, ret nvml.Return) {
		for i, c := range []byte(fmt.Sprintf("00000000:%02X:00.0", 0xa0+d.Index)) {
			info.BusId[i] = int8(c)
		}
		return info, nvml.SUCCESS
	}
	d.MemoryInfo = nvml.Memory{Total: 80 << 30, Used: 11 << 30}
	d.GetUtilizationRatesFunc = func() (nvml.Utilization, nvml.Return) { return nvml.Utilization{Gpu: 93, Memory: 61}, nvml.SUCCESS }
	d.GetPowerUsageFunc = func() (uint32, nvml.Return) { return 412500, nvml.SUCCESS }
	d.GetEnforcedPowerLimitFunc = func() (uint32, nvml.Return) { return 700000, nvml.SUCCESS }
	d.GetTotalEnergyConsumptionFunc = func() (uint64, nvml.Return) { return 9_876_543_210, nvml.SUCCESS }
	d.GetClockInfoFunc = func(kind nvml.ClockType) (uint32, nvml.Return) { return 1000 + uint32(kind), nvml.SUCCESS }
	d.GetCurrentClocksEventReasonsFunc = func() (uint64, nvml.Return) { return nvml.ClocksEventReasonSwPowerCap, nvml.SUCCESS }
	d.GetTemperatureFunc = func(nvml.TemperatureSensors) (uint32, nvml.Return) { return 64, nvml.SUCCESS }
	d.GetTemperatureThresholdFunc = func(kind nvml.TemperatureThresholds) (uint32, nvml.Return) {
		return 90 + uint32(kind), nvml.SUCCESS
	}
	d.GetMarginTemperatureFunc = func() (nvml.MarginTemperature, nvml.Return) {
		return nvml.MarginTemperature{MarginTemperature: -7}, nvml.SUCCESS
	}
	d.GetTotalEccErrorsFunc = func(kind nvml.MemoryErrorType, _ nvml.EccCounterType) (uint64, nvml.Return) {
		return 7 + uint64(kind), nvml.SUCCESS
	}
	d.GetRemappedRowsFunc = func() (int, int, bool, bool, nvml.Return) { return 3, 2, true, false, nvml.SUCCESS }
	d.GetPcieReplayCounterFunc = func() (int, nvml.Return) { return 5, nvml.SUCCESS }
	d.GetFieldValuesFunc = func(values []nvml.FieldValue) nvml.Return {
		for i := range values {
			v := &values[i]
			switch v.FieldId {
			case nvml.FI_DEV_GET_GPU_RECOVERY_ACTION:
				field(v, nvml.VALUE_TYPE_UNSIGNED_INT, 4)
			case nvml.FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT, nvml.FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT:
				field(v, nvml.VALUE_TYPE_SIGNED_INT, uint64(math.MaxUint32-v.FieldId))
			default:
				field(v, nvml.VALUE_TYPE_UNSIGNED_LONG_LONG, 1e9*uint64(v.FieldId))
			}
		}
		return nvml.SUCCESS
	}
}

// machine is a mock server whose devices are filled, and which tells no events.
func machine(t *testing.T) (*server.Server, Reader) {
	t.Helper()
	s := dgxh100.New()
	for _, d := range s.Devices {
		fill(d.(*server.Device))
	}
	s.EventSetCreateFunc = func() (nvml.EventSet, nvml.Return) { return nil, nvml.ERROR_NOT_SUPPORTED }
	r, err := openLibrary(s, new(Call))
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func TestNVMLReading(t *testing.T) {
	_, r := machine(t)
	list, err := r.Devices(new(Call))
	if err != nil || len(list) != 8 {
		t.Fatalf("%v %v", list, err)
	}
	for i, d := range list {
		if d.Index != i || !strings.Contains(d.Name, "H100") || len(d.UUID) != 40 || d.Bus != fmt.Sprintf("0000:%02x:00.0", 0xa0+i) {
			t.Errorf("%+v", d)
		}
	}
	got, err := r.Read(3, new(Call))
	want := Reading{
		MemoryUsed: new(uint64(11 << 30)), MemoryTotal: new(uint64(80 << 30)), Utilisation: new(uint32(93)), MemoryUtilisation: new(uint32(61)),
		Power: new(412.5), PowerLimit: new(700.0), Energy: new(9_876_543.21), SMClock: new(uint32(1000 + nvml.CLOCK_SM)), MemoryClock: new(uint32(1000 + nvml.CLOCK_MEM)), Throttle: []Reason{SWPowerCap},
		Temperature: new(uint32(64)), SlowdownAt: new(uint32(90 + nvml.TEMPERATURE_THRESHOLD_SLOWDOWN)), ShutdownAt: new(uint32(90 + nvml.TEMPERATURE_THRESHOLD_SHUTDOWN)),
		ECCCorrected: new(uint64(7)), ECCUncorrected: new(uint64(8)), Remapped: &RemappedRows{Corrected: 3, Uncorrected: 2, Pending: true},
		PCIeReplays: new(uint64(5)), Recovery: new(RecoverDrainReset), MIG: new(false),
		NVLink: &NVLinkErrors{CRCFlit: 1e9 * nvml.FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL, CRCData: 1e9 * nvml.FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL,
			Replay: 1e9 * nvml.FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL, Recovery: 1e9 * nvml.FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL},
		Margin: new(int32(-7)), SlowdownMargin: new(int32(-195)), ShutdownMargin: new(int32(-194)),
		Slowed: SlowTime{SWPowerCap: 74 * time.Second, SWThermal: 269 * time.Second, HWThermal: 270 * time.Second, HWPowerBrake: 271 * time.Second},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v\nwant\n%+v", got, err, want)
	}
}

// A split GPU lists its instances, by which the process's own is known.
func TestNVMLInstances(t *testing.T) {
	s, r := machine(t)
	d := s.Devices[2].(*server.Device)
	d.MigMode = nvml.DEVICE_MIG_ENABLE
	d.GetMaxMigDeviceCountFunc = func() (int, nvml.Return) { return 7, nvml.SUCCESS }
	d.GetMigDeviceHandleByIndexFunc = func(n int) (nvml.Device, nvml.Return) {
		if n != 1 && n != 4 {
			return nil, nvml.ERROR_NOT_FOUND
		}
		return &mock.Device{
			GetUUIDFunc:          func() (string, nvml.Return) { return fmt.Sprintf("MIG-ABC-%d", n), nvml.SUCCESS },
			GetGpuInstanceIdFunc: func() (int, nvml.Return) { return 3 + n, nvml.SUCCESS },
		}, nvml.SUCCESS
	}
	list, err := r.Devices(new(Call))
	if want := []Instance{{"MIG-ABC-1", 4}, {"MIG-ABC-4", 7}}; err != nil || !reflect.DeepEqual(list[2].Instances, want) || list[1].Instances != nil {
		t.Fatalf("%+v %v", list, err)
	}
	own := list[2].instances([]Place{{Bus: list[2].Bus, UUID: "GPU-abc-4"}, {Bus: list[3].Bus, UUID: "GPU-abc-1"}})
	if len(own) != 1 || own[0] != 7 {
		t.Errorf("%v", own)
	}
}

// A device without a feature has no figure, which is not zero; an old driver's symbol is not called at all.
func TestNVMLNotSupported(t *testing.T) {
	s, r := machine(t)
	d := s.Devices[0].(*server.Device)
	d.GetUtilizationRatesFunc = func() (nvml.Utilization, nvml.Return) { return nvml.Utilization{}, nvml.ERROR_NOT_SUPPORTED }
	d.GetTotalEccErrorsFunc = func(nvml.MemoryErrorType, nvml.EccCounterType) (uint64, nvml.Return) {
		return 0, nvml.ERROR_NOT_SUPPORTED
	}
	d.GetRemappedRowsFunc = func() (int, int, bool, bool, nvml.Return) { return 0, 0, false, false, nvml.ERROR_NOT_SUPPORTED }
	d.GetRetiredPagesFunc = func(cause nvml.PageRetirementCause) ([]uint64, nvml.Return) {
		return make([]uint64, 1+cause), nvml.SUCCESS
	}
	d.GetRetiredPagesPendingStatusFunc = func() (nvml.EnableState, nvml.Return) { return nvml.FEATURE_ENABLED, nvml.SUCCESS }
	d.GetFieldValuesFunc = func(values []nvml.FieldValue) nvml.Return {
		for i := range values {
			values[i].NvmlReturn = uint32(nvml.ERROR_NOT_SUPPORTED)
		}
		return nvml.SUCCESS
	}
	d.GetTotalEnergyConsumptionFunc = func() (uint64, nvml.Return) { return 0, nvml.ERROR_NOT_SUPPORTED }
	d.GetCurrentClocksEventReasonsFunc = nil // a call of it would end the test
	d.GetCurrentClocksThrottleReasonsFunc = func() (uint64, nvml.Return) { return 8, nvml.SUCCESS }
	s.LookupSymbolFunc = func(symbol string) error {
		if symbol == "nvmlDeviceGetCurrentClocksEventReasons" || symbol == "nvmlDeviceGetMigMode" {
			return errors.New("undefined symbol")
		}
		return nil
	}
	d.GetMigModeFunc = nil
	if _, err := r.Devices(new(Call)); err != nil {
		t.Fatal(err)
	}
	got, err := r.Read(0, new(Call))
	if err != nil || got.Utilisation != nil || got.ECCCorrected != nil || got.ECCUncorrected != nil || got.Remapped != nil || got.NVLink != nil || got.Recovery != nil || got.MIG != nil || got.Energy != nil || len(got.Failed) > 0 {
		t.Errorf("%+v %v", got, err)
	}
	if !reflect.DeepEqual(got.Throttle, []Reason{HWSlowdown}) || *got.Retired != (RetiredPages{1, 2, true}) || got.Temperature == nil {
		t.Errorf("%+v", got)
	}
	d.GetRetiredPagesPendingStatusFunc = func() (nvml.EnableState, nvml.Return) { return nvml.FEATURE_ENABLED, nvml.ERROR_UNKNOWN }
	if got, err = r.Read(0, new(Call)); err != nil || got.Retired != nil {
		t.Errorf("whether pages wait for a reset is not known: %+v %v", got.Retired, err)
	}
}

// A call that says what has become of the device ends the reading; the others lose their own field alone.
func TestNVMLErrors(t *testing.T) {
	s, r := machine(t)
	d := s.Devices[0].(*server.Device)
	if _, err := r.Devices(new(Call)); err != nil {
		t.Fatal(err)
	}
	for ret, want := range map[nvml.Return]error{nvml.ERROR_GPU_IS_LOST: ErrLost, nvml.ERROR_RESET_REQUIRED: ErrResetRequired} {
		d.GetTemperatureFunc = func(nvml.TemperatureSensors) (uint32, nvml.Return) { return 0, ret }
		_, err := r.Read(0, new(Call))
		if err == nil || !strings.HasPrefix(err.Error(), "nvmlDeviceGetTemperature: ") || !errors.Is(err, want) {
			t.Errorf("%d: %v", ret, err)
		}
	}
	whole, err := r.Read(1, new(Call))
	if err != nil || whole.Failed != nil {
		t.Fatalf("%v %v", whole.Failed, err)
	}
	for _, ret := range []nvml.Return{nvml.ERROR_UNKNOWN, nvml.ERROR_TIMEOUT, nvml.ERROR_INVALID_ARGUMENT, nvml.ERROR_IRQ_ISSUE, nvml.ERROR_NOT_FOUND, 12345} {
		d.GetTemperatureFunc = func(nvml.TemperatureSensors) (uint32, nvml.Return) { return 0, ret }
		got, err := r.Read(0, new(Call))
		if err != nil || got.Temperature != nil || len(got.Failed) != 1 || !strings.HasPrefix(got.Failed[0], "nvmlDeviceGetTemperature: ") {
			t.Errorf("%d: %v %v", ret, got.Failed, err)
		}
		got.Temperature, got.Failed = whole.Temperature, nil
		if !reflect.DeepEqual(got, whole) {
			t.Errorf("%d: more than the field is lost:\n%+v\n%+v", ret, got, whole)
		}
	}
}

// A driver that refuses all fields because of one that it does not know gives the others.
func TestNVMLUnknownField(t *testing.T) {
	s, r := machine(t)
	d := s.Devices[0].(*server.Device)
	if _, err := r.Devices(new(Call)); err != nil {
		t.Fatal(err)
	}
	want, err := r.Read(0, new(Call))
	if err != nil {
		t.Fatal(err)
	}
	all := d.GetFieldValuesFunc
	for unknown, ret := range map[uint32]nvml.Return{nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN: nvml.ERROR_INVALID_ARGUMENT, nvml.FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT: nvml.ERROR_UNKNOWN} {
		d.GetFieldValuesFunc = func(values []nvml.FieldValue) nvml.Return {
			for _, v := range values {
				if v.FieldId == unknown {
					return ret
				}
			}
			return all(values)
		}
		got, err := r.Read(0, new(Call))
		if err != nil || *got.Recovery != *want.Recovery || *got.NVLink != *want.NVLink || *got.ShutdownMargin != *want.ShutdownMargin || got.Slowed[HWThermal] != want.Slowed[HWThermal] {
			t.Errorf("field %d: %+v, %v", unknown, got, err)
		}
		if _, there := got.Slowed[HWPowerBrake]; there == (unknown == nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN) || (got.SlowdownMargin == nil) != (unknown == nvml.FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT) {
			t.Errorf("field %d: %+v", unknown, got)
		}
		if (len(got.Failed) == 1) != (ret == nvml.ERROR_UNKNOWN) {
			t.Errorf("field %d: %q", unknown, got.Failed)
		}
	}
}

// A device of which nothing can be told has no reading, with the first call's error.
func TestNVMLNothingTold(t *testing.T) {
	s := &sheet{}
	if s.err() != nil {
		t.Error("a device that supports nothing is not a failure")
	}
	s.fail(failed("nvmlDeviceGetMemoryInfo", nvml.ERROR_UNKNOWN))
	s.fail(failed("nvmlDeviceGetMigMode", nvml.ERROR_TIMEOUT))
	if err := s.err(); err == nil || !strings.HasPrefix(err.Error(), "nvmlDeviceGetMemoryInfo: ") {
		t.Errorf("%v", err)
	}
	if s.told = true; s.err() != nil {
		t.Errorf("%v", s.err())
	}
}

// A device that NVML counts and gives no handle for keeps its number and says why.
func TestNVMLBrokenHandle(t *testing.T) {
	s, r := machine(t)
	handles := s.DeviceGetHandleByIndexFunc
	s.DeviceGetHandleByIndexFunc = func(i int) (nvml.Device, nvml.Return) {
		if i == 2 {
			return nil, nvml.ERROR_GPU_IS_LOST
		}
		return handles(i)
	}
	list, err := r.Devices(new(Call))
	if err != nil || len(list) != 8 || list[2].Index != 2 || list[3].Name == "unknown" {
		t.Fatalf("%v %v", list, err)
	}
	if _, err := r.Read(2, new(Call)); !errors.Is(err, ErrLost) {
		t.Errorf("%v", err)
	}
	if _, err := r.Read(3, new(Call)); err != nil {
		t.Error(err)
	}
}

func TestNVMLEvents(t *testing.T) {
	s, r := machine(t)
	if _, err := r.Devices(new(Call)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.NextEvent(time.Millisecond, new(Call)); !errors.Is(err, ErrNoEvents) {
		t.Errorf("%v", err)
	}
	var answer nvml.EventData
	ret, freed := nvml.SUCCESS, false
	set := &mock.EventSet{
		WaitFunc: func(ms uint32) (nvml.EventData, nvml.Return) { return answer, ret },
		FreeFunc: func() nvml.Return { freed = true; return nvml.SUCCESS },
	}
	s.EventSetCreateFunc = func() (nvml.EventSet, nvml.Return) { return set, nvml.SUCCESS }
	registered := 0
	for _, d := range s.Devices {
		d := d.(*server.Device)
		d.GetSupportedEventTypesFunc = func() (uint64, nvml.Return) { return nvml.EventTypeXidCriticalError, nvml.SUCCESS }
		d.RegisterEventsFunc = func(types uint64, in nvml.EventSet) nvml.Return { registered++; return nvml.SUCCESS }
	}
	r, err := openLibrary(s, new(Call))
	if err == nil {
		_, err = r.Devices(new(Call))
	}
	if err != nil || registered != 8 {
		t.Fatalf("%v, %d registered", err, registered)
	}
	for _, c := range []struct {
		answer nvml.EventData
		ret    nvml.Return
		want   Event
		ok     bool
		err    error
	}{
		{nvml.EventData{Device: s.Devices[5], EventType: nvml.EventTypeXidCriticalError, EventData: 79, GpuInstanceId: noInstance}, nvml.SUCCESS, Event{5, 79, nil}, true, nil},
		{nvml.EventData{Device: s.Devices[5], EventType: nvml.EventTypeXidCriticalError, EventData: 13}, nvml.SUCCESS, Event{5, 13, new(uint32(0))}, true, nil},
		{nvml.EventData{Device: dgxh100.NewDevice(0), EventType: nvml.EventTypeXidCriticalError, EventData: 79, GpuInstanceId: noInstance}, nvml.SUCCESS, Event{0, 79, nil}, false, nil},
		{nvml.EventData{}, nvml.ERROR_TIMEOUT, Event{}, false, nil},
		{nvml.EventData{}, nvml.ERROR_GPU_IS_LOST, Event{}, false, ErrLost},
	} {
		answer, ret = c.answer, c.ret
		if got, ok, err := r.NextEvent(time.Second, new(Call)); !reflect.DeepEqual(got, c.want) || ok != c.ok || !errors.Is(err, c.err) {
			t.Errorf("%+v: %+v %v %v", c, got, ok, err)
		}
	}
	r.Close()
	if !freed {
		t.Error("the event set is not freed")
	}
}

// After a failed Init nothing more is called: the mock has no other function and would end the test.
func TestNVMLInitRefused(t *testing.T) {
	for ret, want := range map[nvml.Return]string{
		nvml.ERROR_LIBRARY_NOT_FOUND: "no NVIDIA driver", nvml.ERROR_DRIVER_NOT_LOADED: "kernel module", nvml.ERROR_LIB_RM_VERSION_MISMATCH: "restart the machine",
		nvml.ERROR_NO_PERMISSION: "DeviceAllow=", nvml.ERROR_UNKNOWN: "code 999",
	} {
		s := &mock.Interface{InitFunc: func() nvml.Return { return ret }}
		if r, err := openLibrary(s, new(Call)); r != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v", int(ret), err)
		}
	}
}

// On a machine without a driver the real library says so and the process lives.
func TestNVMLOpen(t *testing.T) {
	r, err := Open(new(Call))
	if err != nil {
		t.Logf("here: %v", err)
		return
	}
	defer r.Close()
	list, err := r.Devices(new(Call))
	t.Logf("here: %v %v", list, err)
	for i := range list {
		reading, err := r.Read(i, new(Call))
		if err != nil {
			t.Errorf("GPU %d: %v", i, err)
		}
		if reading.MemoryTotal == nil || *reading.MemoryTotal == 0 {
			t.Errorf("GPU %d: no memory", i)
		}
	}
}
