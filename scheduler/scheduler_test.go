package scheduler

import (
	"slices"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of planning: who is in a step, on which pages.

var config = Config{StepTokens: 32, QueueLength: 64}

// crowded lets in whoever finds pages, so that somebody is sent back when there are no more.
var crowded = Config{StepTokens: 32, QueueLength: 64, Without: withWatermark}

// A prompt's length is of no concern to those who are decoding: each gets a token with every step.
func TestDecodingIsNeverStarved(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		gate := make(chan struct{})
		c := config
		c.Without = withBudget // or the answers end before the prompts are computed
		f := start(t, l, c, func(in *enginetest.Instance) { in.Gate = gate })
		requests := []Request{greedy(prompt(1, 3, 0), 200), greedy(prompt(2, 3, 0), 200), greedy(prompt(3, 3, 0), 200)}
		var all []*Sequence
		for _, r := range requests {
			all = append(all, f.submit(t, r))
		}
		for f.Snapshot().DecodeTokens < 3 {
			gate <- struct{}{}
		}
		before := len(f.instance.Steps()) + l.Depth // so many may be under way
		for i := range 2 {
			requests = append(requests, greedy(prompt(4+i, 480, 0), 4))
			all = append(all, f.submit(t, requests[3+i]))
		}
		close(gate)
		for i, seq := range all {
			if got, _, _ := collect(t, seq); !slices.Equal(got, answer(requests[i])) {
				t.Errorf("request %d: %v", i, got)
			}
		}
		f.finish(t)
		mixed := 0
		for i, s := range f.instance.Steps()[before:] {
			decoding, prefill := 0, 0
			for _, n := range s.Rows {
				decoding += map[bool]int{true: 1}[n == 1]
				prefill = max(prefill, n)
			}
			if prefill < 5 {
				continue
			}
			if mixed++; decoding < 3 {
				t.Errorf("step %d with a prompt has %v: someone who decodes was left out", i, s.Rows)
			}
		}
		if mixed < 30 { // 960 tokens in pieces of at most 29
			t.Errorf("%d steps mixed prompts and decoding", mixed)
		}
	})
}

func TestPrefixSharing(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := start(t, l, config, nil)
		p := prompt(1, 100, 0)
		f.expect(t, greedy(p, 5))
		f.eventually(t, "100 tokens of the prompt, 4 of the answer", func(s Snapshot) bool { return s.PrefillTokens == 100 && s.DecodeTokens == 4 })
		seq := f.submit(t, greedy(p, 5))
		collect(t, seq)
		if seq.Cached() != 99 {
			t.Errorf("%d tokens of the prompt came from the cache, want 99", seq.Cached())
		}
		f.eventually(t, "cached tokens must not count as computed", func(s Snapshot) bool { return s.PrefillTokens == 101 && s.PrefixTokens == 99 })
		// Choices of one new prompt: the others follow the one that computes it.
		var choices []Request
		for i := range 4 {
			q := greedy(prompt(9, 64, 0), 6)
			q.Sampling.Temperature, q.Choice = 1, i
			choices = append(choices, q)
		}
		before := f.Snapshot().PrefillTokens
		f.expect(t, choices...)
		f.eventually(t, "four choices of a 64-token prompt compute it once", func(s Snapshot) bool { return s.PrefillTokens-before == 64+3 })
		f.finish(t)
	})
}

// When free pages run out, cached prefixes go.
func TestCachedPagesAreEvicted(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		l.Groups, l.MaxContext = []engine.GroupLimits{enginetest.Full(9)}, 128
		f := start(t, l, config, nil)
		for i := range 10 {
			f.expect(t, greedy(prompt(i, 70, 0), 3))
		}
		f.eventually(t, "pages are cached, none in use", func(s Snapshot) bool { return s.PagesCached > 0 && s.PagesUsed == 0 })
		f.finish(t)
	})
}

// When three answers of 100 tokens don't fit in nine pages of 16, the youngest gives way and is right all
// the same.
func TestPreemption(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		l.Groups, l.MaxContext = []engine.GroupLimits{enginetest.Full(9)}, 128
		gate := make(chan struct{})
		f := start(t, l, crowded, func(in *enginetest.Instance) { in.Gate = gate })
		var all []*Sequence
		for i := range 3 {
			all = append(all, f.submit(t, greedy(prompt(i, 20, 0), 80)))
		}
		close(gate)
		for i, seq := range all {
			if got, _, _ := collect(t, seq); !slices.Equal(got, answer(greedy(prompt(i, 20, 0), 80))) {
				t.Errorf("request %d: %v", i, got)
			}
		}
		f.eventually(t, "someone was preempted", func(s Snapshot) bool { return s.Preemptions > 0 })
		f.finish(t)
	})
}

