package score

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// This file owns the tests of what is judged without references: choices, calibration, divergence, agreement, relevance.

func TestChoose(t *testing.T) {
	choices := []Choice{{"ab", -2}, {"äöü", -2.4}, {"abcdefgh", -7}}
	// The sums: the first wins. A character: -1, -0.8, -0.875. A byte: -1, -0.4, -0.875.
	for right, want := range []Chosen{{Acc: true}, {AccNorm: true, AccBytes: true}, {}} {
		if got, err := Choose(choices, right); err != nil || got != want {
			t.Errorf("%d: %+v, %v", right, got, err)
		}
	}
	// A character: -1, -0.9; a byte: -1, -0.45 against -0.4.
	got, err := Choose([]Choice{{"ab", -2}, {"äö", -1.8}, {"abcde", -2}}, 2)
	if err != nil || got != (Chosen{AccNorm: true, AccBytes: true}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = Choose([]Choice{{"abc", -3}, {"äöü", -3}}, 1); err != nil || got != (Chosen{AccBytes: true}) {
		t.Errorf("of equals the first wins, but by bytes they are none: %+v, %v", got, err)
	}
	if got, err = Choose([]Choice{{"a", math.Inf(-1)}, {"b", math.Inf(-1)}}, 0); err != nil || !got.Acc {
		t.Errorf("%+v, %v", got, err)
	}
	for _, c := range []struct {
		choices []Choice
		right   int
		want    string
	}{
		{nil, 0, "right choice 0: there are 0"}, {choices, 3, "right choice 3"}, {choices, -1, "right choice -1"},
		{[]Choice{{"a", -1}, {"", -1}}, 0, `choice 1: ""`}, {[]Choice{{"a", math.NaN()}}, 0, "choice 0"}, {[]Choice{{"a", 0.5}}, 0, "not above 0"},
	} {
		if _, err := Choose(c.choices, c.right); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestCalibrationError(t *testing.T) {
	for _, c := range []struct {
		confidence []float64
		right      []bool
		want       float64
	}{
		{[]float64{1, 1}, []bool{true, true}, 0},
		{[]float64{1}, []bool{false}, 1},
		{[]float64{0, 0}, []bool{false, true}, 0.5},
		{[]float64{0.5, 0.5}, []bool{true, false}, 0},
		{[]float64{0.9, 0.1}, []bool{false, true}, 0.9},                                    // what two bins are off by does not cancel out
		{[]float64{0.61, 0.65, 0.9}, []bool{true, false, true}, (0.26 + 0.1) / 3},          // 0.61 and 0.65 share (9/15, 10/15]
		{[]float64{0.2, 0.21}, []bool{true, false}, (0.8 + 0.21) / 2},                      // 3/15 is the third bin's end
		{[]float64{0.05, 0.15, 0.25}, []bool{false, false, true}, (0.05 + 0.15 + .75) / 3}, // a bin is no wider than 1/15
	} {
		if got, err := CalibrationError(c.confidence, c.right); err != nil || !near(got, c.want) {
			t.Errorf("%v %v: %v, %v, want %v", c.confidence, c.right, got, err, c.want)
		}
	}
	for _, confidence := range [][]float64{nil, {1.01}, {-0.01}, {math.NaN()}, {0.5, 0.5}} {
		if _, err := CalibrationError(confidence, []bool{true}); err == nil {
			t.Errorf("%v passes", confidence)
		}
	}
}

func TestRelevance(t *testing.T) {
	for _, c := range []struct {
		a, b []float32
		want float64
	}{
		{[]float32{1, 0}, []float32{0, 2}, 0}, {[]float32{3, 4}, []float32{6, 8}, 1}, {[]float32{1, 1}, []float32{-2, -2}, -1},
		{[]float32{1, 0}, []float32{1, 1}, math.Sqrt2 / 2}, {[]float32{3e38, 3e38}, []float32{1e-40, 0}, math.Sqrt2 / 2},
	} {
		if got, err := Relevance(c.a, c.b); err != nil || !near(got, c.want) {
			t.Errorf("%v %v: %v, %v", c.a, c.b, got, err)
		}
	}
	infinite, none := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range [][2][]float32{{{1}, {1, 2}}, {{0, 0}, {1, 1}}, {{infinite, 1}, {1, 1}}, {{1, 1}, {1, none}}, {{}, {}}} {
		if got, err := Relevance(c[0], c[1]); err == nil {
			t.Errorf("%v: %v", c, got)
		}
	}
}

func logs(p ...float64) []float64 {
	for i := range p {
		p[i] = math.Log(p[i])
	}
	return p
}

func TestDivergence(t *testing.T) {
	for _, c := range []struct {
		control, tier []float64
		want          float64
	}{
		{logs(0.5, 0.5), logs(0.5, 0.5), 0},
		{logs(0.75, 0.25), logs(0.25, 0.75), 0.5 * math.Log(3)},
		{logs(0.5), logs(0.25), 0.5*math.Log(2) + 0.5*math.Log(0.5/0.75)}, // the tail counts
		{logs(1, 0), logs(0.5, 0.5), math.Log(2)},
		{logs(0.5, 0.5), logs(1, 0), math.Inf(1)},
		{logs(0.5), logs(1), 0.5*math.Log(0.5) + 0.5*math.Log(0.5/tailFloor)}, // a tail of 0 is no proof
	} {
		if got, err := Divergence(c.control, c.tier); err != nil || !near(got, c.want) && got != c.want {
			t.Errorf("%v %v: %v, %v, want %v", c.control, c.tier, got, err, c.want)
		}
	}
	for _, c := range [][2][]float64{{nil, nil}, {{-1}, {-1, -2}}, {{0.1}, {-1}}, {{-1}, {math.NaN()}}, {{-0.1, -0.1}, {-1, -1}}, {{-1, -1}, {-0.1, -0.1}}} {
		if got, err := Divergence(c[0], c[1]); err == nil {
			t.Errorf("%v: %v", c, got)
		}
	}
}

// What is seen of the control's most likely tokens and one tail is never more than the divergence of all, and equal to it where the
// tail is one token; more tokens never show less.
func TestDivergenceIsALowerBound(t *testing.T) {
	distribution := func(t *rapid.T, n int, name string) []float64 {
		p := rapid.SliceOfN(rapid.Float64Range(0.001, 1), n, n).Draw(t, name)
		sum := 0.0
		for _, x := range p {
			sum += x
		}
		for i := range p {
			p[i] = math.Log(p[i] / sum)
		}
		return p
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 40).Draw(t, "n")
		control, tier := distribution(t, n, "control"), distribution(t, n, "tier")
		whole := 0.0
		for i := range control {
			whole += math.Exp(control[i]) * (control[i] - tier[i])
		}
		before := 0.0
		for k := 1; k < n; k++ {
			seen, err := Divergence(control[:k], tier[:k])
			if err != nil || seen > whole+1e-9 || seen < before-1e-9 {
				t.Fatalf("of %d tokens %v, %v; of fewer %v, of all %v", k, seen, err, before, whole)
			}
			before = seen
		}
		if math.Abs(before-whole) > 1e-9 {
			t.Fatalf("%v, want %v", before, whole)
		}
	})
}

func TestAgreement(t *testing.T) {
	if got, err := Agreement([]int32{1, 2, 3, 4}, []int32{1, 2, 0, 4}); err != nil || got != 0.75 {
		t.Error(got, err)
	}
	for _, c := range [][2][]int32{{{}, {}}, {{1}, {1, 2}}} {
		if _, err := Agreement(c[0], c[1]); err == nil {
			t.Errorf("%v passes", c)
		}
	}
}
