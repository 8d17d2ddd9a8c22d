//go:build cgo

package cgo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/hostmem"
	formats "chimera/weights"
)

// This file owns tests of loading: what is packed, on how many threads, and from files that fail.

// packTypes are all types that a weight may have.
var packTypes = []engine.DType{
	engine.F32, engine.F16, engine.BF16, engine.Q4_0, engine.Q4_1, engine.Q5_0, engine.Q5_1, engine.Q8_0, engine.Q2_K,
	engine.Q3_K, engine.Q4_K, engine.Q5_K, engine.Q6_K, engine.IQ4_NL, engine.IQ4_XS, engine.MXFP4,
}

// packOptions are small sizes for a program without groups.
func packOptions(p *engine.Program) engine.LoadOptions {
	return engine.LoadOptions{Policy: engine.Policy{KV: engine.F16}, MaxTokens: 4, MaxSequences: 1, MaxOutputs: 4, MaxTop: 1, MaxContext: min(p.Context, 64)}
}

func openPacked(t *testing.T, threads int) *Backend {
	t.Helper()
	b, err := Open(Options{Threads: threads, ISA: "auto"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func loadPacked(t *testing.T, threads int, p *engine.Program, w engine.Weights, o engine.LoadOptions) *instance {
	t.Helper()
	in, err := openPacked(t, threads).Load(p, w, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in.(*instance)
}

// packedOf is the first generation's weight.
func (in *instance) packedOf(id engine.WeightID) *packedWeight {
	g, err := in.generations.Find(1)
	if err != nil {
		panic(err)
	}
	return &g.weights.packed[id-1]
}

// putRandom adds a tensor of random bytes, none of which makes a scale that is no number.
func putRandom(w enginetest.Tensors, name string, t engine.DType, rows, cols int) {
	values, size := formats.Type(t).Block()
	data := make([]byte, rows*cols/int(values)*int(size))
	for i := range data {
		data[i] = byte(rand.Uint32()) & 0x3f
	}
	w.Put(name, t, rows, cols, data)
}

const bigRows, bigCols, bigContext = 3001, 64, 1100

// bigProgram is of one table of many pieces, which the head shares, learned positions of a type, and a norm that is the
// middle of a vector.
func bigProgram(t testing.TB, positions engine.DType) (*engine.Program, enginetest.Tensors, engine.WeightID) {
	t.Helper()
	w := enginetest.Tensors{}
	values, _ := formats.Type(positions).Block()
	width := max(bigCols, int(values))
	putRandom(w, "table", engine.F32, bigRows, width)
	putRandom(w, "positions", positions, bigContext, width)
	putRandom(w, "vector", engine.F32, 1, 3*width)
	b := engine.NewBuilder("test", bigRows, bigContext)
	x, rows := b.Value("x", width), b.OutputValue("rows", width)
	learned := b.Weight("positions", bigContext, width)
	b.Add(engine.Embed{Table: b.Weight("table", bigRows, width), Positions: learned, Scale: 1, Out: x})
	b.Add(engine.Norm{Kind: engine.RMSNorm, Gamma: b.VectorPart("vector", width, width), Epsilon: 1e-5, In: x, Out: x})
	b.Add(engine.Rows{In: x, Out: rows})
	b.Add(engine.Head{In: rows, Weight: b.Weight("table", bigRows, width), Scale: 1})
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p, w, learned
}

// What is packed piece by piece lies where a product looks for it: 16 rows side by side, and zeros behind the last.
func TestPackedInPieces(t *testing.T) {
	p, w, _ := bigProgram(t, engine.F32)
	for _, threads := range []int{1, 2, 5} {
		in := loadPacked(t, threads, p, w, packOptions(p))
		if first, end := in.PiecesOf(2); end-first < 3 {
			t.Fatalf("the table is %d pieces: too few to show anything", end-first)
		}
		table := in.packedOf(2).matrix
		got := unsafe.Slice((*byte)(unsafe.Pointer(table.data)), int(table.groups)*int(table.group_bytes))
		want := make([]byte, len(got))
		for i := range bigRows * bigCols {
			row, k := i/bigCols, i%bigCols
			copy(want[row/16*int(table.group_bytes)+(k*16+row%16)*4:], w["table"].Data[4*i:][:4])
		}
		if !bytes.Equal(got, want) {
			t.Errorf("on %d threads the table is packed wrongly", threads)
		}
	}
}

// Plain weights have the values that their format defines, for every type, and parts of vectors begin where they should.
func TestPlainWeights(t *testing.T) {
	for _, dtype := range packTypes {
		t.Run(dtype.String(), func(t *testing.T) {
			p, w, learned := bigProgram(t, dtype)
			in := loadPacked(t, 2, p, w, packOptions(p))
			if first, end := in.PiecesOf(learned); end-first < 2 && dtype == engine.F32 {
				t.Fatalf("the positions are %d piece: too few to show anything", end-first)
			}
			width := p.Weight(learned).Cols
			want := make([]float32, bigContext*width)
			if err := formats.Dequantize(formats.Type(dtype), w["positions"].Data, want); err != nil {
				t.Fatal(err)
			}
			if got := in.packedOf(learned).plain; !slices.Equal(got, want) {
				t.Errorf("the values differ from the format's")
			}
			part := in.packedOf(3).plain
			for i, x := range part {
				if bits := binary.LittleEndian.Uint32(w["vector"].Data[4*(width+i):]); len(part) != width || math.Float32bits(x) != bits {
					t.Fatalf("element %d of %d of the vector's part is %v", i, len(part), x)
				}
			}
		})
	}
}

// faulty is weights whose read number `at` fails, counted from 0.
type faulty struct {
	engine.Weights
	at    int64
	reads atomic.Int64
}

var errDisk = fmt.Errorf("m.gguf: tensor t: the disk is gone: %w", engine.ErrModelFile)

func (f *faulty) Read(name string, firstRow int, dst []byte) error {
	if f.reads.Add(1)-1 == f.at {
		for i := range dst {
			dst[i] = 0xff
		}
		return errDisk
	}
	return f.Weights.Read(name, firstRow, dst)
}

// Whichever read fails, on however many threads: the load ends with that error, reads no more, and leaves nothing.
func TestEveryReadFails(t *testing.T) {
	p, w, _ := bigProgram(t, engine.F32)
	l, err := lower(p, w)
	if err != nil {
		t.Fatal(err)
	}
	for _, threads := range []int{1, 3} {
		b := openPacked(t, threads)
		before, goroutines := hostmem.Usage(), runtime.NumGoroutine()
		for at := range int64(len(l.Pieces)) {
			f := &faulty{Weights: w, at: at}
			if in, err := b.Load(p, f, packOptions(p)); in != nil || !errors.Is(err, errDisk) {
				t.Fatalf("read %d: %v", at, err)
			}
			if n := f.reads.Load(); threads == 1 && n != at+1 {
				t.Errorf("%d reads, though the one after %d failed", n, at)
			}
			if now := hostmem.Usage(); !slices.Equal(now, before) {
				t.Fatalf("read %d leaves memory: %+v", at, now)
			}
		}
		for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
			}
		}
	}
}

// Digests and progress do not show how many threads load; the digest shows every byte.
func TestDigestOfWeights(t *testing.T) {
	p, w, _ := bigProgram(t, engine.Q8_0)
	digests := map[string]string{}
	load := func(what string, threads int) string {
		var told []int64
		total := int64(0)
		o := packOptions(p)
		o.Progress = func(done, all int64) { told, total = append(told, done), all }
		in := loadPacked(t, threads, p, w, o)
		if !slices.IsSorted(told) || len(told) == 0 || told[len(told)-1] != total {
			t.Errorf("%s: progress %v of %d", what, told, total)
		}
		return in.Digest(1)
	}
	want := load("one thread", 1)
	for _, threads := range []int{2, 7} {
		if got := load(fmt.Sprint(threads, " threads"), threads); got != want {
			t.Errorf("%d threads: %s, not %s", threads, got, want)
		}
	}
	digests[want] = "the model"
	for name, tensor := range w {
		for _, at := range []int{0, rand.IntN(len(tensor.Data)), len(tensor.Data) - 1} {
			if name == "vector" {
				at = len(tensor.Data)/3 + at/3 // of the part that is served
			}
			tensor.Data[at] ^= 1
			got := load(name, 2)
			tensor.Data[at] ^= 1
			if is, known := digests[got]; known && is != fmt.Sprint(name, at) {
				t.Errorf("with another byte %d of %s: the digest of %s", at, name, is)
			}
			digests[got] = fmt.Sprint(name, at)
		}
	}
}

// A load takes no more staging than its plan says, and gives it back.
func TestStagingIsPlanned(t *testing.T) {
	p, w, _ := bigProgram(t, engine.F32)
	o := packOptions(p)
	plan, err := openPacked(t, 2).Plan(p, w, o)
	if err != nil {
		t.Fatal(err)
	}
	var most int64
	o.Progress = func(int64, int64) { most = max(most, hostmem.Usage()[hostmem.Staging].Bytes) }
	loadPacked(t, 2, p, w, o)
	if most != plan.StagingBytes || most < 256<<10 || most > 2*256<<10 {
		t.Errorf("%d bytes were staged, %d planned", most, plan.StagingBytes)
	}
	if left := hostmem.Usage()[hostmem.Staging].Bytes; left != 0 {
		t.Errorf("%d bytes of staging are left", left)
	}
}

func TestLoadChecksOptions(t *testing.T) {
	p, w, _ := bigProgram(t, engine.F32)
	b := openPacked(t, 1)
	for field, spoil := range map[string]func(o *engine.LoadOptions){
		"Policy.KV":         func(o *engine.LoadOptions) { o.Policy.KV = engine.Q4_0 },
		"Policy.Activation": func(o *engine.LoadOptions) { o.Policy.Activation = 9 },
		"MaxContext":        func(o *engine.LoadOptions) { o.MaxContext = bigContext + 1 },
		"Pages":             func(o *engine.LoadOptions) { o.Pages = []int{1} },
	} {
		o := packOptions(p)
		spoil(&o)
		_, errPlan := b.Plan(p, w, o)
		_, errLoad := b.Load(p, w, o)
		for _, err := range []error{errPlan, errLoad} {
			if err == nil || !strings.Contains(err.Error(), "load option "+field) {
				t.Errorf("%s: %v", field, err)
			}
		}
	}
}
