package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// This file owns tests of values that are not finite.

// finiteBlock are a block's bytes, random but for finite scales.
func finiteBlock(t Type, r *rand.Rand) []byte {
	_, size := t.Block()
	b := make([]byte, size)
	for {
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if t == MXFP4 {
			b[0] %= 253
		}
		if allFinite(t, b) {
			return b
		}
	}
}

// allFinite is told by the values themselves.
func allFinite(t Type, rows []byte) bool {
	values, size := t.Block()
	x := make([]float32, uint64(len(rows))/size*values)
	if err := Dequantize(t, rows, x); err != nil {
		panic(err)
	}
	return !slices.ContainsFunc(x, func(v float32) bool { return v-v != 0 })
}

// TestNotFiniteEveryHalf: every place of every type's block that makes a value infinite or NaN is seen, wherever the block
// stands, and nothing else is.
func TestNotFiniteEveryHalf(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for kind := range blockReaders {
		values, size := kind.Block()
		seen := 0
		for _, count := range []int{1, 2, 3, 5, 8, 13} {
			rows := []byte{}
			for range count {
				rows = append(rows, finiteBlock(kind, r)...)
			}
			if at, found := notFinite(kind, rows); found {
				t.Fatalf("%s: finite blocks: %d", kind, at)
			}
			for at := 0; at+1 < len(rows); at++ {
				bad := slices.Clone(rows)
				bad[at], bad[at+1] = 0xff, 0xff
				want := !allFinite(kind, bad) || kind == MXFP4 && mxfp4NaN(bad)
				got, found := notFinite(kind, bad)
				if found != want || found && got > uint64(at+1)/size*values {
					t.Fatalf("%s: bytes %d and %d of %d blocks: value %d, %v, want %v", kind, at, at+1, count, got, found, want)
				}
				if found {
					seen++
				}
			}
		}
		if seen == 0 {
			t.Errorf("%s: no change made a value infinite", kind)
		}
	}
}

func mxfp4NaN(rows []byte) bool {
	for at := 0; at < len(rows); at += 17 {
		if rows[at] == 255 {
			return true
		}
	}
	return false
}

func TestNotFiniteFloats(t *testing.T) {
	word := func(bits uint32) []byte { return binary.LittleEndian.AppendUint32(nil, bits) }
	short := func(bits uint16) []byte { return binary.LittleEndian.AppendUint16(nil, bits) }
	for _, c := range []struct {
		name string
		t    Type
		data []byte
		want bool
	}{
		{"largest", F32, word(math.Float32bits(math.MaxFloat32)), false},
		{"least", F32, word(0xff7fffff), false},
		{"infinity", F32, word(0x7f800000), true},
		{"minus infinity", F32, word(0xff800000), true},
		{"NaN", F32, word(0x7fc00000), true},
		{"signalling NaN", F32, word(0xff800001), true},
		{"subnormal", F32, word(1), false},
		{"largest", F16, short(0x7bff), false},
		{"least", F16, short(0xfbff), false},
		{"infinity", F16, short(0x7c00), true},
		{"minus infinity", F16, short(0xfc00), true},
		{"NaN", F16, short(0x7e01), true},
		{"largest", BF16, short(0x7f7f), false},
		{"infinity", BF16, short(0x7f80), true},
		{"minus NaN", BF16, short(0xffc0), true},
		{"overflow", MXFP4, append([]byte{253}, bytes.Repeat([]byte{7}, 16)...), true},
		{"just below", MXFP4, append([]byte{252}, bytes.Repeat([]byte{0x7f}, 16)...), false},
		{"large scale, small values", MXFP4, append([]byte{254}, bytes.Repeat([]byte{1}, 16)...), false},
		{"NaN scale of zeros", MXFP4, append([]byte{255}, make([]byte, 16)...), true},
	} {
		for before := range 9 { // zeros, so that it comes to every lane
			_, size := c.t.Block()
			if _, found := notFinite(c.t, slices.Concat(make([]byte, before*int(size)), c.data, make([]byte, before*int(size)))); found != c.want {
				t.Errorf("%s %s behind %d: %v", c.t, c.name, before, found)
			}
		}
	}
	if _, found := notFinite(28, bytes.Repeat([]byte{0xff}, 64)); found { // F64 is not computed with
		t.Error("a type that can't be dequantised has values")
	}
}

// TestReadFinite: the error names file, tensor and place; the plain Read, for tools that look, gives the bytes.
func TestReadFinite(t *testing.T) {
	data := make([]float32, 12)
	data[9] = float32(math.Inf(-1))
	q := append(make([]byte, 34), 0, 0x7c)
	q = append(q, make([]byte, 32)...)
	f := tensorsFile(t, OutTensor{Name: "plain", Type: F32, Shape: []uint64{4, 3}, Write: copyOf(Quantize(F32, data, nil))},
		OutTensor{Name: "blocks", Type: Q8_0, Shape: []uint64{32, 2}, Write: copyOf(q)})
	for name, want := range map[string]string{
		"plain":  "m.gguf: tensor plain: value 1 of row 2 is NaN or infinite",
		"blocks": "m.gguf: tensor blocks: value 0 of row 1 begins a block of Q8_0 whose scale",
	} {
		x, _ := f.Tensor(name)
		dst := make([]byte, x.RowBytes())
		var wrong *FormatError
		if err := f.ReadFinite(x, x.Rows()-1, dst); !errors.As(err, &wrong) || !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
		if err := errors.Join(f.ReadFinite(x, 0, dst), f.Read(x, x.Rows()-1, dst)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := f.ReadFinite(x, x.Rows(), dst); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: beyond the last row: %v", name, err)
		}
	}
}

// tensorsFile is a file of these tensors, in memory.
func tensorsFile(t *testing.T, tensors ...OutTensor) *File {
	t.Helper()
	var out bytes.Buffer
	if err := WriteFile(&out, &Metadata{values: map[string]Value{}}, tensors); err != nil {
		t.Fatal(err)
	}
	f, err := Parse("m.gguf", out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func BenchmarkNotFinite(b *testing.B) {
	for _, kind := range []Type{F32, F16, Q4_1, Q4_K, Q8_0} {
		rows := []byte{}
		for r := rand.New(rand.NewPCG(1, 2)); len(rows) < 256<<10; {
			rows = append(rows, finiteBlock(kind, r)...)
		}
		b.Run(kind.String(), func(b *testing.B) {
			b.SetBytes(int64(len(rows)))
			for b.Loop() {
				if _, found := notFinite(kind, rows); found {
					b.Fatal("finite")
				}
			}
		})
	}
}
