package scheduler

import (
	"math/rand/v2"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of what penalties count.

// Each token is counted once, in prompt and answer together, and in the answer alone.
func TestSeenTokens(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		prompt := make([]int32, 1+random.IntN(200))
		for i := range prompt {
			prompt[i] = random.Int32N(60)
		}
		want := map[int32]engine.Penalty{}
		note := func(token, generated int32) {
			p := want[token]
			want[token] = engine.Penalty{Token: token, Seen: p.Seen + 1, Generated: p.Generated + generated}
		}
		for _, token := range prompt {
			note(token, 0)
		}
		s := occurrencesIn(prompt)
		for range random.IntN(100) {
			token := random.Int32N(90)
			note(token, 1)
			s.add(token)
		}
		if len(s.counts) != len(want) {
			t.Fatalf("%d tokens are counted of %d", len(s.counts), len(want))
		}
		for _, p := range s.counts {
			if p != want[p.Token] {
				t.Fatalf("counted as %+v, want %+v", p, want[p.Token])
			}
		}
	}
}

// The loop counts no prompt: what a sequence is submitted with is counted by whom it is of, and not again when it is let in.
func TestPromptsAreCountedWhereTheyAreSubmitted(t *testing.T) {
	loop, lane := still(t, enginetest.New(testLimits(1)), config)
	r := greedy(prompt(1, 100, 0), 5)
	r.Sampling.Frequency = 0.5
	seq, err := lane.Submit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	sum := func() (seen, generated int) {
		for _, p := range seq.seen.counts {
			seen, generated = seen+int(p.Seen), generated+int(p.Generated)
		}
		return seen, generated
	}
	if seen, generated := sum(); seen != 100 || generated != 0 {
		t.Errorf("before the loop has seen it: %d tokens, %d of an answer", seen, generated)
	}
	for seq.generated < 3 {
		turn(t, loop)
	}
	if seen, generated := sum(); seen != 103 || generated != 3 {
		t.Errorf("with three of the answer: %d tokens, %d of the answer", seen, generated)
	}
}
