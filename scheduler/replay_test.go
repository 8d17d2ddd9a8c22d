package scheduler

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the replay: prompts whose prefixes come again by Zipf's law, and one-off prompts among them, on the pools as
// they are, in virtual time. What is counted is what had to be computed again, in milliseconds of a machine whose rows take
// one, and a quarter more a thousand positions on. rivals_test.go has what hotness is compared with.

// trace is who is asked for, one after the other.
type trace struct {
	pages    []int // of each object; behind the `objects` first each is asked for once
	objects  int
	requests []int
	grown    []int // pages that each request has of its object; nil: all
	warm     int   // so many requests come before the count begins
}

// law is what a trace is drawn by.
type law struct {
	exponent          float64
	objects, requests int
	scans             float64 // the part of the requests that are one-offs
	drift             int     // after so many requests a twentieth of the objects changes places, half of them with the first; 0: never
	seed              uint64
}

// zipf draws a trace. The lengths of prompts are lognormal, as are those of published traces: 10 pages or less half of the
// time, 64 at most.
func zipf(l law) trace {
	r := rand.New(rand.NewPCG(l.seed, 1))
	length := func() int { return min(64, max(2, int(math.Exp(2.3+0.8*r.NormFloat64())))) }
	t := trace{objects: l.objects, warm: l.requests / 4}
	sums, sum := make([]float64, l.objects), 0.0
	for i := range l.objects {
		t.pages = append(t.pages, length())
		sum += math.Pow(float64(i+1), -l.exponent)
		sums[i] = sum
	}
	rank := r.Perm(l.objects)
	for i := range l.requests {
		if l.drift > 0 && i%l.drift == 0 {
			change(rank, r)
		}
		if r.Float64() < l.scans {
			t.pages = append(t.pages, length())
			t.requests = append(t.requests, len(t.pages)-1)
			continue
		}
		t.requests = append(t.requests, rank[sort.SearchFloat64s(sums, r.Float64()*sum)])
	}
	return t
}

// change lets a twentieth of the objects change places.
func change(rank []int, r *rand.Rand) {
	part := len(rank) / 20
	for range part {
		a, b := r.IntN([]int{part, len(rank)}[r.IntN(2)]), r.IntN(len(rank))
		rank[a], rank[b] = rank[b], rank[a]
	}
}

// of is how many pages of the object request i asks for.
func (t trace) of(i int) int {
	if t.grown == nil {
		return t.pages[t.requests[i]]
	}
	return t.grown[i]
}

// conversations draws a trace of them: each begins with four pages to which each turn adds some, and goes on, with the odds given, when as many others
// have had a turn as there are conversations at a time.
func conversations(atATime, requests int, goesOn float64, seed uint64) trace {
	r := rand.New(rand.NewPCG(seed, 2))
	t := trace{warm: requests / 4}
	begin := func() int {
		t.pages = append(t.pages, 4+r.IntN(12))
		return len(t.pages) - 1
	}
	open := make([]int, atATime)
	for i := range open {
		open[i] = begin()
	}
	for range requests {
		k := r.IntN(atATime)
		o := open[k]
		t.requests, t.grown = append(t.requests, o), append(t.grown, t.pages[o])
		if t.pages[o] += 1 + r.IntN(8); r.Float64() > goesOn || t.pages[o] > 120 {
			open[k] = begin()
		}
	}
	return t
}

// share is how many pages that part of all objects has.
func (t trace) share(part float64) int {
	all := 0
	for _, n := range t.pages[:t.objects] {
		all += n
	}
	return max(65, int(part*float64(all)))
}

// replayed is the machine of the replay.
func replayed() recompute {
	var r recompute
	r.observe(1000, 0, time.Second)
	r.observe(1000, 1000*1000, 1250*time.Millisecond)
	return r
}

// dry is a lane whose steps take no time and compute nothing, for what concerns pages alone.
type dry struct {
	*Lane
	start time.Time
}

func newDry(t testing.TB, l engine.Limits, c Config) *dry {
	t.Helper()
	l.MaxContext, l.Vocab = 1<<20, 1<<30
	c.StepTokens, c.QueueLength = l.MaxTokens, 1024
	s, err := newLane(NewLoop(LoopConfig{}), enginetest.New(l), c)
	if err == nil {
		err = s.renew()
	}
	if err != nil {
		t.Fatal(err)
	}
	return &dry{s, time.Unix(0, 0)}
}

// begin gives a sequence its pages. False: there are not enough.
func (d *dry) begin(r Request) (*Sequence, bool) {
	seq := newSequence(r, d.wake, time.Now)
	seq.hash(d.newest(), d.offers.Load(), nil)
	prefix, follow := d.prefix(seq)
	if follow || !d.fits(seq, prefix) {
		return seq, false
	}
	d.take(seq, prefix)
	d.running = append(d.running, seq)
	return seq, true
}

