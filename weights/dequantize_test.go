package weights

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// blocks is testdata/blocks.json, which blocks.py writes by the format's own Python package.
type blocks struct {
	Dequantise map[string]struct{ Bytes, Values string }
	Quantise   map[string]string
}

func readBlocks(t *testing.T) (b blocks) {
	t.Helper()
	text, err := os.ReadFile("testdata/blocks.json")
	if err == nil {
		err = json.Unmarshal(text, &b)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func floats(b []byte) []float32 {
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

func typeOf(t *testing.T, name string) Type {
	t.Helper()
	for id, l := range layouts {
		if l.name == name {
			return id
		}
	}
	t.Fatalf("unknown type %s", name)
	return 0
}

func TestDequantizeEveryType(t *testing.T) {
	cases := readBlocks(t).Dequantise
	for id := range blockReaders {
		if _, ok := cases[id.String()]; !ok && id != F32 {
			t.Errorf("testdata has no blocks of %s", id)
		}
	}
	for name, c := range cases {
		src, want := unhex(t, c.Bytes), unhex(t, c.Values)
		got := make([]float32, len(want)/4)
		if err := Dequantize(typeOf(t, name), src, got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(Quantize(F32, got, nil), want) {
			t.Errorf("%s differs from the reference", name)
		}
	}
}

func TestDequantizeRefuses(t *testing.T) {
	for name, err := range map[string]error{
		"a type known by size alone": Dequantize(16, make([]byte, 66), make([]float32, 256)),
		"an unknown type":            Dequantize(1000, nil, nil),
	} {
		if !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if Dequantize(Q8_0, make([]byte, 33), make([]float32, 32)) == nil || Dequantize(Q8_0, make([]byte, 34), make([]float32, 31)) == nil {
		t.Error("sizes that do not fit were taken")
	}
}

// TestDequantizeConformance compares with the checksums of every quantised file in the fixtures.
func TestDequantizeConformance(t *testing.T) {
	goldens, _ := filepath.Glob(filepath.Join(filepath.Dir(fixture(t, "manifest.json")), "*", "golden_quant.json"))
	seen := map[string]int{}
	for _, path := range goldens {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var golden struct {
			Files map[string]struct {
				Tensors []struct {
					Name, Type string
					SHA256     string `json:"sha256_f32"`
					NE         []uint64
				}
			}
		}
		if err := json.Unmarshal(text, &golden); err != nil {
			t.Fatal(err)
		}
		for name, want := range golden.Files {
			f, err := Open(filepath.Join(filepath.Dir(path), name))
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range want.Tensors {
				tensor, ok := f.Tensor(w.Name)
				if !ok || tensor.Type.String() != w.Type || !slices.Equal(tensor.Shape, w.NE) {
					t.Fatalf("%s: tensor %s: %v %s %v", name, w.Name, ok, tensor.Type, tensor.Shape)
				}
				values := make([]float32, tensor.Values())
				if err := Dequantize(tensor.Type, bytesOf(t, f, tensor), values); err != nil {
					t.Fatal(err)
				}
				sum := sha256.Sum256(Quantize(F32, values, nil))
				if hex.EncodeToString(sum[:]) != w.SHA256 {
					t.Errorf("%s: tensor %s of %s differs from the reference", name, w.Name, w.Type)
				}
				seen[w.Type]++
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	t.Logf("tensors compared by type: %v", seen)
	if len(seen) == 0 {
		t.Error("no tensor was compared")
	}
}

func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		f := HalfToFloat(uint16(h))
		if back := FloatToHalf(f); back != uint16(h) && f == f {
			t.Fatalf("%#04x becomes %v becomes %#04x", h, f, back)
		}
		if f != f && FloatToHalf(f)&0x7e00 != 0x7e00 {
			t.Fatalf("the NaN %#04x was lost", h)
		}
	}
	// Halfway between two neighbours rounding goes to the even one, a bit off it to the nearer.
	for h := uint16(0); h < 0x7bff; h++ {
		middle := float32((float64(HalfToFloat(h)) + float64(HalfToFloat(h+1))) / 2)
		even := h + h&1
		below, above := math.Nextafter32(middle, 0), math.Nextafter32(middle, 1e9)
		if a, b, c := FloatToHalf(below), FloatToHalf(middle), FloatToHalf(above); a != h || b != even || c != h+1 {
			t.Fatalf("around %v: %#x %#x %#x, want %#x %#x %#x", middle, a, b, c, h, even, h+1)
		}
	}
	for f, want := range map[float32]uint16{65519: 0x7bff, 65520: 0x7c00, -1e30: 0xfc00, 2.9e-8: 0, 3e-8: 1} {
		if got := FloatToHalf(f); got != want {
			t.Errorf("%v becomes %#04x, want %#04x", f, got, want)
		}
	}
}
