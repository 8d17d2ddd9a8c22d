package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// This file owns the tests of the detectors: how long they run on normal values, as tables have it, and by hand.

// runLength is after how many values of a mean there is an alarm, on average.
func runLength(t *testing.T, runs int, mean float64, make func() *CUSUM) float64 {
	t.Helper()
	rng := rand.New(rand.NewPCG(8, 1))
	total := 0
	for range runs {
		for c := make(); ; {
			total++
			change, err := c.Add(mean + rng.NormFloat64())
			if err != nil {
				t.Fatal(err)
			}
			if change != None {
				break
			}
		}
	}
	return float64(total) / float64(runs)
}

// Average run lengths of the two-sided CUSUM with a slack of half a deviation, as Montgomery's table 9.3 has them.
func TestCUSUMRunLengths(t *testing.T) {
	for _, c := range []struct{ threshold, shift, want float64 }{{4, 0, 168}, {5, 0, 465}, {4, 1, 8.38}, {5, 1, 10.4}, {5, -1, 10.4}, {5, 2, 4.01}} {
		const runs = 4000
		got := runLength(t, runs, c.shift, func() *CUSUM {
			d, err := NewCUSUM(0, 1, DefaultSlack, c.threshold)
			if err != nil {
				t.Fatal(err)
			}
			return d
		})
		// A run's length varies by about itself: four standard errors, and what the table rounds.
		if math.Abs(got-c.want) > c.want*4/math.Sqrt(runs)+0.01 {
			t.Errorf("threshold %v, shift %v: %v values, want %v", c.threshold, c.shift, got, c.want)
		}
	}
}

// alarms are where a detector says that something has changed, positive for up.
func alarms(t *testing.T, add func(float64) (Change, error), values []float64) (at []int) {
	t.Helper()
	for i, v := range values {
		switch change, err := add(v); {
		case err != nil:
			t.Fatal(err)
		case change == Up:
			at = append(at, i)
		case change == Down:
			at = append(at, -i)
		}
	}
	return at
}

func steps(lengths ...int) (values []float64) {
	for i, n := range lengths {
		for range n {
			values = append(values, float64(i%2))
		}
	}
	return values
}

func TestCUSUM(t *testing.T) {
	c, err := NewCUSUM(0, 0.5, 0.5, 3.5)
	if err != nil {
		t.Fatal(err)
	}
	// Each 1 is two deviations, less the slack 1.5: the third is above 3.5. Then the sums begin anew.
	if at := alarms(t, c.Add, steps(10, 7)); !slices.Equal(at, []int{12, 15}) {
		t.Error(at)
	}
	if c, err = NewCUSUM(1, 0.5, 0.5, 4); err != nil {
		t.Fatal(err)
	}
	if at := alarms(t, c.Add, []float64{1, 1, 0, 0, 1, 0, 0}); !slices.Equal(at, []int{-6}) { // 1.5, 3, 2.5, 4 and 5.5
		t.Error(at)
	}
}

// By hand: with 8 zeros before, the mean after k ones is k/(8+k), and the sum grows by 1 - k/(8+k) - 0.1.
func TestPageHinkley(t *testing.T) {
	p, err := NewPageHinkley(0.1, 2)
	if err != nil {
		t.Fatal(err)
	}
	// Growth: 0.789, 0.7, 0.627 make 2.116 at the third one. What follows is compared with itself.
	if at := alarms(t, p.Add, steps(8, 12)); !slices.Equal(at, []int{10}) {
		t.Error(at)
	}
	if p, err = NewPageHinkley(0.1, 2); err != nil {
		t.Fatal(err)
	}
	if at := alarms(t, p.Add, steps(0, 8, 12)); !slices.Equal(at, []int{-10}) {
		t.Error(at)
	}
	// A change below the tolerance is never seen.
	small := make([]float64, 4000)
	for i := 2000; i < 4000; i++ {
		small[i] = 0.09
	}
	if p, err = NewPageHinkley(0.1, 2); err != nil {
		t.Fatal(err)
	}
	if at := alarms(t, p.Add, small); len(at) > 0 {
		t.Error(at)
	}
}

func TestDetectorsRefuse(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range [][4]float64{{nan, 1, 0.5, 5}, {0, 0, 0.5, 5}, {0, inf, 0.5, 5}, {0, 1, -0.1, 5}, {0, 1, 0.5, 0}, {0, 1, 0.5, nan}} {
		if _, err := NewCUSUM(c[0], c[1], c[2], c[3]); err == nil {
			t.Errorf("CUSUM %v", c)
		}
	}
	for _, c := range [][2]float64{{-1, 2}, {0, 0}, {nan, 1}, {0, inf}} {
		if _, err := NewPageHinkley(c[0], c[1]); err == nil {
			t.Errorf("Page-Hinkley %v", c)
		}
	}
	c, _ := NewCUSUM(0, 1, 0.5, 5)
	p, _ := NewPageHinkley(0, 5)
	beforeC, beforeP := *c, *p
	for _, x := range []float64{nan, inf, -inf} {
		if _, err := c.Add(x); err == nil || *c != beforeC {
			t.Errorf("CUSUM takes %v", x)
		}
		if _, err := p.Add(x); err == nil || *p != beforeP {
			t.Errorf("Page-Hinkley takes %v", x)
		}
	}
	if Up.String() != "up" || Down.String() != "down" || None.String() != "none" {
		t.Error(Up, Down, None)
	}
}
