package scheduler

// This file owns the watermark: the pages that are kept for those that run, when another asks for a place. Without it each that is let in
// takes the pages that the others' next tokens need, somebody is sent back at once, and prompts are computed many times over.

// growth is how many pages more than it holds the sequence will want in a group within the horizon.
func (s *Lane) growth(group int, seq *Sequence) int {
	g, t := &s.groups[group], &seq.tables[group]
	if g.Slots {
		return 0
	}
	return max(0, g.reach(t, len(seq.tokens)+s.comingTokens(seq))-t.end())
}

// comingTokens is how many tokens the sequence's answer will have within the horizon.
func (s *Lane) comingTokens(seq *Sequence) int {
	return min(s.policy.rules.Horizon, max(0, seq.request.MaxTokens-seq.generated))
}

// isShort tells whether a group may run out of pages when each that runs takes one: then somebody may be sent back, and wait.
func (s *Lane) isShort() bool {
	for g := range s.groups {
		if s.groups[g].pool.available() < len(s.running) {
			return true
		}
	}
	return false
}

// keepPages counts anew what is kept for those that run. It matters to those that wait alone.
func (s *Lane) keepPages() {
	clear(s.kept)
	for _, seq := range s.running {
		s.keepFor(seq)
	}
}

// keepFor adds a running sequence's part.
func (s *Lane) keepFor(seq *Sequence) {
	if !s.policy.with(withWatermark) {
		return
	}
	for i := range s.groups {
		s.kept[i] += s.growth(i, seq)
	}
}

// reserve is how many pages of the group are not for newcomers. Where nobody runs all are.
func (s *Lane) reserve(i int) int {
	if len(s.running) == 0 || s.policy.without.has(withWatermark) {
		return 0
	}
	return min(s.kept[i], s.groups[i].Pages/s.policy.rules.ReserveShare)
}

// wanted is for how many tokens of a sequence that waits there must be pages: also for those to come, where others run that will want
// theirs.
func (s *Lane) wanted(seq *Sequence) int {
	if len(s.running) == 0 || s.policy.without.has(withWatermark) {
		return len(seq.tokens)
	}
	return len(seq.tokens) + s.comingTokens(seq)
}
