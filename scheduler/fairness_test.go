package scheduler

import (
	"slices"
	"testing"
	"time"
)

// This file owns the tests of fairness between tenants.

// Two tenants that ask all the time have tokens by their weights, which may change meanwhile.
func TestTenantsHaveTheirWeights(t *testing.T) {
	heavy := tenant{weight: 3}
	if heavy.charge(300, 2); heavy.counter != 200 {
		t.Errorf("300 tokens that count twice cost a tenant of weight 3 %.0f", heavy.counter)
	}
	w, lane := one(t, roomy(8, 64), Config{StepTokens: 64, QueueLength: 400})
	for i := range 300 {
		w.submit(lane, of([]string{"a", "b"}[i%2], greedy(prompt(i, 100, 0), 20)))
	}
	tokens := func(run time.Duration) (a, b float64) {
		begin := w.clock
		ta, tb := w.loop.tenants.all["a"], w.loop.tenants.all["b"]
		from := [2]float64{ta.counter, tb.counter}
		w.until("the time is over", func() bool { return w.clock.Sub(begin) > run })
		return (ta.counter - from[0]) * ta.weight, (tb.counter - from[1]) * tb.weight
	}
	w.turn()
	if a, b := tokens(5 * time.Second); a/b < 0.9 || a/b > 1.1 {
		t.Errorf("of equal weight they had %.0f and %.0f", a, b)
	}
	w.loop.SetTenants(map[string]float64{"a": 3})
	tokens(5 * time.Second)
	if a, b := tokens(20 * time.Second); a/b < 2.4 || a/b > 3.6 {
		t.Errorf("of weights 3 and 1 they had %.0f and %.0f", a, b)
	}
}

// Who floods the queue keeps others from nothing: their first tokens come nearly as soon as alone.
func TestAFloodDelaysNobodyElse(t *testing.T) {
	const alone = 138 * time.Millisecond // 128 rows
	p95 := func(flood bool, without CharacteristicSet) time.Duration {
		w, lane := one(t, roomy(8, 512), Config{StepTokens: 512, QueueLength: 300, Without: without})
		flooded := 0
		turn := func() {
			for flood && lane.Snapshot().Waiting < 256 {
				flooded++
				w.submit(lane, of("flood", greedy(prompt(1000+flooded, 128, 0), 64)))
			}
			w.turn()
		}
		for range 20 {
			turn()
		}
		var ttft []time.Duration
		for i := range 40 {
			seq := w.submit(lane, of("other", greedy(prompt(i, 128, 0), 16)))
			for !seq.first() && w.clock.Sub(seq.arrived) < 10*alone {
				turn()
			}
			ttft = append(ttft, w.clock.Sub(seq.arrived))
			seq.Stop()
			for range 15 { // it asks for less than its part
				turn()
			}
		}
		slices.Sort(ttft)
		return ttft[37]
	}
	if got := p95(true, 0); got > 17*alone/10 {
		t.Errorf("alone %v, beside a flood %v", alone, got)
	}
	if got := p95(false, 0); got != alone {
		t.Errorf("alone %v", got)
	}
	if got := p95(true, byTenant); got < 4*alone {
		t.Errorf("without fairness %v, alone %v: the test shows nothing", got, alone)
	}
}

// A tenant that others have left no room in the queue may use a part of it; one that filled it may not.
func TestTheQueueIsNobodysAlone(t *testing.T) {
	w, lane := one(t, roomy(1, 64), Config{StepTokens: 64, QueueLength: 16})
	for i := range 16 {
		w.submit(lane, of("flood", greedy(prompt(i, 10, 0), 100)))
	}
	for i, c := range []struct {
		tenant string
		taken  bool
	}{{"flood", false}, {"other", true}, {"other", true}, {"other", false}, {"third", true}} {
		if _, err := lane.Submit(t.Context(), of(c.tenant, greedy(prompt(i, 10, 0), 1))); (err == nil) != c.taken {
			t.Errorf("request %d of %s: %v", i, c.tenant, err)
		}
	}
}

