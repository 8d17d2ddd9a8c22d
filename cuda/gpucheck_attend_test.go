//go:build cuda

package cuda

import (
	"fmt"
	"math/rand/v2"

	"chimera/engine"
)

// This file owns the GPU check of attention and of sampling.

// attention is one form of it.
type attention struct {
	name           string
	heads, kvHeads int
	headDim        int
	kv             engine.DType
	rope           *engine.Rope
	norms, factors bool
	window         int
	softcap        float32
}

func ropeOver(style engine.RopeStyle, dim int) *engine.Rope {
	return &engine.Rope{Style: style, Dim: dim, Base: 10000, Scale: 1, Magnitude: 1, Factors: engine.NoWeight}
}

func yarnOver(dim int) *engine.Rope {
	return &engine.Rope{Style: engine.RopeHalves, Dim: dim, Base: 10000, Scale: 0.25, Magnitude: 1.14, Factors: engine.NoWeight, Extension: 1, Low: 2, High: 5}
}

var attentions = []attention{
	{"no rope, one head", 1, 1, 20, engine.F32, nil, false, false, 0, 0},
	{"adjacent pairs, groups of 3, f16 pages", 9, 3, 64, engine.F16, ropeOver(engine.RopeAdjacent, 64), false, false, 0, 0},
	{"halves, part of the head, q8_0 pages", 4, 2, 80, engine.Q8_0, ropeOver(engine.RopeHalves, 32), false, false, 0, 0},
	{"query and key norms, window of 33, softcap", 4, 1, 32, engine.F16, ropeOver(engine.RopeHalves, 32), true, false, 33, 20},
	{"window of 300", 2, 2, 16, engine.F32, ropeOver(engine.RopeHalves, 16), false, false, 300, 0},
	{"YaRN", 4, 4, 24, engine.F32, yarnOver(24), false, false, 0, 0},
	{"frequency factors, q8_0 pages", 4, 2, 36, engine.Q8_0, ropeOver(engine.RopeAdjacent, 36), false, true, 0, 50},
	{"heads of 128, f16 pages", 8, 2, 128, engine.F16, ropeOver(engine.RopeHalves, 128), true, false, 0, 0},
	{"heads of 256, window of 512", 4, 1, 256, engine.F16, ropeOver(engine.RopeHalves, 256), true, false, 512, 0},
	{"heads of 512, the largest, f32 pages", 2, 1, 512, engine.F32, ropeOver(engine.RopeHalves, 512), false, false, 0, 0},
}

func checkAttention(c *checker) {
	for _, a := range attentions {
		if c.small && a.headDim > 80 {
			continue
		}
		c.check(a.name, func(v *verdict) error { return c.attend(v, a) })
	}
}

// attend walks one long sequence in chunks over several splits, then decodes it beside shorter ones; at the end the
// pages are compared too.
func (c *checker) attend(v *verdict, a attention) error {
	const width = 48
	context := c.size(1100, 300)
	m := newMini(uint64(a.headDim*a.heads), engine.Program{Layers: 1, KVHeads: a.kvHeads, HeadDim: a.headDim, Vocab: max(a.heads*a.headDim, checkVocab), Context: context})
	x := m.input(width, 1)
	q, k, w := m.Value("q", a.heads*a.headDim), m.Value("k", a.kvHeads*a.headDim), m.Value("v", a.kvHeads*a.headDim)
	out := m.Value("out", a.heads*a.headDim)
	var products []engine.Linear
	for _, to := range []engine.ValueID{q, k, w} {
		rows := a.kvHeads * a.headDim
		if to == q {
			rows = a.heads * a.headDim
		}
		products = append(products, plainLinear(m.matrix(engine.F32, rows, width), to))
	}
	m.Add(engine.Linears{In: x, Outputs: products})
	o := engine.Attend{Q: q, K: k, V: w, Out: out, Heads: a.heads, Scale: 0.4, QNorm: engine.NoWeight, KNorm: engine.NoWeight, Epsilon: 1e-6,
		Window: a.window, Softcap: a.softcap}
	if a.norms {
		o.QNorm, o.KNorm = m.vector(a.headDim, 1), m.vector(a.headDim, 1)
	}
	if a.rope != nil {
		rope := *a.rope
		if a.factors {
			rope.Factors = m.vector(rope.Dim/2, 2)
		}
		o.Rope = &rope
	}
	m.Add(o)
	p, err := m.observe(out, a.heads*a.headDim)
	return c.with(m, p, err, a.kv, func(q *pair) error { return c.walk(v, q, context) })
}

