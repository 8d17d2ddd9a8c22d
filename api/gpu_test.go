package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"chimera/gpu"
)

// cards is a machine whose state the test chose.
type cards struct{ state gpu.State }

func (c cards) State() gpu.State { return c.state }

// showing is a server that knows these GPUs.
func showing(t *testing.T, s gpu.State) *bench {
	h := newBench(t, letters)
	c := h.Config
	c.GPUs, c.Metrics = cards{s}, NewMetrics(lanesOf(h.scheduler))
	h.Server = New(c)
	return h
}

// twoCards are one with every figure, each told apart by its value, and one of which nothing is known.
func twoCards() gpu.State {
	full := &gpu.Reading{
		MemoryUsed: new(uint64(11)), MemoryTotal: new(uint64(12)), Utilisation: new(uint32(50)), MemoryUtilisation: new(uint32(25)),
		Power: new(412.5), PowerLimit: new(700.0), Energy: new(8e6), SMClock: new(uint32(1755)), MemoryClock: new(uint32(2619)), Throttle: []gpu.Reason{gpu.SWPowerCap},
		Temperature: new(uint32(64)), SlowdownAt: new(uint32(87)), ShutdownAt: new(uint32(92)), ECCCorrected: new(uint64(0)), ECCUncorrected: new(uint64(2)),
		Remapped: &gpu.RemappedRows{Corrected: 3, Uncorrected: 4, Pending: true}, Retired: &gpu.RetiredPages{SingleBit: 5, DoubleBit: 6},
		PCIeReplays: new(uint64(7)), NVLink: &gpu.NVLinkErrors{CRCFlit: 8, CRCData: 9, Replay: 10, Recovery: 13}, Recovery: new(gpu.RecoverDrainReset), MIG: new(false),
		Margin: new(int32(-1)), SlowdownMargin: new(int32(-2)), ShutdownMargin: new(int32(-8)), Slowed: gpu.SlowTime{gpu.HWPowerBrake: 1500 * time.Millisecond}, Failed: []string{"nvmlX: why"},
	}
	return gpu.State{Devices: []gpu.DeviceState{
		{Device: gpu.Device{Index: 0, Name: "Full", UUID: "GPU-0", Bus: "0000:17:00.0"}, Reading: full, ReadAt: time.Unix(1e9, 0), Xids: map[uint64]uint64{63: 2},
			Verdict: gpu.Verdict{Action: gpu.Drain, Needs: gpu.Reset, Reason: "why", Since: time.Unix(1e9, 0).UTC()}},
		{Device: gpu.Device{Index: 1, Name: "Bare", UUID: "GPU-1", Bus: "0000:18:00.0"}, Reading: &gpu.Reading{},
			Verdict: gpu.Verdict{Action: gpu.Unknown}},
	}}
}

func TestGPUAnswer(t *testing.T) {
	var got struct {
		Devices []struct {
			Index   int               `json:"index"`
			Name    string            `json:"name"`
			UUID    string            `json:"uuid"`
			Bus     string            `json:"bus"`
			Verdict map[string]string `json:"verdict"`
			Reading map[string]any    `json:"reading"`
			Xids    map[string]int    `json:"xids"`
		} `json:"devices"`
	}
	showing(t, twoCards()).do("GET", "/v1/gpu", "").into(&got)
	d := got.Devices[0]
	if len(got.Devices) != 2 || d.Name != "Full" || d.UUID != "GPU-0" || d.Bus != "0000:17:00.0" || d.Xids["63"] != 2 {
		t.Errorf("%+v", got)
	}
	if v := d.Verdict; v["action"] != "drain" || v["needs"] != "GPU reset" || v["reason"] != "why" || v["since"] != "2001-09-09T01:46:40Z" {
		t.Errorf("%+v", v)
	}
	if len(d.Reading) != 26 || d.Reading["recovery_action"] != "drain_and_reset" || d.Reading["ecc_corrected"] != 0.0 || d.Reading["power_watts"] != 412.5 {
		t.Errorf("%d %v", len(d.Reading), d.Reading)
	}
	if text := fmt.Sprint(d.Reading["slowed"], d.Reading["failed"], d.Reading["shutdown_margin_celsius"]); text != "map[hw_power_brake:1.5] [nvmlX: why] -8" {
		t.Error(text)
	}
	if r := got.Devices[1].Reading; r == nil || len(r) != 0 {
		t.Errorf("what a card does not have is absent: %v", r)
	}
	r := showing(t, gpu.State{Devices: []gpu.DeviceState{}, Reason: "no driver"}).do("GET", "/v1/gpu", "")
	if r.status != 200 || string(r.body) != `{"devices":[],"reason":"no driver"}` {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := newBench(t, letters).do("GET", "/v1/gpu", ""); r.status != 404 {
		t.Errorf("a server that watches none: %d", r.status)
	}
}

func TestGPUMetrics(t *testing.T) {
	r := showing(t, twoCards()).do("GET", "/metrics", "")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(r.body)))
	if err != nil || r.status != 200 {
		t.Fatalf("%d %v", r.status, err)
	}
	got := map[string]float64{}
	for name, f := range families {
		if !strings.HasPrefix(name, "chimera_gpu_") {
			continue
		}
		for _, m := range f.Metric {
			key := strings.TrimPrefix(name, "chimera_gpu_")
			for _, l := range m.Label {
				if l.GetName() != "uuid" {
					key += "," + l.GetValue()
				}
			}
			got[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	want := map[string]float64{
		"memory_used_bytes,0": 11, "memory_total_bytes,0": 12, "utilisation_ratio,0": .5, "memory_utilisation_ratio,0": .25, "power_watts,0": 412.5, "power_limit_watts,0": 700, "energy_joules_total,0": 8e6,
		"sm_clock_hertz,0": 1755e6, "memory_clock_hertz,0": 2619e6, "temperature_celsius,0": 64, "slowdown_temperature_celsius,0": 87, "shutdown_temperature_celsius,0": 92,
		"pcie_replays_total,0": 7, "throttled,0,sw_power_cap": 1, "ecc_errors_total,0,corrected": 0, "ecc_errors_total,0,uncorrected": 2,
		"remapped_rows,0,corrected": 3, "remapped_rows,0,uncorrected": 4, "row_remap,0,pending": 1, "row_remap,0,failed": 0, "retired_pages,0,single_bit": 5, "retired_pages,0,double_bit": 6,
		"nvlink_errors_total,0,crc_flit": 8, "nvlink_errors_total,0,crc_data": 9, "nvlink_errors_total,0,replay": 10, "nvlink_errors_total,0,recovery": 13, "recovery_action,0": 4,
		"margin_celsius,0": -1, "slowdown_margin_celsius,0": -2, "shutdown_margin_celsius,0": -8, "throttled_seconds_total,0,hw_power_brake": 1.5, "reading_failures,0": 1, "reading_failures,1": 0,
		"xid_total,0,63": 2, "info,0000:17:00.0,0,Full": 1, "info,0000:18:00.0,1,Bare": 1,
	}
	for _, a := range gpu.Actions() {
		want["verdict,0,"+a.String()] = truth(a == gpu.Drain)
		want["verdict,1,"+a.String()] = truth(a == gpu.Unknown)
	}
	for key, value := range want {
		if v, ok := got[key]; !ok || v != value {
			t.Errorf("%s is %v (%t), want %v", key, v, ok, value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d samples, want %d: %v", len(got), len(want), got)
	}
}
