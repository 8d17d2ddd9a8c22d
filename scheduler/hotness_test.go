package scheduler

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of hotness: what stays, what goes, and that the index is a tree whatever happens.

func dryOf(t testing.TB, c Config, groups ...engine.GroupLimits) *dry {
	t.Helper()
	l := testLimits(1)
	l.Groups = groups
	return newDry(t, l, c)
}

// askFor asks for an object several times, one second after the other from a time on.
func (d *dry) askFor(t *testing.T, id, pages, times int, from time.Duration) (cached int) {
	t.Helper()
	for i := range times {
		cached = d.ask(t, from+time.Duration(i)*time.Second, object(id, pages)) / engine.PageTokens
		if err := d.check(); err != nil {
			t.Fatal(err)
		}
	}
	return cached
}

// left is how many pages of the object are there.
func (d *dry) left(id, pages int) int {
	seq := newSequence(greedy(object(id, pages), 1), d.wake, time.Now)
	seq.hash(d.newest(), d.offers.Load(), nil)
	found, _ := d.prefix(seq)
	return found
}

// What is asked for again stays, however much is asked for once; that takes the pages of what was asked for once before it.
func TestHotPrefixesStay(t *testing.T) {
	d := dryOf(t, Config{}, enginetest.Full(40))
	d.askFor(t, 1, 10, 3, 0)
	d.askFor(t, 2, 10, 2, 0)
	for i := range 30 {
		if cached := d.askFor(t, 100+i, 12, 1, time.Minute); cached != 0 {
			t.Errorf("%d pages of a new prompt were there", cached)
		}
	}
	if a, b := d.left(1, 10), d.left(2, 10); a != 10 || b != 10 {
		t.Errorf("of two hot prefixes of 10 pages %d and %d are left", a, b)
	}
}

// When the pool is full, what is colder than all that is cached is not kept in its place.
func TestOneOffIsNotKept(t *testing.T) {
	d := dryOf(t, Config{}, enginetest.Full(24))
	pool := d.groups[0].pool
	d.askFor(t, 1, 20, 3, 0)
	seq, _ := d.begin(greedy(object(2, 7)[:7*engine.PageTokens], 1)) // takes the four that are free, and three of the end of the first
	d.compute(seq, 7*engine.PageTokens)
	if len(pool.free) != 0 || pool.cached != 17 {
		t.Fatalf("%d pages are free, %d cached", len(pool.free), pool.cached)
	}
	d.end(seq)
	if d.left(2, 7) != 6 || len(pool.free) != 1 || d.left(1, 20) != 17 {
		t.Errorf("%d pages of the one-off are there, %d of what is hot", d.left(2, 7), d.left(1, 20))
	}
	if err := d.check(); err != nil {
		t.Error(err)
	}
}

// A running sequence is never short of pages for the sake of what is hot: it takes the coldest.
func TestRunningTakesWhatIsHot(t *testing.T) {
	d := dryOf(t, Config{}, enginetest.Full(41))
	d.askFor(t, 1, 20, 9, 0)
	d.askFor(t, 2, 19, 5, 0)
	d.askFor(t, 3, 25, 1, time.Minute)
	if a, b := d.left(1, 20), d.left(2, 19); a != 15 || b != 0 {
		t.Errorf("%d pages are left of the hotter prefix, want 15, and %d of the colder", a, b)
	}
}

// A use counts half after a half-life: of what was asked for often, long ago, and what is asked for now, the former goes.
func TestUsesFade(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		later  func(d *dry) time.Duration
	}{
		"with time": {Config{HalfLife: time.Minute}, func(*dry) time.Duration { return 5 * time.Minute }},
		"with uses": {Config{}, func(d *dry) time.Duration {
			d.groups[0].pool.counted += 5 * usesToHalf * 22
			return 0
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, fade := range []bool{false, true} {
				d := dryOf(t, c.config, enginetest.Full(22))
				d.askFor(t, 1, 9, 8, 0)
				at := time.Duration(0)
				if fade {
					at = c.later(d)
				}
				d.askFor(t, 2, 9, 2, at)
				d.askFor(t, 3, 9, 1, at)
				if old, young := d.left(1, 9), d.left(2, 9); (old < 9) != fade || (young < 9) == fade {
					t.Errorf("when uses have faded is %v: %d pages of the old are left, %d of the young", fade, old, young)
				}
			}
		})
	}
}

