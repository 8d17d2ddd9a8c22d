//go:build cuda

package cuda

import (
	"errors"
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
	valueDim       int // 0: headDim
	latent         bool
	mask           engine.Mask // 0: by the window
}

// group is the one that its layer is of.
func (a attention) group() engine.Group {
	g := engine.Group{Name: "group", Layers: 1, Mask: engine.Causal, Heads: a.kvHeads, KeyWidth: a.headDim, ValueWidth: a.headDim, Latent: a.latent}
	if a.valueDim > 0 {
		g.ValueWidth = a.valueDim
	}
	if a.window > 0 {
		g.Mask, g.Window = engine.Window, a.window
	}
	if a.mask > 0 {
		g.Mask = a.mask
	}
	return g
}

func ropeOver(style engine.RopeStyle, dim int) *engine.Rope {
	return &engine.Rope{Style: style, Dim: dim, Base: 10000, Scale: 1, Magnitude: 1}
}

func yarnOver(dim int) *engine.Rope {
	return &engine.Rope{Style: engine.RopeHalves, Dim: dim, Base: 10000, Scale: 0.25, Magnitude: 1.14, Extension: 1, Low: 2, High: 5}
}

var attentions = []attention{
	{"no rope, one head", 1, 1, 20, engine.F32, nil, false, false, 0, 0, 0, false, 0},
	{"adjacent pairs, groups of 3, f16 pages", 9, 3, 64, engine.F16, ropeOver(engine.RopeAdjacent, 64), false, false, 0, 0, 0, false, 0},
	{"halves, part of the head, q8_0 pages", 4, 2, 80, engine.Q8_0, ropeOver(engine.RopeHalves, 32), false, false, 0, 0, 0, false, 0},
	{"query and key norms, window of 33, softcap", 4, 1, 32, engine.F16, ropeOver(engine.RopeHalves, 32), true, false, 33, 20, 0, false, 0},
	{"window of 300", 2, 2, 16, engine.F32, ropeOver(engine.RopeHalves, 16), false, false, 300, 0, 0, false, 0},
	{"YaRN", 4, 4, 24, engine.F32, yarnOver(24), false, false, 0, 0, 0, false, 0},
	{"frequency factors, q8_0 pages", 4, 2, 36, engine.Q8_0, ropeOver(engine.RopeAdjacent, 36), false, true, 0, 50, 0, false, 0},
	{"heads of 128, f16 pages", 8, 2, 128, engine.F16, ropeOver(engine.RopeHalves, 128), true, false, 0, 0, 0, false, 0},
	{"heads of 256, window of 512", 4, 1, 256, engine.F16, ropeOver(engine.RopeHalves, 256), true, false, 512, 0, 0, false, 0},
	{"heads of 512, the largest, f32 pages", 2, 1, 512, engine.F32, ropeOver(engine.RopeHalves, 512), false, false, 0, 0, 0, false, 0},
	{"latent, q8_0 pages", 4, 1, 72, engine.Q8_0, ropeOver(engine.RopeAdjacent, 8), true, false, 0, 0, 64, true, 0},
	{"latent, heads of 576", 16, 1, 576, engine.F16, ropeOver(engine.RopeAdjacent, 64), false, false, 0, 0, 512, true, 0},
	{"keys of 24, values of 40, f16 pages", 4, 2, 24, engine.F16, ropeOver(engine.RopeHalves, 24), false, false, 0, 0, 40, false, 0},
	{"keys of 1024, values of 16", 2, 1, 1024, engine.F16, nil, false, false, 0, 0, 16, false, 0},
	{"bidirectional", 4, 2, 32, engine.F16, ropeOver(engine.RopeHalves, 32), true, false, 0, 0, 0, false, engine.Bidirectional},
}

func checkAttention(c *checker) {
	for _, a := range attentions {
		if c.small && a.headDim > 80 {
			continue
		}
		c.check(a.name, func(v *verdict) error { return c.attend(v, a) })
	}
	c.check("across programs", c.across)
}

// attend walks one long sequence in chunks over several splits, then decodes it beside shorter ones; at the end the
// pages are compared too.
func (c *checker) attend(v *verdict, a attention) error {
	context := c.size(1100, 300)
	m := newMini(uint64(a.headDim*a.heads), max(a.heads*a.group().ValueWidth, checkVocab), context)
	x := m.input(attendWidth, 1)
	out := m.attend(a, a.group(), x, true)
	p, err := m.observe(out, a.heads*a.group().ValueWidth)
	return c.with(m, p, err, a.kv, func(q *pair) error {
		if a.mask == engine.Bidirectional {
			return c.pieces(v, q)
		}
		return c.walk(v, q, context, a.window)
	})
}

// attendWidth is that of the value which queries, keys and values are made from.
const attendWidth = 48

// project is a product of x with random weights.
func (m *miniProgram) project(x engine.ValueID, rows int) engine.ValueID {
	y := m.Value("projected", rows)
	m.Add(engine.Linears{In: x, Outputs: []engine.Linear{plainLinear(m.matrix(engine.F32, rows, attendWidth), y)}})
	return y
}

