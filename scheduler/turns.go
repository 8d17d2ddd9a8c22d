package scheduler

import (
	"cmp"
	"slices"
	"time"
)

// This file owns which lane is next: the one with the most urgent work by class, then by a deadline that is near; of equals the one that
// had least of the device's time. A lane that comes back from idleness has had as much as the one that had least: it is owed
// nothing for when it asked nothing.

// urgency is a lane's, by what is most urgent in it.
type urgency struct {
	class int
	slack time.Duration
}

// inTurn are the lanes, the next first.
func (l *Loop) inTurn() []*Lane {
	if len(l.lanes) < 2 {
		return l.lanes
	}
	now := l.config.Now()
	for _, lane := range l.lanes {
		lane.urgency = l.urgencyOf(lane, now)
	}
	slices.SortStableFunc(l.lanes, func(a, b *Lane) int {
		return cmp.Or(a.urgency.class-b.urgency.class, cmp.Compare(a.urgency.slack, b.urgency.slack), cmp.Compare(a.used, b.used))
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
	if slack := lane.due.Sub(now); p.with(byDeadline) && !lane.due.IsZero() && slack < p.rules.NearSlack {
		u.slack = slack
	}
	return u
}

// catchUp is for a lane that was idle.
func (l *Loop) catchUp(lane *Lane) {
	least, busy := 0.0, false
	for _, other := range l.lanes {
		if other != lane && !other.idle() && (!busy || other.used < least) {
			least, busy = other.used, true
		}
	}
	lane.used = max(lane.used, least)
}

// isOwed tells whether the lane's next step is of its background sequences, though it has others to serve.
func (s *Lane) isOwed() bool {
	return s.present[Background] > 0 && s.wants(false) && s.isDue(Background)
}
