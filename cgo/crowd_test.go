//go:build cgo

package cgo

import (
	"testing"
	"time"
)

// run has n steps that follow one another, each on as many workers as the crowd allows, and tells on how many the last was.
func (c *crowd) run(now *time.Time, n, workers int, took, slept, stolen time.Duration) (last int) {
	for range n {
		last = c.limit(workers, *now)
		*now = now.Add(took)
		c.ran(last, took, slept, stolen, *now)
	}
	return last
}

const ms = time.Millisecond

// A worker sits out when the workers sleep for each other and other programs are the cause; not for less.
func TestCrowded(t *testing.T) {
	for name, c := range map[string]struct {
		slept, stolen time.Duration // of steps of 10 ms
		want          int           // workers, of 4, after crowdedSteps of them
	}{
		"undisturbed":                        {0, 0, 4},
		"a core is shared":                   {5 * ms, 4 * ms, 3},
		"little work for so many":            {30 * ms, 0, 4},
		"many rows: the others have work":    {2500 * time.Microsecond, 7 * ms, 4},
		"asleep, and a moment of others":     {30 * ms, ms, 4},
		"just not enough sleep":              {4 * ms, 9 * ms, 4},
		"just not enough taken by others":    {9 * ms, 1250 * time.Microsecond, 4},
		"just enough of both, of each other": {4001 * time.Microsecond, 1251 * time.Microsecond, 3},
	} {
		var crowd crowd
		now := time.Unix(1000, 0)
		if n := crowd.run(&now, crowdedSteps, 4, 10*ms, c.slept, c.stolen); n != 4 {
			t.Errorf("%s: %d workers before the steps were judged", name, n)
		}
		if n := crowd.limit(4, now); n != c.want {
			t.Errorf("%s: %d workers, want %d", name, n, c.want)
		}
	}
}

// Steps are judged by what several lost together: one slow step among quick ones is no crowd.
func TestCrowdIsNoMoment(t *testing.T) {
	var c crowd
	now := time.Unix(1000, 0)
	for i := range 40 {
		slept, stolen := time.Duration(0), time.Duration(0)
		if i%crowdedSteps == 0 {
			slept, stolen = 9*ms, 5*ms
		}
		if n := c.run(&now, 1, 2, 10*ms, slept, stolen); n != 2 {
			t.Fatalf("step %d on %d workers", i, n)
		}
	}
}

// While the crowd stays, all workers are tried again after rests that grow up to the longest; when it has left for longer
// than that, the next begins with the shortest.
func TestCrowdIsTriedAgain(t *testing.T) {
	var c crowd
	now := time.Unix(1000, 0)
	crowded := func() { c.run(&now, crowdedSteps, 2, 10*ms, 9*ms, 5*ms) }
	rest := func() (d time.Duration) {
		for ; c.limit(2, now) == 1; d += ms {
			now = now.Add(ms)
		}
		return d
	}
	for _, want := range []time.Duration{shortestRest, 2 * shortestRest, 4 * shortestRest, 8 * shortestRest, 16 * shortestRest, longestRest, longestRest} {
		crowded()
		if got := rest(); got != want {
			t.Errorf("a rest of %v, want %v", got, want)
		}
	}
	c.run(&now, 300, 2, 10*ms, 0, 0)
	crowded()
	if got := rest(); got != shortestRest {
		t.Errorf("a rest of %v after the crowd had left, want %v", got, shortestRest)
	}
}

// One after the other sits out, and one always computes.
func TestCrowdLeavesOne(t *testing.T) {
	var c crowd
	now := time.Unix(1000, 0)
	for want := 3; want >= 1; want-- {
		c.run(&now, crowdedSteps, 4, ms, 9*ms, ms)
		if n := c.limit(4, now); n != want {
			t.Fatalf("%d workers, want %d", n, want)
		}
	}
	c.run(&now, 10*crowdedSteps, 4, ms, 9*ms, ms)
	if n := c.limit(4, now); n != 1 {
		t.Errorf("%d workers", n)
	}
	if n := c.limit(1, now.Add(time.Hour)); n != 1 {
		t.Errorf("%d workers of 1", n)
	}
}
