package weights

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// This file owns tests of writing and converting files.

func copyOf(b []byte) func(io.Writer) error {
	return func(w io.Writer) error { _, err := w.Write(b); return err }
}

func TestQuantize(t *testing.T) {
	cases := readBlocks(t).Quantise
	x := floats(unhex(t, cases["input"]))
	for _, target := range []Type{F16, Q8_0} {
		got, want := Quantize(target, x, nil), unhex(t, cases[target.String()])
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from the reference", target)
		}
	}
}

// TestWriteFile: what is written reads back the same, byte for byte where the file had our layout.
func TestWriteFile(t *testing.T) {
	data := sample(3)
	f, err := Parse("m.gguf", data)
	if err != nil {
		t.Fatal(err)
	}
	var tensors []OutTensor
	for _, x := range f.Tensors() {
		tensors = append(tensors, outTensor(t, f, x))
	}
	var out bytes.Buffer
	if err := WriteFile(&out, f.Metadata(), tensors); err != nil {
		t.Fatal(err)
	}
	back, err := Parse("back.gguf", out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back.metadata.keys, f.metadata.keys) || !reflect.DeepEqual(back.metadata.values, f.metadata.values) {
		t.Errorf("metadata changed: %v", back.metadata.values)
	}
	for i, x := range f.Tensors() {
		if y := back.Tensors()[i]; x.Name != y.Name || x.Type != y.Type || !bytes.Equal(bytesOf(t, f, x), bytesOf(t, back, y)) {
			t.Errorf("tensor %s changed", x.Name)
		}
	}
}

func TestWriteFileCountsBytes(t *testing.T) {
	m := &Metadata{values: map[string]Value{}}
	short := OutTensor{Name: "short", Type: F32, Shape: []uint64{2}, Write: copyOf(make([]byte, 4))}
	if err := WriteFile(io.Discard, m, []OutTensor{short}); err == nil || !strings.Contains(err.Error(), "tensor short: 4 bytes") {
		t.Error(err)
	}
	failing := OutTensor{Name: "failing", Type: F32, Shape: []uint64{2}, Write: func(io.Writer) error { return io.ErrNoProgress }}
	if err := WriteFile(io.Discard, m, []OutTensor{failing}); !errors.Is(err, io.ErrNoProgress) || !strings.Contains(err.Error(), "tensor failing") {
		t.Error(err)
	}
}

// convert returns what src became, and what was told of it.
func convert(t *testing.T, src *File, c Conversion) (f *File, notices []string) {
	t.Helper()
	var heard []uint64
	var total uint64
	c.Progress = func(done, all uint64) { heard, total = append(heard, done), all }
	c.Notice = func(text string) { notices = append(notices, text) }
	var out bytes.Buffer
	if err := Convert(&out, src, c); err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(heard) || len(heard) != len(src.Tensors()) || heard[len(heard)-1] != total {
		t.Errorf("progress ended at %v of %d", heard, total)
	}
	f, err := Parse("out.gguf", out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return f, notices
}

func TestConvertKeepsMetadata(t *testing.T) {
	src, err := Parse("m.gguf", sample(3))
	if err != nil {
		t.Fatal(err)
	}
	for target, fileType := range map[Type]uint64{F32: 0, F16: 1, Q8_0: 7} {
		out, _ := convert(t, src, Conversion{Recipe: Recipe{Target: target}})
		for _, key := range src.Metadata().Keys() {
			want, _ := src.Metadata().Get(key)
			if got, _ := out.Metadata().Get(key); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: key %s is %v, was %v", target, key, got, want)
			}
		}
		if n, _, err := out.Metadata().Uint("general.file_type"); n != fileType || err != nil {
			t.Errorf("%s: general.file_type %d, %v", target, n, err)
		}
		types := map[Type][3]Type{F32: {F32, F32, F32}, F16: {F32, F32, F16}, Q8_0: {F32, F32, Q8_0}}[target] // the first holds values of 1e-34
		for i, x := range out.Tensors() {
			if x.Type != types[i] || !reflect.DeepEqual(x.Shape, src.Tensors()[i].Shape) {
				t.Errorf("%s: tensor %s is %s %v", target, x.Name, x.Type, x.Shape)
			}
		}
	}
}

// TestConvertConformance: conversion gives the bytes of the files that the reference tools wrote.
func TestConvertConformance(t *testing.T) {
	for _, c := range []struct {
		from, to string
		target   Type
	}{
		{"llama/llama-f32.gguf", "llama/llama-f16.gguf", F16},
		{"llama/llama-f16.gguf", "llama/llama-f32.gguf", F32},
		{"gpt2/gpt2-f32.gguf", "gpt2/gpt2-f16.gguf", F16},
		{"llama_quant/llama_quant-bf16.gguf", "llama_quant/llama_quant-q8_0.gguf", Q8_0},
	} {
		src, err := Open(fixture(t, c.from))
		if err != nil {
			t.Fatal(err)
		}
		want, err := Open(fixture(t, c.to))
		if err != nil {
			t.Fatal(err)
		}
		out, _ := convert(t, src, Conversion{Recipe: Recipe{Target: c.target}})
		compared := 0
		for _, w := range want.Tensors() {
			got, ok := out.Tensor(w.Name)
			if !ok {
				t.Errorf("%s: tensor %s is missing", c.to, w.Name)
			}
			if got.Type == w.Type {
				compared++
				if !bytes.Equal(bytesOf(t, out, got), bytesOf(t, want, w)) {
					t.Errorf("%s: tensor %s differs", c.to, w.Name)
				}
			}
		}
		if compared < len(want.Tensors())*3/4 {
			t.Errorf("%s: only %d of %d tensors have the reference's type", c.to, compared, len(want.Tensors()))
		}
		if err := errors.Join(src.Close(), want.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestParseTarget(t *testing.T) {
	for name, want := range map[string]Type{"f32": F32, "F16": F16, "q8_0": Q8_0} {
		if got, err := ParseTarget(name); got != want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "q4_1", "bf16"} {
		if _, err := ParseTarget(name); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestConvertOfAShrunkFile: a file that loses its end while it is converted gives an error.
func TestConvertOfAShrunkFile(t *testing.T) {
	path := write(t, "in.gguf", sample(3))
	src, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if err := os.Truncate(path, int64(len(sample(3)))-80); err != nil {
		t.Fatal(err)
	}
	if err := Convert(io.Discard, src, Conversion{Recipe: Recipe{Target: F32}}); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "shrank") {
		t.Error(err)
	}
}
