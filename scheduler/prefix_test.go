package scheduler

import (
	"context"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the test of the count of pages beside a prefix that is shared.

// Cached pages of a prefix count as available until they are shared, but the sequence that shares them takes none of them for
// what is behind the prefix.
func TestRoomBesideACachedPrefix(t *testing.T) {
	l := testLimits(1)
	l.Groups = []engine.GroupLimits{enginetest.Full(5)}
	loop, s := still(t, enginetest.New(l), Config{StepTokens: 64, QueueLength: 4, Without: withWatermark})
	submit := func(r Request) *Sequence {
		seq, err := s.Submit(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	submit(greedy(prompt(1, 2*engine.PageTokens+1, 0), 1)) // leaves two pages cached
	turn(t, loop)
	held := submit(greedy(prompt(2, engine.PageTokens+1, 0), 8)) // holds two of the others
	turn(t, loop)
	for _, c := range []struct {
		tokens int
		fits   bool
	}{{2*engine.PageTokens + 1, true}, {3*engine.PageTokens - 1, true}, {3 * engine.PageTokens, false}, {4 * engine.PageTokens, false}} {
		seq := newSequence(greedy(append(prompt(1, 2*engine.PageTokens+1, 0), prompt(3, c.tokens-2*engine.PageTokens-1, 0)...), 1), s.wake, time.Now)
		s.join(seq)
		prefix, _ := s.prefix(seq)
		if fits := s.fits(seq, prefix); prefix != 2 || fits != c.fits {
			t.Errorf("%d tokens behind a prefix of %d pages, with one page free: fits is %v", c.tokens, prefix, fits)
		}
	}
	held.Stop()
	turn(t, loop)
}
