package scheduler

import (
	"math"
	"time"
)

// This file owns the door: who has just had an answer may be back at once with the next question, as programs are that ask one after the other. A step
// that begins as soon as it can just misses them: what they ask then waits for one whole step and is computed in the next. So the loop holds the next
// step back for a moment, where a client is likely to come back within it and gains more by it than all who run along lose.
//
// It is held for interactive clients alone: others do not mind a step, and those who read along would.
//
// Rejected: to hold it always, since a person does not come back for seconds, and everybody would wait for him; and to do so by tenant or connection, since
// a lane knows neither clients nor connections, and how often somebody is back is a matter of what the machine is used for.

// door is what a lane knows of clients that come back. It is the loop's own.
//
// While a step is computed there is no core left for those who come, so that they come later than they would to a door that is held. What came late
// then says only that to hold it is worth another try; what is learned at a door that was held is what counts.
type door struct {
	ended  int           // answers that ended last, at the same time
	since  time.Time     // then
	step   time.Duration // that they ended with
	held   bool          // the step behind it
	back   int           // requests that came since, in time
	misses float64       // for how many ends nobody came so, on the average. It begins with none: a lane tries first
}

// doorMemory is the weight of what is known beside that of one end more. After ten ends at a door that was held two thirds of it are forgotten, after
// 33 at one that was not: clients who never come in time cost every fourth end a wait, and no more.
const doorMemory, unheldMemory = 0.9, 0.97

// unheldTime is by how much later somebody may come to a door that is not held.
const unheldTime = 16

// end takes note of answers that have ended now, with a step that took so long.
func (d *door) end(n int, now time.Time, step time.Duration) {
	if d.ended > 0 {
		keep := unheldMemory
		if d.held {
			keep = doorMemory
		}
		keep = math.Pow(keep, float64(d.ended))
		d.misses = keep*d.misses + (1-keep)*max(0, 1-float64(d.back)/float64(d.ended))
	}
	*d = door{ended: n, since: now, step: step, misses: d.misses}
}

// come takes note of a request that came at a time, perhaps before the loop saw it.
func (d *door) come(at time.Time, r *Rules) {
	in := d.time(r)
	if !d.held {
		in *= unheldTime
	}
	if at.Sub(d.since) <= in {
		d.back++
	}
}

// until is when the next step begins at the latest: the zero time where nobody is waited for. Each who comes back gains the step that he
// would have missed; each who runs loses what is waited at most. Where no place is free beside those who wait, who comes back would stand behind them.
func (d *door) until(running, free int, r *Rules) time.Time {
	gain := (1 - d.misses) * float64(d.ended) * d.step.Seconds()
	if free <= 0 || d.back >= d.ended || !(gain > d.time(r).Seconds()*float64(running)) {
		return time.Time{}
	}
	d.held = true
	return d.since.Add(d.time(r))
}

// time is for how long the door is held: those who come back at once come one after the other. However many they are, it is no longer than half of
// what they would miss.
func (d *door) time(r *Rules) time.Duration {
	return min(r.DoorTime*time.Duration(d.ended), d.step/2)
}
