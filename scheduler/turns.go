package scheduler

import (
	"cmp"
	"slices"
	"time"
)

// This file owns which lane is next: the one with the most urgent work by class, then by a deadline that is near, then the one that had
// least of the device's time. That is counted for each class apart, and from when a lane has work of the class: it is owed nothing for when it
// asked nothing of it, however long that was. A deadline is the client's word, so it lets a lane pass another only while it had hardly more.

// urgency is a lane's, by what is most urgent in it.
type urgency struct {
	class int
	slack time.Duration
}

// nothing is the class of a lane that is idle.
const nothing = Class(classes)

// inTurn are the lanes, the next first.
func (l *Loop) inTurn() []*Lane {
	for _, lane := range l.lanes {
		l.noteClass(lane)
	}
	if len(l.lanes) < 2 {
		return l.lanes
	}
	now := l.config.Now()
	for _, lane := range l.lanes {
		lane.urgency = l.urgencyOf(lane, now)
	}
	slices.SortStableFunc(l.lanes, func(a, b *Lane) int {
		return cmp.Or(a.urgency.class-b.urgency.class, cmp.Compare(a.urgency.slack, b.urgency.slack), cmp.Compare(a.had(), b.had()))
	})
	return l.lanes
}

func (l *Loop) urgencyOf(lane *Lane, now time.Time) (u urgency) {
	u = urgency{int(Background), far}
	p := &lane.policy
	for c, n := range lane.present {
		if n == 0 {
			continue
		}
		if u.class = min(u.class, c); p.with(withShares) && l.shares.due(Class(c)) {
			u.class = -1
		}
	}
	if !p.with(byClass) {
		u.class = 0
	}
	if slack, step := lane.due.Sub(now), l.longestStep(); p.with(byDeadline) && !lane.due.IsZero() && slack < step && l.lead(lane) <= step.Seconds() {
		u.slack = slack
	}
	return u
}

// longestStep is what a lane waits for if it is another's turn: a deadline that leaves more is not near yet.
func (l *Loop) longestStep() (longest time.Duration) {
	for _, lane := range l.lanes {
		longest = max(longest, lane.foreseen.longest)
	}
	return longest
}

// had is how much of the device the lane has had in its class.
func (s *Lane) had() float64 {
	if s.class == nothing {
		return 0
	}
	return s.used[s.class]
}

// lead is how much more the lane has had than the one of its class that had least.
func (l *Loop) lead(lane *Lane) float64 {
	if least, any := l.least(lane); any {
		return lane.had() - least
	}
	return 0
}

// least is what the others of the lane's class have had at least.
func (l *Loop) least(lane *Lane) (least float64, any bool) {
	for _, other := range l.lanes {
		if other != lane && other.class == lane.class && lane.class != nothing && (!any || other.had() < least) {
			least, any = other.had(), true
		}
	}
	return least, any
}

// noteClass notes which class the lane's most urgent work is of. One that comes to a class has had as much as the one there that had least.
func (l *Loop) noteClass(lane *Lane) {
	class := nothing
	for c := nothing; c > 0; c-- {
		if lane.present[c-1] > 0 {
			class = c - 1
		}
	}
	if class == lane.class {
		return
	}
	lane.class = class
	if least, any := l.least(lane); any {
		lane.used[class] = max(lane.used[class], least)
	}
}

// isOwed tells whether the lane's next step is of its background sequences, though it has others to serve.
func (s *Lane) isOwed() bool {
	return s.wantsBackground() && s.serves() && s.isDue(Background)
}
