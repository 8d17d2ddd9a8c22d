package scheduler

import (
	"cmp"
	"slices"
	"time"

	"chimera/engine"
)

// This file owns the lane's queue: who comes, who is let in, and who leaves it otherwise.

// welcome is where a sequence comes to the loop.
func (s *Lane) welcome(seq *Sequence) {
	if s.idle() {
		s.stats.Progress = s.loop.config.Now()
	}
	c := seq.request.Class
	if c == Interactive {
		s.door.come(seq.arrived, &s.policy.rules)
	}
	s.arrived++
	seq.number, seq.tenant = s.arrived, s.loop.tenants.enter(seq.request.Tenant)
	seq.ticket = seq.tenant.left[c] + uint64(seq.tenant.inLine[c])
	seq.tenant.inLine[c]++
	s.present[c]++
	s.loop.present[c]++
	s.countIdle(seq, 1)
	s.welcomeGuest(seq)
	s.due = earlier(s.due, seq.firstDue())
	s.waiting = append(s.waiting, seq)
	if seq.stopped.Load() { // which was noted, maybe, when it was not here
		s.stopped.Store(true)
	}
}

// part is where it leaves, with its last event.
func (s *Lane) part(seq *Sequence, last Event) {
	seq.giveBack(&s.policy.rules)
	if seq.runs() {
		s.countPlace(seq, -1)
	}
	s.letGo(seq)
	s.present[seq.request.Class]--
	s.loop.present[seq.request.Class]--
	s.countIdle(seq, -1)
	s.partGuest(seq)
	s.loop.tenants.leave(seq.tenant)
	seq.deliver(&last)
}

// dropStopped ends what its client no longer wants, and what still waits when its first token is due.
func (s *Lane) dropStopped() {
	s.now = s.loop.config.Now()
	stopped := s.stopped.Swap(false)
	if stopped {
		s.running = slices.DeleteFunc(s.running, func(seq *Sequence) bool {
			if !seq.stopped.Load() {
				return false
			}
			s.part(seq, Event{Finish: Cancelled})
			return true
		})
	}
	if stopped || !s.due.IsZero() {
		s.dropWaiting()
	}
}

func (s *Lane) dropWaiting() {
	s.due = time.Time{}
	s.waiting = slices.DeleteFunc(s.waiting, func(seq *Sequence) bool {
		last := Event{Finish: Cancelled}
		if !seq.stopped.Load() {
			due := s.lastMoment(seq)
			if due.IsZero() || s.now.Before(due) || s.policy.without.has(byDeadline) {
				s.due = earlier(s.due, due)
				return false
			}
			last = Event{Finish: Failed, Err: ErrDeadline}
		}
		s.leaveQueue(seq)
		s.part(seq, last)
		return true
	})
}

// lastMoment is when the sequence must have a place at the latest for its first token to come when it is due: what would be late anyway is
// not begun, or under overload all would be late in turn.
func (s *Lane) lastMoment(seq *Sequence) (due time.Time) {
	due = seq.firstDue()
	if due.IsZero() || seq.runs() || s.stats.Steps < costSettling || s.policy.without.has(withForecast) || s.foreseen.isStale(s.now) {
		return due
	}
	rows := seq.demand.rows // as was promised
	if seq.looked {
		rows = seq.pending() - seq.found*engine.PageTokens
	}
	return due.Add(-max(time.Duration(rows)*s.foreseen.row, s.foreseen.step)) // its step is likely as full as the last
}

