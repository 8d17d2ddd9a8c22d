package scheduler

import (
	"testing"
	"time"
)

// This file owns the tests of the token budget. A step takes 10 ms and 1 ms a row: with eight who decode 18.

// decoding is a world in which so many of a class read along.
func decoding(t *testing.T, n int, class Class, c Config) (*world, *Lane) {
	c.StepTokens, c.QueueLength = 512, 64
	w, lane := one(t, roomy(16, 512), c)
	for i := range n {
		w.submit(lane, as(class, greedy(prompt(100+i, 8, 0), 4000)))
	}
	w.until("all decode", func() bool { return lane.Snapshot().DecodeTokens > uint64(4*n) || n == 0 })
	w.devices[0].took = nil
	return w, lane
}

func TestLongPromptsLeaveRoom(t *testing.T) {
	for _, c := range []struct {
		name    string
		decode  int
		class   Class
		config  Config
		prompt  int
		longest time.Duration // step, while it is computed
		first   time.Duration // token, within; it takes 4000 ms, 8 steps, alone
	}{
		{"auto", 8, Interactive, Config{}, 4000, 37800 * time.Microsecond, 8500 * time.Millisecond},
		{"nobody reads along", 8, Batch, Config{}, 4000, 522 * time.Millisecond, 4200 * time.Millisecond},
		{"nobody decodes", 0, Interactive, Config{}, 4000, 522 * time.Millisecond, 4080 * time.Millisecond},
		{"a short prompt", 8, Interactive, Config{}, 400, 146 * time.Millisecond, 472 * time.Millisecond}, // ShortRows
		{"itl", 8, Interactive, Config{ITL: 100 * time.Millisecond}, 4000, 100 * time.Millisecond, 5000 * time.Millisecond},
		{"itl, a short prompt", 8, Interactive, Config{ITL: 100 * time.Millisecond}, 400, 100 * time.Millisecond, 550 * time.Millisecond},
		{"an itl that can't be kept", 8, Interactive, Config{ITL: time.Millisecond}, 400, 26 * time.Millisecond, 1350 * time.Millisecond},
		{"left out", 8, Interactive, Config{Without: withBudget}, 4000, 522 * time.Millisecond, 4200 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, lane := decoding(t, c.decode, c.class, c.config)
			seq := w.submit(lane, greedy(prompt(1, c.prompt, 0), 1))
			w.until("its first token", seq.first)
			longest := time.Duration(0)
			for _, d := range w.devices[0].took {
				longest = max(longest, d)
			}
			if longest > c.longest || longest < c.longest*8/10 || seq.ttft() > c.first || seq.ttft() < c.first*8/10 {
				t.Errorf("steps of %v at most, want %v; the first token after %v, want %v", longest, c.longest, seq.ttft(), c.first)
			}
		})
	}
}

// Where rows are cheap it is time that bounds what short prompts make of a step.
func TestShortPromptsKeepStepsShort(t *testing.T) {
	r := DefaultRules
	c := CostFrom(CostState{ConstantMS: 4, DecodeRowMS: 1, PrefillRowMS: 0.2})
	p := pace{decodes: true, base: Shape{Decode: 8}}
	all, _ := p.rows(c, &r)
	if took := c.Predict(Shape{Decode: 8, Prefill: all}); took > r.ShortStep || took < r.ShortStep*9/10 {
		t.Errorf("%d rows, a step of %v; want %v", all, took, r.ShortStep)
	}
	p.decodes, p.others = false, 12*time.Millisecond // another lane's answers wait for it
	if beside, _ := p.rows(c, &r); beside < all || beside > all+8*5 {
		t.Errorf("beside another lane's answers %d rows, of its own %d", beside, all)
	}
	slow := CostFrom(CostState{ConstantMS: 40, DecodeRowMS: 10, PrefillRowMS: 10})
	if all, _ := p.rows(slow, &r); all != r.ShortRows {
		t.Errorf("%d rows where they take long, want %d", all, r.ShortRows)
	}
	p = pace{decodes: true, base: Shape{Decode: 1}} // 50 ms, and 55 more are five rows
	if _, long := p.rows(slow, &r); long != r.LeastRows {
		t.Errorf("%d rows of a long prompt where they take long, want %d", long, r.LeastRows)
	}
}

// A long prompt of one lane delays the answers of another by no more than one of their own would.
func TestLongPromptsOfOtherLanes(t *testing.T) {
	w, _ := decoding(t, 8, Interactive, Config{})
	other := w.add(roomy(4, 512), Config{StepTokens: 512, QueueLength: 4})
	w.turn()
	long := w.submit(other, greedy(prompt(1, 4000, 0), 1))
	w.until("it is under way", func() bool { return len(w.devices[1].took) > 3 })
	for _, d := range w.devices[1].took {
		if d > 20*time.Millisecond { // as their own may be lengthened: nine rows
			t.Errorf("a step of %v beside answers of 18 ms", d)
		}
	}
	w.until("it has its first token", long.first)
}
