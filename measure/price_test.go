package measure

import (
	"math"
	"slices"
	"testing"

	"chimera/store"
)

// This file owns tests of sums of costs.

// Tokens are held against what is known of their own rows alone.
func TestPrice(t *testing.T) {
	nan := math.NaN()
	row := func(n, tokens int64, cores, overhead, cpu, gpu float64) store.Cost {
		return store.Cost{Numbered: store.Numbered{Row: n}, Requests: 1, PromptTokens: tokens - 1, AnswerTokens: 1, CoreSeconds: cores, OverheadSeconds: overhead, GPUSeconds: nan, CPUJoules: cpu, GPUJoules: gpu}
	}
	p := PriceOf([]store.Cost{row(1, 1000, 2, 1, 30, nan), row(2, 3000, 5, 4, 10, 80), row(3, 500, nan, 1, nan, nan), row(4, 500, 1, 1, nan, 10)})
	if p.Requests != 4 || p.PromptTokens != 4996 || p.AnswerTokens != 4 || p.CoreSeconds != 8 || p.OverheadSeconds != 6 || !math.IsNaN(p.GPUSeconds) || p.CPUJoules != 40 || p.GPUJoules != 90 {
		t.Errorf("%+v", p)
	}
	if p.CountedTokens != 4500 || p.EnergyTokens != 4500 || !slices.Equal(p.CountedRows, []int64{1, 2, 4}) || !slices.Equal(p.EnergyRows, []int64{1, 2, 4}) {
		t.Errorf("%+v", p)
	}
	if a, b := p.CoreSecondsPerThousand(), p.JoulesPerThousand(); !(math.Abs(a-14/4.5) <= 1e-9) || !(math.Abs(b-(40/4.0+90/3.5)) <= 1e-9) {
		t.Errorf("%v core-seconds and %v J", a, b)
	}
	none := PriceOf(nil)
	if !math.IsNaN(none.CoreSecondsPerThousand()) || !math.IsNaN(none.JoulesPerThousand()) {
		t.Errorf("of no rows: %+v", none)
	}
	unread := PriceOf([]store.Cost{row(1, 1000, 2, 1, nan, nan)})
	if !math.IsNaN(unread.JoulesPerThousand()) || unread.CoreSecondsPerThousand() != 3 {
		t.Errorf("energy that nobody could read: %+v", unread)
	}
}
