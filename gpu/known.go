package gpu

import (
	"cmp"
	"maps"
	"time"
)

// This file owns what a device last told of what is judged. A call into the driver fails now and then and loses its field:
// what it would have told is then as it was, and growth is growth since then.

// known is never written to: it is replaced.
type known struct {
	uncorrected    *uint64 // memory errors
	remapped       *RemappedRows
	retired        *RetiredPages
	recovery       *Recovery
	slowdownAt     *uint32
	slowdownMargin *int32
	slowed         map[Reason]slowed
	heard          [signals]time.Time // zero: never
}

// slowed is how long a reason had held the clocks down at a time.
type slowed struct {
	total time.Duration
	at    time.Time
}

// with is k and what a reading tells.
func (k known) with(r *Reading, at time.Time) known {
	k.uncorrected = cmp.Or(r.ECCUncorrected, k.uncorrected)
	k.remapped = cmp.Or(r.Remapped, k.remapped)
	k.retired = cmp.Or(r.Retired, k.retired)
	k.recovery = cmp.Or(r.Recovery, k.recovery)
	k.slowdownAt = cmp.Or(r.SlowdownAt, k.slowdownAt)
	k.slowdownMargin = cmp.Or(r.SlowdownMargin, k.slowdownMargin)
	k.slowed = maps.Clone(k.slowed)
	for reason, total := range r.Slowed {
		if k.slowed == nil {
			k.slowed = map[Reason]slowed{}
		}
		k.slowed[reason] = slowed{total, at}
	}
	for i, told := range momentary(r) {
		if told {
			k.heard[i] = at
		}
	}
	return k
}

// signals is how many things tell of the moment whether clocks are held down.
const signals = 3

// momentary tells which of them a reading has. What was so a moment ago says nothing of now.
func momentary(r *Reading) [signals]bool {
	return [signals]bool{r.Throttle != nil, r.Temperature != nil, r.Margin != nil}
}

// deaf tells whether a reading lacks what told lately whether clocks are held down. What stays away is no longer waited for.
func (k known) deaf(r *Reading, at time.Time) bool {
	lately := func(heard time.Time) bool { return !heard.IsZero() && at.Sub(heard) < calmReadings*Interval }
	for i, told := range momentary(r) {
		if !told && lately(k.heard[i]) {
			return true
		}
	}
	for _, reason := range slowdowns {
		if _, told := r.Slowed[reason]; !told && lately(k.slowed[reason].at) {
			return true
		}
	}
	return false
}

// repairs tells whether the memory's repairs are known, and whether one waits for a reset.
func (k known) repairs() (told, pending bool) {
	return k.remapped != nil || k.retired != nil, k.remapped != nil && k.remapped.Pending || k.retired != nil && k.retired.Pending
}
