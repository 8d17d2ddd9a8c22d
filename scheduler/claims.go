package scheduler

import "slices"

// This file owns what a lane counts of each tenant that has sequences in it: so whether anybody who waits could have a better claim to a place
// than one that runs is known without a look at those that wait or run. Mostly nobody has, and the queue isn't lined up then.

// guest is a tenant in a lane. It is there as long as it has sequences.
type guest struct {
	tenant    *tenant
	sequences [classes]int // that have not ended, by their own class
	places    [classes]int // that they have, at most as many
}

// running is how many places the guest has.
func (g *guest) running() (n int) {
	for _, places := range g.places {
		n += places
	}
	return n
}

// welcomeGuest counts a sequence that comes.
func (s *Lane) welcomeGuest(seq *Sequence) {
	at := slices.IndexFunc(s.guests, func(g *guest) bool { return g.tenant == seq.tenant })
	if at < 0 {
		at = len(s.guests)
		s.guests = append(s.guests, &guest{tenant: seq.tenant})
	}
	seq.guest = s.guests[at]
	seq.guest.sequences[seq.request.Class]++
}

// partGuest counts a sequence that has ended.
func (s *Lane) partGuest(seq *Sequence) {
	g := seq.guest
	if g.sequences[seq.request.Class]--; g.sequences == [classes]int{} {
		s.guests = slices.DeleteFunc(s.guests, func(other *guest) bool { return other == g })
	}
}

// fairPart is how many places are the part of a tenant of weight 1.
func (s *Lane) fairPart() float64 { return float64(s.places()) / s.loop.tenants.weight() }

// overRuns tells whether the guest runs more than its part of the places.
func (g *guest) overRuns(part float64) bool { return float64(g.running()) > part*g.tenant.weight }

// mayRun tells whether the guest would still run no more than its part with one more.
func (g *guest) mayRun(part float64) bool { return float64(g.running()+1) <= part*g.tenant.weight }

// contested tells whether anybody who waits could have a better claim than one that runs. Who waits for another's prefix counts, too.
func (s *Lane) contested() bool {
	return s.policy.with(byClass) && s.classesContest() || s.policy.with(byTenant) && len(s.guests) > 1 && s.tenantsContest()
}

// classesContest tells whether a class has more places than it would keep whoever comes, while one that goes before it waits.
func (s *Lane) classesContest() bool {
	waits := false
	for c := range classes {
		if waits && s.runs[c] > min(1, s.keeps(Class(c))) { // so many it keeps where pages are short
			return true
		}
		waits = waits || s.present[c] > s.runs[c]
	}
	return false
}

// tenantsContest tells whether all places are taken, by one tenant more than its part while another of the same class waits that would still
// run no more than its own.
func (s *Lane) tenantsContest() bool {
	if len(s.running) < s.places() {
		return false
	}
	var over, under [classes]bool
	part := s.fairPart()
	for _, g := range s.guests {
		overRuns, mayRun := g.overRuns(part), g.mayRun(part)
		for c := range classes {
			over[c] = over[c] || overRuns && g.places[c] > 0
			under[c] = under[c] || mayRun && g.sequences[c] > g.places[c]
		}
	}
	for c := range classes {
		if over[c] && under[c] {
			return true
		}
	}
	return false
}
