package scheduler

import (
	"slices"
	"testing"
	"time"
)

// This file owns the tests of the order: who is before whom, by each characteristic, and that each can be left out.

func TestOrder(t *testing.T) {
	now := stopped()
	due := func(c Class) bool { return c == Batch }
	base := candidate{tokens: 160, number: 5, class: Background, priority: 5}
	with := func(change func(*candidate)) candidate {
		c := base
		c.number = 9 // it came later: only the change puts it first
		change(&c)
		return c
	}
	for _, c := range []struct {
		name    string
		first   candidate // goes before base, or before then
		then    candidate
		without CharacteristicSet // then it does not
	}{
		{"class", with(func(c *candidate) { c.class = Interactive }), base, byClass},
		{"a class that is due", with(func(c *candidate) { c.class = Batch }), with(func(c *candidate) { c.class, c.number = Interactive, 1 }), byClass},
		{"class before all else", with(func(c *candidate) { c.class = Interactive }), with(func(c *candidate) { c.priority, c.passed, c.number = 9, 99, 1 }), byClass},
		{"tenant before priority", with(func(c *candidate) { c.counter = -1 }), with(func(c *candidate) { c.priority, c.passed, c.number = 9, 99, 1 }), byTenant},
		{"age by passings", with(func(c *candidate) { c.passed = 16 }), base, byAge},
		{"age by steps", with(func(c *candidate) { c.skipped = 8 }), base, byAge},
		{"age before priority", with(func(c *candidate) { c.passed = 16 }), with(func(c *candidate) { c.priority, c.number = 9, 1 }), byAge},
		{"priority", with(func(c *candidate) { c.priority = 6 }), base, byPriority},
		{"a deadline", with(func(c *candidate) { c.deadline = now.Add(time.Minute) }), base, byDeadline},
		{"a deadline, of one half as long again", with(func(c *candidate) { c.deadline, c.tokens = now.Add(time.Minute), 240 }), base, byDeadline},
		{"the least slack", with(func(c *candidate) { c.deadline, c.takes = now.Add(80*time.Millisecond), 30*time.Millisecond }),
			with(func(c *candidate) { c.deadline, c.number = now.Add(60*time.Millisecond), 1 }), byDeadline},
		{"tenant that had less", with(func(c *candidate) { c.counter = -1 }), base, byTenant},
		{"tenant that has fewer places", with(func(c *candidate) { c.places = -1 }), base, byTenant},
		{"quiet tenant before counters", with(func(c *candidate) { c.quiet = true }), with(func(c *candidate) { c.counter, c.places, c.number = -1, -1, 1 }), byTenant},
		{"but not before class", with(func(c *candidate) { c.class = Batch }), with(func(c *candidate) { c.quiet, c.number = true, 1 }), 0},
		{"length", with(func(c *candidate) { c.tokens = 100 }), base, byLength},
		{"prefix", with(func(c *candidate) { c.prefix = 3 }), base, byPrefix},
		{"who was sent back", with(func(c *candidate) { c.returned = true }), base, 0},
		{"who came first", base, with(func(*candidate) {}), 0},
		{"not a deadline of one that is longer", base, with(func(c *candidate) { c.deadline, c.tokens = now.Add(time.Millisecond), 260 }), byLength},
		{"nor one that is missed", base, with(func(c *candidate) { c.deadline, c.takes = now.Add(100*time.Millisecond), 200*time.Millisecond }), 0},
		{"nor fifteen passings", base, with(func(c *candidate) { c.passed = 15 }), 0},
		{"nor a few tokens of a page", base, with(func(c *candidate) { c.tokens = 150 }), 0},
	} {
		less := func(without CharacteristicSet) int {
			p := newPolicy(&Config{Without: without})
			a, b := p.standing(&c.first, now, due(c.first.class)), p.standing(&c.then, now, due(c.then.class))
			return a.compare(&b)
		}
		if less(0) >= 0 {
			t.Errorf("%s: it does not go first", c.name)
		}
		if c.without != 0 && less(c.without) <= 0 {
			t.Errorf("%s: it goes first though that is left out", c.name)
		}
	}
}

