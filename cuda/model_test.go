//go:build cuda

package cuda

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/weights"
)

// This file owns small models that are made here, with their weights in memory: no file is needed, and a load takes a few ms.

// scales are a quantised block's halves, by offset, that make its values about as large as the others'.
var scales = map[engine.DType]map[int]float32{
	engine.Q4_0: {0: 1. / 32}, engine.Q4_1: {0: 1. / 32, 2: -0.25}, engine.Q5_0: {0: 1. / 64}, engine.Q8_0: {0: 1. / 512},
}

// fillWith writes random values of a type.
func fillWith(data []byte, t engine.DType, r *rand.Rand) {
	_, block := weights.Type(t).Block()
	for at := 0; at < len(data); at += int(block) {
		b := data[at:][:block]
		switch x := float32(r.NormFloat64()) / 6; t {
		case engine.F32:
			binary.LittleEndian.PutUint32(b, math.Float32bits(x))
		case engine.F16:
			binary.LittleEndian.PutUint16(b, weights.FloatToHalf(x))
		case engine.BF16:
			binary.LittleEndian.PutUint16(b, uint16(math.Float32bits(x)>>16))
		default:
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			for offset, scale := range scales[t] {
				binary.LittleEndian.PutUint16(b[offset:], weights.FloatToHalf(scale))
			}
		}
	}
}

// maker makes a model: the builder of its program and the weights that it names.
type maker struct {
	*engine.Builder
	weights enginetest.Tensors
	types   []engine.DType // of matrices, in turn
}

func (m *maker) tensor(name string, t engine.DType, rows, cols int) engine.WeightID {
	h := fnv.New64()
	_, _ = h.Write([]byte(name))
	values, block := weights.Type(t).Block()
	data := make([]byte, rows*cols/int(values)*int(block))
	fillWith(data, t, rand.New(rand.NewPCG(h.Sum64(), uint64(rows))))
	m.weights.Put(name, t, rows, cols, data)
	return m.Weight(name, rows, cols)
}

func (m *maker) matrix(name string, rows, cols int) engine.WeightID {
	return m.tensor(name, m.types[len(m.weights)%len(m.types)], rows, cols)
}

func (m *maker) vector(name string, n int) engine.WeightID { return m.tensor(name, engine.F32, 1, n) }

// plain is a product without bias, gate and residual.
func plain(w engine.WeightID, out engine.ValueID) engine.Linear {
	return engine.Linear{Weight: w, Out: out}
}

func (m *maker) linears(in engine.ValueID, outputs ...engine.Linear) {
	m.Add(engine.Linears{In: in, Outputs: outputs})
}

// shape is a model's size.
type shape struct{ layers, width, heads, kvHeads, headDim, ff, vocab, context int }

var (
	tinyShape = shape{layers: 1, width: 32, heads: 2, kvHeads: 1, headDim: 16, vocab: 40, context: 64}
	oddShape  = shape{layers: 2, width: 96, heads: 6, kvHeads: 2, headDim: 20, ff: 160, vocab: 203, context: 640}
)

// oddWindow is that of every second layer.
const oddWindow = 33

// group is the one of a layer: every second layer has a window.
func (m *maker) group(s shape, layer int) engine.GroupID {
	g := engine.Group{Name: fmt.Sprintf("group %d", layer), Layers: 1, Mask: engine.Causal, Heads: s.kvHeads, KeyWidth: s.headDim, ValueWidth: s.headDim}
	if layer%2 == 1 {
		g.Mask, g.Window = engine.Window, oddWindow
	}
	return m.Group(g)
}

// attention adds a layer's first half to x; layers differ in norm, window, softcap and the pairs of the rope.
func (m *maker) attention(s shape, layer int, x, h, q, k, v, a engine.ValueID) {
	n := func(name string) string { return fmt.Sprintf("%d.%s", layer, name) }
	m.Add(engine.Norm{Kind: engine.NormKind(layer%2 + 1), Gamma: m.vector(n("norm"), s.width), Epsilon: 1e-5, In: x, Out: h})
	biased := plain(m.matrix(n("q"), s.heads*s.headDim, s.width), q)
	biased.Bias = m.vector(n("q.bias"), s.heads*s.headDim)
	m.linears(h, biased, plain(m.matrix(n("k"), s.kvHeads*s.headDim, s.width), k), plain(m.matrix(n("v"), s.kvHeads*s.headDim, s.width), v))
	group, rope := m.group(s, layer), &engine.Rope{Style: engine.RopeStyle(layer % 2), Dim: 16, Base: 10000, Scale: 1, Magnitude: 1}
	m.Add(engine.Store{Group: group, Layer: 1, K: k, V: v, Norm: m.vector(n("knorm"), s.headDim), Epsilon: 1e-6, Rope: rope})
	m.Add(engine.Attend{Group: group, Layer: 1, Q: q, Out: a, Heads: s.heads, Scale: 2, Softcap: 20 * float32(layer), Rope: rope})
	out := plain(m.tensor(n("o"), engine.F32, s.width, s.heads*s.headDim), x)
	out.Residual = x
	m.linears(a, out)
}

// feedForward adds its second half.
func (m *maker) feedForward(s shape, layer int, x, h, ff engine.ValueID) {
	n := func(name string) string { return fmt.Sprintf("%d.%s", layer, name) }
	m.Add(engine.Norm{Kind: engine.RMSNorm, Gamma: m.vector(n("ffnorm"), s.width), Beta: m.vector(n("ffbeta"), s.width), Epsilon: 1e-5,
		In: x, Out: h})
	up := plain(m.matrix(n("up"), s.ff, s.width), ff)
	up.Gate, up.Activation = m.matrix(n("gate"), s.ff, s.width), engine.SiLU
	m.linears(h, up)
	m.linears(ff, plain(m.matrix(n("down"), s.width, s.ff), h))
	m.Add(engine.Add{A: x, B: h, Out: x})
}

// made is a model of a shape, its matrices of the types in turn.
func made(t testing.TB, s shape, types ...engine.DType) (*engine.Program, enginetest.Tensors) {
	t.Helper()
	m := &maker{weights: enginetest.Tensors{}, types: types, Builder: engine.NewBuilder("test", s.vocab, s.context)}
	x, h := m.Value("x", s.width), m.Value("h", s.width)
	q, a := m.Value("q", s.heads*s.headDim), m.Value("a", s.heads*s.headDim)
	k, v := m.Value("k", s.kvHeads*s.headDim), m.Value("v", s.kvHeads*s.headDim)
	m.Add(engine.Embed{Table: m.matrix("embed", s.vocab, s.width), Scale: 4, Out: x})
	for layer := range s.layers {
		m.attention(s, layer, x, h, q, k, v, a)
		if s.ff > 0 {
			m.feedForward(s, layer, x, h, m.Value("ff", s.ff))
		}
	}
	last, normed := m.OutputValue("last", s.width), m.OutputValue("normed", s.width)
	m.Add(engine.Rows{In: x, Out: last})
	m.Add(engine.Norm{Kind: engine.RMSNorm, Epsilon: 1e-5, In: last, Out: normed})
	m.Add(engine.Head{In: normed, Weight: m.matrix("head", s.vocab, s.width), Scale: 3})
	p, err := m.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p, m.weights
}

func odd(t *testing.T) (*engine.Program, enginetest.Tensors) {
	return made(t, oddShape, engine.Q8_0, engine.Q4_1, engine.BF16, engine.F16, engine.Q5_0, engine.Q4_0, engine.F32)
}
