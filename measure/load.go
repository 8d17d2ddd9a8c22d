package measure

import (
	"math"
	"time"

	"chimera/store"
)

// This file owns how busy the machine is: the part of a stretch in which steps were under way, and the cores that the process used of those that it may use.

// Worked is what is counted of work since the start, and never falls.
type Worked struct {
	Device time.Duration // that steps were under way, of whatever model
	CPU    time.Duration // of the process, all cores together
	Models map[string]ModelWorked
}

// ModelWorked is a model's part of it, and how it is served now.
type ModelWorked struct {
	Device  time.Duration
	Crowded time.Duration // of its steps that left requests waiting for which there was no room
	Way     Way
}

// Way is how a model is served: what was measured of another way says nothing of this one. Its zero value is that nobody knows.
type Way struct {
	Tier   string // of its weights
	KVType string // of its cache
}

// Load is what a stretch was like. Shares are from 0 to 1 but for what clocks are apart.
type Load struct {
	From, Until          time.Time
	DeviceBusy           float64 // share of the time in which steps were under way
	CoresUsed, CoresMost float64 // CPU seconds of the process a second, and the CPUs that it may use
	Models               map[string]ModelLoad
}

// ModelLoad is a model's.
type ModelLoad struct {
	Share   float64 // of the time in which its steps were under way
	Crowded float64 // in which its steps left requests waiting
	Way     Way     // at the beginning and at the end; unknown where they are two
}

// Loads turns what is counted into loads of stretches that follow each other.
type Loads struct {
	from time.Time
	last Worked
}

// NewLoads begins at a time, with what was counted by then.
func NewLoads(from time.Time, worked Worked) *Loads { return &Loads{from, worked} }

// Close gives the load of the stretch that ends now; one of no length is known of nothing.
func (l *Loads) Close(now time.Time, worked Worked, cores float64) Load {
	length := now.Sub(l.from).Seconds()
	share := func(now, before time.Duration) float64 {
		if length <= 0 {
			return math.NaN()
		}
		return max(0, now-before).Seconds() / length
	}
	load := Load{
		From: l.from, Until: now, DeviceBusy: share(worked.Device, l.last.Device), CoresUsed: share(worked.CPU, l.last.CPU), CoresMost: cores,
		Models: map[string]ModelLoad{},
	}
	for name, m := range worked.Models {
		before := l.last.Models[name]
		part := ModelLoad{Share: share(m.Device, before.Device), Crowded: share(m.Crowded, before.Crowded)}
		if m.Way == before.Way {
			part.Way = m.Way
		}
		load.Models[name] = part
	}
	l.from, l.last = now, worked
	return load
}

// fill gives a window what its stretch was like.
func (l *Load) fill(w *store.Window) {
	m, known := l.Models[w.Model]
	if !known {
		m = ModelLoad{Share: math.NaN(), Crowded: math.NaN()}
	}
	w.DeviceBusy, w.CoresUsed, w.CoresMost, w.DeviceShare, w.Crowded = l.DeviceBusy, l.CoresUsed, l.CoresMost, m.Share, m.Crowded
	w.Tier, w.KVType = m.Way.Tier, m.Way.KVType
}
