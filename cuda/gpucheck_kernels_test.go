//go:build cuda

package cuda

import (
	"errors"
	"fmt"

	"chimera/engine"
)

// This file owns the GPU check of what works on rows: products in every form, what follows them, the head, norms,
// rounding, embeddings.

// columns are input widths around a type's blocks and the kernels' tiles.
func (c *checker) columns(t engine.DType) []int {
	switch values, _ := blockOf(t); {
	case values == 1 && c.small:
		return []int{33}
	case values == 1:
		return []int{1, 2, 31, 33, 64, 100, 577, 2048}
	case values == 32 && c.small:
		return []int{96}
	case values == 32:
		return []int{32, 64, 96, 224, 576, 1536}
	case c.small:
		return []int{256}
	}
	return []int{256, 512, 768, 2048}
}

// tokenCounts are rows of a step around the tiles of a product.
func (c *checker) tokenCounts() []int {
	if c.small {
		return []int{1, 7, 9, 33}
	}
	return []int{1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33}
}

const checkVocab = 160

// with runs a program that was stated, on both backends.
func (c *checker) with(m *miniProgram, p *engine.Program, err error, kv engine.DType, f func(*pair) error) error {
	if err != nil {
		return err
	}
	q, err := c.pair(p, m.w, checkOptions(p, kv))
	if err != nil {
		return err
	}
	return errors.Join(f(q), q.close())
}

// allCounts compares steps of every number of rows; tokens walk through all kinds of input.
func (c *checker) allCounts(v *verdict, what string) func(*pair) error {
	return func(q *pair) error {
		for _, n := range c.tokenCounts() {
			if err := q.rows(v, fmt.Sprintf("%s, %d rows", what, n), part{0, 0, consecutive(n, checkVocab)}); err != nil {
				return err
			}
		}
		return nil
	}
}

