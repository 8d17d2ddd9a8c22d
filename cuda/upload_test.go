//go:build cuda

package cuda

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"unsafe"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns tests of the weights' way to the device: what arrives, and files that fail on the way.

// tall is a model whose table takes more than one slot of the ring, and positions more than one piece; its norm is the middle
// of a vector.
func tall(t *testing.T) (*engine.Program, enginetest.Tensors) {
	t.Helper()
	const rows, width, context = 66_001, 64, 2100
	m := &maker{weights: enginetest.Tensors{}, types: []engine.DType{engine.F32}, Builder: engine.NewBuilder("test", rows, context)}
	x, last := m.Value("x", width), m.OutputValue("last", width)
	table := m.matrix("table", rows, width)
	m.vector("vector", 3*width)
	m.Add(engine.Embed{Table: table, Positions: m.tensor("positions", engine.Q8_0, context, width), Scale: 1, Out: x})
	m.Add(engine.Norm{Kind: engine.RMSNorm, Gamma: m.VectorPart("vector", width, width), Epsilon: 1e-5, In: x, Out: x})
	m.Add(engine.Rows{In: x, Out: last})
	m.Add(engine.Head{In: last, Weight: table, Scale: 1})
	p, err := m.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p, m.weights
}

// What goes through the ring slot by slot lies on the device as it should, and has the CPU's digest.
func TestUploadedWeights(t *testing.T) {
	p, w := tall(t)
	o := options(p, engine.F16)
	var done, total int64
	o.Progress = func(d, all int64) { done, total = d, all }
	in := load(t, gpu(t, "tall"), p, w, o).(*instance)
	if done != total || total == 0 {
		t.Errorf("progress ended at %d of %d", done, total)
	}
	to, data := in.generations.All()[0].weights[0], w["table"].Data
	if int64(len(data)) <= stagingBytes {
		t.Fatal("the table fits one slot")
	}
	want := make([]byte, to.bytes)
	for i := range len(data) / 4 {
		row, k := i/64, i%64
		copy(want[row/16*int(to.matrix.group_bytes)+(k*16+row%16)*4:], data[4*i:][:4])
	}
	if !bytes.Equal(onDevice(t, in.device, *(*Pointer)(unsafe.Pointer(&to.matrix.data)), len(want)), want) {
		t.Error("the table differs")
	}
	cpu := load(t, onCPU(t), p, w, options(p, engine.F16))
	if in.Digest(1) != cpu.Digest(1) {
		t.Errorf("digest %s, the CPU's is %s", in.Digest(1), cpu.Digest(1))
	}
	tokens := []int32{0, 66_000, 255, 256, 31_999, 7, 65_535, 40_000}
	if got, want := rowsOf(t, in, tokens, []int{len(tokens)}), rowsOf(t, cpu, tokens, []int{len(tokens)}); !bytes.Equal(bytesOf(got), bytesOf(want)) {
		t.Error(firstDifference(want, got))
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
		return errDisk
	}
	return f.Weights.Read(name, firstRow, dst)
}

// Whichever read fails: the load ends with that error, and the device is as it was and loads the next time. gpu checks at
// the end that nothing is left on it.
func TestEveryReadFails(t *testing.T) {
	p, w := odd(t)
	b := gpu(t, "odd")
	l, err := lower(p, w)
	if err != nil {
		t.Fatal(err)
	}
	before := b.device.usage()
	for at := range int64(len(l.Pieces)) {
		if in, err := b.Load(p, &faulty{Weights: w, at: at}, options(p, engine.F16)); in != nil || !errors.Is(err, errDisk) {
			t.Fatalf("read %d: %v", at, err)
		}
		if now := b.device.usage(); now != before || stagingInUse() != 0 {
			t.Fatalf("read %d leaves %+v, %d bytes of staging; before %+v", at, now, stagingInUse(), before)
		}
	}
	load(t, b, p, w, options(p, engine.F16))
}

// Whatever no instance can be built for is refused, and a second Close does nothing, be the backend open or not.
func TestOptionsAndClose(t *testing.T) {
	p, w := odd(t)
	b := gpu(t, "odd")
	o := options(p, engine.BF16)
	_, errPlan := b.Plan(p, w, o)
	_, errLoad := b.Load(p, w, o)
	for _, err := range []error{errPlan, errLoad} {
		if err == nil {
			t.Error("a KV type that there is not was taken")
		} else {
			wantText(t, err.Error(), "load option Policy.KV")
		}
	}
	in := load(t, b, p, w, options(p, engine.F16))
	for range 3 {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}
}
