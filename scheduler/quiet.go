package scheduler

import "time"

// This file owns quiet tenants: what one that asks little waits for beside one that floods.
//
// A tenant floods that has more than its part of the places while others of its own wait for more. Beside it one is quiet that asks no more,
// all told, than its part. It has a place at once (victims.go), so what its first token waits for is steps, which are as long as
// the flood's prompts make them. So while a quiet tenant is here, or was a moment ago:
//
//   - its prompts go before those of others of their class. Its counter would not have them do so: a prompt is charged when it is let in;
//   - others' prompts make a step half as long as else, and beside its own they have what these leave of that (budget.go).
//
// Nobody lives on that: who goes first in steps was let in by counters, which charge it like all others. Shorter steps cost a percent or
// two of what can be computed, which is not paid where nobody is quiet.

// noteQuiet tells who is quiet, by how many places there are, and when one that is would no longer be expected.
func (t *tenants) noteQuiet(places int, until time.Time) {
	part, flooded := float64(places)/t.weight(), false
	for _, one := range t.active {
		flooded = flooded || one.waits() && float64(one.places) > part*one.weight
	}
	for _, one := range t.active {
		if one.quiet = flooded && float64(one.sequences) <= part*one.weight; one.quiet {
			t.quiet = until
		}
	}
}

// waits tells whether the tenant has sequences in queues.
func (t *tenant) waits() bool { return t.inLine != [classes]int{} }

// noteQuiet is asked before prompts are planned, when who comes has a place.
func (s *Lane) noteQuiet() {
	if s.policy.with(byTenant) {
		s.loop.tenants.noteQuiet(s.places(), s.now.Add(s.policy.rules.QuietTime))
	}
}

// expectsQuiet tells whether a quiet tenant is here, or was a moment ago.
func (s *Lane) expectsQuiet() bool { return s.now.Before(s.loop.tenants.quiet) }
