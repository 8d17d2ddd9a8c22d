//go:build cgo

package cgo

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// sumProgram adds a product to its own output: computed twice, it shows.
func sumProgram(t *testing.T) (*engine.Program, enginetest.Tensors) {
	t.Helper()
	const vocab, width, wide = 16, 32, 64
	p, w := engine.NewBuilder("sum", vocab, 64), enginetest.Tensors{}
	x, y, rows := p.Value("x", width), p.Value("y", wide), p.OutputValue("rows", wide)
	first, second := p.Weight("first", wide, width), p.Weight("second", wide, width)
	p.Add(engine.Embed{Table: p.Weight("table", vocab, width), Scale: 1, Out: x})
	p.Add(engine.Linears{In: x, Outputs: []engine.Linear{{Weight: first, Out: y}}})
	p.Add(engine.Linears{In: x, Outputs: []engine.Linear{{Weight: second, Out: y, Residual: y}}})
	p.Add(engine.Rows{In: y, Out: rows})
	p.Add(engine.Head{In: rows, Weight: p.Weight("head", vocab, wide), Scale: 1})
	program, err := p.Program()
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []struct {
		name       string
		rows, cols int
	}{{"table", vocab, width}, {"first", wide, width}, {"second", wide, width}, {"head", vocab, wide}} {
		var data []byte
		for k := range s.rows * s.cols {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32((k*7+i)%13)-6))
		}
		w.Put(s.name, engine.F32, s.rows, s.cols, data)
	}
	return program, w
}

// A step that is set aside goes on with the first chunk that nobody claimed: those before it are done, and what adds to a value would add
// twice. Here all chunks of the last product were.
func TestStepGoesOnBehindClaimedChunks(t *testing.T) {
	p, w := sumProgram(t)
	loaded, err := openPacked(t, 2).Load(p, w, engine.LoadOptions{Policy: engine.Policy{KV: engine.F16}, MaxTokens: 4, MaxSequences: 1, MaxOutputs: 1, MaxContext: 64})
	if err != nil {
		t.Fatal(err)
	}
	in := loaded.(*instance)
	b, err := in.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	b.Generation = in.Generation()
	if _, err := b.AddSequence([]int32{3, 5}, 0, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.AddOutput(engine.Output{Row: 1, Mode: engine.WholeRow}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := in.Submit(b); err != nil {
		t.Fatal(err)
	}
	if err := in.Wait(); err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(b.Logits)
	phase := -1
	for i, row := range in.Plan().Phases {
		if strings.Contains(row.Kernel, "product") && !strings.Contains(row.Name, "head") {
			phase = i
		}
	}
	if phase < 0 || slices.Max(want) == 0 {
		t.Fatalf("phase %d of %+v, logits %v", phase, in.Plan().Phases, want)
	}
	if in.using, err = in.use(b.Generation); err != nil {
		t.Fatal(err)
	}
	const all = 1 << 20 // more than there are
	for in.c.resume.phase, in.c.resume.chunk = 0, all; phase > 0; phase-- {
		in.c.resume.phase++ // C's int has no name here
	}
	in.batch = b
	gaveWay := in.compute()
	in.batch = nil
	if err := in.using.end(); err != nil {
		t.Error(err)
	}
	in.using = nil
	if gaveWay || !slices.Equal(b.Logits, want) {
		t.Errorf("gave way: %v; logits %v, want %v", gaveWay, b.Logits, want)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}