func TestCharacteristics(t *testing.T) {
	all := CharacteristicSet(0)
	for _, c := range Characteristics {
		set, err := CharacteristicsOf(c.Name)
		if err != nil || set == 0 || all.has(set) || c.Meaning == "" {
			t.Errorf("%s: %b, %v", c.Name, set, err)
		}
		all |= set
	}
	if _, err := CharacteristicsOf("ageing", "lunar"); err == nil {
		t.Error("a name that is none was taken")
	}
}

// Eight prompts that each fill a step end one after the other, and not all at the end.
func TestFirstComeAmongEquals(t *testing.T) {
	w, lane := one(t, roomy(8, 512), Config{StepTokens: 512, QueueLength: 8})
	var all []*Sequence
	for i := range 8 {
		all = append(all, w.submit(lane, greedy(prompt(i, 512, 0), 1)))
	}
	for step := 1; step <= 8; step++ {
		w.turn()
		var ended []bool
		for _, seq := range all {
			ended = append(ended, seq.first())
		}
		want := make([]bool, 8)
		for i := range step {
			want[i] = true
		}
		if !slices.Equal(ended, want) {
			t.Errorf("after step %d: %v", step, ended)
		}
	}
}

// A long prompt beside a stream of short ones that would fill each step has a ninth of the steps, and costs the short ones no more.
func TestALongPromptIsNeitherStarvedNorStarves(t *testing.T) {
	for _, c := range []struct {
		without CharacteristicSet
		starves bool
	}{{0, false}, {byAge, true}} {
		w, lane := one(t, roomy(16, 128), Config{StepTokens: 128, QueueLength: 32, Without: c.without})
		long := w.submit(lane, greedy(prompt(0, 1280, 0), 1))
		var short []*Sequence
		steps := 0
		for ; !long.first() && steps < 400; steps++ {
			for range 2 { // twice what a step computes waits always
				if len(short) < 2 || short[len(short)-2].first() {
					short = append(short, w.submit(lane, greedy(prompt(len(short)+1, 127, 0), 1)))
				}
			}
			w.turn()
		}
		if most := 10 * (lane.policy.rules.AgeSteps + 1); (steps > most+10) != c.starves {
			t.Errorf("without %b: the long prompt took %d steps", c.without, steps)
		}
		for i, seq := range short[:len(short)-4] {
			if seq.ttft() > 5*138*time.Millisecond {
				t.Errorf("without %b: short prompt %d waited %v for its first token", c.without, i, seq.ttft())
			}
		}
	}
}

// One that waits for a place is passed by so many that came later, and by no more.
func TestAgeingInTheQueue(t *testing.T) {
	for _, without := range []CharacteristicSet{0, byAge} {
		w, lane := one(t, roomy(1, 128), Config{StepTokens: 128, QueueLength: 32, Without: without})
		w.submit(lane, greedy(prompt(0, 10, 0), 1))
		w.turn()
		long := w.submit(lane, greedy(prompt(1, 1000, 0), 1))
		passed, last := 0, w.submit(lane, greedy(prompt(2, 20, 0), 1))
		for passed < 100 && !long.runs() {
			if next := w.submit(lane, greedy(prompt(passed+3, 20, 0), 1)); last.first() {
				passed++
				last = next
			}
			w.turn()
		}
		if most := lane.policy.rules.AgePassings + 1; (passed > most) != (without == byAge) || passed < 5 {
			t.Errorf("without %b: %d passed it", without, passed)
		}
	}
}

// Who computes a prefix has the class of the most urgent that waits for it, up to its end.
func TestWaitersLendTheirClass(t *testing.T) {
	for _, without := range []CharacteristicSet{0, byLoan} {
		w, lane := one(t, roomy(8, 64), Config{StepTokens: 64, QueueLength: 8, Without: without})
		shared := prompt(1, 640, 0)
		owner := w.submit(lane, as(Batch, greedy(shared, 1)))
		w.turn()
		other := w.submit(lane, greedy(prompt(2, 640, 0), 1))
		w.turn()
		r := greedy(append(slices.Clone(shared), 5, 6, 7), 1)
		r.Priority = 9
		waiter := w.submit(lane, r)
		w.until("both have a token", func() bool { return waiter.first() && other.first() })
		if lent := waiter.events[0].At.Before(other.events[0].At); lent != (without == 0) || waiter.Cached() != 640 || !owner.first() {
			t.Errorf("without %b: the waiter went first: %v, %d tokens from the cache", without, lent, waiter.Cached())
		}
	}
}
