package scheduler

import "slices"

// This file owns who is sent back to the queue: for a place or pages that another has a better claim to.
//
// A claim is better by class, up to the places that batch keeps and the last that a class has; and, within a class, of a tenant that
// runs fewer than its part of the places, against one that runs more than its own. So of two tenants the one that floods has the other's
// places only until the other comes. What a sequence had is ready in the cache for a while, so that it mostly goes on where it was.

// displace gives the best of those that wait a place that others hold, where it finds none and has a better claim. It is
// asked before anybody is in the step, and one a step is enough: nobody computes more than a prompt or two in it. It is let in at
// once, or the order could have the victim come back first. Pages are made free for the sake of class alone, since nobody of a lower class
// comes before who still lacks some.
func (s *Lane) displace() {
	if len(s.waiting) == 0 || !s.contested() {
		return
	}
	s.keepPages()
	top := s.first()
	if top == nil {
		return
	}
	prefix, follow := s.prefix(top)
	displaced := false
	for !follow && (len(s.running) >= s.places() || !s.fits(top, prefix)) {
		victim := s.victimOf(top, s.fits(top, prefix))
		if victim == nil {
			return
		}
		s.preempt(victim)
		s.keepPages()
		displaced = true
		prefix, follow = s.prefix(top)
	}
	if displaced && !follow {
		s.enter(top, prefix)
		s.waiting = slices.DeleteFunc(s.waiting, (*Sequence).runs)
	}
}

// victimOf is the least privileged of those that a sequence has a better claim than, to a place or, where it finds no pages, to theirs; or nil.
func (s *Lane) victimOf(top *Sequence, place bool) (victim *Sequence) {
	var running [classes]int
	for _, seq := range s.running {
		running[seq.class()]++
	}
	part := s.fairPart()
	for _, seq := range s.running {
		if !s.isPlanned(seq) && s.yields(seq, top, place, part, &running) && (victim == nil || s.policy.privilege(seq, victim) > 0) {
			victim = seq
		}
	}
	return victim
}

// yields tells whether a running sequence makes way for one that waits; part is that of the places of a tenant of weight 1.
func (s *Lane) yields(seq, top *Sequence, place bool, part float64, running *[classes]int) bool {
	if c := seq.class(); c > top.class() && s.policy.with(byClass) {
		keeps := s.keeps(c)
		if !place {
			keeps = min(1, keeps) // one gets on with its class's share of the time; sent back it would come again with the next
		}
		return running[c] > keeps
	}
	return place && seq.class() == top.class() && s.policy.with(byTenant) && top.guest.mayRun(part) && seq.guest.overRuns(part)
}

// keeps is how many of its places a class keeps whoever comes.
func (s *Lane) keeps(c Class) int {
	places := s.places()
	switch {
	case s.policy.without.has(withShares):
		return 0
	case c == Batch:
		return places / s.policy.rules.PlaceShare
	}
	return min(1, places/s.policy.rules.BackgroundShare)
}

// makeWay sends the least privileged background sequence back to the queue, if the step is not of that kind itself: for one that
// is to be let in, up to what background keeps, or for one that runs.
func (s *Lane) makeWay(admission bool) bool {
	if s.next.kind != ordinary {
		return false
	}
	var victim *Sequence
	n := 0
	for _, seq := range s.running {
		if !seq.background() {
			continue
		}
		if n++; victim == nil || s.policy.privilege(seq, victim) > 0 {
			victim = seq
		}
	}
	if n == 0 || admission && n <= s.keeps(Background) {
		return false
	}
	s.preempt(victim)
	return true
}

// room sees to pages for the next position of a decoding sequence; where there are none left a background sequence, then the least
// privileged of those that the step is for, gives up its own and is computed again later. False: that was the sequence itself, or those less
// privileged are all in the step already; the next one begins with it then.
func (s *Lane) room(seq *Sequence) bool {
	for !s.advance(seq) {
		if s.makeWay(false) {
			continue
		}
		least, victim := s.leastPrivileged(false), s.leastPrivileged(true)
		if victim == seq && seq != least {
			return false
		}
		s.preempt(victim)
		if victim == seq {
			return false
		}
	}
	return true
}

// leastPrivileged is that of the sequences that the step is for, or of those of them that are not in it yet.
func (s *Lane) leastPrivileged(unplanned bool) (least *Sequence) {
	for _, seq := range s.running {
		if s.isWanted(seq) && !(unplanned && s.isPlanned(seq)) && (least == nil || s.policy.privilege(seq, least) > 0) {
			least = seq
		}
	}
	return least // who asks is one, and is not planned
}

// preempt sends a running sequence back to the queue with the tokens it has. Only sequences that are not in the step being planned are
// preempted; what a step under way computes for one is discarded, and will be the same the next time.
func (s *Lane) preempt(seq *Sequence) {
	for i, other := range s.running {
		if other == seq {
			s.running = append(s.running[:i], s.running[i+1:]...)
			break
		}
	}
	s.countPlace(seq, -1)
	s.letGo(seq)
	s.waiting = append(s.waiting, seq)
	s.due = earlier(s.due, seq.firstDue())
	s.lines.good = false
	s.enterQueue(seq)
	s.stats.Preemptions++
}
