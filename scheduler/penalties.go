package scheduler

import (
	"cmp"
	"slices"

	"chimera/engine"
)

// This file owns what penalties count: which tokens a sequence has seen, and how often.

// occurrences are the tokens of a prompt and its answer, each once. Those of the prompt are counted where it is submitted, by whom it is of: the
// loop has others to serve. It counts one token of the answer at a time.
type occurrences struct {
	counts []engine.Penalty // (tokens) those of the prompt by id, behind them those of the answer alone, as they came
	prompt int              // how many are the prompt's
	answer map[int32]int    // where in counts those are that only the answer has
}

// occurrencesIn counts a prompt.
func occurrencesIn(prompt []int32) *occurrences {
	s := &occurrences{}
	sorted := slices.Sorted(slices.Values(prompt))
	for i, token := range sorted {
		if i == 0 || token != sorted[i-1] {
			s.counts = append(s.counts, engine.Penalty{Token: token})
		}
		s.counts[len(s.counts)-1].Seen++
	}
	s.prompt = len(s.counts)
	return s
}

// penalties are those of the sequence's next token.
func (s *Sequence) penalties() []engine.Penalty {
	if s.seen == nil {
		return nil
	}
	return s.seen.counts
}

// add counts a token of the answer.
func (s *occurrences) add(token int32) {
	at, there := slices.BinarySearchFunc(s.counts[:s.prompt], token, func(p engine.Penalty, token int32) int { return cmp.Compare(p.Token, token) })
	if !there {
		at, there = s.answer[token]
	}
	if !there {
		if s.answer == nil {
			s.answer = map[int32]int{}
		}
		at = len(s.counts)
		s.answer[token] = at
		s.counts = append(s.counts, engine.Penalty{Token: token})
	}
	s.counts[at].Seen++
	s.counts[at].Generated++
}
