package report

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"chimera/measure"
	"chimera/store"
)

// This file owns what is said of the machine: how busy it was, how far the load is from the knee, and the risk that it comes near it. It is of all tenants
// together, and not said to one.

// ofAllTenants tells whether the report's rows are everybody's.
func (in *Input) ofAllTenants() bool { return in.Scope == AllTenants }

// utilisation is the mean of the minutes that had a request of the model, by their length.
func (m *modelInput) utilisation() Statement {
	busy, share := m.meanOf("device_busy", "the device's time in steps", "of the time", func(w *store.Window) float64 { return w.DeviceBusy }), m.meanOf("device_share", "the device's time in steps of this model", "of the time", func(w *store.Window) float64 { return w.DeviceShare })
	cores := m.meanOf("cores_used", "use of the cores", "of what the process may use", func(w *store.Window) float64 { return w.CoresUsed / w.CoresMost })
	t := Statement{Topic: "Utilisation", Status: status(busy, share, cores), Figures: []Figure{busy, share, cores}}
	if busy.Value == nil || cores.Value == nil {
		t.Text = "Utilisation is missing: " + cmp.Or(busy.Missing, cores.Missing) + "."
		return t
	}
	t.Text = "Steps were under way for " + busy.Text() + " of the time"
	if share.Value != nil {
		t.Text += ", this model's for " + share.Text()
	}
	t.Text += fmt.Sprintf(", and the process used %s of the cores that it may use; %s.", cores.Text(), counted(busy.N, "minute", "minutes"))
	return t
}

// meanOf is the mean of what the minutes of the period were like, in percent, weighted by their length.
func (m *modelInput) meanOf(name, label, of string, value func(*store.Window) float64) Figure {
	f := Figure{Name: name, Label: label, Unit: percent, Of: "minutes", From: m.From, Until: m.Until, Method: "mean of the minutes that had requests, by their length, " + of}
	seen, sum, length := map[minute]bool{}, 0.0, 0.0
	var rows []int64
	for i := range m.Windows {
		w := &m.Windows[i]
		at, x := minute{w.From.UTC(), w.Until.UTC()}, value(w)
		if seen[at] || math.IsNaN(x) || math.IsInf(x, 0) {
			continue
		}
		seconds := w.Until.Sub(w.From).Seconds()
		seen[at], sum, length, rows = true, sum+x*seconds, length+seconds, append(rows, w.Row)
		f.N++
	}
	f.Sources = rowsOf(store.Windows, rows)
	return f.set(100*sum/length, "no minute of the period has it")
}

// room is how far the load is from the knee.
type room struct {
	made                time.Time
	knee, load, busiest Figure
	left, least         Figure // of the knee, at the mean load and in the busiest minute
}

// noKnee is why there is none at a tier.
func noKnee(tier string) string {
	return "no three minutes" + ofTier(tier) + " had requests waiting for half of them, and no experiment has measured throughput so (chimera experiment run --factor batching)"
}

// headroom computes it.
func (m *modelInput) headroom() room {
	minutes, k := measure.Minutes(m.name, m.Windows), measure.KneeOf(m.name, measure.Way{Tier: m.served(), KVType: m.KVType}, m.Windows, m.Experiments)
	r := room{made: m.Made, knee: m.kneeFigure(&k)}
	base := Figure{Unit: perSecond, Of: "requests", From: m.From, Until: m.Until, Method: "requests that came, refused ones too and background work not, over the length of the minutes that had requests"}
	var rows []int64
	for i := range minutes {
		base.N, rows = base.N+minutes[i].Requests, append(rows, minutes[i].Rows...)
	}
	base.Sources = rowsOf(store.Windows, rows)
	r.load = base
	r.load.Name, r.load.Label = "load_mean", "load, mean"
	r.load = r.load.set(measure.OfferedRate(minutes), noWindows)
	r.busiest = base
	r.busiest.Name, r.busiest.Label, r.busiest.Method = "load_busiest", "load, busiest minute", "requests that came in the minute that had most, of at least half a minute"
	most := math.NaN()
	if b := measure.Busiest(minutes); b != nil {
		most = b.Offered
	}
	r.busiest = r.busiest.set(most, noWindows)
	r.left, r.least = left("headroom", "headroom at the mean load", r.load, r.knee, &k), left("headroom_busiest", "headroom in the busiest minute", r.busiest, r.knee, &k)
	return r
}

