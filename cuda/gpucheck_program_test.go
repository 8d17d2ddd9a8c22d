//go:build cuda

package cuda

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/weights"
)

// This file owns what the GPU check computes with: tensors made from a seed, programs of one op, and the pair of
// instances, one on each backend, that get the same batches.

// blockForm is a type's block: where its half-precision scales lie, and about how far its values spread with a
// scale of one, so that products keep the size of their inputs.
type blockForm struct {
	scale   []int // offsets
	minimum []int
	spread  float64
}

var blockForms = map[engine.DType]blockForm{
	engine.Q4_0: {[]int{0}, nil, 4.6}, engine.Q4_1: {[]int{0}, []int{2}, 4.6}, engine.Q5_0: {[]int{0}, nil, 9}, engine.Q5_1: {[]int{0}, []int{2}, 9},
	engine.Q8_0: {[]int{0}, nil, 73}, engine.IQ4_NL: {[]int{0}, nil, 60}, engine.Q2_K: {[]int{80}, []int{82}, 10},
	engine.Q3_K: {[]int{108}, nil, 41}, engine.Q4_K: {[]int{0}, []int{2}, 150}, engine.Q5_K: {[]int{0}, []int{2}, 300}, engine.Q6_K: {[]int{208}, nil, 1300},
	engine.IQ4_XS: {[]int{0}, nil, 1100}, engine.MXFP4: {nil, nil, 5},
}

// checkTypes are all types that weights may have.
var checkTypes = []engine.DType{
	engine.F32, engine.F16, engine.BF16, engine.Q4_0, engine.Q4_1, engine.Q5_0, engine.Q5_1, engine.Q8_0, engine.IQ4_NL, engine.MXFP4,
	engine.Q2_K, engine.Q3_K, engine.Q4_K, engine.Q5_K, engine.Q6_K, engine.IQ4_XS,
}

func blockOf(t engine.DType) (values, bytes int) {
	v, b := weights.Type(t).Block()
	return int(v), int(b)
}

// randomData is a matrix whose values spread as 1/sqrt(cols): rows of a type's blocks full of random bits.
func randomData(r *rand.Rand, t engine.DType, rows, cols int) []byte {
	sigma := 1 / math.Sqrt(float64(cols))
	if t == engine.F32 || t == engine.F16 || t == engine.BF16 {
		return floatData(t, rows*cols, func(int) float32 { return float32(r.NormFloat64() * sigma) })
	}
	values, size := blockOf(t)
	data := make([]byte, rows*cols/values*size+8)
	for i := 0; i < len(data)-8; i += 8 {
		binary.LittleEndian.PutUint64(data[i:], r.Uint64())
	}
	data = data[:len(data)-8]
	form := blockForms[t]
	half := func(p []byte, x float64) { binary.LittleEndian.PutUint16(p, weights.FloatToHalf(float32(x))) }
	for at := 0; at < len(data); at += size {
		d := sigma / form.spread * (0.5 + r.Float64())
		for _, offset := range form.scale {
			half(data[at+offset:], d)
		}
		for _, offset := range form.minimum {
			half(data[at+offset:], d*form.spread*(r.Float64()-0.5))
		}
		if t == engine.MXFP4 { // its scale is a power of two
			data[at] = byte(128 + math.Round(math.Log2(d)))
		}
	}
	return data
}

func floatData(t engine.DType, n int, f func(i int) float32) (data []byte) {
	for i := range n {
		switch bits := math.Float32bits(f(i)); t {
		case engine.F16:
			data = binary.LittleEndian.AppendUint16(data, weights.FloatToHalf(math.Float32frombits(bits)))
		case engine.BF16:
			data = binary.LittleEndian.AppendUint16(data, uint16(bits>>16))
		default:
			data = binary.LittleEndian.AppendUint32(data, bits)
		}
	}
	return data
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 5)) }