// firstDue is when the sequence's own first token is due, if it had none yet.
func (s *Sequence) firstDue() (due time.Time) {
	if s.generated == 0 {
		due = s.request.Deadline
	}
	return due
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// lines is the queue in the policy's order: that of each tenant's own, whose heads are compared anew whenever one was let in, as its
// tenant's counter has grown then.
type lines struct {
	all   []*Sequence
	heads []span // (tenants that wait)
	good  bool   // all is those that wait in this step, and that it is for; some of them may have a place meanwhile
}

// span is a part of all.
type span struct{ from, to int }

// lineUp orders those that wait and that the step is for: once a step, unless somebody is sent back to the queue meanwhile.
func (s *Lane) lineUp() {
	q := &s.lines
	if q.good {
		q.all = slices.DeleteFunc(q.all, (*Sequence).runs)
	} else {
		s.sortWaiting()
	}
	q.good, q.heads = true, q.heads[:0]
	for i, seq := range q.all {
		if i == 0 || seq.tenant != q.all[i-1].tenant {
			q.heads = append(q.heads, span{i, i})
		}
		q.heads[len(q.heads)-1].to = i + 1
	}
}

// sortWaiting puts each tenant's in order, those of one behind those of another.
func (s *Lane) sortWaiting() {
	q := &s.lines
	q.all = q.all[:0]
	for _, seq := range s.waiting {
		if s.isWanted(seq) {
			s.join(seq)
			if !seq.looked {
				seq.looked = true
				s.prefix(seq)
			}
			seq.standing = s.standingOf(seq)
			q.all = append(q.all, seq)
		}
	}
	slices.SortFunc(q.all, func(a, b *Sequence) int {
		if a.tenant != b.tenant {
			return cmp.Compare(a.tenant.number, b.tenant.number)
		}
		return a.standing.compare(&b.standing)
	})
}

// best is the line whose head goes first, or nil.
func (s *Lane) best() (best *span) {
	var first *Sequence
	for i := range s.lines.heads {
		line := &s.lines.heads[i]
		if line.from == line.to {
			continue
		}
		head := s.lines.all[line.from]
		head.standing = s.standingOf(head)
		if best == nil || head.standing.compare(&first.standing) < 0 {
			best, first = line, head
		}
	}
	return best
}

// first is whom the policy has go first of those that don't wait for another's prefix, or nil.
func (s *Lane) first() *Sequence {
	s.lineUp()
	for line := s.best(); line != nil; line = s.best() {
		if seq := s.lines.all[line.from]; s.owner(seq) == nil {
			return seq
		}
		line.from++
	}
	return nil
}

// admit gives waiting sequences a place and the pages of their prompt: in a group whose positions see all before them
// all, elsewhere as many as it ever holds. So a prompt once begun is short of pages only while what it let go is still
// seen by another that shares it, and the one that is furthest behind never is. One whose prefix is being computed by another waits for it and lets others
// pass; one that lacks pages lets nobody pass, or large prompts would wait for ever. It tells whether anybody was let in.
func (s *Lane) admit() (entered bool) {
	if len(s.waiting) == 0 || len(s.running) >= s.places() && s.present[Background] == 0 {
		return false
	}
	s.lineUp()
	for line := s.best(); line != nil && !(s.next.kind == owed && s.runsBackground()); { // of background one gets on beside others
		seq := s.lines.all[line.from]
		prefix, follow := s.prefix(seq)
		switch {
		case follow:
			line.from++
		case len(s.running) < s.places() && s.fits(seq, prefix):
			s.enter(seq, prefix)
			line.from++
			entered = true
		case s.makeWay(true):
			s.keepPages()
			continue // the same one tries again
		default:
			line = nil
			continue
		}
		line = s.best()
	}
	if entered {
		s.waiting = slices.DeleteFunc(s.waiting, (*Sequence).runs)
	}
	return entered
}

// enter gives the sequence its pages.
func (s *Lane) enter(seq *Sequence, prefix int) {
	s.leaveQueue(seq)
	s.take(seq, prefix)
	s.takeTurn(seq)
	seq.admitted()
	if seq.releases == 0 {
		s.lastChange = s.now
	}
	seq.account = s.accounts.of(payer{seq.request.Tenant, seq.request.Class, *seq.generation.digest})
	seq.skipped, seq.toCompute = 0, seq.pending()
	seq.chargePrompt(&s.policy.rules)
	s.countPlace(seq, 1)
	s.running = append(s.running, seq)
	s.keepFor(seq)
}

// countPlace counts a place that is taken, or given back.
func (s *Lane) countPlace(seq *Sequence, by int) {
	seq.tenant.places += by
	seq.guest.places[seq.request.Class] += by
	s.runs[seq.request.Class] += by
	if seq.request.Own {
		s.ownRuns += by
	}
	s.foreseen.serves = s.runs[Interactive]+s.runs[Batch] > 0
}
