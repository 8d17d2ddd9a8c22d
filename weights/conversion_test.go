package weights

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
)

// This file owns tests of which type a tensor gets.

// bfloats are values as BF16 holds them.
func bfloats(x []float32) (data []byte) {
	for _, v := range x {
		data = binary.LittleEndian.AppendUint16(data, uint16(math.Float32bits(v)>>16))
	}
	return data
}

// matrix is a tensor of two rows whose largest value is x, in F32 or BF16.
func matrix(name string, t Type, cols int, x float32) OutTensor {
	values := make([]float32, 2*cols)
	for i := range values {
		values[i] = x / float32(1+i%7)
	}
	data := Quantize(F32, values, nil)
	if t == BF16 {
		data = bfloats(values)
	}
	return OutTensor{Name: name, Type: t, Shape: []uint64{uint64(cols), 2}, Write: copyOf(data)}
}

// TestFallbacks: a tensor that the target does not hold gets a type that does, and that is told with its name and the
// reason; what fits is told nothing of.
func TestFallbacks(t *testing.T) {
	const tiny, small, one = 0x1p-15, 0x1p-10, 1
	for _, c := range []struct {
		name     string
		from     Type
		cols     int
		largest  float32
		target   Type
		want     Type
		reason   string // "": none
		fileType uint64
		version  bool
	}{
		{"fits", F32, 32, one, F16, F16, "", 1, false},
		{"fits", F32, 32, one, Q8_0, Q8_0, "", 7, true},
		{"zeros", F32, 32, 0, Q8_0, Q8_0, "", 7, true},
		{"zeros", BF16, 32, 0, F16, F16, "", 1, false},
		{"rows", F32, 40, one, Q8_0, F16, "rows of 40 values are no multiple of 32", 1, false},
		{"rows, and beyond a half", F32, 40, 70000, Q8_0, F32, "rows of 40", 0, false},
		{"beyond a half", BF16, 32, 70144, F16, BF16, "its largest value is 70144, the values of F16 reach 65504", 32, false},
		{"beyond a half", F32, 32, 70000, F16, F32, "its largest value is 70000", 0, false},
		{"at a half's largest", F32, 32, 65504, F16, F16, "", 1, false},
		{"a half's largest is no bound of blocks", F32, 32, 70000, Q8_0, Q8_0, "", 7, true},
		{"at the largest scale", F32, 32, 65504 * 127, Q8_0, Q8_0, "", 7, true},
		{"beyond the largest scale", F32, 32, 9e6, Q8_0, F32, "the blocks of Q8_0 reach 8.319008e+06", 0, false},
		{"beyond the largest scale", BF16, 32, 1e38, Q8_0, BF16, "the blocks of Q8_0 reach", 32, false},
		{"below a half", F32, 32, tiny, F16, F32, "lose their precision", 0, false},
		{"below a half", BF16, 32, tiny, F16, BF16, "lose their precision", 32, false},
		{"a scale that is subnormal but good", F32, 32, small, Q8_0, Q8_0, "", 7, true},
		{"a scale that errs", F32, 32, small / 2, Q8_0, F16, "below 0.00096", 1, false},
		{"a scale that errs, below a half", F32, 32, tiny, Q8_0, F32, "lose their precision", 0, false},
		{"nothing is lost", BF16, 32, 1e38, F32, F32, "", 0, false},
	} {
		src := tensorsFile(t, matrix("blk.0.x.weight", c.from, c.cols, c.largest))
		src.Metadata().Set("general.file_type", Value{Type: Uint32, Any: uint64(99)})
		src.Metadata().Set("general.quantization_version", Value{Type: Uint32, Any: uint64(1)})
		out, notices := convert(t, src, Conversion{Recipe: Recipe{Target: c.target}})
		got := out.Tensors()[0]
		if told := strings.Join(notices, "\n"); got.Type != c.want || (told != "") != (c.reason != "") || !strings.Contains(told, c.reason) {
			t.Errorf("%s: %s of %g as %s became %s, told %q", c.name, c.from, c.largest, c.target, got.Type, told)
		} else if told != "" && !strings.HasPrefix(told, "tensor blk.0.x.weight is written as "+c.want.String()+", not "+c.target.String()+": ") {
			t.Errorf("%s: told %q", c.name, told)
		}
		n, _, _ := out.Metadata().Uint("general.file_type")
		v, found, _ := out.Metadata().Uint("general.quantization_version")
		if n != c.fileType || found != c.version || found && v != 2 {
			t.Errorf("%s: file type %d, version %d %v", c.name, n, v, found)
		}
		held := make([]float32, got.Values())
		if err := Dequantize(got.Type, bytesOf(t, out, got), held); err != nil {
			t.Fatal(err)
		}
		if x := Magnitude(held); math.Abs(float64(x-c.largest)) > 0.005*float64(c.largest) {
			t.Errorf("%s: the largest value is %g, was %g", c.name, x, c.largest)
		}
	}
}