// inputKinds are what a row of activations may look like; extremes stay finite through a product.
var inputKinds = []func(r *rand.Rand, i int) float64{
	func(r *rand.Rand, _ int) float64 { return r.NormFloat64() },
	func(*rand.Rand, int) float64 { return 0 },
	func(*rand.Rand, int) float64 { return -127 },
	func(_ *rand.Rand, i int) float64 { return float64(1-2*(i%2)) * 127 },
	func(r *rand.Rand, _ int) float64 { return r.NormFloat64() * math.Exp(6*r.NormFloat64()) },
	func(r *rand.Rand, _ int) float64 { return r.NormFloat64() * 1e-40 },
	func(r *rand.Rand, _ int) float64 { return r.NormFloat64() * 1e18 },
	func(r *rand.Rand, _ int) float64 {
		return math.Copysign(math.Pow(2, float64(r.IntN(24)-12)), r.NormFloat64())
	},
}

// miniProgram states an op between an embedding, whose rows are the inputs, and a head of ones on the diagonal, so
// that the logits are the op's output.
type miniProgram struct {
	*engine.Builder
	w     enginetest.Tensors
	r     *rand.Rand
	vocab int
	names int
}

// miniContext is the context of programs that do not say otherwise.
const miniContext = 64

// newMini is a program for inputs of so many values; observed values may be as wide as vocab.
func newMini(seed uint64, vocab, context int) *miniProgram {
	return &miniProgram{Builder: engine.NewBuilder("check", vocab, context), w: enginetest.Tensors{}, r: seeded(seed), vocab: vocab}
}

func (m *miniProgram) tensor(t engine.DType, rows, cols int, data []byte) string {
	m.names++
	name := fmt.Sprintf("t%d", m.names)
	m.w.Put(name, t, rows, cols, data)
	return name
}

// matrix is a random weight.
func (m *miniProgram) matrix(t engine.DType, rows, cols int) engine.WeightID {
	return m.Weight(m.tensor(t, rows, cols, randomData(m.r, t, rows, cols)), rows, cols)
}

// vector is one whose values lie around a mean.
func (m *miniProgram) vector(n int, mean float64) engine.WeightID {
	data := floatData(engine.F32, n, func(int) float32 { return float32(mean + m.r.NormFloat64()/8) })
	return m.Vector(m.tensor(engine.F32, 1, n, data), n)
}

// input embeds tokens as rows of every kind, or of the first alone.
func (m *miniProgram) input(width int, kinds int) engine.ValueID {
	x := m.Value("x", width)
	data := floatData(engine.F32, m.vocab*width, func(i int) float32 {
		return float32(inputKinds[i/width%kinds](m.r, i%width))
	})
	m.Add(engine.Embed{Table: m.Weight(m.tensor(engine.F32, m.vocab, width, data), m.vocab, width), Scale: 1, Out: x})
	return x
}

// observe makes the logits be a value that has a row per token.
func (m *miniProgram) observe(v engine.ValueID, width int) (*engine.Program, error) {
	rows := m.OutputValue("rows", width)
	data := floatData(engine.F32, m.vocab*width, func(i int) float32 {
		if i/width == i%width {
			return 1
		}
		return 0
	})
	m.Add(engine.Rows{In: v, Out: rows})
	m.Add(engine.Head{In: rows, Weight: m.Weight(m.tensor(engine.F32, m.vocab, width, data), m.vocab, width), Scale: 1})
	return m.Program()
}

// plainLinear is out = weight.x.
func plainLinear(w engine.WeightID, out engine.ValueID) engine.Linear {
	return engine.Linear{Weight: w, Out: out}
}

// pair is a program on both backends.
type pair struct {
	cpu, gpu engine.Instance
	on, off  *engine.Batch // the GPU's, the CPU's
	vocab    int
}

func checkOptions(p *engine.Program, kv engine.DType) engine.LoadOptions {
	return engine.LoadOptions{
		Policy: engine.Policy{KV: kv}, MaxTokens: 64, MaxVectors: 4, MaxSequences: 33, MaxOutputs: 64, MaxTop: 20, MaxTargets: 128,
		MaxContext: p.Context, Pages: checkPages(p, p.Context),
	}
}

// checkPages are enough for every sequence to have the context.
func checkPages(p *engine.Program, context int) []int {
	return slices.Repeat([]int{34 * pagesFor(context)}, len(p.Groups))
}

func pagesFor(positions int) int { return (positions + engine.PageTokens - 1) / engine.PageTokens }

func (c *checker) pair(p *engine.Program, w engine.Weights, o engine.LoadOptions) (*pair, error) {
	return c.sharing(p, w, o, nil)
}

