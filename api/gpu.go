package api

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"chimera/gpu"
)

// This file owns what is shown of GPUs: GET /v1/gpu and the metrics chimera_gpu_*.

// GPUs knows the machine's GPUs; *gpu.Watcher is one. State never waits for the driver.
type GPUs interface {
	State() gpu.State
}

// gpus answers what is known; a machine without GPUs has an empty list and the reason.
func (s *Server) gpus(c *call) error { return c.reply(s.GPUs.State()) }

// gpuCollector gives the figures of the last reading. What a device does not have has no sample, which is not zero.
type gpuCollector struct{ GPUs }

// gpuMetric is one figure; value returns nil for what is not there.
type gpuMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*gpu.Reading) *float64
}

func gpuDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("chimera_gpu_"+name, help, append([]string{"gpu", "uuid"}, labels...), nil)
}

func gpuGauge[T uint32 | uint64 | float64](name, help string, field func(*gpu.Reading) *T, unit float64) gpuMetric {
	return gpuMetric{gpuDesc(name, help), prometheus.GaugeValue, func(r *gpu.Reading) *float64 { return scaled(field(r), unit) }}
}

func gpuCounter[T uint64 | float64](name, help string, field func(*gpu.Reading) *T) gpuMetric {
	return gpuMetric{gpuDesc(name, help), prometheus.CounterValue, func(r *gpu.Reading) *float64 { return scaled(field(r), 1) }}
}

func scaled[T uint32 | uint64 | float64](v *T, unit float64) *float64 {
	if v == nil {
		return nil
	}
	return new(float64(*v) * unit)
}

func degrees(v *int32) *float64 {
	if v == nil {
		return nil
	}
	return new(float64(*v))
}

var gpuMetrics = []gpuMetric{
	gpuGauge("memory_used_bytes", "Device memory in use, by anybody.", func(r *gpu.Reading) *uint64 { return r.MemoryUsed }, 1),
	gpuGauge("memory_total_bytes", "Device memory.", func(r *gpu.Reading) *uint64 { return r.MemoryTotal }, 1),
	gpuGauge("utilisation_ratio", "Share of time with a kernel running.", func(r *gpu.Reading) *uint32 { return r.Utilisation }, .01),
	gpuGauge("memory_utilisation_ratio", "Share of time with memory being read or written.", func(r *gpu.Reading) *uint32 { return r.MemoryUtilisation }, .01),
	gpuGauge("power_watts", "Power drawn.", func(r *gpu.Reading) *float64 { return r.Power }, 1),
	gpuGauge("power_limit_watts", "Power that may be drawn.", func(r *gpu.Reading) *float64 { return r.PowerLimit }, 1),
	gpuCounter("energy_joules_total", "Energy that the card has taken since the driver was loaded, for anybody.", func(r *gpu.Reading) *float64 { return r.Energy }),
	gpuGauge("sm_clock_hertz", "Clock of the multiprocessors.", func(r *gpu.Reading) *uint32 { return r.SMClock }, 1e6),
	gpuGauge("memory_clock_hertz", "Clock of the memory.", func(r *gpu.Reading) *uint32 { return r.MemoryClock }, 1e6),
	gpuGauge("temperature_celsius", "Temperature of the GPU.", func(r *gpu.Reading) *uint32 { return r.Temperature }, 1),
	gpuGauge("slowdown_temperature_celsius", "Temperature at which the GPU slows down.", func(r *gpu.Reading) *uint32 { return r.SlowdownAt }, 1),
	gpuGauge("shutdown_temperature_celsius", "Temperature at which the GPU stops.", func(r *gpu.Reading) *uint32 { return r.ShutdownAt }, 1),
	gpuGauge("margin_celsius", "Degrees left before the GPU slows down (T.Limit).", func(r *gpu.Reading) *float64 { return degrees(r.Margin) }, 1),
	gpuGauge("slowdown_margin_celsius", "Margin at which the hardware slows the GPU down.", func(r *gpu.Reading) *float64 { return degrees(r.SlowdownMargin) }, 1),
	gpuGauge("shutdown_margin_celsius", "Margin at which the GPU stops.", func(r *gpu.Reading) *float64 { return degrees(r.ShutdownMargin) }, 1),
	gpuCounter("pcie_replays_total", "PCIe packets sent again.", func(r *gpu.Reading) *uint64 { return r.PCIeReplays }),
}

