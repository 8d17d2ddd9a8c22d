//go:build cgo

package cgotest

import (
	"fmt"
	"math"
	"testing"

	"chimera/engine"
)

// Softmax has an exponential of its own for what is not above zero: the same bits. What it is given is a difference,
// which is no signalling NaN.
func TestExpBelowIsExp(t *testing.T) {
	seams := []float32{0, -87.33655, -103.972084, -104, -149, float32(math.Inf(-1))}
	in := []float32{0, float32(math.NaN()), math.Float32frombits(0xffc12345), float32(math.Copysign(0, -1))}
	for _, seam := range seams {
		for i := range uint32(2000) {
			if x := math.Float32frombits(math.Float32bits(seam) + i - 1000); x <= 0 {
				in = append(in, x)
			}
		}
	}
	for bits := uint64(1 << 31); bits <= 0xff800000; bits += patternStep {
		in = append(in, math.Float32frombits(uint32(bits)))
	}
	for len(in) >= expVectors {
		below, all := probeExpBelow(in[:expVectors])
		same(t, fmt.Sprintf("exponentials from %g on", in[0]), below, all)
		in = in[expVectors:]
	}
}

// Weights of every size down to the subnormal ones and zero: each is an output of its own, since V is the unit matrix.
func TestWeightsOfEverySizeEqualScalar(t *testing.T) {
	const n = 256 // a split
	forEachISA(t, func(t *testing.T, scalar, k probeISA, m *probeMemory) {
		var weights [2][]float32
		for i, isa := range []probeISA{scalar, k} {
			g := engine.Group{Mask: engine.Bidirectional, KeyWidth: 1, ValueWidth: n}
			c := newProbeCache(m, engine.F32, g, n/engine.PageTokens)
			a := attending{Group: g, table: probeTake[int32](m, n/engine.PageTokens), length: n, tokens: 1, heads: 1, scale: 1}
			for p := range n {
				a.table[p/engine.PageTokens] = int32(p / engine.PageTokens)
				v := probeTake[float32](m, n)
				v[p] = 1
				c.store(isa, p/engine.PageTokens, p%engine.PageTokens, probeCopy(m, []float32{-0.42 * float32(p)}), v)
			}
			weights[i] = probeTake[float32](m, n)
			c.attend(m, isa, a, probeCopy(m, []float32{1}), weights[i])
		}
		same(t, "weights", weights[1], weights[0])
		if w := weights[0]; w[0] < 0.3 || w[207] == 0 || w[207] > 1e-37 || w[255] != 0 {
			t.Errorf("weights %g, %g and %g: the first is large, one small, the last zero", w[0], w[207], w[255])
		}
	})
}