// Tokens from the cache cost nothing; what is computed twice is paid once; what is not computed is given back.
func TestWhatTenantsAreCharged(t *testing.T) {
	w, lane := one(t, roomy(4, 64), Config{StepTokens: 64, QueueLength: 16})
	keep := w.submit(lane, of("keep", greedy(prompt(9, 10, 0), 4000))) // so that counters are not forgotten
	counter := func(name string) float64 { return w.loop.tenants.all[name].counter }
	_ = w.submit(lane, of("a", greedy(prompt(8, 10, 0), 4000)))
	w.turn()
	w.turn()
	ask := func(r Request) float64 {
		w.loop.tenants.all["a"].counter = 0
		others := lane.running[1].generated
		seq := w.submit(lane, of("a", r))
		w.until("its end", func() bool { return seq.ended })
		return counter("a") - 2*float64(lane.running[1].generated-others)
	}
	p := prompt(1, 100, 0)
	if got := ask(greedy(p, 5)); got != 100+2*5 {
		t.Errorf("100 tokens in, 5 out: %.0f", got)
	}
	if got := ask(greedy(p, 5)); got != 1+2*5 {
		t.Errorf("99 of 100 cached, 5 out: %.0f", got)
	}
	w.loop.tenants.all["a"].counter = 0
	other := lane.running[1]
	before := other.generated
	long := w.submit(lane, of("a", greedy(prompt(2, 1000, 0), 5)))
	w.until("it has begun", func() bool { return long.computed > 0 })
	done := long.computed
	lane.preempt(long)
	w.until("it is back", func() bool { return long.computed > done })
	done = long.computed
	long.Stop()
	w.until("it is gone", func() bool { return long.tables == nil })
	if got := counter("a") - 2*float64(other.generated-before); got != float64(done) {
		t.Errorf("%d tokens were computed of a prompt that was sent back and then stopped: %.0f", done, got)
	}
	keep.Stop()
}

// Who hangs up before anything was computed has paid nothing, and earned nothing: what was found in the cache was free, and is not given back.
func TestHangingUpEarnsNothing(t *testing.T) {
	w, lane := one(t, roomy(4, 64), Config{StepTokens: 64, QueueLength: 16})
	w.submit(lane, of("keep", greedy(prompt(9, 10, 0), 4000))) // so that counters are not forgotten
	shared := prompt(1, 1600, 0)
	first := w.submit(lane, of("a", greedy(shared, 1)))
	w.until("it is cached", func() bool { return first.ended })
	w.submit(lane, of("b", greedy(prompt(5, 4000, 0), 1)))
	w.turn()
	w.loop.tenants.all["b"].counter = 0 // its prompt has all rows
	stay := w.submit(lane, of("a", greedy(prompt(6, 4000, 0), 1)))
	w.turn()
	for range 3 {
		before := stay.tenant.counter
		seq := w.submit(lane, of("a", greedy(append(slices.Clone(shared), prompt(77, 300, 0)...), 1)))
		w.turn()
		if charged := stay.tenant.counter - before; !seq.runs() || seq.Cached() != 1600 || charged != 300 {
			t.Fatalf("%d of its tokens were found, and %.0f charged", seq.Cached(), charged)
		}
		seq.Stop()
		w.turn()
		if got := stay.tenant.counter - before; got != 0 {
			t.Errorf("who hung up was charged %.0f", got)
		}
	}
}

// A token of an answer is charged once, when it is sampled, though it is computed again behind a prompt that was sent back.
func TestAnAnswerSentBackIsChargedOnce(t *testing.T) {
	w, lane := one(t, roomy(4, 64), Config{StepTokens: 64, QueueLength: 16})
	w.submit(lane, of("keep", greedy(prompt(9, 10, 0), 4000)))
	seq := w.submit(lane, of("a", greedy(prompt(1, 100, 0), 200)))
	w.until("most of the answer", func() bool { return seq.generated == 150 })
	lane.preempt(seq)
	for pool := lane.groups[0].pool; len(pool.leaves) > 0; {
		pool.evict(pool.leaves[0])
	}
	w.until("its end", func() bool { return seq.ended })
	if got := seq.tenant.counter; got != 100+2*200 || seq.releases != 2 {
		t.Errorf("100 tokens in and 200 out, sent back %d times: charged %.0f", seq.releases-1, got)
	}
}

// Who comes back from idleness has no claim to what others had meanwhile, and no debt of when nobody else was there.
func TestIdlenessLiftsTheCounter(t *testing.T) {
	var all tenants
	a := all.enter("a")
	a.charge(1000, 1)
	b := all.enter("b")
	if b.counter != 1000 {
		t.Errorf("b begins at %.0f", b.counter)
	}
	b.charge(500, 1)
	all.leave(b)
	a.charge(100, 1)
	if b = all.enter("b"); b.counter != 1500 {
		t.Errorf("b comes back at %.0f, it had 1500", b.counter)
	}
	all.leave(b)
	a.charge(2000, 1)
	if b = all.enter("b"); b.counter != 3100 {
		t.Errorf("b comes back at %.0f, a has 3100", b.counter)
	}
	all.leave(a)
	all.leave(b)
	if c := all.enter("c"); c.counter != 3100 {
		t.Errorf("c comes when nobody is there, at %.0f", c.counter)
	}
	if len(all.all) != 1 {
		t.Errorf("%d tenants are remembered of whom nothing is to be known", len(all.all))
	}
}
