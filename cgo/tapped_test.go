//go:build cgo

package cgo

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns tests of rows that are there for their states: no logits are formed of them, and those of others are what they are without.

// tappedModel is an embedding whose rows are tapped before the head.
func tappedModel(t testing.TB, vocab, width int) (*engine.Program, enginetest.Tensors) {
	t.Helper()
	p, w := engine.NewBuilder("tapped", vocab, 64), enginetest.Tensors{}
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
		var data []byte
		for k := range vocab * width {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32((k*7+i)%13)-6))
		}
		w.Put(name, engine.F32, vocab, width, data)
	}
	return program, w
}

// A step's logits are formed 16 outputs at a time, in a place that shows what was: where none of these wants any it stays as it was.
func TestTapsAloneFormNoLogits(t *testing.T) {
	const vocab, width, n = 16, 32, 40
	p, w := tappedModel(t, vocab, width)
	loaded, err := openPacked(t, 2).Load(p, w, engine.LoadOptions{Policy: engine.Policy{KV: engine.F16}, MaxTokens: n, MaxSequences: 1, MaxOutputs: n, MaxTop: 2, MaxContext: 64})
	if err != nil {
		t.Fatal(err)
	}
	in := loaded.(*instance)
	defer func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}()
	b, err := in.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	step := func(asks func(row int) engine.Output) (logits []float32, first []engine.Result, taps []float32) {
		b.Reset()
		b.Generation = in.Generation()
		tokens := make([]int32, n)
		for i := range tokens {
			tokens[i] = int32(i % vocab)
		}
		if _, err := b.AddSequence(tokens, 0, nil); err != nil {
			t.Fatal(err)
		}
		for row := range n {
			o := asks(row)
			o.Row = int32(row)
			if _, err := b.AddOutput(o, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		for i := range in.buffers.logits {
			in.buffers.logits[i] = -12345
		}
		for i := range b.Results {
			b.Results[i] = engine.Result{Token: 7, NotFinite: 1}
		}
		if err := in.Submit(b); err != nil {
			t.Fatal(err)
		}
		if err := in.Wait(); err != nil {
			t.Fatal(err)
		}
		return slices.Clone(in.buffers.logits), slices.Clone(b.Results), slices.Clone(b.Taps)
	}
	alone := engine.Output{Mode: engine.Tapped}
	scored := engine.Output{Mode: engine.Tapped | engine.Score | engine.LogSumExp | engine.Rank, Target: 3}
	_, want, states := step(func(int) engine.Output { return scored })
	for name, wants := range map[string]int{"nobody": -1, "the first": 0, "one between": 20, "the last": n - 1} {
		logits, got, taps := step(func(row int) engine.Output {
			if row == wants {
				return scored
			}
			return alone
		})
		if formed := slices.ContainsFunc(logits, func(x float32) bool { return x != -12345 }); formed != (wants >= 0) {
			t.Errorf("%s wants logits; formed: %t", name, formed)
		}
		if !slices.Equal(taps, states) {
			t.Errorf("%s wants logits: other states", name)
		}
		for row, r := range got {
			w := engine.Result{}
			if row == wants {
				w = want[row]
			}
			if r != w || b.OutputError(row) != nil {
				t.Errorf("%s wants logits: row %d has %+v, want %+v; %v", name, row, r, w, b.OutputError(row))
			}
		}
	}
}