// TestChoices: roles keep tensors, names choose before them, and what was chosen by name and can't be is an error.
func TestChoices(t *testing.T) {
	src := tensorsFile(t, matrix("router.weight", F32, 32, 1), matrix("a.weight", F32, 32, 1), matrix("b.weight", BF16, 32, 70144),
		matrix("odd.weight", F32, 40, 1), OutTensor{Name: "ids.weight", Type: 26, Shape: []uint64{2, 2}, Write: copyOf(make([]byte, 16))},
		OutTensor{Name: "bias", Type: F16, Shape: []uint64{2}, Write: copyOf(make([]byte, 4))})
	keeps := func(name string) bool { return name == "router.weight" }
	choice := func(pattern string, to Type) Choice { return Choice{regexp.MustCompile(pattern), to} }
	for _, c := range []struct {
		name    string
		target  Type
		choices []Choice
		want    [6]Type
		err     string
	}{
		{"roles", Q8_0, nil, [6]Type{F32, Q8_0, Q8_0, F16, 26, F32}, ""},
		{"roles", F16, nil, [6]Type{F32, F16, BF16, F16, 26, F32}, ""},
		{"roles", F32, nil, [6]Type{F32, F32, F32, F32, 26, F32}, ""},
		{"a name before the role", Q8_0, []Choice{choice("^router", Q8_0)}, [6]Type{Q8_0, Q8_0, Q8_0, F16, 26, F32}, ""},
		{"a vector", Q8_0, []Choice{choice("bias", F16)}, [6]Type{F32, Q8_0, Q8_0, F16, 26, F16}, ""},
		{"the first counts", Q8_0, []Choice{choice("^a", F32), choice("^[ab]\\.", F32)}, [6]Type{F32, F32, F32, F16, 26, F32}, ""},
		{"the first counts alone", F16, []Choice{choice("^a", Q8_0), choice("^[ab]\\.", F32)}, [6]Type{F32, Q8_0, F32, F16, 26, F32}, ""},
		{"nobody has the name", Q8_0, []Choice{choice("nobody", F32)}, [6]Type{}, `the pattern "nobody" finds no tensor`},
		{"another has the names", Q8_0, []Choice{choice("router", F32), choice("^[ab]", F32), choice("^a", F16)}, [6]Type{}, `the pattern "^a" chooses no tensor, as "^[ab]" before it finds a.weight too: give "^a" first`},
		{"others have the names", Q8_0, []Choice{choice("^a", F32), choice("^bias", F16), choice("^(a|bias)", F32)}, [6]Type{}, `the pattern "^(a|bias)" chooses no tensor, as "^a" before it finds a.weight too`},
		{"the same once more", Q8_0, []Choice{choice("^a", F32), choice("^a", F32)}, [6]Type{}, `the pattern "^a" chooses no tensor, as "^a" before it`},
		{"beyond", Q8_0, []Choice{choice("^b", F16)}, [6]Type{}, "tensor b.weight can't be F16: its largest value is 70144"},
		{"rows", F16, []Choice{choice("^odd", Q8_0)}, [6]Type{}, "tensor odd.weight can't be Q8_0: rows of 40"},
		{"integers", F16, []Choice{choice("^ids", F32)}, [6]Type{}, "tensor ids.weight can't be F32: it is I32"},
	} {
		if c.err != "" {
			if err := Convert(io.Discard, src, Conversion{Recipe: Recipe{Target: c.target, Keeps: keeps}, Choices: c.choices}); err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		out, _ := convert(t, src, Conversion{Recipe: Recipe{Target: c.target, Keeps: keeps}, Choices: c.choices})
		for i, x := range out.Tensors() {
			if x.Type != c.want[i] {
				t.Errorf("%s, %s: %s is %s, want %s", c.name, c.target, x.Name, x.Type, c.want[i])
			}
		}
	}
}

// TestConvertRefusesNotFinite: whatever becomes of the tensor, be it copied.
func TestConvertRefusesNotFinite(t *testing.T) {
	inf := Quantize(F32, []float32{1, float32(math.Inf(1))}, nil)
	for _, at := range []Type{F32, F16, Q8_0} {
		for _, shape := range [][]uint64{{2}, {1, 2}} {
			src := tensorsFile(t, OutTensor{Name: "x", Type: F32, Shape: shape, Write: copyOf(inf)})
			err := Convert(io.Discard, src, Conversion{Recipe: Recipe{Target: at, Keeps: func(string) bool { return at == F16 }}})
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "tensor x: value") || strings.Count(err.Error(), "tensor x") != 1 {
				t.Errorf("%s %v: %v", at, shape, err)
			}
		}
	}
}

