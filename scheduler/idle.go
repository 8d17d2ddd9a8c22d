package scheduler

import "slices"

// This file owns requests that are computed in idle time alone: what the daemon measures of itself beside its clients.
//
// Class Background is owed a share of the time, which its own clients count on. A sixteenth that every step loses is little for them, but where requests come
// as they like at 70% of what a device computes, those who wait wait for the steps of all before them: first tokens came a sixth later in the 95th
// percentile (docs/BENCHMARKS.md). So what need not be done today has no share.

// serves tells whether any lane has somebody of another class than Background.
func (l *Loop) serves() bool { return l.present[Interactive]+l.present[Batch] > 0 }

// countIdle counts those that come and go.
func (s *Lane) countIdle(seq *Sequence, by int) {
	if seq.request.Class == Background && seq.request.Idle {
		s.patient += by
	}
}

// wantsBackground tells whether the lane has sequences for a background step as things are.
func (s *Lane) wantsBackground() bool {
	if s.loop.serves() {
		return s.present[Background] > s.patient
	}
	return s.present[Background] > 0
}

// runsBackground tells whether one has a place that gets on beside clients.
func (s *Lane) runsBackground() bool {
	return s.runs[Background] > 0 && slices.ContainsFunc(s.running, func(seq *Sequence) bool { return seq.request.Class == Background && !seq.request.Idle })
}

// outstays tells whether the background step under way has rows that others have come in the way of.
func (s *Lane) outstays() bool {
	under := &s.steps.all[s.steps.oldest]
	return s.loop.serves() && slices.ContainsFunc(under.chunks, func(c chunk) bool { return c.seq.request.Idle && c.seq.background() })
}

// holdsBack tells whether all that run wait for idle time.
func (s *Lane) holdsBack() bool {
	return s.loop.serves() && !slices.ContainsFunc(s.running, func(seq *Sequence) bool { return !seq.request.Idle || !seq.background() })
}
