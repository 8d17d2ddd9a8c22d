package measure

import (
	"math"
	"testing"
	"time"

	"chimera/store"
)

// This file owns tests of loads, and of the knee that minutes of them tell.

// A load is of its stretch alone, and a model that nobody counted has none.
func TestLoads(t *testing.T) {
	way := Way{"q4_k", "f16"}
	l := NewLoads(noon, Worked{Device: time.Hour, CPU: time.Hour, Models: map[string]ModelWorked{"m": {time.Minute, time.Minute, way}}})
	load := l.Close(noon.Add(20*time.Second), Worked{time.Hour + 15*time.Second, time.Hour + 30*time.Second, map[string]ModelWorked{"m": {70 * time.Second, 65 * time.Second, way}, "n": {5 * time.Second, 0, way}}}, 2)
	if load.DeviceBusy != 0.75 || load.CoresUsed != 1.5 || load.CoresMost != 2 || load.Models["m"] != (ModelLoad{0.5, 0.25, way}) || load.Models["n"] != (ModelLoad{0.25, 0, Way{}}) || !load.From.Equal(noon) {
		t.Errorf("%+v", load)
	}
	served := store.Window{Model: "m"}
	if load.fill(&served); served.Tier != "q4_k" || served.KVType != "f16" {
		t.Errorf("served so: %+v", served)
	}
	nameless := store.Window{}
	if load.fill(&nameless); nameless.DeviceBusy != 0.75 || !math.IsNaN(nameless.DeviceShare) || !math.IsNaN(nameless.Crowded) || nameless.Tier != "" {
		t.Errorf("of no model: %+v", nameless)
	}
	if next := l.Close(noon.Add(time.Minute), Worked{time.Hour + 15*time.Second, time.Hour + 34*time.Second, nil}, 2); next.DeviceBusy != 0 || next.CoresUsed != 0.1 {
		t.Errorf("%+v", next)
	}
	if none := l.Close(noon.Add(time.Minute), Worked{}, 2); !math.IsNaN(none.DeviceBusy) || !math.IsNaN(none.CoresUsed) {
		t.Errorf("no time has passed: %+v", none)
	}
}

// minutesOf are windows of a minute each, numbered from 1, with requests completed in each.
func minutesOf(w store.Window, requests ...int64) (list []store.Window) {
	for i, n := range requests {
		w.Row, w.From, w.Until, w.Requests = int64(1+i), noon.Add(time.Duration(i)*time.Minute), noon.Add(time.Duration(i+1)*time.Minute), n
		list = append(list, w)
	}
	return list
}