// The figures with labels of their own.
var (
	gpuInfo     = gpuDesc("info", "The GPU's name and PCI address.", "name", "bus")
	gpuVerdict  = gpuDesc("verdict", "1 for the verdict in force, 0 for the others.", "verdict")
	gpuXids     = gpuDesc("xid_total", "Xid errors since the daemon's start.", "xid")
	gpuThrottle = gpuDesc("throttled", "1 for each reason that holds the clocks down.", "reason")
	gpuSlowed   = gpuDesc("throttled_seconds_total", "How long the clocks were held down, by why, since the driver was loaded.", "reason")
	gpuFailed   = gpuDesc("reading_failures", "Calls of the last reading that the driver failed.")
	gpuECC      = gpuDesc("ecc_errors_total", "Memory errors since the driver was loaded.", "kind")
	gpuRows     = gpuDesc("remapped_rows", "Rows of memory replaced by spare ones, by why.", "kind")
	gpuRemap    = gpuDesc("row_remap", "1 if a remapping waits for a reset (pending) or has ever failed (failed).", "state")
	gpuPages    = gpuDesc("retired_pages", "Pages of memory taken out of use, by why.", "kind")
	gpuLinks    = gpuDesc("nvlink_errors_total", "NVLink errors over all links.", "kind")
	gpuRecovery = gpuDesc("recovery_action", "What the driver wants done: 0 nothing, 1 reset, 2 reboot, 3 drain P2P, 4 drain and reset.")
)

// Describe implements prometheus.Collector.
func (g gpuCollector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range gpuMetrics {
		out <- m.desc
	}
	for _, d := range []*prometheus.Desc{gpuInfo, gpuVerdict, gpuXids, gpuThrottle, gpuSlowed, gpuFailed, gpuECC, gpuRows, gpuRemap, gpuPages, gpuLinks, gpuRecovery} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g gpuCollector) Collect(out chan<- prometheus.Metric) {
	for _, d := range g.State().Devices {
		send := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(desc, kind, value, append([]string{strconv.Itoa(d.Index), d.UUID}, labels...)...)
		}
		send(gpuInfo, prometheus.GaugeValue, 1, d.Name, d.Bus)
		for _, a := range gpu.Actions() {
			send(gpuVerdict, prometheus.GaugeValue, truth(a == d.Verdict.Action), a.String())
		}
		for code, times := range d.Xids {
			send(gpuXids, prometheus.CounterValue, float64(times), strconv.FormatUint(code, 10))
		}
		if d.Reading != nil {
			collectReading(d.Reading, send)
		}
	}
}

func collectReading(r *gpu.Reading, send func(*prometheus.Desc, prometheus.ValueType, float64, ...string)) {
	for _, m := range gpuMetrics {
		if v := m.value(r); v != nil {
			send(m.desc, m.kind, *v)
		}
	}
	for _, reason := range r.Throttle {
		send(gpuThrottle, prometheus.GaugeValue, 1, string(reason))
	}
	for reason, d := range r.Slowed {
		send(gpuSlowed, prometheus.CounterValue, d.Seconds(), string(reason))
	}
	send(gpuFailed, prometheus.GaugeValue, float64(len(r.Failed)))
	for kind, count := range map[string]*uint64{"corrected": r.ECCCorrected, "uncorrected": r.ECCUncorrected} {
		if count != nil {
			send(gpuECC, prometheus.CounterValue, float64(*count), kind)
		}
	}
	if m := r.Remapped; m != nil {
		send(gpuRows, prometheus.GaugeValue, float64(m.Corrected), "corrected")
		send(gpuRows, prometheus.GaugeValue, float64(m.Uncorrected), "uncorrected")
		send(gpuRemap, prometheus.GaugeValue, truth(m.Pending), "pending")
		send(gpuRemap, prometheus.GaugeValue, truth(m.Failed), "failed")
	}
	if p := r.Retired; p != nil {
		send(gpuPages, prometheus.GaugeValue, float64(p.SingleBit), "single_bit")
		send(gpuPages, prometheus.GaugeValue, float64(p.DoubleBit), "double_bit")
	}
	if l := r.NVLink; l != nil {
		for kind, count := range map[string]uint64{"crc_flit": l.CRCFlit, "crc_data": l.CRCData, "replay": l.Replay, "recovery": l.Recovery} {
			send(gpuLinks, prometheus.CounterValue, float64(count), kind)
		}
	}
	if r.Recovery != nil {
		send(gpuRecovery, prometheus.GaugeValue, float64(*r.Recovery))
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
