package daemon

import (
	"math"

	"chimera/api"
)

// This file owns what clients are shown of the last minute: how busy it was, and what it took of energy.

// utilisation is that for GET /v1/status.
func (m *measuring) utilisation() *api.Utilisation {
	last := m.last.Load()
	if last == nil {
		return nil
	}
	l := &last.load
	seconds := l.Until.Sub(l.From).Seconds()
	return &api.Utilisation{
		From: l.From, Until: l.Until, DeviceBusy: known(l.DeviceBusy), CoresUsed: known(l.CoresUsed), Cores: l.CoresMost,
		CPUWatts: rate(last.energy.CPU, seconds), GPUWatts: rate(last.energy.GPU, seconds), Problem: last.problem,
	}
}

// rate is an amount a second; nil where it is not known.
func rate(amount, seconds float64) *float64 {
	if !(seconds > 0) {
		return nil
	}
	return known(amount / seconds)
}

// joules are those of all minutes since the start, for the metrics; of a source that was never read there are none.
func (m *measuring) joules() (list []api.Joules) {
	last := m.last.Load()
	if last == nil {
		return nil
	}
	for l, e := range last.used {
		for source, joules := range map[string]float64{"cpu": e.CPU, "gpu": e.GPU} {
			if !math.IsNaN(joules) {
				list = append(list, api.Joules{Payer: payerOf(l), Source: source, Joules: joules})
			}
		}
	}
	return list
}
