package gpu

import (
	"errors"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// This file owns the judgement: a pure function from what was seen to a verdict.

const (
	// Interval is how often a device is read. A reading is some twenty calls of well under a millisecond each; heat and
	// power move within seconds.
	Interval = 2 * time.Second
	// A card is throttled when 2 of its last 3 readings are: NVML may report hw_slowdown for the moment in which clocks change.
	hotWindow, hotReadings = 3, 2
	// It has recovered after 15 calm readings in a row, 30 s: a cooler needs that long to follow a load, and admission that
	// comes back sooner heats the card up again.
	calmReadings = 15
	// A fault that a new process cures is forgotten after so long. A daemon that computes on the card is gone by then;
	// one that only watches shall not report a stranger's fault for ever.
	forgetAfter = 10 * time.Minute
)

// slowdowns are the reasons that cost far more speed than was planned for. sw_power_cap is not among them: a busy
// card runs at its limit.
var slowdowns = []Reason{HWSlowdown, SWThermal, HWThermal, HWPowerBrake}

// Observation is what a look at a device gave: a reading, or an error, or the name of a call that hangs; or events alone.
type Observation struct {
	At      time.Time
	Reading *Reading
	Err     error
	Stuck   string
	Xids    []uint64
	// Owned: faults of memory come as Xids that say whose they are, so counters, which are the whole GPU's, don't count.
	Owned bool
}

// History is what Judge keeps of a device between looks.
type History struct {
	verdict Verdict
	judged  bool
	known   known   // what was so before we came is no event
	present finding // of the last look
	faults  finding // of events: they stay
	faultAt time.Time
	hot     uint8 // a bit per reading, the last one lowest
	calm    int   // readings in a row
	slow    string
}

// Judge adds an observation to a device's history.
func Judge(h History, o Observation) (History, Verdict) {
	for _, code := range o.Xids {
		h.fault(Xid(code).finding(), o.At)
	}
	switch {
	case o.Stuck != "":
		h.present = finding{Unknown, Nothing, "stale: " + o.Stuck + " has not returned for " + callDeadline.String()}
	case o.Err != nil:
		h.present = h.refused(o.Err)
	case o.Reading != nil:
		h.read(o)
	}
	if h.faults.needs == NewProcess && o.At.Sub(h.faultAt) >= forgetAfter {
		h.faults = finding{}
	}
	f := h.faults.and(h.present)
	if h.slow != "" {
		f = f.and(finding{Degrade, Nothing, h.slow})
	}
	if !h.judged || f.action != h.verdict.Action {
		h.verdict.Since = o.At
	}
	h.judged = true
	h.verdict.Action, h.verdict.Needs, h.verdict.Reason = f.action, f.needs, f.reason
	return h, h.verdict
}

func (h *History) fault(f finding, at time.Time) {
	if f.action == Serve {
		return
	}
	h.faultAt = at
	if f.action >= h.faults.action || f.needs > h.faults.needs { // what is milder explains nothing
		h.faults = h.faults.and(f)
	}
}

// refused judges a device that gave no reading.
func (h *History) refused(err error) finding {
	switch {
	case errors.Is(err, ErrLost):
		return finding{Restart, Reboot, err.Error()}
	case errors.Is(err, ErrResetRequired):
		return finding{Restart, Reset, err.Error()}
	}
	return finding{Unknown, Nothing, err.Error()}
}

func (h *History) read(o Observation) {
	r, before := o.Reading, h.known
	now := before.with(r, o.At)
	if !o.Owned && grown(before.uncorrected, now.uncorrected) { // the Xid that belongs to it may be hidden from a container
		h.fault(finding{Drain, NewProcess, "memory errors that were not corrected"}, o.At)
	}
	told, wasPending := before.repairs()
	if _, pending := now.repairs(); told && pending && !wasPending {
		h.fault(finding{Drain, NewProcess, "this process may hold the memory that is to be replaced"}, o.At)
	}
	if slow := slowness(r, before, now); slow != "" || !before.deaf(r, o.At) {
		h.throttling(slow)
	}
	h.known = now
	h.present = rows(now).and(recovery(now.recovery))
}

// rows judges the memory's repairs. A pending remapping is no reason to stay away: NVIDIA says that work started
// with one pending is unaffected, since the driver keeps the bad page from new allocations. So a daemon that sees it
// come drains and starts anew, one that starts with it serves, and there is no loop of restarts; only a reset, by
// hand, makes the remapping real.
func rows(k known) finding {
	_, pending := k.repairs()
	switch {
	case k.remapped != nil && k.remapped.Failed:
		return finding{Replace, NewCard, "a row remapping has failed: there are no spare rows left where memory is bad"}
	case pending:
		return finding{Serve, Nothing, "a row remapping or page retirement is pending: reset the GPU when convenient"}
	}
	return finding{}
}

// recovery judges what the driver asks for of a process that computes on one GPU. A drain lets what runs end where the driver says it may.
func recovery(wanted *Recovery) finding {
	if wanted == nil || *wanted == RecoverNothing {
		return finding{}
	}
	reason := "the driver's recovery action is " + wanted.String()
	switch *wanted {
	case RecoverDrainP2P: // it wants traffic between GPUs ended; when there is none it says what it wants of this GPU
		return finding{Serve, Nothing, reason + ", which asks nothing of a model on one GPU"}
	case RecoverDrainReset, RecoverIMEX:
		return finding{Drain, Reset, reason}
	case RecoverReboot, RecoverSystemReboot:
		return finding{Restart, Reboot, reason}
	}
	return finding{Restart, Reset, reason} // reset, bus_reset, and what is newer than this list
}

func grown(from, to *uint64) bool { return from != nil && to != nil && *to > *from }

// throttling keeps h.slow, the reason for which the card counts as slow; now is why this reading does, if it does.
func (h *History) throttling(now string) {
	h.hot = h.hot << 1 & (1<<hotWindow - 1)
	if now == "" {
		if h.calm++; h.calm >= calmReadings {
			h.slow = ""
		}
		return
	}
	h.calm = 0
	h.hot |= 1
	if bits.OnesCount8(h.hot) >= hotReadings || h.slow != "" {
		h.slow = now
	}
}

// slowness says why a reading counts as throttled, if it does: by the reasons of the moment, by the time since they were last
// counted that was slowed down, or, where the driver tells neither, by the temperature.
func slowness(r *Reading, before, now known) string {
	var list []string
	for _, reason := range slowdowns {
		if slices.Contains(r.Throttle, reason) || mostly(before.slowed[reason], now.slowed[reason]) {
			list = append(list, string(reason))
		}
	}
	if len(list) == 0 && atSlowdown(r, now) {
		list = append(list, "temperature at the slowdown threshold")
	}
	if len(list) == 0 {
		return ""
	}
	return "throttled: " + strings.Join(list, ", ")
}

// mostly tells whether the clocks were held down for more than half the time between two counts. There are ages before the
// first one.
func mostly(before, now slowed) bool {
	since := now.at.Sub(before.at)
	return since > 0 && now.total-before.total > since/2
}

// atSlowdown tells whether the temperature is where the hardware slows the GPU down: in degrees, or, on cards since
// Ada, by what is left of its margin.
func atSlowdown(r *Reading, k known) bool {
	if r.Temperature != nil && k.slowdownAt != nil && *k.slowdownAt > 0 && *r.Temperature >= *k.slowdownAt {
		return true
	}
	return r.Margin != nil && k.slowdownMargin != nil && *r.Margin <= *k.slowdownMargin
}
