package weights

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// This file owns the files that tests are made of: a builder that, unlike WriteFile, writes whatever
// it is told, sound or not.

// raw is a GGUF file being built byte by byte.
type raw struct{ b []byte }

func (r *raw) u8(v uint8) *raw    { r.b = append(r.b, v); return r }
func (r *raw) u32(v uint32) *raw  { r.b = binary.LittleEndian.AppendUint32(r.b, v); return r }
func (r *raw) u64(v uint64) *raw  { r.b = binary.LittleEndian.AppendUint64(r.b, v); return r }
func (r *raw) f32(v float32) *raw { return r.u32(math.Float32bits(v)) }
func (r *raw) bytes(b ...byte) *raw {
	r.b = append(r.b, b...)
	return r
}

func (r *raw) text(s string) *raw {
	r.u64(uint64(len(s)))
	r.b = append(r.b, s...)
	return r
}

// begin writes magic, version and counts.
func begin(version uint32, tensors, keys uint64) *raw {
	return (&raw{b: []byte("GGUF")}).u32(version).u64(tensors).u64(keys)
}

func (r *raw) key(name string, t ValueType) *raw { return r.text(name).u32(uint32(t)) }

// array opens an array value of key.
func (r *raw) array(name string, element ValueType, n uint64) *raw {
	return r.key(name, Array).u32(uint32(element)).u64(n)
}

func (r *raw) tensor(name string, t Type, offset uint64, shape ...uint64) *raw {
	r.text(name).u32(uint32(len(shape)))
	for _, n := range shape {
		r.u64(n)
	}
	return r.u32(uint32(t)).u64(offset)
}

// data pads to the alignment and appends n bytes 0, 1, 2 ...
func (r *raw) data(alignment, n int) []byte {
	for len(r.b)%alignment != 0 {
		r.b = append(r.b, 0)
	}
	for i := range n {
		r.b = append(r.b, byte(i))
	}
	return r.b
}

// sample is a small sound file with every metadata type and three tensors.
func sample(version uint32) []byte {
	r := begin(version, 3, 20)
	r.key("general.architecture", Text).text("llama")
	r.key("general.alignment", Uint32).u32(64)
	r.key("u8", Uint8).u8(200)
	r.key("i8", Int8).u8(0x80)
	r.key("u16", Uint16).bytes(0xff, 0xff)
	r.key("i16", Int16).bytes(0xfe, 0xff)
	r.key("u32", Uint32).u32(1 << 31)
	r.key("i32", Int32).u32(0xffffffff)
	r.key("f32", Float32).f32(1.5)
	r.key("bool", Bool).u8(1)
	r.key("u64", Uint64).u64(1 << 63)
	r.key("i64", Int64).u64(1 << 63)
	r.key("f64", Float64).u64(math.Float64bits(-0.1))
	r.array("texts", Text, 3).text("a").text("").text("\xff\x00")
	r.array("u8s", Uint8, 2).bytes(7, 255)
	r.array("i32s", Int32, 2).u32(0xfffffff0).u32(5)
	r.array("f32s", Float32, 2).f32(0.25).f32(float32(math.Inf(1)))
	r.array("bools", Bool, 2).bytes(0, 1)
	r.array("f64s", Float64, 1).u64(math.Float64bits(0.1))
	r.array("none", Text, 0)
	r.tensor("first", F32, 0, 4, 2).tensor("second", F16, 64, 3).tensor("third", Q8_0, 128, 32, 2)
	return r.data(64, 128+68)
}

// write puts a file into a temporary folder.
func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// bytesOf are all bytes of a tensor.
func bytesOf(t testing.TB, f *File, x Tensor) []byte {
	t.Helper()
	b := make([]byte, x.bytes())
	if err := f.Read(x, 0, b); err != nil {
		t.Fatal(err)
	}
	return b
}

// fixture is a file of the conformance folder; without the folder the test is skipped.
func fixture(t testing.TB, path string) string {
	t.Helper()
	folder := os.Getenv("CHIMERA_CONFORMANCE")
	if folder == "" {
		folder = "../../shared/conformance"
	} else if !filepath.IsAbs(folder) {
		folder = filepath.Join("..", folder)
	}
	path = filepath.Join(folder, path)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no fixture: %v", err)
	}
	return path
}