// sharing is a pair that uses the pages of another.
func (c *checker) sharing(p *engine.Program, w engine.Weights, o engine.LoadOptions, other *pair) (*pair, error) {
	if other != nil {
		o.Share = other.cpu
	}
	cpu, err := c.cpu.Load(p, w, o)
	if err != nil {
		return nil, err
	}
	q := &pair{cpu: cpu, vocab: p.Vocab}
	if other != nil {
		o.Share = other.gpu
	}
	if q.gpu, err = c.backend.Load(p, w, o); err == nil {
		q.on, err = q.gpu.NewBatch()
	}
	if err == nil {
		q.off, err = q.cpu.NewBatch()
	}
	if err != nil {
		return nil, errors.Join(err, q.close())
	}
	return q, nil
}

func (q *pair) close() error {
	err := q.cpu.Close()
	if q.gpu != nil {
		err = errors.Join(err, q.gpu.Close())
	}
	return err
}

// pagesOf gives sequence s pages of its own, which are no neighbours in memory.
func (q *pair) pagesOf(s int) []int32 {
	l := q.gpu.Limits()
	pages := make([]int32, pagesFor(l.MaxContext))
	for i := range pages {
		pages[i] = int32((s+1)*len(pages) - 1 - i)
	}
	return pages
}

// tablesOf are sequence s's page tables for n tokens from position first on: the same pages in each group, of a window's without those that
// nobody sees any more.
func (q *pair) tablesOf(s, first, n int) (all []engine.PageTable) {
	pages := q.pagesOf(s)[:pagesFor(first+n)]
	for _, g := range q.gpu.Limits().Groups {
		base := g.FirstSeen(first) / engine.PageTokens
		all = append(all, engine.PageTable{Base: base, Pages: pages[base:]})
	}
	return all
}

// add adds a part's tokens to a batch.
func (q *pair) add(b *engine.Batch, c part) (row int, err error) {
	return b.AddSequence(c.tokens, c.first, q.tablesOf(c.sequence, c.first, len(c.tokens)))
}

// run computes one step on an instance.
func runOn(in engine.Instance, b *engine.Batch) error {
	b.Generation = in.Generation()
	if err := in.Submit(b); err != nil {
		return err
	}
	return in.Wait()
}

// step computes the batch that build fills on both and compares all that comes back.
func (q *pair) step(v *verdict, what string, build func(*engine.Batch) error) error {
	for _, side := range []struct {
		in engine.Instance
		b  *engine.Batch
	}{{q.cpu, q.off}, {q.gpu, q.on}} {
		side.b.Reset()
		if err := build(side.b); err != nil {
			return err
		}
		if err := runOn(side.in, side.b); err != nil {
			return err
		}
	}
	v.floats(what, q.off.Logits, q.on.Logits)
	v.floats(what+", targets", q.off.TargetLogits, q.on.TargetLogits)
	v.results(what, q.off.Results, q.on.Results)
	for i := range q.off.Outputs {
		v.tops(what, q.off.TopOf(i), q.on.TopOf(i))
	}
	return nil
}

// wholeRows is the most rows of logits that a step gives.
const wholeRows = 16

// part is some tokens of a sequence.
type part struct {
	sequence, first int
	tokens          []int32
}

// rows computes the chunks and compares the logits of every row, as many at a time as a step gives.
func (q *pair) rows(v *verdict, what string, chunks ...part) error {
	total := 0
	for _, c := range chunks {
		total += len(c.tokens)
	}
	for from := 0; from < total; from += wholeRows {
		err := q.step(v, what, func(b *engine.Batch) error {
			for _, c := range chunks {
				if _, err := q.add(b, c); err != nil {
					return err
				}
			}
			return addRows(b, from, min(from+wholeRows, total))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func addRows(b *engine.Batch, from, to int) error {
	for row := from; row < to; row++ {
		o := engine.Output{Row: int32(row), Mode: engine.WholeRow | engine.Score | engine.LogSumExp | engine.Rank, Target: 0, TopP: 1, Repetition: 1}
		if _, err := b.AddOutput(o, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// tokensFrom are n tokens that walk through the vocabulary.
func tokensFrom(start, n, vocab int) []int32 {
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32((start + i*7 + i*i) % vocab)
	}
	return tokens
}

// consecutive tokens meet every kind of input.
func consecutive(n, vocab int) []int32 {
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32(i % vocab)
	}
	return tokens
}
