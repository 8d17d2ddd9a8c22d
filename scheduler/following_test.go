package scheduler

import (
	"context"
	"slices"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of who waits for whose pages, and of what it costs to find out.

// followed is a lane whose loop the test turns, with sequences of one prompt that came at the same moment.
func followed(t *testing.T, requests ...Request) (*Loop, *Lane, []*Sequence) {
	t.Helper()
	l := testLimits(1)
	l.MaxContext = 512
	loop, s := still(t, enginetest.New(l), Config{StepTokens: 64, QueueLength: 16})
	turn(t, loop)
	all, err := s.SubmitGroup(context.Background(), requests)
	if err != nil {
		t.Fatal(err)
	}
	turn(t, loop)
	return loop, s, all
}

// untilDone turns the loop until a sequence has its last event, and fails if it waits for more turns than that.
func untilDone(t *testing.T, loop *Loop, s *Lane, seq *Sequence, turns int) {
	t.Helper()
	for range turns {
		if n := seq.delivered(); n > 0 && seq.events[n-1].Finish != Running {
			return
		}
		turn(t, loop)
		if err := s.check(); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("no end after %d turns", turns)
}

// When whoever computes a prefix goes, the first that waits computes what is left of it, and the others wait for that one.
func TestFirstWaiterInherits(t *testing.T) {
	for name, goes := range map[string]func(*Lane, *Sequence){
		"cancelled": func(_ *Lane, seq *Sequence) { seq.Stop() },
		"failed": func(s *Lane, seq *Sequence) {
			s.running = slices.DeleteFunc(s.running, func(other *Sequence) bool { return other == seq })
			s.letGo(seq)
		},
	} {
		t.Run(name, func(t *testing.T) {
			long := greedy(prompt(1, 400, 0), 1)
			loop, s, all := followed(t, long, long, long)
			if s.owner(all[1]) != all[0] || s.owner(all[2]) != all[0] || s.owner(all[0]) != nil {
				t.Fatal("the others do not wait for the first")
			}
			turn(t, loop) // 128 tokens: eight pages
			goes(s, all[0])
			turn(t, loop)
			if s.owner(all[1]) != nil || !all[1].runs() || s.owner(all[2]) != all[1] || all[2].runs() {
				t.Fatal("the second does not compute, or the third does not wait for it")
			}
			untilDone(t, loop, s, all[2], 20)
			if s.stats.PrefillTokens != 128+(400-128)+16 || all[1].Cached() != 128 || all[2].Cached() != 384 {
				t.Errorf("%d tokens computed, %d and %d found", s.stats.PrefillTokens, all[1].Cached(), all[2].Cached())
			}
		})
	}
}

// One that is preempted goes first again, and what it had is there.
func TestPreemptedOwner(t *testing.T) {
	long := greedy(prompt(1, 400, 0), 1)
	loop, s, all := followed(t, long, long)
	s.preempt(all[0])
	turn(t, loop)
	if !all[0].runs() || s.owner(all[1]) != all[0] {
		t.Error("the owner does not run, or nobody waits for it")
	}
	untilDone(t, loop, s, all[1], 20)
	if s.stats.PrefillTokens != 416 {
		t.Errorf("%d tokens computed, want 416", s.stats.PrefillTokens)
	}
}

// Who waits for a prefix that a background sequence computes lends it its class, up to where they part: that much is not
// background work.
func TestWaiterLendsItsClass(t *testing.T) {
	shared := prompt(1, 256, 0)
	loop, s, all := followed(t, later(greedy(slices.Concat(shared, prompt(2, 200, 0)), 1)))
	turn(t, loop)
	front, err := s.Submit(context.Background(), greedy(slices.Concat(shared, prompt(3, 20, 0)), 2))
	if err != nil {
		t.Fatal(err)
	}
	before := len(s.instance.(*enginetest.Instance).Steps())
	untilDone(t, loop, s, front, 30)
	if all[0].delivered() > 0 {
		t.Error("it waited for more than what they share")
	}
	untilDone(t, loop, s, all[0], 30)
	foreground, background := 0, 0
	for _, step := range s.instance.(*enginetest.Instance).Steps()[before:] {
		if step.Background {
			background += step.Tokens
		} else {
			foreground += step.Tokens
		}
	}
	if front.Cached() != 256 || foreground < 128+20+1 || background < 100 || foreground+background != 456-128+20+1 {
		t.Errorf("%d tokens found; %d computed in foreground steps, %d in the background", front.Cached(), foreground, background)
	}
}

// A follower of the same prompt with another salt waits for nobody.
func TestSaltsDoNotFollow(t *testing.T) {
	a, b := greedy(prompt(1, 400, 0), 1), greedy(prompt(1, 400, 0), 1)
	a.Salt, b.Salt = "a", "b"
	_, s, all := followed(t, a, b)
	if s.owner(all[1]) != nil || !all[1].runs() {
		t.Error("one waits for another tenant's pages")
	}
}

// Keys are computed where the request is made, and anew where other weights came meanwhile.
func TestKeysAreComputedBySubmit(t *testing.T) {
	loop, s, _ := followed(t)
	r := greedy(prompt(1, 400, 0), 1)
	all, err := s.SubmitGroup(context.Background(), []Request{r, r})
	if err != nil {
		t.Fatal(err)
	}
	want := s.newest().root.of("")
	for i := range 25 {
		want = keyOf(want, r.Prompt[16*i:][:16])
	}
	for _, seq := range all {
		if len(seq.keys) != 25 || seq.keys[24] != want {
			t.Errorf("%d keys, the last %x", len(seq.keys), seq.keys[len(seq.keys)-1])
		}
	}
	if _, err := s.Replace(weightsOf(2), nil); err != nil {
		t.Fatal(err)
	}
	turn(t, loop)
	if all[0].generation.id != 2 || all[0].keys[24] == want {
		t.Error("the keys are those of the weights before")
	}
	untilDone(t, loop, s, all[1], 20)
}

// A turn's questions about pages allocate nothing, however long prompts are.
func TestPagesAllocateNothing(t *testing.T) {
	d := dryOf(t, Config{}, enginetest.Full(4000))
	owner, _ := d.begin(greedy(object(1, 500), 1))
	d.compute(owner, 100*engine.PageTokens)
	follower := newSequence(greedy(object(1, 500), 1), d.wake, time.Now)
	follower.hash(d.newest(), d.offers.Load(), nil)
	lacking := newSequence(greedy(object(2, 3600), 1), d.wake, time.Now)
	lacking.hash(d.newest(), d.offers.Load(), nil)
	for name, ask := range map[string]func(){
		"a follower": func() {
			if _, follow := d.prefix(follower); !follow {
				t.Fatal("it does not follow")
			}
		},
		"one that lacks pages": func() {
			if n, _ := d.prefix(lacking); n != 0 || d.fits(lacking, n) {
				t.Fatal("it fits")
			}
		},
		"one page more": func() { d.compute(owner, owner.computed+1) },
	} {
		if n := testing.AllocsPerRun(100, ask); n != 0 {
			t.Errorf("%s: %.0f allocations", name, n)
		}
	}
}

// BenchmarkPages is what a step asks of pages, with prompts of 8,000 tokens and 512 sequences.
func BenchmarkPages(b *testing.B) {
	const pages, sequences = 500, 512
	d := dryOf(b, Config{}, enginetest.Full(sequences*8+3*pages))
	owner, _ := d.begin(greedy(object(1, pages), 1))
	d.compute(owner, 100*engine.PageTokens)
	var followers, decoding []*Sequence
	for i := range sequences {
		seq := newSequence(greedy(object(1, pages), 1), d.wake, time.Now)
		seq.hash(d.newest(), d.offers.Load(), nil)
		followers = append(followers, seq)
		short, _ := d.begin(greedy(object(10+i, 7), 16))
		decoding = append(decoding, short)
	}
	b.Run("prefix of 512 followers", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, seq := range followers {
				d.prefix(seq)
			}
		}
	})
	b.Run("prefix of 512 others", func(b *testing.B) { // each looks at the tree
		b.ReportAllocs()
		for b.Loop() {
			for _, seq := range followers {
				seq.follows = following{}
				d.prefix(seq)
			}
		}
	})
	d.compute(owner, pages*engine.PageTokens)
	b.Run("fits of a prefix of 500 pages", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d.fits(followers[0], pages)
		}
	})
	b.Run("take and letGo of a prefix of 500 pages", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d.take(followers[0], pages)
			d.letGo(followers[0])
		}
	})
	b.Run("publish of 512 that decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, seq := range decoding {
				d.advance(seq)
				d.compute(seq, seq.computed)
			}
		}
	})
	d.end(owner)
	b.Run("take, publish and letGo of 8,000 new tokens", func(b *testing.B) {
		b.ReportAllocs()
		id := 10000
		for b.Loop() {
			id++
			b.StopTimer()
			seq := newSequence(greedy(object(id, pages), 1), d.wake, time.Now)
			seq.hash(d.newest(), d.offers.Load(), nil)
			b.StartTimer()
			d.take(seq, 0)
			d.compute(seq, pages*engine.PageTokens)
			d.letGo(seq)
		}
	})
	b.Run("keys of 8,000 tokens, by Submit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			newSequence(greedy(object(1, pages), 1), d.wake, time.Now).hash(d.newest(), d.offers.Load(), nil)
		}
	})
}