// compute makes so many tokens of the sequence known to be in pages.
func (d *dry) compute(seq *Sequence, tokens int) {
	seq.computed, seq.planned = tokens, tokens
	for g := range d.groups {
		d.groups[g].publish(&seq.tables[g], seq)
		if tokens == len(seq.request.Prompt) {
			d.groups[g].announceTail(&seq.tables[g], seq)
		}
	}
}

func (d *dry) end(seq *Sequence) {
	for i, other := range d.running {
		if other == seq {
			d.running = append(d.running[:i], d.running[i+1:]...)
			break
		}
	}
	d.letGo(seq)
}

// ask computes a prompt at that time, and tells how many tokens of it were there.
func (d *dry) ask(t testing.TB, at time.Duration, prompt []int32) (cached int) {
	t.Helper()
	d.cache.tick(d.start.Add(at))
	seq, ok := d.begin(greedy(prompt, 1))
	if !ok {
		t.Fatalf("no room for %d tokens: %d pages are used", len(prompt), d.groups[0].pool.used())
	}
	cached = seq.computed
	d.compute(seq, len(prompt))
	d.end(seq)
	return cached
}

// object is the prompt of that object: so many pages, and a token behind them.
func object(id, pages int) []int32 {
	tokens := make([]int32, pages*engine.PageTokens+1)
	for i := range tokens {
		tokens[i] = int32(id)
	}
	return tokens
}

// constants are those of hotness that the tables try.
type constants struct {
	turns   float64
	ghosts  int     // for each page
	cooling float64 // 0: as the shadows tell
}

var chosen = constants{turns: usesToHalf, ghosts: ghostsPerPage}

// hotness replays the trace on a pool of so many pages, and one for the token behind.
func (t trace) hotness(tb testing.TB, pages int, c constants) (cost float64) {
	l := testLimits(1)
	l.Groups = []engine.GroupLimits{enginetest.Full(pages + 1)}
	d := newDry(tb, l, Config{})
	machine := replayed()
	*d.cache.heat.again, d.cache.heat.turns, d.groups[0].pool.ghosts = machine, c.turns, newGhosts(c.ghosts*pages)
	d.cache.watch(d.groups, true)
	if c.cooling > 0 {
		d.cache.heat.cooling, d.cache.shadows = c.cooling, nil
	}
	for i, o := range t.requests {
		cached := d.ask(tb, 0, object(o, t.of(i))) / engine.PageTokens
		for p := cached; p < t.of(i) && i >= t.warm; p++ {
			cost += machine.page(p)
		}
	}
	if err := errors.Join(d.check(), d.checkShadows()); err != nil {
		tb.Fatal(err)
	}
	return cost
}

// cell is a trace on a cache of a part of its objects, and what of the gap between recency and foresight the others close.
type cell struct {
	exponent, part     float64
	hotness, tinyLFU   float64
	recency, foresight float64 // milliseconds
}

func (l law) cells(tb testing.TB, c constants) (cells []cell) {
	for _, l.exponent = range []float64{0.8, 1.0, 1.2} {
		t := zipf(l)
		for _, part := range []float64{0.05, 0.2, 0.5} {
			pages := t.share(part)
			of := cell{exponent: l.exponent, part: part, recency: t.recency(pages), foresight: t.foresight(pages)}
			gap := of.recency - of.foresight
			of.hotness, of.tinyLFU = (of.recency-t.hotness(tb, pages, c))/gap, (of.recency-t.tinyLFU(pages))/gap
			cells = append(cells, of)
		}
	}
	return cells
}

// worst is the least of what hotness closes, and the least that it is before W-TinyLFU by.
func worst(cells []cell) (closed, ahead float64) {
	closed, ahead = 1, 1
	for _, c := range cells {
		closed, ahead = min(closed, c.hotness), min(ahead, c.hotness-c.tinyLFU)
	}
	return closed, ahead
}

// Of what recency computes again and foresight does not, hotness spares half at least in each cell, and is never behind
// W-TinyLFU by a point.
func TestHotnessClosesTheGap(t *testing.T) {
	for _, c := range (law{objects: 200, requests: 5000, scans: 0.2, seed: 1}).cells(t, chosen) {
		t.Logf("Zipf %.1f, cache %2.0f%%: hotness closes %.0f%%, W-TinyLFU %.0f%%", c.exponent, 100*c.part, 100*c.hotness, 100*c.tinyLFU)
		if c.hotness < 0.5 || c.hotness < c.tinyLFU-0.01 {
			t.Errorf("Zipf %.1f, cache %.0f%%: hotness closes %.2f of the gap, W-TinyLFU %.2f", c.exponent, 100*c.part, c.hotness, c.tinyLFU)
		}
	}
}