// A prompt that fills its pages is admitted with the page that its answer opens: nobody is preempted for it.
func TestAdmissionKeepsAPageForTheAnswer(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		l.Groups, l.MaxContext = []engine.GroupLimits{enginetest.Full(8)}, 128
		f := start(t, l, config, nil)
		f.expect(t, greedy(prompt(1, 64, 0), 16), greedy(prompt(2, 64, 0), 16))
		if s := f.Snapshot(); s.Preemptions != 0 {
			t.Errorf("%+v", s)
		}
		f.finish(t)
	})
}

// A prompt of one token has no prompt phase of its own: it once waited for ever.
func TestShortestPrompt(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := start(t, l, config, nil)
		f.expect(t, greedy(prompt(3, 1, 0), 40))
		f.finish(t)
	})
}

func TestPromptScores(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		for _, step := range []int{8, 32} {
			f := start(t, l, Config{StepTokens: step, QueueLength: 4}, nil)
			r := greedy(prompt(1, 70, 0), 3)
			r.ScorePrompt, r.Top = true, 2
			for pass := range 2 { // the second finds the prompt in the cache, and must score it all the same
				got, scored, _ := collect(t, f.submit(t, r))
				if !slices.Equal(got, answer(r)) || len(scored) != 69 {
					t.Fatalf("pass %d: %d tokens, %d scores", pass, len(got), len(scored))
				}
				ranks := 0
				for i, e := range scored {
					ranks += int(e.Rank)
					if e.Token != r.Prompt[i+1] || len(e.Top) != 2 || e.Logprob >= 0 {
						t.Errorf("pass %d: score %d is of token %d, log-probability %g, with %d alternatives", pass, i, e.Token, e.Logprob, len(e.Top))
					}
				}
				if ranks == 0 {
					t.Errorf("pass %d: no score has a rank", pass)
				}
			}
			f.finish(t)
		}
	})
}

// What lies before the first token that is scored is not scored, and may be found in the cache; what is scored is the same.
func TestPromptScoresFrom(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := start(t, l, config, nil)
		whole := greedy(prompt(1, 70, 0), 1)
		whole.ScorePrompt, whole.Top = true, 2
		_, all, _ := collect(t, f.submit(t, whole))
		for _, from := range []int{0, 1, 2, 50, 69, 70} {
			r := whole
			r.ScoreFrom, r.MaxTokens = from, 0
			seq := f.submit(t, r)
			got, scored, _ := collect(t, seq)
			want := all[min(max(0, from-1), len(all)):]
			same := slices.EqualFunc(scored, want, func(a, b Event) bool {
				return a.Token == b.Token && a.Rank == b.Rank && a.Logprob == b.Logprob && slices.Equal(a.Top, b.Top)
			})
			if len(got) != 0 || !same {
				t.Errorf("from %d: %d tokens, %d scores, want %d", from, len(got), len(scored), len(want))
			}
			if cached := seq.Cached(); cached >= max(1, from) || from >= 50 && cached < 48 {
				t.Errorf("from %d: %d tokens were found in the cache", from, cached)
			}
		}
		f.finish(t)
	})
}

// Log-probability and rank come where they were asked for, alone or by asking for alternatives, and are 0 elsewhere:
// the instance gives them to outputs of that mode only.
func TestLogprobsAreThoseAskedFor(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := start(t, l, config, nil)
		for _, c := range []struct {
			logprobs bool
			top      int
			reported bool
		}{{false, 0, false}, {true, 0, true}, {false, 2, true}} {
			r := greedy(prompt(2, 20, 0), 12)
			r.Logprobs, r.Top = c.logprobs, c.top
			ranks := 0
			for i, e := range events(t, f.submit(t, r)) {
				// All logits of the instance are below the logarithm of their sum.
				if e.Logprob > 0 || e.Logprob < 0 != c.reported || len(e.Top) != c.top {
					t.Errorf("%+v: token %d has log-probability %g, %d alternatives", c, i, e.Logprob, len(e.Top))
				}
				ranks += int(e.Rank)
			}
			if ranks > 0 != c.reported {
				t.Errorf("%+v: ranks add up to %d", c, ranks)
			}
		}
		f.finish(t)
	})
}

// A client that never reads costs the memory of its answer, and nobody's time.
func TestSlowClient(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := start(t, l, config, nil)
		r := greedy(prompt(1, 10, 0), 400)
		silent := f.submit(t, r)
		for i := range 5 {
			f.expect(t, greedy(prompt(i+2, 40, 0), 30))
		}
		f.eventually(t, "the silent one ends as well", func(s Snapshot) bool { return s.Running == 0 })
		if got, _, _ := collect(t, silent); !slices.Equal(got, answer(r)) {
			t.Errorf("%d tokens after all", len(got))
		}
		f.finish(t)
	})
}