// When the shadows tell that recency is better, what was used last stays at once, whatever was used more often.
func TestRuleChanges(t *testing.T) {
	d := dryOf(t, Config{}, enginetest.Full(22))
	d.askFor(t, 1, 9, 8, 0)
	d.askFor(t, 2, 9, 1, 0)
	d.cache.shadows[0].cost, d.cache.shadows[1].cost = 1e9, 1
	d.askFor(t, 3, 9, 1, 0)
	if !d.cacheState().Recency || d.left(1, 9) == 9 || d.left(2, 9) != 9 {
		t.Errorf("%d pages are left of what was used often, %d of what was used last", d.left(1, 9), d.left(2, 9))
	}
	d.cache.shadows[0].cost, d.cache.shadows[1].cost = 1, 1e9
	d.askFor(t, 4, 3, 1, 0)
	if d.cacheState().Recency {
		t.Error("it does not change back")
	}
}

// What was given away and comes back is known, so that it may stay the next time.
func TestWhatComesBackIsKnown(t *testing.T) {
	d := dryOf(t, Config{}, enginetest.Full(12))
	d.askFor(t, 1, 5, 3, 0)
	d.askFor(t, 2, 11, 1, time.Minute) // takes all
	if d.left(1, 5) != 0 {
		t.Fatal("it is still there")
	}
	d.askFor(t, 1, 5, 1, 2*time.Minute)
	if got := d.uses(1); got != 4 {
		t.Errorf("what was asked for four times has %d uses", got)
	}
	d.askFor(t, 3, 6, 1, 3*time.Minute)
	if got := d.left(1, 5); got != 5 {
		t.Errorf("%d pages are left of what came back for the fourth time, beside what came once", got)
	}
}

// All choices of a request are one use of what they share, and one that was preempted has not asked again.
func TestOneRequestIsOneUse(t *testing.T) {
	d := dryOf(t, Config{}, enginetest.Full(40))
	d.askFor(t, 1, 5, 1, 0)
	for choice := range 3 {
		r := greedy(object(1, 5), 4)
		r.Choice = choice
		seq, _ := d.begin(r)
		d.running = nil
		d.letGo(seq)
		d.take(seq, 5) // it is preempted and comes again
		d.letGo(seq)
	}
	if got := d.uses(1); got != 2 {
		t.Errorf("two requests, one of three choices that were preempted: %d uses", got)
	}
}

// uses is how often the object's first page was used.
func (d *dry) uses(id int) uint32 {
	n, _ := d.groups[0].pool.find(keyOf(d.newest().root, object(id, 1)[:engine.PageTokens]))
	return d.groups[0].pool.nodes[n].uses
}

// Pages deep in a prefix take longer to compute, and are worth more for it.
func TestDearPagesStay(t *testing.T) {
	for _, measured := range []bool{false, true} {
		d := dryOf(t, Config{}, enginetest.Full(62))
		if measured {
			*d.cache.heat.again = replayed()
		}
		d.askFor(t, 1, 40, 2, 0) // its end is older, and dearer
		d.askFor(t, 2, 20, 2, 0)
		d.askFor(t, 3, 4, 1, 0)
		if long, short := d.left(1, 40), d.left(2, 20); (long == 40) != measured || (short == 20) == measured {
			t.Errorf("when pages were measured is %v: %d pages of the long prefix are left, %d of the short", measured, long, short)
		}
	}
}

