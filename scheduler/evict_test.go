package scheduler

import (
	"slices"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of what is given away first: of a prefix its end, whoever computed which of its pages.

// longAnswer fills ten pages together with a prompt of two.
const longAnswer = 8*engine.PageTokens + 1

// stored asks for what follows a request's prompt and answer, and returns how many tokens came from the cache.
func (f *fixture) stored(t *testing.T, r Request) int {
	t.Helper()
	seq := f.submit(t, greedy(slices.Concat(r.Prompt, answer(r), []int32{7}), 1))
	collect(t, seq)
	return seq.Cached()
}

// When room is needed a prefix goes from its end: what is left of it is still a prefix. So it is where a sequence has copies of
// pages that others computed.
func TestPrefixIsEvictedFromItsEnd(t *testing.T) {
	full, more := prompt(1, 2*engine.PageTokens, 0), prompt(1, 2*engine.PageTokens+1, 0)
	scored := greedy(more, longAnswer)
	scored.ScorePrompt = true
	for name, groups := range map[string][][]Request{ // requests that come at the same moment, one group after the other
		"one prompt":                         {{greedy(prompt(1, 10*engine.PageTokens+1, 0), 1)}},
		"prompt and answer":                  {{greedy(full, longAnswer)}},
		"a prompt that was asked before":     {{greedy(more, 1)}, {greedy(more, longAnswer)}},
		"one that fills its pages":           {{greedy(full, 1)}, {greedy(full, longAnswer)}},
		"one that fills them, twice":         {{greedy(full, 1)}, {greedy(full, 1)}, {greedy(full, longAnswer)}},
		"the choice that came first is long": {{greedy(full, longAnswer), greedy(full, 1)}},
		"the choice that came last is long":  {{greedy(full, 5), greedy(full, longAnswer)}},
		"a prompt that is scored":            {{greedy(more, 1)}, {scored}},
	} {
		t.Run(name, func(t *testing.T) {
			atEachDepth(t, func(t *testing.T, l engine.Limits) {
				f := startGroups(t, l, config, enginetest.Full(33))
				var long Request
				for _, group := range groups {
					for _, seq := range f.submitGroup(t, group...) {
						if collect(t, seq); len(seq.request.Prompt)+seq.request.MaxTokens > 10*engine.PageTokens {
							long = seq.request
						}
					}
				}
				f.expect(t, greedy(prompt(2, 390, 0), 1)) // 25 pages: two of the ten go
				if got := f.stored(t, long); got != 128 {
					t.Errorf("%d tokens are left of 160, want 128", got)
				}
				f.finish(t)
			})
		})
	}
}

// A sequence's copy takes the place of the page that was given away while it ran.
func TestCopyReplacesAnEvictedPage(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := startGroups(t, l, crowded, enginetest.Full(12))
		full := prompt(1, 2*engine.PageTokens, 0)
		for _, seq := range f.submitGroup(t, greedy(full, 5), greedy(full, longAnswer), greedy(prompt(2, 20, 0), 40)) {
			collect(t, seq)
		}
		if got := f.stored(t, greedy(full, longAnswer)); got != 160 {
			t.Errorf("%d tokens are left of 160", got)
		}
		f.finish(t)
	})
}
