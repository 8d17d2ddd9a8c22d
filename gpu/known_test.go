package gpu

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// This file owns tests of readings that lack what those before had told.

// everything is a reading of which a test then takes parts.
func everything() Reading {
	return Reading{
		ECCUncorrected: new(uint64(5)), Remapped: &RemappedRows{}, Recovery: new(RecoverNothing), Throttle: []Reason{},
		Temperature: new(uint32(60)), SlowdownAt: new(uint32(87)), Slowed: SlowTime{HWThermal: time.Hour, HWPowerBrake: time.Hour},
	}
}

// Each look is a change to everything, 2 s after the one before; the actions are those after each.
func TestLostFields(t *testing.T) {
	type look = func(*Reading)
	calm := func(*Reading) {}
	uncorrected := func(n uint64) look { return func(r *Reading) { r.ECCUncorrected = new(n) } }
	noCount := func(r *Reading) { r.ECCUncorrected = nil }
	pending := func(r *Reading) { r.Remapped = &RemappedRows{Pending: true} }
	noRows := func(r *Reading) { r.Remapped = nil }
	pages := func(pending bool) look {
		return func(r *Reading) { r.Remapped, r.Retired = nil, &RetiredPages{Pending: pending} }
	}
	wants := func(what Recovery) look { return func(r *Reading) { r.Recovery = new(what) } }
	braked := func(d time.Duration) look {
		return func(r *Reading) { r.Slowed = SlowTime{HWThermal: time.Hour, HWPowerBrake: time.Hour + d} }
	}
	noSlowTime := func(r *Reading) { r.Slowed = nil }
	noBrake := func(r *Reading) { r.Slowed = SlowTime{HWThermal: time.Hour} }
	hot := func(r *Reading) { r.Throttle = []Reason{HWThermal} }
	noReasons := func(r *Reading) { r.Throttle = nil }
	heat := func(r *Reading) { r.Throttle, r.Temperature = nil, new(uint32(90)) }
	heatAlone := func(r *Reading) { r.Throttle, r.Temperature, r.SlowdownAt = nil, new(uint32(90)), nil }
	margin := func(r *Reading) {
		r.Throttle, r.Margin, r.SlowdownMargin = nil, new(int32(-3)), new(int32(-2))
	}
	marginAlone := func(r *Reading) { r.Throttle, r.Margin = nil, new(int32(-3)) }
	again := func(n int, looks ...look) (list []look) {
		for range n {
			list = append(list, looks...)
		}
		return list
	}
	nothing := func(r *Reading) { *r = Reading{} }
	for name, c := range map[string]struct {
		looks []look
		want  string // the actions, without what repeats
	}{
		"pending before, lost, pending":   {[]look{pending, pending, noRows, pending, noRows, pending}, "serve"},
		"pending, none ever told before":  {[]look{noRows, pending}, "serve"},
		"not pending, lost, pending":      {[]look{calm, noRows, pending}, "serve drain"},
		"pages, lost, pending":            {[]look{pages(false), noRows, pages(true)}, "serve drain"},
		"pages pending, lost, pending":    {[]look{pages(true), noRows, pages(true)}, "serve"},
		"errors behind a lost count":      {[]look{calm, noCount, uncorrected(6)}, "serve drain"},
		"no errors behind a lost count":   {[]look{calm, noCount, calm, nothing, calm}, "serve"},
		"a count that comes late":         {[]look{noCount, uncorrected(6)}, "serve"},
		"a driver that counts anew":       {[]look{calm, uncorrected(0), noCount, uncorrected(0)}, "serve"},
		"a failed remapping, lost":        {[]look{calm, func(r *Reading) { r.Remapped = &RemappedRows{Failed: true} }, noRows, nothing, noRows}, "serve replace"},
		"recovery wanted, lost":           {[]look{calm, wants(RecoverReset), func(r *Reading) { r.Recovery = nil }, nothing}, "serve restart"},
		"recovery wanted, lost, gone":     {[]look{calm, wants(RecoverReset), nothing, calm}, "serve restart serve"},
		"slow time lost again and again":  {again(20, calm, noSlowTime), "serve"},
		"one slow time lost":              {again(20, calm, noBrake), "serve"},
		"slow time told late":             {[]look{noSlowTime, calm, calm, calm}, "serve"},
		"slow for less than was unseen":   {[]look{calm, noSlowTime, noSlowTime, braked(2 * time.Second), noSlowTime, noSlowTime, braked(4 * time.Second), noSlowTime, noSlowTime, braked(6 * time.Second)}, "serve"},
		"slow for most of what is unseen": {[]look{calm, noSlowTime, noSlowTime, braked(5 * time.Second), noBrake, noSlowTime, braked(10 * time.Second)}, "serve degrade"},
		"hot, lost, lost, hot":            {[]look{calm, hot, noReasons, noReasons, hot}, "serve degrade"},
		"hot once, then lost":             {[]look{calm, hot, noReasons, noReasons, calm, calm}, "serve"},
		"hot, then lost for 28 s":         {slices.Concat([]look{hot, hot}, again(14, noReasons), []look{hot}), "serve degrade"},
		"hot, then lost for a minute":     {slices.Concat([]look{hot, hot}, again(30, noReasons)), "serve degrade serve"},
		"hot, then calm, half of it lost": {slices.Concat([]look{hot, hot}, again(15, calm, noReasons)), "serve degrade serve"},
		"the threshold is lost":           {[]look{heat, heatAlone, heatAlone}, "serve degrade"},
		"the margin's threshold is lost":  {[]look{margin, marginAlone, marginAlone}, "serve degrade"},
	} {
		var h History
		var got []string
		for i, change := range c.looks {
			r := everything()
			change(&r)
			var v Verdict
			h, v = Judge(h, Observation{At: time.Unix(1e9, 0).Add(time.Duration(i) * Interval), Reading: &r})
			got = append(got, v.Action.String())
		}
		if words := strings.Join(slices.Compact(got), " "); words != c.want {
			t.Errorf("%s: %s, want %s", name, words, c.want)
		}
	}
}

// What a history knows stays as it was when another is made from it.
func TestKnownIsPure(t *testing.T) {
	first, later := everything(), everything()
	later.Slowed[HWPowerBrake] += time.Minute
	k := known{}.with(&first, time.Unix(1e9, 0))
	k.with(&later, time.Unix(1e9+2, 0))
	if got := k.slowed[HWPowerBrake]; got.total != time.Hour || !got.at.Equal(time.Unix(1e9, 0)) {
		t.Errorf("%+v", got)
	}
}