// kneeFigure is the knee with what it was measured by.
func (m *modelInput) kneeFigure(k *measure.Knee) Figure {
	tier := m.served()
	f := Figure{Name: "knee", Label: "knee" + ofTier(tier), Unit: perSecond, From: m.From, Until: m.Until}
	if k.Known() {
		f.From, f.Until = k.From.UTC(), k.Until.UTC()
	}
	if k.Pairs > 0 {
		f.N, f.Of, f.Method, f.Sources = k.Pairs, "pairs", "an experiment: requests completed a second with as many clients as places, as served, measured at tier "+tier, rowsOf(store.Experiments, k.Rows)
		return f.set(k.QPS, "")
	}
	f.N, f.Of, f.Method, f.Sources = int64(k.Minutes), "minutes", "median of what minutes completed in which requests waited for half of the time that there was no room for, measured at tier "+tier, rowsOf(store.Windows, k.Rows)
	return f.set(k.QPS, noKnee(tier))
}

// left is what a load leaves of the knee, in percent.
func left(name, label string, load, knee Figure, k *measure.Knee) Figure {
	f := Figure{Name: name, Label: label, Unit: percent, N: knee.N, Of: knee.Of, From: load.From, Until: load.Until, Method: "1 − load / knee", Sources: merged(load.Sources, knee.Sources)}
	switch {
	case knee.Value == nil:
		return f.missing(knee.Missing)
	case load.Value == nil:
		return f.missing(load.Missing)
	}
	return f.set(math.Round(1000*k.Headroom(*load.Value))/10, "") // a median of minutes is not known any better
}

// merged are the sources of both, each row once.
func merged(a, b []Source) []Source {
	list := append([]Source{}, a...)
	for _, s := range b {
		known := false
		for _, there := range a {
			known = known || there.Table == s.Table // the knee's windows are among the load's
		}
		if !known {
			list = append(list, s)
		}
	}
	return list
}

func (r room) figures() []Figure { return []Figure{r.knee, r.load, r.busiest, r.left, r.least} }

func (r room) statement() Statement {
	t := Statement{Topic: "Headroom", Status: status(r.left), Figures: r.figures()}
	if r.left.Value == nil {
		t.Text = "Headroom is missing: " + r.left.Missing + "."
		return t
	}
	if p, _ := r.standing(); p != Low {
		t.Status = Attention
	}
	t.Text = r.words()
	return t
}

// words are those of a headroom that is known.
func (r room) words() string {
	return fmt.Sprintf("The load of %s leaves %s of the knee of %s, and the busiest minute's of %s leaves %s (%s, %s, last %s).", r.load.Text(), r.left.Text(), r.knee.Text(), r.busiest.Text(), r.least.Text(),
		amount(float64(r.knee.N), r.knee.Of), r.knee.Method, age(r.knee.Until, r.made))
}

// How much of the knee the mean load should leave, and the busiest minute's: at 90 % of what it can do a single server that clients come to at random has nine of
// them there in the mean, at 80 % four (M/M/1: Kleinrock 1975, "Queueing Systems", vol. 1, section 3.2).
const (
	leastHeadroom = 10.0 // percent
	fairHeadroom  = 20.0
)

// standing is how soon somebody should look, of a headroom that is known.
func (r room) standing() (Priority, RiskStatus) {
	switch {
	case *r.left.Value < leastHeadroom:
		return High, Open
	case *r.least.Value < fairHeadroom:
		return Medium, Watch
	}
	return Low, Clear
}

func (r room) risk() Risk {
	risk := Risk{Name: "headroom", Figures: r.figures(), Mitigation: "Before the mean load comes near the knee: a machine more, or what the recommendations say raises throughput. Objectives of the time to the first token and deadlines keep queues short meanwhile."}
	if r.left.Value == nil {
		risk.Priority, risk.Status, risk.Text = Medium, Unwatched, "How far the load is from the knee is missing: "+r.left.Missing+"."
		return risk
	}
	risk.Priority, risk.Status = r.standing()
	risk.Text = r.words()
	return risk
}
