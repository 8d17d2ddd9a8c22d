package tier

import (
	"testing"
	"time"

	"chimera/weights"
)

// This file owns tests of how fast types are said to be made.

// clocked is a search that takes so much of a clock's time for each value, longer at first.
type clocked struct {
	at    time.Time
	each  time.Duration
	calls int
}

func (c *clocked) search(_ []byte, _ weights.Type, src []float32, _ int, _ []float32) error {
	took := c.each * time.Duration(len(src))
	if c.calls%paceRuns == 0 {
		took *= 50
	}
	c.at = c.at.Add(took)
	c.calls++
	return nil
}

func TestPace(t *testing.T) {
	for each, want := range map[time.Duration]int{400: 2500, 40: 25000, 8: 125000, time.Second: 1, 0: 1000 * paceValues} {
		c := &clocked{each: each}
		pace := paceBy(c.search, func() time.Time { return c.at })
		for _, to := range []weights.Type{weights.Q4_K, weights.Q2_K, weights.Q4_K} {
			if got := pace(weights.F16, to); got != want {
				t.Errorf("%v a value: %s is made at %d values a millisecond, want %d", each, to, got, want)
			}
		}
		if c.calls != 2*paceRuns {
			t.Errorf("%v a value: two types were measured by %d calls", each, c.calls)
		}
	}
}

// TestPaceOfAnything: sources of any type are timed, those without a search too.
func TestPaceOfAnything(t *testing.T) {
	pace := NewPace(marked)
	for _, from := range []weights.Type{weights.F32, weights.BF16, weights.Q6_K, weights.Q5_0, weights.MXFP4} {
		for _, to := range []weights.Type{weights.F32, weights.F16, weights.Q8_0, weights.Q4_K, weights.Q4_0} {
			if n := pace(from, to); n < 1 {
				t.Errorf("%s of %s: %d values a millisecond", to, from, n)
			}
		}
	}
}