func checkProducts(c *checker) {
	for _, t := range checkTypes {
		c.check("product "+t.String(), func(v *verdict) error {
			for i, cols := range c.columns(t) {
				if err := c.product(v, t, []int{17, 1, 50, 16, 130}[i%5], cols); err != nil {
					return err
				}
			}
			return nil
		})
		c.check("head "+t.String(), func(v *verdict) error { return c.head(v, t) })
	}
	for activation := engine.Identity; activation <= engine.GELU; activation++ {
		c.check(fmt.Sprintf("bias, gate and residual, activation %d", activation), func(v *verdict) error {
			for options := range 16 {
				if c.small && options != 15-int(activation) {
					continue
				}
				if err := c.epilogue(v, activation, options); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func (c *checker) product(v *verdict, t engine.DType, rows, cols int) error {
	m := newMini(uint64(rows*cols)+uint64(t), checkVocab, miniContext)
	x, y := m.input(cols, len(inputKinds)), m.Value("y", rows)
	m.Add(engine.Linears{In: x, Outputs: []engine.Linear{plainLinear(m.matrix(t, rows, cols), y)}})
	p, err := m.observe(y, rows)
	return c.with(m, p, err, engine.F32, c.allCounts(v, fmt.Sprintf("%d x %d", rows, cols)))
}

// head has more output rows than the head's buffer takes at a time, a bias, a scale and a cap.
func (c *checker) head(v *verdict, t engine.DType) error {
	width := c.columns(t)[len(c.columns(t))-1]
	m := newMini(uint64(width)+uint64(t), checkVocab+7, miniContext)
	rows := m.OutputValue("rows", width)
	m.Add(engine.Rows{In: m.input(width, 5), Out: rows})
	m.Add(engine.Head{In: rows, Weight: m.matrix(t, m.vocab, width), Bias: m.vector(m.vocab, 0), Scale: 0.7, Softcap: 30})
	p, err := m.Program()
	return c.with(m, p, err, engine.F32, func(q *pair) error {
		for _, outputs := range []int{33, 9, 1, 7, 40}[:c.size(5, 2)] {
			err := q.step(v, fmt.Sprintf("%d outputs", outputs), func(b *engine.Batch) error {
				if _, err := q.add(b, part{0, 0, consecutive(outputs, m.vocab)}); err != nil {
					return err
				}
				for i := range outputs { // the last ones whole, all scored
					o := engine.Output{Row: int32(i), Mode: engine.Score | engine.Sample | engine.LogSumExp | engine.Rank, Target: int32(i), Top: 20, TopP: 1, Repetition: 1, Temperature: float32(i % 2)}
					if outputs-i <= wholeRows {
						o.Mode |= engine.WholeRow
					}
					if _, err := b.AddOutput(o, nil, nil); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// epilogue has, by the bits of options, a bias, a gate, the gate's bias, a residual.
func (c *checker) epilogue(v *verdict, activation engine.Activation, options int) error {
	const cols, rows = 64, 50
	t := []engine.DType{engine.F16, engine.Q8_0}[options%2]
	m := newMini(uint64(options), checkVocab, miniContext)
	x, y, other := m.input(cols, 6), m.Value("y", rows), m.Value("other", rows)
	m.Add(engine.Linears{In: x, Outputs: []engine.Linear{plainLinear(m.matrix(t, rows, cols), other)}})
	l := plainLinear(m.matrix(t, rows, cols), y)
	l.Activation = activation
	if options&1 != 0 {
		l.Bias = m.vector(rows, 0.5)
	}
	if options&2 != 0 {
		l.Gate = m.matrix(t, rows, cols)
	}
	if options&6 == 6 {
		l.GateBias = m.vector(rows, -0.5)
	}
	if options&8 != 0 {
		l.Residual = other
	}
	m.Add(engine.Linears{In: x, Outputs: []engine.Linear{l}})
	p, err := m.observe(y, rows)
	return c.with(m, p, err, engine.F32, c.allCounts(v, fmt.Sprintf("options %04b", options)))
}

func checkRows(c *checker) {
	widths := []int{1, 15, 16, 17, 33, 100, 576, 1000, 2048}
	if c.small {
		widths = []int{17, 100}
	}
	for _, kind := range []engine.NormKind{engine.RMSNorm, engine.LayerNorm} {
		c.check(map[engine.NormKind]string{engine.RMSNorm: "RMS norm", engine.LayerNorm: "layer norm"}[kind], func(v *verdict) error {
			for i, width := range widths {
				if err := c.norm(v, kind, width, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	c.check("norm that rounds for a product", c.normThenProduct)
	c.check("add", c.add)
	for _, t := range checkTypes {
		c.check("embedding "+t.String(), func(v *verdict) error { return c.embedding(v, t) })
	}
}

// norm has, by the bits of options, no gamma, a beta, a residual.
func (c *checker) norm(v *verdict, kind engine.NormKind, width, options int) error {
	m := newMini(uint64(width), max(width, checkVocab), miniContext)
	x, y := m.input(width, len(inputKinds)), m.Value("y", width)
	o := engine.Norm{Kind: kind, Epsilon: 1e-5, In: x, Out: y}
	if options&1 == 0 {
		o.Gamma = m.vector(width, 1)
	}
	if options&2 != 0 {
		o.Beta = m.vector(width, 0)
	}
	if options&4 != 0 {
		o.Residual = x
	}
	m.Add(o)
	p, err := m.observe(y, width)
	return c.with(m, p, err, engine.F32, c.allCounts(v, fmt.Sprintf("%d values", width)))
}

// normThenProduct: the norm's kernel rounds its own rows.
func (c *checker) normThenProduct(v *verdict) error {
	const width, rows = 96, 33
	m := newMini(1, checkVocab, miniContext)
	x, y, z := m.input(width, len(inputKinds)), m.Value("y", width), m.Value("z", rows)
	m.Add(engine.Norm{Kind: engine.RMSNorm, Gamma: m.vector(width, 1), Epsilon: 1e-6, In: x, Out: y})
	m.Add(engine.Linears{In: y, Outputs: []engine.Linear{plainLinear(m.matrix(engine.Q5_1, rows, width), z)}})
	p, err := m.observe(z, rows)
	return c.with(m, p, err, engine.F32, c.allCounts(v, "norm and product"))
}

func (c *checker) add(v *verdict) error {
	const width = 33
	m := newMini(2, checkVocab, miniContext)
	x, y, z := m.input(width, len(inputKinds)), m.Value("y", width), m.Value("z", width)
	m.Add(engine.Linears{In: x, Outputs: []engine.Linear{plainLinear(m.matrix(engine.F32, width, width), y)}})
	m.Add(engine.Add{A: x, B: y, Out: z})
	p, err := m.observe(z, width)
	return c.with(m, p, err, engine.F32, c.allCounts(v, "x + y"))
}

// embedding reads a table of a type, with a scale, and with learned positions; then rows that are given as vectors.
func (c *checker) embedding(v *verdict, t engine.DType) error {
	width := c.columns(t)[0]
	m := newMini(uint64(t)+3, max(width, checkVocab), miniContext)
	x := m.Value("x", width)
	m.Add(engine.Embed{Table: m.matrix(t, m.vocab, width), Positions: m.matrix(engine.F16, 64, width), Scale: 5.5, Out: x})
	p, err := m.observe(x, width)
	return c.with(m, p, err, engine.F32, func(q *pair) error {
		return errors.Join(c.allCounts(v, fmt.Sprintf("%d values", width))(q), m.vectors(v, q, width))
	})
}

// vectors has a vector between tokens, and another behind.
func (m *miniProgram) vectors(v *verdict, q *pair, width int) error {
	rows := [2][]float32{make([]float32, width), make([]float32, width)}
	for i := range width {
		rows[0][i], rows[1][i] = float32(m.r.NormFloat64()), float32(i)
	}
	return q.step(v, "vectors", func(b *engine.Batch) error {
		first, err := b.AddVector(rows[0])
		if err != nil {
			return err
		}
		second, err := b.AddVector(rows[1])
		if err != nil {
			return err
		}
		if _, err := q.add(b, part{0, 0, []int32{1, first, 2, second}}); err != nil {
			return err
		}
		return addRows(b, 0, 4)
	})
}
