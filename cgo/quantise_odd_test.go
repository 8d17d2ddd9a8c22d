//go:build cgo

package cgo

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"chimera/engine"
	formats "chimera/weights"
)

// This file owns tests of quantising what is unusual, or can't be done.

// TestQuantiseOddBlocks: what is all alike or nearly nothing comes back as well as the format can say it.
func TestQuantiseOddBlocks(t *testing.T) {
	filled := func(v float32) []float32 { return slices.Repeat([]float32{v}, 256) }
	outlier := filled(0)
	outlier[77] = -3
	ramp := filled(0)
	for i := range ramp {
		ramp[i] = float32(i%16) / 16
	}
	for name, x := range map[string][]float32{
		"zeros": filled(0), "ones": filled(1), "minus ones": filled(-1), "one outlier": outlier, "a ramp": ramp,
		"large": filled(60000), "negative and large": filled(-60000), "small": filled(1e-3), "denormal": filled(1e-42), "below all": filled(1e-30),
	} {
		for _, typ := range searched {
			y := roundTrip(t, typ, x, nil)
			for i := range x {
				tolerance := 0.02 * math.Abs(float64(x[i]))
				if name == "a ramp" {
					tolerance = 0.75 / float64(codeRange[typ].high)
				}
				if name == "one outlier" {
					tolerance = max(tolerance, 1e-3)
				}
				if slices.Max(x) < 1e-20 && slices.Min(x) > -1e-20 {
					tolerance = 1e-20
				}
				if diff := math.Abs(float64(x[i]) - float64(y[i])); !(diff <= tolerance) {
					t.Errorf("%s as %s: value %d is %g, was %g", name, typ, i, y[i], x[i])
					break
				}
			}
		}
	}
}

// TestQuantiseRefuses names what it can't do.
func TestQuantiseRefuses(t *testing.T) {
	spoilt := func(at int, v float64) []float32 {
		x := normal(rand.New(rand.NewPCG(1, 1)), 1024, 1)
		x[at] = float32(v)
		return x
	}
	for _, c := range []struct {
		typ     engine.DType
		x       []float32
		columns int
		room    int // more or less than it takes
		says    string
	}{
		{engine.Q4_K, spoilt(700, math.NaN()), 512, 0, "q4_k: value 188 of row 1 is NaN or infinite"},
		{engine.Q5_0, spoilt(3, math.Inf(-1)), 512, 0, "q5_0: value 3 of row 0 is NaN or infinite"},
		{engine.Q2_K, spoilt(1023, 1e6), 256, 0, "q2_k: value 255 of row 3 is 1e+06, blocks reach 982560"},
		{engine.Q5_1, spoilt(0, -1e5), 256, 0, "is -100000, blocks reach 65504"},
		{engine.Q8_0, spoilt(0, 0), 256, 0, "q8_0: there is no search for it"},
		{engine.Q6_K, spoilt(0, 0), 128, 0, "rows of 128 are no whole blocks of 256"},
		{engine.Q6_K, spoilt(0, 0), 0, 0, "rows of 0 are no whole blocks"},
		{engine.Q6_K, spoilt(0, 0)[:300], 256, 0, "300 values in rows of 256"},
		{engine.Q4_0, spoilt(0, 0), 512, -1, "1024 values take 576 bytes, there is room for 575"},
		{engine.Q4_0, spoilt(0, 0), 512, 1, "there is room for 577"},
	} {
		values, size := formats.Type(c.typ).Block()
		err := Quantise(make([]byte, len(c.x)/int(values)*int(size)+c.room), c.typ, c.x, c.columns, nil)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.typ, err, c.says)
		}
	}
	if err := Quantise(make([]byte, 18), engine.Q4_0, make([]float32, 32), 32, make([]float32, 31)); err == nil || !strings.Contains(err.Error(), "importance of 31 columns") {
		t.Error(err)
	}
	if err := Quantise(nil, engine.Q4_0, nil, 32, nil); err != nil {
		t.Error(err)
	}
}