// walk computes a sequence to nearly the end of the context, with others behind it.
func (c *checker) walk(v *verdict, q *pair, context int) error {
	tokens := tokensFrom(3, context, checkVocab)
	at := 0
	for _, n := range []int{1, 17, 2, 1} {
		if err := q.rows(v, fmt.Sprintf("positions %d to %d", at, at+n-1), part{0, at, tokens[at : at+n]}); err != nil {
			return err
		}
		at += n
	}
	for ; at+61 < context-8; at += 61 {
		if err := q.last(v, fmt.Sprintf("chunk at %d", at), part{0, at, tokens[at : at+61]}); err != nil {
			return err
		}
	}
	for i := range c.size(6, 2) { // decode beside sequences of one and of several tokens
		err := q.rows(v, fmt.Sprintf("decode at %d, in company", at+i), part{1, 5 * i, tokens[i : i+5]}, part{0, at + i, tokens[at+i : at+i+1]},
			part{2, i, tokens[i+9 : i+10]})
		if err != nil {
			return err
		}
	}
	return q.pages(v, 0, at)
}

// last computes a chunk and compares its last rows alone.
func (q *pair) last(v *verdict, what string, c part) error {
	return q.step(v, what, func(b *engine.Batch) error {
		row, err := b.AddSequence(c.tokens, c.first, q.tablesOf(c.sequence))
		if err != nil {
			return err
		}
		return addRows(b, row+len(c.tokens)-min(len(c.tokens), wholeRows), row+len(c.tokens))
	})
}

// pages compares what both hold of a sequence's positions.
func (q *pair) pages(v *verdict, sequence, positions int) error {
	want, got := make([]byte, q.cpu.Limits().PageBytes), make([]byte, q.gpu.Limits().PageBytes)
	for i, page := range q.tablesOf(sequence)[:pagesFor(positions)] {
		if err := q.cpu.ExportPage(page, want); err != nil {
			return err
		}
		if err := q.gpu.ExportPage(page, got); err != nil {
			return err
		}
		v.bytes(fmt.Sprintf("page %d of sequence %d", i, sequence), want, got)
	}
	return nil
}

// samplings are ways to choose a token.
var samplings = []engine.Output{
	{}, {Top: 5}, {Temperature: 1}, {Temperature: 0.7, TopK: 3}, {Temperature: 1.3, TopP: 0.8, Top: 20}, {Temperature: 1, MinP: 0.2},
	{Temperature: 2, TopK: 40, TopP: 0.95, MinP: 0.01}, {Temperature: 0.5, Repetition: 1.3, Presence: 0.4, Frequency: 0.2},
	{Repetition: 1.5, Presence: 1, Frequency: -0.5}, {Temperature: 1e-3}, {Temperature: 1, TopP: 1e-6}, {Temperature: 5, TopK: 1 << 20},
}

func checkSampling(c *checker) {
	vocabularies := []int{1, 2, 15, 17, 1000, 4099, 49152, 151936}
	if c.small {
		vocabularies = []int{1, 515}
	}
	for _, vocab := range vocabularies {
		for _, kind := range []int{0, 1, 4, 7} {
			if c.small && kind > 1 {
				continue
			}
			c.check(fmt.Sprintf("vocabulary of %d, logits of kind %d", vocab, kind), func(v *verdict) error { return c.sample(v, vocab, kind) })
		}
	}
}

// sample has one row of logits per input, and every way to choose from it.
func (c *checker) sample(v *verdict, vocab, kind int) error {
	const width = 8
	m := newMini(uint64(vocab+kind), engine.Program{Vocab: vocab})
	rows := m.OutputValue("rows", width)
	m.Add(engine.Rows{In: m.input(width, 1), Out: rows})
	data := floatData(engine.F32, vocab*width, func(i int) float32 { return float32(inputKinds[kind](m.r, i)) })
	m.Add(engine.Head{In: rows, Weight: m.Weight(m.tensor(engine.F32, vocab, width, data), vocab, width), Bias: engine.NoWeight, Scale: 1})
	p, err := m.Program()
	return c.with(m, p, err, engine.F32, func(q *pair) error {
		for seed := range c.size(8, 2) {
			err := q.step(v, fmt.Sprintf("seed %d", seed), func(b *engine.Batch) error {
				if _, err := b.AddSequence(tokensFrom(seed, len(samplings), vocab), 0, q.tablesOf(0)); err != nil {
					return err
				}
				return addSamplings(b, seeded(uint64(seed)), vocab)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// addSamplings asks for every way to choose, each of a row of its own.
func addSamplings(b *engine.Batch, r *rand.Rand, vocab int) error {
	for i, o := range samplings {
		o.Row, o.Mode, o.Target, o.Seed, o.Choice = int32(i), engine.Sample|engine.Score|engine.LogSumExp|engine.Rank, int32(r.IntN(vocab)), r.Uint64(), int32(i%3)
		o.Top = min(o.Top, int32(vocab))
		if o.TopP == 0 {
			o.TopP = 1
		}
		if o.Repetition == 0 {
			o.Repetition = 1
		}
		seen := int32(r.IntN(vocab))
		penalties := []engine.Penalty{{Token: seen, Seen: 2, Generated: 1}, {Token: (seen + 1) % int32(vocab), Seen: 1}}
		if _, err := b.AddOutput(o, penalties[:min(i%3, vocab-1)], []engine.Bias{{Token: int32(r.IntN(vocab)), Value: 2.5}}); err != nil {
			return err
		}
	}
	return nil
}