func TestParseChoice(t *testing.T) {
	for text, want := range map[string]Type{"ffn_down=f16": F16, "a=b=q8_0": Q8_0, "^blk\\.[0-3]\\.=F32": F32} {
		if c, err := ParseChoice(text); err != nil || c.Type != want || c.Pattern.String() != text[:strings.LastIndexByte(text, '=')] {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
	for text, want := range map[string]string{"": "PATTERN=TYPE", "f16": "PATTERN=TYPE", "=f16": "PATTERN=TYPE", "(=f16": "missing closing", "a=q3": `type "q3"`} {
		if _, err := ParseChoice(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestDescribeTypes: the file's type is that of most values of its matrices.
func TestDescribeTypes(t *testing.T) {
	of := func(t Type, values uint64) Tensor { return Tensor{Type: t, Shape: []uint64{values, 1}} }
	for _, c := range []struct {
		tensors  []Tensor
		fileType uint64
		known    bool
		version  bool
	}{
		{[]Tensor{of(F32, 32), of(Q8_0, 320)}, 7, true, true},
		{[]Tensor{of(F32, 320), of(Q8_0, 32)}, 0, true, true},
		{[]Tensor{of(F16, 320), {Type: Q8_0, Shape: []uint64{3200}}}, 1, true, false}, // a vector does not count
		{[]Tensor{of(16, 256)}, 0, false, true},
		{nil, 0, true, false},
	} {
		m, types := &Metadata{}, []Type{}
		for _, x := range c.tensors {
			types = append(types, x.Type)
		}
		m.Set("general.file_type", Value{Type: Uint32, Any: uint64(15)})
		m.Set("general.quantization_version", Value{Type: Uint32, Any: uint64(1)})
		describeTypes(m, c.tensors, types)
		n, known, _ := m.Uint("general.file_type")
		_, version := m.Get("general.quantization_version")
		if n != c.fileType || known != c.known || version != c.version {
			t.Errorf("%v: %d %v, version %v", types, n, known, version)
		}
	}
}