// talk is a trace of a hundred conversations at a time, of which each turn is the last of one in five, and the pages of that part of
// what they have together.
func talk(requests int, part float64) (t trace, pages int) {
	t = conversations(100, requests, 0.8, 1)
	all := 0
	for i := range t.requests {
		all += t.of(i)
	}
	return t, int(part * 100 * float64(all) / float64(len(t.requests)))
}

// Where what was used often is over, recency is right, and hotness finds out: it computes a few percent more at most. Uses alone
// would have it compute much more.
func TestHotnessInConversations(t *testing.T) {
	for _, part := range []float64{0.3, 1, 1.5} {
		talks, pages := talk(2500, part)
		recency, hot := talks.recency(pages), talks.hotness(t, pages, chosen)
		if hot > 1.03*recency {
			t.Errorf("cache of %.0f%%: %.0f s are computed, and %.0f s by recency", 100*part, hot/1000, recency/1000)
		}
	}
	talks, pages := talk(2500, 1.5)
	slow := chosen
	slow.cooling = 1
	if recency, uses := talks.recency(pages), talks.hotness(t, pages, slow); uses < 1.5*recency {
		t.Errorf("uses alone compute %.0f s, recency %.0f s: the trace tells nothing", uses/1000, recency/1000)
	}
}

// BenchmarkHotness prints the tables of docs/POLICY.md.
func BenchmarkHotness(b *testing.B) {
	for b.Loop() {
		whole := law{objects: 500, requests: 20000, scans: 0.2, seed: 1}
		fmt.Print("\n| Zipf | cache | recency, s | foresight, s | W-TinyLFU | hotness |\n| --- | --- | --- | --- | --- | --- |\n")
		for _, c := range whole.cells(b, chosen) {
			fmt.Printf("| %.1f | %.0f%% | %.0f | %.0f | %.0f%% | %.0f%% |\n", c.exponent, 100*c.part, c.recency/1000, c.foresight/1000, 100*c.tinyLFU, 100*c.hotness)
		}
		fmt.Print("\n| seed | worst cell | least ahead of W-TinyLFU, points |\n| --- | --- | --- |\n")
		for seed := range uint64(5) {
			other := whole
			other.seed = seed + 1
			closed, ahead := worst(other.cells(b, chosen))
			fmt.Printf("| %d | %.0f%% | %+.0f |\n", other.seed, 100*closed, 100*ahead)
		}
		fmt.Print("\n| cache | recency, s | foresight, s | uses alone, s | hotness, s |\n| --- | --- | --- | --- | --- |\n")
		slow := chosen
		slow.cooling = 1
		for _, part := range []float64{0.3, 0.6, 1, 1.5} {
			t, pages := talk(10000, part)
			fmt.Printf("| %.0f%% | %.0f | %.0f | %.0f | %.0f |\n", 100*part, t.recency(pages)/1000, t.foresight(pages)/1000, t.hotness(b, pages, slow)/1000, t.hotness(b, pages, chosen)/1000)
		}
		moving := whole
		moving.drift = 2000
		fmt.Print("\n| uses of the pool to a half-life | worst cell | ahead | worst, drifting | ahead, drifting |\n| --- | --- | --- | --- | --- |\n")
		for _, turns := range []float64{2, 5, 10, 20, 40, 80} {
			closed, ahead := worst(whole.cells(b, constants{turns: turns, ghosts: ghostsPerPage}))
			moved, movedAhead := worst(moving.cells(b, constants{turns: turns, ghosts: ghostsPerPage}))
			fmt.Printf("| %.0f | %.0f%% | %+.0f | %.0f%% | %+.0f |\n", turns, 100*closed, 100*ahead, 100*moved, 100*movedAhead)
		}
		fmt.Print("\n| remembered contents a page | worst cell | ahead | worst, drifting | ahead, drifting |\n| --- | --- | --- | --- | --- |\n")
		for _, ghosts := range []int{0, 1, 2, 4, 8, 16} {
			closed, ahead := worst(whole.cells(b, constants{turns: usesToHalf, ghosts: ghosts}))
			moved, movedAhead := worst(moving.cells(b, constants{turns: usesToHalf, ghosts: ghosts}))
			fmt.Printf("| %d | %.0f%% | %+.0f | %.0f%% | %+.0f |\n", ghosts, 100*closed, 100*ahead, 100*moved, 100*movedAhead)
		}
	}
}
