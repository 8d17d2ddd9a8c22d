package measure

import (
	"cmp"
	"math"
	"slices"
	"time"

	"chimera/store"
)

// This file owns how far a model could go: its knee, and what the load leaves of it.
//
// The knee is the rate at which requests complete when there is no room for more of them: from there on more load makes the queue longer and completes no more
// (Denning and Buzen 1978, "The operational analysis of queueing network models", section 4.3, where a saturated device bounds the throughput). It is
// not computed from how busy the device is: with steps that many requests share, one alone keeps it busy all the time.
//
// It is measured in minutes that were crowded: for most of which steps left requests waiting for which there was no room, and in which no other model
// took much of the device. Where there were none, it is what an experiment measured of what is served when as many clients asked as there are places. Both
// are of the requests that there were, as longer ones have another knee, and of one way to serve: minutes and experiments at another tier, or with another type of
// the KV cache, don't count.

// A minute tells of the knee if it was crowded for half of it, is no rest of one, and belonged to the model. Three make a median.
const (
	crowdedFor  = 0.5
	leastMinute = 30 * time.Second
	ownDevice   = 0.9
	leastKnee   = 3
)

// measuredQPS is the experiments' measure that has the knee: requests completed a second with a client for each place.
const measuredQPS = "qps"

// Knee is the rate of requests, background work not counted, beyond which a model completes no more.
type Knee struct {
	QPS         float64 // NaN: nobody has measured it
	Minutes     int     // that were crowded; 0: an experiment has measured it
	Pairs       int64   // of the experiment
	From, Until time.Time
	Rows        []int64 // of windows, or of experiments
}

// Known tells whether it was measured.
func (k *Knee) Known() bool { return !math.IsNaN(k.QPS) }

// KneeOf is that of a model that is served in a way, by rows of the history, the oldest first.
func KneeOf(model string, now Way, windows []store.Window, experiments []store.Experiment) Knee {
	if now.Tier == "" {
		return Knee{QPS: math.NaN()}
	}
	var crowded []Minute
	for _, m := range Minutes(model, windows) {
		if m.isCrowded() && m.way == now {
			crowded = append(crowded, m)
		}
	}
	if len(crowded) >= leastKnee {
		return kneeOfMinutes(crowded)
	}
	for _, e := range slices.Backward(experiments) {
		if e.Model == model && e.Kind == store.SettingTried && e.Measure == measuredQPS && e.Before > 0 && now == (Way{e.Tier, e.KVType}) {
			return Knee{QPS: e.Before, Pairs: e.N, From: e.Time, Until: e.Time, Rows: []int64{e.Row}}
		}
	}
	return Knee{QPS: math.NaN()}
}

// kneeOfMinutes is the median: a minute of few long requests, or of many that are all alike, is not what most are.
func kneeOfMinutes(list []Minute) Knee {
	k := Knee{Minutes: len(list), From: list[0].From, Until: list[len(list)-1].Until}
	var rates []float64
	for _, m := range list {
		rates, k.Rows = append(rates, m.Completed), append(k.Rows, m.Rows...)
	}
	slices.Sort(rates)
	middle := len(rates) / 2
	if k.QPS = rates[middle]; len(rates)%2 == 0 {
		k.QPS = (rates[middle-1] + rates[middle]) / 2
	}
	return k
}

// Minute is what a model's windows of one stretch say together, background work not counted.
type Minute struct {
	From, Until time.Time
	Completed   float64 // requests a second
	Offered     float64 // those that were refused, failed or were cancelled, too
	Requests    int64   // offered
	Rows        []int64

	busy, share, crowded float64
	way                  Way
}

// Minutes are a model's, the oldest first.
func Minutes(model string, windows []store.Window) (list []Minute) {
	at := map[[2]time.Time]int{}
	for i := range windows {
		w := &windows[i]
		length := w.Until.Sub(w.From)
		if w.Model != model || w.Class == background || length < leastMinute {
			continue
		}
		span := [2]time.Time{w.From.UTC(), w.Until.UTC()}
		n, known := at[span]
		if !known {
			n = len(list)
			at[span], list = n, append(list, Minute{From: w.From, Until: w.Until, busy: w.DeviceBusy, share: w.DeviceShare, crowded: w.Crowded, way: Way{w.Tier, w.KVType}})
		}
		m, offered := &list[n], w.Requests+w.Refused+w.Failed+w.Cancelled
		m.Rows, m.Requests = append(m.Rows, w.Row), m.Requests+offered
		m.Completed += float64(w.Requests) / length.Seconds()
		m.Offered += float64(offered) / length.Seconds()
	}
	slices.SortStableFunc(list, func(a, b Minute) int { return cmp.Or(a.Until.Compare(b.Until), a.From.Compare(b.From)) })
	return list
}

// background is the class of work that waits for gaps: it is no load.
const background = "background"

// isCrowded tells whether the minute tells of the knee.
func (m *Minute) isCrowded() bool {
	return m.crowded >= crowdedFor && m.share >= ownDevice*m.busy && m.Completed > 0
}

// OfferedRate is the mean rate of minutes, over their length; NaN of none.
func OfferedRate(list []Minute) float64 {
	requests, length := 0.0, 0.0
	for _, m := range list {
		seconds := m.Until.Sub(m.From).Seconds()
		requests, length = requests+m.Offered*seconds, length+seconds
	}
	return requests / length
}

// Busiest is the minute that was offered most; nil of none.
func Busiest(list []Minute) (most *Minute) {
	for i := range list {
		if most == nil || list[i].Offered > most.Offered {
			most = &list[i]
		}
	}
	return most
}

// Headroom is the part of the knee that a load leaves: 0 at it, below 0 beyond it.
func (k *Knee) Headroom(qps float64) float64 { return 1 - qps/k.QPS }
