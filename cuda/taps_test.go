//go:build cuda

package cuda

import (
	"bytes"
	"slices"
	"testing"
	"unsafe"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the test of rows that are there for their states: no logits are formed of them, and those of others are the CPU's.

// tappedModel is an embedding whose rows are tapped before the head.
func tappedModel(t *testing.T) (*engine.Program, enginetest.Tensors) {
	t.Helper()
	const vocab, width = 48, 64
	p, w := engine.NewBuilder("tapped", vocab, 640), enginetest.Tensors{}
	x, rows := p.Value("x", width), p.OutputValue("rows", width)
	p.Add(engine.Embed{Table: p.Weight("table", vocab, width), Scale: 1, Out: x})
	p.Add(engine.Rows{In: x, Out: rows})
	p.Add(engine.Tap{Name: "rows", In: rows})
	p.Add(engine.Head{In: rows, Weight: p.Weight("head", vocab, width), Scale: 1})
	program, err := p.Program()
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"table", "head"} {
		var data []float32
		for k := range vocab * width {
			data = append(data, float32((k*7+i)%13)-6)
		}
		w.Put(name, engine.F32, vocab, width, bytesOf(data))
	}
	return program, w
}

func TestTapsAloneFormNoLogits(t *testing.T) {
	p, w := tappedModel(t)
	o := options(p, engine.F32)
	o.Pages = nil
	cpu := load(t, onCPU(t), p, w, o)
	on := load(t, gpu(t, "tapped"), p, w, o).(*instance)
	const n = 40
	logits := make([]float32, headRows*p.Vocab)
	stain := func() {
		for i := range logits {
			logits[i] = -12345
		}
		if err := on.do("test", func() error {
			return on.device.copyIn(on.buffers.logits, unsafe.Pointer(&logits[0]), int64(4*len(logits)), *on.stream)
		}); err != nil {
			t.Fatal(err)
		}
	}
	read := func() {
		if err := on.do("test", func() error {
			if err := on.device.copyOut(unsafe.Pointer(&logits[0]), on.buffers.logits, int64(4*len(logits)), *on.stream); err != nil {
				return err
			}
			return on.device.synchronize(*on.stream)
		}); err != nil {
			t.Fatal(err)
		}
	}
	for name, wants := range map[string]int{"nobody": -1, "the first": 0, "one between": 20, "the last": n - 1} {
		var answers [2][]byte
		for i, in := range []engine.Instance{cpu, on} {
			b := newBatch(t, in)
			tokens := make([]int32, n)
			for i := range tokens {
				tokens[i] = int32(i % p.Vocab)
			}
			if _, err := b.AddSequence(tokens, 0, nil); err != nil {
				t.Fatal(err)
			}
			for row := range n {
				q := engine.Output{Row: int32(row), Mode: engine.Tapped}
				if row == wants {
					q.Mode, q.Target, q.Top = engine.Tapped|engine.Score|engine.LogSumExp|engine.Rank, 3, 2
				}
				ask(t, b, q, nil, nil)
			}
			if i == 1 {
				stain()
			}
			run(t, in, b)
			answers[i] = slices.Concat(bytesOf(b.Results), bytesOf(b.Taps))
			for row := range n {
				if err := b.OutputError(row); err != nil || row != wants && b.Results[row] != (engine.Result{}) {
					t.Errorf("%s wants logits: row %d has %+v, %v", name, row, b.Results[row], err)
				}
			}
		}
		if !bytes.Equal(answers[0], answers[1]) {
			t.Errorf("%s wants logits: other results than on the CPU", name)
		}
		read()
		if formed := slices.ContainsFunc(logits, func(x float32) bool { return x != -12345 }); formed != (wants >= 0) {
			t.Errorf("%s wants logits; formed: %t", name, formed)
		}
	}
}
