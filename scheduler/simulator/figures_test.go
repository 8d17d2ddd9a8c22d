package simulator

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chimera/scheduler"
)

// This file owns the tests of figures, of the printed report, and of what is read of costs.

func TestHistogram(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var h histogram
	var all []float64
	for range 10000 {
		d := time.Duration(math.Exp(rng.NormFloat64()*2) * float64(time.Millisecond))
		h.add(d)
		all = append(all, float64(d)/1e6)
	}
	slices.Sort(all)
	got := h.times()
	for _, x := range [][2]float64{{got.P50, all[4999]}, {got.P90, all[8999]}, {got.P95, all[9499]}, {got.P99, all[9899]}} {
		if math.Abs(x[0]/x[1]-1) > 1.0/128 {
			t.Errorf("%.4f, exactly %.4f", x[0], x[1])
		}
	}
	if got.N != 10000 || got.Max != all[9999] || math.Abs(got.Mean/mean(all)-1) > 1e-6 {
		t.Errorf("%+v", got)
	}
	var one histogram
	if one.times() != (Times{}) {
		t.Errorf("of nothing: %+v", one.times())
	}
	one.add(0)
	one.add(0)
	if got := one.times(); got != (Times{N: 2}) {
		t.Errorf("of zeros: %+v", got)
	}
}

func TestFairnessIndices(t *testing.T) {
	for _, c := range []struct {
		x           []float64
		jain, least float64
	}{{[]float64{3, 3, 3}, 1, 1}, {[]float64{4, 0}, 0.5, 0}, {[]float64{1, 3}, 0.8, 0.5}, {[]float64{0, 0}, 1, 1}} {
		if j, l := jain(c.x), leastShare(c.x); math.Abs(j-c.jain) > 1e-9 || math.Abs(l-c.least) > 1e-9 {
			t.Errorf("%v: %g and %g, want %g and %g", c.x, j, l, c.jain, c.least)
		}
	}
}

func TestPrint(t *testing.T) {
	r := &Report{
		Requests: 5, Answered: 4, Refused: Refusals{Queue: 1, Wait: 2}, Goodput: 0.5, TTFT: Times{P95: 123}, Fairness: &Fairness{Windows: 3, Jain: 0.9, MinShare: 0.8},
		Tenants: []Part{{Name: "alice", Answered: 4, TTFT: Times{P50: 17}}},
	}
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"5: 4 answered, 3 refused (queue full 1, too long a wait 2,", "50.0% of all requests", "Jain's index 0.900", "  123  ", "alice", "  17  "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, out.String())
		}
	}
}

func TestReadCost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cost.json")
	read := func(text string) (scheduler.CostState, error) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return ReadCost(path)
	}
	for _, text := range []string{
		`{"constant_ms":3,"decode_row_ms":1.5,"steps":7}`,
		`{"running":1,"models":[{"name":"a","state":"loading"},{"name":"b","cost":{"constant_ms":3,"decode_row_ms":1.5,"steps":7}}]}`,
	} {
		if got, err := read(text); err != nil || got != (scheduler.CostState{Steps: 7, ConstantMS: 3, DecodeRowMS: 1.5}) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		`{}`: "no coefficients", `[1]`: "cost.json: ", `{"constant_ms":-1}`: "constant_ms: -1", `{"attention_ms_per_million_kv_tokens":1e99}`: "attention_ms_per_million_kv_tokens",
		`{"steps":5}`: "all coefficients are 0", `{"constant_ms":"x"}`: "constant_ms", `{"models":[{"name":"a"}]}`: "no coefficients",
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