// The knee is the median of what crowded minutes completed, else what an experiment measured, else nobody knows.
func TestKnee(t *testing.T) {
	now := Way{"q4_k", "f16"}
	full := store.Window{Model: "m", Class: "interactive", DeviceBusy: 1, DeviceShare: 0.95, Crowded: 0.5, Tier: "q4_k", KVType: "f16"}
	change := func(f func(*store.Window)) (w store.Window) {
		w = full
		f(&w)
		return w
	}
	experiment := func(row int64, before float64, n int64) store.Experiment {
		return store.Experiment{Numbered: store.Numbered{Row: row}, Time: noon, Model: "m", Kind: store.SettingTried, Measure: "qps", Before: before, N: n, Tier: "q4_k", KVType: "f16"}
	}
	tried := []store.Experiment{experiment(3, 40, 9), experiment(4, 50, 8), experiment(5, 70, 7), experiment(6, 80, 7), experiment(7, 90, 7), experiment(8, 100, 7), experiment(9, 110, 7)}
	tried[2].Measure, tried[3].Model, tried[4].Kind, tried[5].Tier, tried[6].KVType = "ttft_ms", "n", store.CauseRestored, "source", "q8_0"
	nan := math.NaN()
	for name, c := range map[string]struct {
		w        store.Window
		requests []int64
		tried    []store.Experiment
		want     float64
		minutes  int
	}{
		"the median":              {full, []int64{600, 60, 660}, tried, 10, 3},
		"of two in the middle":    {full, []int64{600, 60, 660, 720}, nil, 10.5, 4},
		"too few":                 {full, []int64{600, 660}, nil, nan, 0},
		"too few, but tried":      {full, []int64{600, 660}, tried, 50, 0},
		"of another":              {full, []int64{600, 600, 600}, tried[3:], 10, 3},
		"another tier":            {change(func(w *store.Window) { w.Tier = "source" }), []int64{600, 600, 600}, tried[2:], nan, 0},
		"the tier changed":        {change(func(w *store.Window) { w.Tier = "" }), []int64{600, 600, 600}, nil, nan, 0},
		"another type of cache":   {change(func(w *store.Window) { w.KVType = "q8_0" }), []int64{600, 600, 600}, nil, nan, 0},
		"nobody waited for long":  {change(func(w *store.Window) { w.Crowded = 0.49 }), []int64{600, 600, 600}, nil, nan, 0},
		"nobody counted":          {change(func(w *store.Window) { w.Crowded = nan }), []int64{600, 600, 600}, tried[3:], nan, 0},
		"another model computed":  {change(func(w *store.Window) { w.DeviceShare = 0.8 }), []int64{600, 600, 600}, nil, nan, 0},
		"one that had gaps":       {change(func(w *store.Window) { w.DeviceBusy, w.DeviceShare = 0.6, 0.55 }), []int64{600, 600, 600}, nil, 10, 3},
		"nothing completed":       {full, []int64{0, 0, 0}, nil, nan, 0},
		"background work":         {change(func(w *store.Window) { w.Class = "background" }), []int64{600, 600, 600}, nil, nan, 0},
		"another model's windows": {change(func(w *store.Window) { w.Model = "n" }), []int64{600, 600, 600}, nil, nan, 0},
	} {
		k := KneeOf("m", now, minutesOf(c.w, c.requests...), c.tried)
		if !(math.Abs(k.QPS-c.want) <= 1e-9) && !(math.IsNaN(k.QPS) && math.IsNaN(c.want)) || k.Minutes != c.minutes || k.Known() != (c.want == c.want) {
			t.Errorf("%s: %+v, want %v of %d minutes", name, k, c.want, c.minutes)
		}
	}
	if k := KneeOf("m", Way{}, minutesOf(change(func(w *store.Window) { w.Tier, w.KVType = "", "" }), 600, 600, 600), tried); k.Known() {
		t.Errorf("nobody knows how it is served: %+v", k)
	}
	if k := KneeOf("m", now, nil, tried); k.Pairs != 8 || len(k.Rows) != 1 || k.Rows[0] != 4 || !k.From.Equal(noon) {
		t.Errorf("the newest experiment: %+v", k)
	}
	if k := KneeOf("m", now, minutesOf(full, 60, 60, 60), tried); len(k.Rows) != 3 || !k.Until.Equal(noon.Add(3*time.Minute)) {
		t.Errorf("%+v", k)
	}
	if k := (Knee{QPS: 80}); k.Headroom(60) != 0.25 || k.Headroom(80) != 0 || !(k.Headroom(100) < 0) {
		t.Error(k.Headroom(60), k.Headroom(80), k.Headroom(100))
	}
}

// Windows of a minute's tenants and classes are one minute; what was turned away was offered, too; rests of minutes and background work are none.
func TestMinutes(t *testing.T) {
	first := minutesOf(store.Window{Model: "m", Class: "interactive", Refused: 30, Failed: 20, Cancelled: 10}, 60, 120)
	other := minutesOf(store.Window{Model: "m", Class: "batch"}, 60)
	other[0].Row = 9
	rest := minutesOf(store.Window{Model: "m", Class: "batch"}, 9000)
	rest[0].Until = noon.Add(29 * time.Second)
	work := minutesOf(store.Window{Model: "m", Class: "background"}, 9000, 9000)
	list := Minutes("m", append(append(append(first, other...), rest...), work...))
	if len(list) != 2 || list[0].Completed != 2 || list[0].Offered != 3 || list[0].Requests != 180 || len(list[0].Rows) != 2 || list[1].Offered != 3 {
		t.Errorf("%+v", list)
	}
	if rate, most := OfferedRate(list), Busiest(append(list, Minute{Offered: 7})); rate != 3 || most.Offered != 7 {
		t.Error(rate, most)
	}
	if !math.IsNaN(OfferedRate(nil)) || Busiest(nil) != nil {
		t.Error("there is a rate of no minute")
	}
}
