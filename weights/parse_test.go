package weights

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

// This file owns tests of reading sound headers, and values of the wrong type.

func TestParseEveryType(t *testing.T) {
	want := map[string]any{
		"general.architecture": "llama", "general.alignment": uint64(64),
		"u8": uint64(200), "i8": int64(-128), "u16": uint64(65535), "i16": int64(-2), "u32": uint64(1 << 31), "i32": int64(-1),
		"f32": 1.5, "bool": true, "u64": uint64(1 << 63), "i64": int64(math.MinInt64), "f64": -0.1,
		"texts": []string{"a", "", "\xff\x00"}, "u8s": []uint64{7, 255}, "i32s": []int64{-16, 5},
		"f32s": []float64{0.25, math.Inf(1)}, "bools": []bool{false, true}, "f64s": []float64{0.1}, "none": []string{},
	}
	for _, version := range []uint32{2, 3} {
		data := sample(version)
		f, err := Parse("m.gguf", data)
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		if n := len(f.Metadata().Keys()); n != len(want) {
			t.Errorf("version %d: %d keys, want %d", version, n, len(want))
		}
		for key, value := range want {
			if v, ok := f.Metadata().Get(key); !ok || !reflect.DeepEqual(v.Any, value) {
				t.Errorf("version %d: key %s is %#v, want %#v", version, key, v.Any, value)
			}
		}
		start := len(data) - (128 + 68)
		for _, w := range []struct {
			name             string
			shape            []uint64
			at, end          int
			rows, cols, size uint64
		}{
			{"first", []uint64{4, 2}, 0, 32, 2, 4, 16}, {"second", []uint64{3}, 64, 70, 1, 3, 6}, {"third", []uint64{32, 2}, 128, 196, 2, 32, 34},
		} {
			got, ok := f.Tensor(w.name)
			if !ok || !reflect.DeepEqual(got.Shape, w.shape) || !bytes.Equal(bytesOf(t, f, got), data[start+w.at:][:w.end-w.at]) {
				t.Errorf("tensor %s: %v %v, %d bytes", w.name, ok, got.Shape, got.bytes())
			}
			if got.Rows() != w.rows || got.Values() != w.rows*w.cols || got.RowBytes() != w.size {
				t.Errorf("tensor %s: %d rows, %d values, rows of %d bytes", w.name, got.Rows(), got.Values(), got.RowBytes())
			}
		}
	}
}

func TestParseWithoutTensors(t *testing.T) {
	f, err := Parse("m.gguf", begin(3, 0, 0).b)
	if err != nil || len(f.Tensors()) != 0 || len(f.Metadata().Keys()) != 0 {
		t.Fatalf("%v, %+v", err, f)
	}
}

func TestMetadataOfWrongType(t *testing.T) {
	f, err := Parse("m.gguf", sample(3))
	if err != nil {
		t.Fatal(err)
	}
	m := f.Metadata()
	get := map[string]func(string) (bool, error){
		"String":  func(k string) (bool, error) { _, ok, err := m.String(k); return ok, err },
		"Strings": func(k string) (bool, error) { _, ok, err := m.Strings(k); return ok, err },
		"Uint":    func(k string) (bool, error) { _, ok, err := m.Uint(k); return ok, err },
		"Float":   func(k string) (bool, error) { _, ok, err := m.Float(k); return ok, err },
		"Floats":  func(k string) (bool, error) { _, ok, err := m.Floats(k); return ok, err },
		"Bool":    func(k string) (bool, error) { _, ok, err := m.Bool(k); return ok, err },
		"Bools":   func(k string) (bool, error) { _, ok, err := m.Bools(k); return ok, err },
		"Ints":    func(k string) (bool, error) { _, ok, err := m.Ints(k); return ok, err },
	}
	fits := map[string]string{
		"String": "general.architecture", "Strings": "texts none", "Float": "f32 f64 u8 i8 u16 i16 u32 i32 u64 i64 general.alignment",
		"Uint": "u8 u16 u32 u64 general.alignment", "Floats": "f32s f64s", "Bool": "bool", "Bools": "bools", "Ints": "u8s i32s",
	}
	for name, read := range get {
		for _, key := range m.Keys() {
			ok, err := read(key)
			want := false
			for _, k := range strings.Fields(fits[name]) {
				want = want || k == key
			}
			if ok != want || (err == nil) != want {
				t.Errorf("%s(%s): %v, %v", name, key, ok, err)
			}
			if !want && (!errors.Is(err, ErrMalformed) || !strings.Contains(fmt.Sprint(err), "m.gguf: key "+key)) {
				t.Errorf("%s(%s): the error names not file and key: %v", name, key, err)
			}
		}
		if ok, err := read("absent"); ok || err != nil {
			t.Errorf("%s of an absent key: %v, %v", name, ok, err)
		}
	}
}