// attend adds a layer of attention, which writes its group's pages too or reads what is there, and returns its output.
func (m *miniProgram) attend(a attention, g engine.Group, x engine.ValueID, writes bool) engine.ValueID {
	group := m.Group(g)
	store := engine.Store{Group: group, Layer: 1, Epsilon: 1e-6}
	read := engine.Attend{Group: group, Layer: 1, Heads: a.heads, Scale: 0.4, Epsilon: 1e-6, Softcap: a.softcap}
	if a.norms {
		store.Norm, read.Norm = m.vector(a.headDim, 1), m.vector(a.headDim, 1)
	}
	if a.rope != nil {
		rope := *a.rope
		if a.factors {
			rope.Factors = m.vector(rope.Dim/2, 2)
		}
		store.Rope, read.Rope = &rope, &rope
	}
	if writes {
		store.K = m.project(x, g.Heads*g.KeyWidth)
		if !g.Latent {
			store.V = m.project(x, g.Heads*g.ValueWidth)
		}
		m.Add(store)
	}
	read.Q, read.Out = m.project(x, a.heads*g.KeyWidth), m.Value("out", a.heads*g.ValueWidth)
	m.Add(read)
	return read.Out
}

// pieces are sequences whose tokens all see each other.
func (c *checker) pieces(v *verdict, q *pair) error {
	tokens := tokensFrom(3, 64, checkVocab)
	for _, n := range []int{1, 2, 16, 17, 33} {
		if err := q.rows(v, fmt.Sprintf("%d tokens", n), part{0, 0, tokens[:n]}, part{1, 0, tokens[5:13]}, part{2, 0, tokens[7:8]}); err != nil {
			return err
		}
	}
	return q.pages(v, 0, 0, 33)
}

// across has a program that reads the pages which another one writes.
func (c *checker) across(v *verdict) error {
	a := attention{heads: 4, kvHeads: 2, headDim: 32, kv: engine.F16, valueDim: 24}
	memory := a.group()
	memory.Name, memory.Mask = "memory", engine.Bidirectional
	writer := newMini(1, checkVocab, miniContext)
	w, err := writer.observe(writer.attend(a, memory, writer.input(attendWidth, 1), true), a.heads*memory.ValueWidth)
	if err != nil {
		return err
	}
	memory.Mask = engine.Cross
	reader := newMini(2, checkVocab, miniContext)
	r, err := reader.observe(reader.attend(a, memory, reader.input(attendWidth, 1), false), a.heads*memory.ValueWidth)
	if err != nil {
		return err
	}
	q, err := c.pair(w, writer.w, checkOptions(w, a.kv))
	if err != nil {
		return err
	}
	o := checkOptions(r, a.kv)
	o.Pages = nil
	other, err := c.sharing(r, reader.w, o, q)
	if err != nil {
		return errors.Join(err, q.close())
	}
	return errors.Join(crossing(v, q, other), other.close(), q.close())
}

// crossing lets q write, and other read that from several positions and with several tokens.
func crossing(v *verdict, q, other *pair) error {
	tokens := tokensFrom(3, 64, checkVocab)
	for _, length := range []int{1, 17, 40} {
		if err := q.rows(v, "writing", part{0, 0, tokens[:length]}); err != nil {
			return err
		}
		err := other.step(v, fmt.Sprintf("reading %d positions", length), func(b *engine.Batch) error {
			table := []engine.PageTable{{Pages: q.pagesOf(0)[:pagesFor(length)], Length: length}}
			for first, n := range []int{1, 3, 5} {
				if _, err := b.AddSequence(tokens[first:first+n], first, table); err != nil {
					return err
				}
			}
			return addRows(b, 0, 9)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// walk computes a sequence to nearly the end of the context, with others behind it.
func (c *checker) walk(v *verdict, q *pair, context, window int) error {
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
	first := 0
	if window > 0 {
		first = max(0, at-window+1) / engine.PageTokens
	}
	return q.pages(v, 0, first, at)
}

// last computes a chunk and compares its last rows alone.
func (q *pair) last(v *verdict, what string, c part) error {
	return q.step(v, what, func(b *engine.Batch) error {
		row, err := q.add(b, c)
		if err != nil {
			return err
		}
		return addRows(b, row+len(c.tokens)-min(len(c.tokens), wholeRows), row+len(c.tokens))
	})
}

// pages compares what both hold of a sequence's positions, from a page on.
func (q *pair) pages(v *verdict, sequence, first, positions int) error {
	for i, l := range q.gpu.Limits().Groups {
		g := engine.GroupID(i + 1)
		want, got := make([]byte, l.PageBytes), make([]byte, l.PageBytes)
		for i, page := range q.pagesOf(sequence)[first:pagesFor(positions)] {
			if err := waited(q.cpu.Export(g, page, want)); err != nil {
				return err
			}
			if err := waited(q.gpu.Export(g, page, got)); err != nil {
				return err
			}
			v.bytes(fmt.Sprintf("page %d of sequence %d in %s", first+i, sequence, l.Name), want, got)
		}
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
	m := newMini(uint64(vocab+kind), vocab, miniContext)
	rows := m.OutputValue("rows", width)
	m.Add(engine.Rows{In: m.input(width, 1), Out: rows})
	data := floatData(engine.F32, vocab*width, func(i int) float32 { return float32(inputKinds[kind](m.r, i)) })
	m.Add(engine.Head{In: rows, Weight: m.Weight(m.tensor(engine.F32, vocab, width, data), vocab, width), Scale: 1})
	p, err := m.Program()
	return c.with(m, p, err, engine.F32, func(q *pair) error {
		for seed := range c.size(8, 2) {
			err := q.step(v, fmt.Sprintf("seed %d", seed), func(b *engine.Batch) error {
				if _, err := q.add(b, part{0, 0, tokensFrom(seed, len(samplings), vocab)}); err != nil {
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
		if _, err := b.AddOutput(o, penalties[:min(i%3, vocab-1)], []engine.Bias{{Token: int32(r.IntN(vocab)), Value: 2.5}}, seen, o.Target); err != nil {
			return err
		}
	}
	return nil
}
