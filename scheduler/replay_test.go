package scheduler

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"strings"
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
	warm     int // so many requests come before the count begins
}

// zipf draws a trace. The lengths of prompts are lognormal, as are those of published traces: 10 pages half of the time, 64 at most.
func zipf(exponent float64, objects, requests int, scans float64, seed uint64) trace {
	r := rand.New(rand.NewPCG(seed, 1))
	length := func() int { return min(64, max(2, int(math.Exp(2.3+0.8*r.NormFloat64())))) }
	t := trace{objects: objects, warm: requests / 4}
	sums, sum := make([]float64, objects), 0.0
	for i := range objects {
		t.pages = append(t.pages, length())
		sum += math.Pow(float64(i+1), -exponent)
		sums[i] = sum
	}
	rank := r.Perm(objects)
	for range requests {
		if r.Float64() < scans {
			t.pages = append(t.pages, length())
			t.requests = append(t.requests, len(t.pages)-1)
			continue
		}
		t.requests = append(t.requests, rank[sort.SearchFloat64s(sums, r.Float64()*sum)])
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
	s, err := New(enginetest.New(l), c)
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
	seq := newSequence(r, d.wake)
	seq.hash(d.newest(), nil)
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

// between is the virtual time from one request to the next.
const between = 200 * time.Millisecond

// hotness replays the trace on a pool of so many pages, and one for the token behind.
func (t trace) hotness(tb testing.TB, pages int, halfLife time.Duration) (cost float64) {
	l := testLimits(1)
	l.Groups = []engine.GroupLimits{enginetest.Full(pages + 1)}
	d := newDry(tb, l, Config{HalfLife: halfLife})
	machine := replayed()
	d.cache.heat.again = machine
	for i, o := range t.requests {
		cached := d.ask(tb, time.Duration(i)*between, object(o, t.pages[o])) / engine.PageTokens
		for p := cached; p < t.pages[o] && i >= t.warm; p++ {
			cost += machine.page(p)
		}
	}
	if err := d.check(); err != nil {
		tb.Fatal(err)
	}
	return cost
}

// closed is how much of the gap between recency and foresight a policy closes.
func closed(recency, foresight, cost float64) float64 {
	return (recency - cost) / (recency - foresight)
}

// cell is a share of the cache and an exponent, and what policies make of them.
type cell struct{ exponent, part, hotness, tinyLFU float64 }

func replayCells(tb testing.TB, objects, requests int, seed uint64, halfLife time.Duration) (cells []cell) {
	for _, exponent := range []float64{0.8, 1.0, 1.2} {
		t := zipf(exponent, objects, requests, 0.2, seed)
		for _, part := range []float64{0.05, 0.2, 0.5} {
			pages := t.share(part)
			recency, foresight := t.recency(pages), t.foresight(pages)
			cells = append(cells, cell{
				exponent, part, closed(recency, foresight, t.hotness(tb, pages, halfLife)), closed(recency, foresight, t.tinyLFU(pages)),
			})
		}
	}
	return cells
}

// Of what recency computes again and foresight does not, hotness spares a quarter at least, and is never behind W-TinyLFU.
func TestHotnessClosesTheGap(t *testing.T) {
	for _, c := range replayCells(t, 200, 4000, 1, 0) {
		t.Logf("Zipf %.1f, cache %2.0f%%: hotness closes %.0f%%, W-TinyLFU %.0f%%", c.exponent, 100*c.part, 100*c.hotness, 100*c.tinyLFU)
		if c.hotness < 0.25 || c.hotness < c.tinyLFU-0.01 {
			t.Errorf("Zipf %.1f, cache %.0f%%: hotness closes %.2f of the gap, W-TinyLFU %.2f", c.exponent, 100*c.part, c.hotness, c.tinyLFU)
		}
	}
}

// BenchmarkHotness prints the tables of docs/POLICY.md.
func BenchmarkHotness(b *testing.B) {
	for b.Loop() {
		var table strings.Builder
		for _, c := range replayCells(b, 500, 20000, 1, 0) {
			fmt.Fprintf(&table, "| %.1f | %.0f%% | %.0f%% | %.0f%% |\n", c.exponent, 100*c.part, 100*c.tinyLFU, 100*c.hotness)
		}
		b.Log("\n| Zipf | cache | W-TinyLFU | hotness |\n| --- | --- | --- | --- |\n" + table.String())
	}
}
