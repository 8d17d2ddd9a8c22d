package scheduler

import "slices"

// This file owns quiet tenants: what one that asks little waits for beside one that floods.
//
// A tenant floods a lane that has more than its part of its places while others of its own wait for more. Beside it one is quiet that asks no more,
// of all lanes, than that. It has a place at once (victims.go), so what its first token waits for is steps, which are as long as
// the flood's prompts make them. So while a quiet tenant is here, or was a moment ago:
//
//   - its prompts go before those of others of their class. Its counter would not have them do so: a prompt is charged when it is let in;
//   - others' prompts make a step half as long as else, and beside its own they have what these leave of that (budget.go).
//
// Nobody lives on that: who goes first in steps was let in by counters, which charge it like all others. Shorter steps cost a percent or
// two of what can be computed, which is not paid where nobody is quiet.

// noteQuiet tells who is quiet, and when one that is would no longer be expected. It is asked before prompts are planned, when who comes has a place.
func (s *Lane) noteQuiet() {
	if !s.policy.with(byTenant) {
		return
	}
	t := &s.loop.tenants
	part := float64(s.places()) / t.weight()
	flooded := slices.ContainsFunc(t.active, func(one *tenant) bool { return s.isFlooded(one, part*one.weight) })
	for _, one := range t.active {
		if one.quiet = flooded && float64(one.sequences) <= part*one.weight; one.quiet {
			t.quiet = s.now.Add(s.policy.rules.QuietTime)
		}
	}
}

// isFlooded tells whether a tenant has more than its part of the lane's places while others of its own wait for one of them. Its places in other
// lanes are no part of these.
func (s *Lane) isFlooded(one *tenant, part float64) bool {
	if !one.waits() || float64(one.places) <= part { // nor in this lane
		return false
	}
	places := 0
	for _, seq := range s.running {
		if seq.tenant == one {
			places++
		}
	}
	return float64(places) > part && slices.ContainsFunc(s.waiting, func(seq *Sequence) bool { return seq.tenant == one })
}

// waits tells whether the tenant has sequences in queues.
func (t *tenant) waits() bool { return t.inLine != [classes]int{} }

// expectsQuiet tells whether a quiet tenant is here, or was a moment ago.
func (s *Lane) expectsQuiet() bool { return s.now.Before(s.loop.tenants.quiet) }
