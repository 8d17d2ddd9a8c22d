package engine

import "testing"

// TestNumericsID: ids stand on answers, cache keys and measurements, so each part of a policy shows in them, and
// none changes by itself. Who changes an order of sums raises ReductionVersion, and writes the new ids here.
func TestNumericsID(t *testing.T) {
	if ReductionVersion != 2 {
		t.Errorf("reduction version %d: the ids below are those of 2", ReductionVersion)
	}
	for want, c := range map[string]struct {
		policy         Policy
		model, backend string
	}{
		"fp_46a106d6f807": {Policy{KV: F16}, "m", "cpu"},
		"fp_f57d4eddd9da": {Policy{KV: Q8_0}, "m", "cpu"},
		"fp_e9113cc279fd": {Policy{KV: F16}, "n", "cpu"},
		"fp_fe04afddf714": {Policy{KV: F16}, "m", "cuda"},
		"fp_257eda2bc992": {Policy{KV: F16, Activation: ActivationInt8 + 1}, "m", "cpu"},
	} {
		if id := c.policy.NumericsID(c.model, c.backend); id != want {
			t.Errorf("%+v of %s on %s: %s, want %s", c.policy, c.model, c.backend, id, want)
		}
	}
}
