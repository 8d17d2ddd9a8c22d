//go:build cgo

package cgotest

import (
	"math"
	"slices"
	"testing"

	"chimera/engine"
)

// A bias of minus infinity keeps a token out of every draw, whatever the other fields ask; which of the others is drawn is
// what it would be if the masked ones were not likely at all.
func TestMaskedTokensAreNeverSampled(t *testing.T) {
	forEachISA(t, func(t *testing.T, _, k probeISA, m *probeMemory) {
		r := random(5)
		logits := probeCopy(m, inputs[0].make(r, 100))
		unlikely := probeCopy(m, logits)
		masked := []int32{0, 99, 41}
		logits[0], logits[99], logits[41] = 50, 60, 40 // nothing else has any weight
		var biases []engine.Bias
		for _, token := range masked {
			biases = append(biases, engine.Bias{Token: token, Value: float32(math.Inf(-1))})
			unlikely[token] = -1e30
		}
		penalties := []engine.Penalty{{Token: 99, Seen: 2, Generated: 3}, {Token: 0, Seen: 1}}
		for i, o := range samplings {
			o = plain(o)
			for seed := range uint64(50) {
				o.Seed, o.Top = seed, 0
				got, _ := k.sample(m, logits, o, i, penalties, biases)
				want, _ := k.sample(m, unlikely, o, i, penalties, nil)
				if slices.Contains(masked, got.Token) || got.Token != want.Token {
					t.Fatalf("sampling %d, seed %d: token %d, want %d and none of %v", i, seed, got.Token, want.Token, masked)
				}
			}
		}
		m.free()
	})
}