// The line through what steps took.
func TestRecompute(t *testing.T) {
	for name, c := range map[string]struct {
		row, position float64 // ms
		depths        []int
		row0, each    float64 // what is found
	}{
		"two depths":          {1, 0.001, []int{0, 1000}, 1, 0.001},
		"many":                {0.5, 0.0002, []int{100, 900, 300, 4000, 20}, 0.5, 0.0002},
		"one depth tells all": {2, 0, []int{64, 64, 64}, 2, 0},
		"never below zero":    {2, -0.0001, []int{0, 1000}, 1.95, 0},
		"nothing":             {2, 0, nil, 0, 0},
		"attention alone":     {0, 0.01, []int{100, 100.0}, 1, 0},
		"less than attention": {-1, 0.02, []int{100, 200}, 1, 1. / 150},
	} {
		var r recompute
		for _, depth := range c.depths {
			r.observe(600, 600*depth, time.Duration((c.row+c.position*float64(depth))*600*1e6))
		}
		if row, each := r.line(); !near(row, c.row0) || !near(each, c.each) {
			t.Errorf("%s: %.5f ms a row and %.6f a position, want %.5f and %.6f", name, row, each, c.row0, c.each)
		}
	}
	var r recompute
	r.observe(leastPrefill-1, 0, time.Second)
	r.observe(100, 0, 0)
	if r.rows != 0 || r.page(3) != 0 || r.relative(3) != 1 {
		t.Errorf("steps that tell nothing were counted: %+v", r)
	}
	r = replayed()
	if r.page(0) < 16 || r.page(0) > 16.1 || !near(r.relative(100), 1.4) {
		t.Errorf("the first page takes %.3f ms, the hundredth %.3f times as long", r.page(0), r.relative(100))
	}
	for range 100 { // a machine that is twice as fast
		r.observe(1000, 0, 500*time.Millisecond)
	}
	if got := r.page(0); got > 10 {
		t.Errorf("after 100,000 rows of 0.5 ms a page takes %.1f ms", got)
	}
}

func near(a, b float64) bool { return a-b < 0.005*max(1, b) && b-a < 0.005*max(1, b) }

// Whatever comes and goes, in whichever order: pages are in one state, the index is a tree, leaves alone are evicted, and one who
// fits finds pages.
func TestPoolProperties(t *testing.T) {
	full, window := enginetest.Full(60), enginetest.Windowed(50, 40)
	for _, groups := range [][]engine.GroupLimits{{full}, {full, window}, {window}, {full, enginetest.Full(50)}} {
		for seed := range uint64(12) {
			r := rand.New(rand.NewPCG(seed, 9))
			d := dryOf(t, Config{HalfLife: time.Duration(r.IntN(2)) * time.Second}, groups...)
			d.longest = 400
			var live []*Sequence
			for step := range 300 {
				d.cache.tick(d.start.Add(time.Duration(step) * 100 * time.Millisecond))
				switch k := r.IntN(10); {
				case k < 3:
					q := greedy(prompt(r.IntN(4), 1+r.IntN(330), r.IntN(96)), 100)
					q.Choice, q.ScorePrompt = r.IntN(2), r.IntN(8) == 0
					if seq, ok := d.begin(q); ok {
						live = append(live, seq)
					}
				case k < 8 && len(live) > 0:
					seq := live[r.IntN(len(live))]
					d.generate(seq, 1+r.IntN(60), int32(r.IntN(2)))
				case len(live) > 0:
					i := r.IntN(len(live))
					d.end(live[i])
					live = slices.Delete(live, i, i+1)
				}
				if err := d.check(); err != nil {
					t.Fatalf("%d groups, seed %d, step %d: %v", len(groups), seed, step, err)
				}
			}
		}
	}
}

// generate computes so many tokens more of a sequence as its pages hold, those of its answer among them, which are alike.
func (d *dry) generate(seq *Sequence, n int, token int32) {
	for range n {
		if seq.computed == len(seq.tokens) {
			if seq.full(seq.known(), 400) {
				return
			}
			seq.append(token)
		}
		seq.planned = seq.computed
		if !d.advance(seq) {
			return
		}
		d.compute(seq, seq.computed+1)
	}
}
