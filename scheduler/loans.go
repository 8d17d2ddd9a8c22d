package scheduler

import (
	"time"

	"chimera/engine"
)

// This file owns loans: who waits for a prefix that another computes has that one hurry, up to the prefix's end, and pays for it.
//
// The owner's tenant was charged for the whole prompt when it was let in. What of it a waiter of another tenant hurries, the waiter's tenant is charged
// for instead: it is computed now for his sake. Who waits and hurries nobody pays nothing, as for what is in the cache. What is not
// computed in the end is paid back: it is charged to the owner again, which gives back what it does not compute itself (fairness.go).

// loan is what others that wait for a sequence's prefix lend to it, until it has computed what they share.
type loan struct {
	until    int // position; 0: nobody waits
	class    Class
	priority int
	deadline time.Time
}

// payment is what one tenant was charged for of another's prompt.
type payment struct {
	lender   *tenant
	from, to int // positions
}

// lend has the owner hurry as if it were who waits for it, too: it gives way to nobody for what others than Background wait for.
func (s *Sequence) lend(to *Sequence, pages int, p *policy) {
	l := &to.loan
	if s.request.Class == Background {
		return
	}
	if !to.borrows() {
		*l = loan{class: Background}
	}
	l.until = max(l.until, pages*engine.PageTokens)
	if !p.with(byLoan) {
		return
	}
	before := urge{to.class(), to.priority(), to.deadline()}
	l.class, l.priority = min(l.class, s.request.Class), max(l.priority, s.request.Priority)
	if d := s.request.Deadline; !d.IsZero() && (l.deadline.IsZero() || d.Before(l.deadline)) {
		l.deadline = d
	}
	if (urge{to.class(), to.priority(), to.deadline()}) != before {
		s.payFor(to, pages*engine.PageTokens, &p.rules)
	}
}

// urge is how a sequence stands among others, with what it borrows.
type urge struct {
	class    Class
	priority int
	deadline time.Time
}

// payFor charges what is to be computed of another's prompt, up to a position, to who hurries it, but for what somebody paid already.
func (s *Sequence) payFor(owner *Sequence, until int, r *Rules) {
	from := owner.most
	for _, p := range owner.payments {
		from = max(from, p.to)
	}
	until = min(until, len(owner.request.Prompt)) // an answer's tokens are charged as they are sampled
	if until <= from || s.tenant == owner.tenant {
		return
	}
	owner.payments = append(owner.payments, payment{s.tenant, from, until})
	s.tenant.charge(until-from, r.InputWeight)
	owner.tenant.charge(from-until, r.InputWeight)
}

// payBack is for a sequence that gives up its pages: what others paid for and was not computed is its own tenant's to pay again.
func (s *Sequence) payBack(r *Rules) {
	for _, p := range s.payments {
		if n := p.to - max(p.from, s.most); n > 0 {
			p.lender.charge(-n, r.InputWeight)
			s.tenant.charge(n, r.InputWeight)
		}
	}
	s.payments = nil
}

// borrows tells whether somebody waits for what the sequence computes.
func (s *Sequence) borrows() bool { return s.computed < s.loan.until }

// class is the sequence's own, or that of one that waits for what it computes.
func (s *Sequence) class() Class {
	if s.borrows() {
		return min(s.request.Class, s.loan.class)
	}
	return s.request.Class
}

func (s *Sequence) priority() int {
	if s.borrows() {
		return max(s.request.Priority, s.loan.priority)
	}
	return s.request.Priority
}

// deadline is when the first token is due that the sequence, or one that waits for what it computes, owes.
func (s *Sequence) deadline() (d time.Time) {
	if s.generated == 0 {
		d = s.request.Deadline
	}
	if l := s.loan.deadline; s.borrows() && !l.IsZero() && (d.IsZero() || l.Before(d)) {
		d = l
	}
	return d
}
