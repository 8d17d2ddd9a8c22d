package weights

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// This file owns tests of recipes, and of files that are written by them.

func TestRecipe(t *testing.T) {
	of := func(target Type) Recipe {
		return Recipe{
			Target: target, Mix: map[string]Type{"mixed": Q3_K, "wide": Q8_0}, Keeps: func(name string) bool { return name == "kept" },
			Floor: func(name string) Type {
				if name == "head" {
					return Q6_K
				}
				return Q2_K
			},
		}
	}
	for _, c := range []struct {
		target Type
		name   string
		from   Type
		shape  []uint64
		want   Type
		reason string // "": none
	}{
		{Q4_K, "x", F32, []uint64{512, 4}, Q4_K, ""},
		{Q4_K, "x", BF16, []uint64{512, 4, 8}, Q4_K, ""},
		{Q4_K, "x", F16, []uint64{512}, F32, ""},
		{Q4_K, "x", 26, []uint64{512, 4}, 26, ""},
		{Q4_K, "kept", BF16, []uint64{512, 4}, BF16, ""},
		{F32, "kept", BF16, []uint64{512, 4}, F32, ""},
		{F32, "x", Q4_0, []uint64{512, 4}, F32, ""},
		{F16, "x", Q8_0, []uint64{512, 4}, F16, ""}, // who asks for floats gets them
		{Q4_K, "head", F32, []uint64{512, 4}, Q6_K, ""},
		{Q8_0, "head", F32, []uint64{512, 4}, Q8_0, ""},
		{Q4_K, "head", Q4_0, []uint64{512, 4}, Q4_0, "it is Q4_0, which has no more bits"},
		{Q4_K, "mixed", F32, []uint64{512, 4}, Q3_K, ""},
		{Q4_K, "wide", F32, []uint64{512, 4}, Q8_0, ""},
		{Q4_K, "x", Q4_K, []uint64{512, 4}, Q4_K, "no more bits"},
		{Q4_K, "x", Q4_0, []uint64{512, 4}, Q4_0, "no more bits"}, // 4.5 both
		{Q4_K, "x", Q4_1, []uint64{512, 4}, Q4_K, ""},
		{Q8_0, "x", Q6_K, []uint64{512, 4}, Q6_K, "no more bits"},
		{Q2_K, "x", F32, []uint64{96, 4}, Q4_0, "rows of 96 values are no multiple of 256"},
		{Q3_K, "x", F32, []uint64{96, 4}, Q4_0, "no multiple of 256"},
		{Q4_K, "x", F32, []uint64{96, 4}, Q5_0, "no multiple of 256"},
		{Q5_K, "x", F32, []uint64{96, 4}, Q5_1, "no multiple of 256"},
		{Q6_K, "x", F32, []uint64{96, 4}, Q8_0, "no multiple of 256"},
		{Q4_K, "x", Q5_0, []uint64{96, 4}, Q5_0, "no more bits"},
		{Q4_K, "head", F32, []uint64{96, 4}, Q8_0, "no multiple of 256"},
		{Q4_K, "x", F32, []uint64{100, 4}, F16, "rows of 100 values are no multiple of 256"},
		{Q5_0, "x", F32, []uint64{100, 4}, F16, "no multiple of 32"},
	} {
		r := of(c.target)
		to, reason := r.Type(c.name, c.from, c.shape)
		if to != c.want || (reason == "") != (c.reason == "") || !strings.Contains(reason, c.reason) {
			t.Errorf("%s: %s, %s of %v is %s (%s), want %s (%s)", c.target, c.name, c.from, c.shape, to, reason, c.want, c.reason)
		}
	}
	bare := Recipe{Target: Q4_K}
	if to, _ := bare.Type("x", F32, []uint64{256, 2}); to != Q4_K {
		t.Errorf("without roles: %s", to)
	}
}

// TestTiers: each step down has fewer bits, and all can be written.
func TestTiers(t *testing.T) {
	tiers := Tiers()
	for i, x := range tiers {
		if i > 0 && !x.Smaller(tiers[i-1]) {
			t.Errorf("%s is not smaller than %s", x, tiers[i-1])
		}
		if got, err := ParseTarget(x.String()); got != x || err != nil {
			t.Errorf("%s: %v, %v", x, got, err)
		}
	}
	for from, to := range shortRows {
		if to.Smaller(from) || blockValues(to) != 32 {
			t.Errorf("%s stands in for %s", to, from)
		}
	}
}

// filled is a search that says what it was asked for: each block's bytes are the sum of its values.
func filled(dst []byte, t Type, src []float32, columns int, _ []float32) error {
	values, size := t.Block()
	if columns%int(values) != 0 || len(dst)*int(values) != len(src)*int(size) {
		return errors.New("what is asked for is no whole blocks")
	}
	for i := range len(src) / int(values) {
		sum := float32(0)
		for _, x := range src[i*int(values):][:values] {
			sum += x
		}
		for j := range int(size) {
			dst[i*int(size)+j] = byte(sum) & 0x3f // a half of these is finite
		}
	}
	return nil
}

// TestConvertSearches: every row goes through the search once, and lies where it did, on however many threads.
func TestConvertSearches(t *testing.T) {
	const cols, rows = 512, 301
	values := make([]float32, cols*rows)
	for i := range values {
		values[i] = float32(i / 256 % 50 * (1 - i%256/255))
	}
	src := tensorsFile(t, OutTensor{Name: "x", Type: F32, Shape: []uint64{cols, rows}, Write: copyOf(Quantize(F32, values, nil))})
	out, notices := convert(t, src, Conversion{Recipe: Recipe{Target: Q4_K}, Search: filled})
	x := out.Tensors()[0]
	want := make([]byte, x.bytes())
	if err := filled(want, Q4_K, values, cols, nil); err != nil {
		t.Fatal(err)
	}
	if x.Type != Q4_K || !bytes.Equal(bytesOf(t, out, x), want) || len(notices) > 0 {
		t.Errorf("%s, %v", x.Type, notices)
	}
	if n, _, _ := out.Metadata().Uint("general.file_type"); n != 15 {
		t.Errorf("file type %d", n)
	}
	broken := errors.New("no room")
	failing := func([]byte, Type, []float32, int, []float32) error { return broken }
	if err := Convert(io.Discard, src, Conversion{Recipe: Recipe{Target: Q4_K}, Search: failing}); !errors.Is(err, broken) || !strings.Contains(err.Error(), "tensor x") {
		t.Error(err)
	}
}

// TestConvertBySearch: what a type can't hold falls back and is told, of the types that are searched for too.
func TestConvertBySearch(t *testing.T) {
	for _, c := range []struct {
		cols    int
		largest float32
		target  Type
		want    Type
		told    string
	}{
		{256, 1, Q6_K, Q6_K, ""},
		{96, 1, Q4_K, Q5_0, "is written as Q5_0, not Q4_K: rows of 96 values are no multiple of 256"},
		{256, 1e6, Q2_K, F32, "is written as F32, not Q2_K: its largest value is 1e+06, the blocks of Q2_K reach 982560"},
		{256, 1e6, Q4_K, Q4_K, ""},
		{256, 1e-4, Q6_K, F16, "below"},
		{256, 3e-4, Q6_K, Q6_K, ""},
		{96, 1e6, Q3_K, F32, "is written as F32, not Q3_K: rows of 96"},
	} {
		src := tensorsFile(t, matrix("a.weight", F32, c.cols, c.largest))
		out, notices := convert(t, src, Conversion{Recipe: Recipe{Target: c.target}, Search: filled})
		told := strings.Join(notices, "\n")
		if got := out.Tensors()[0].Type; got != c.want || (told == "") != (c.told == "") || !strings.Contains(told, c.told) {
			t.Errorf("%d columns up to %g as %s: %s, told %q", c.cols, c.largest, c.target, got, told)
		}
	}
	src := tensorsFile(t, matrix("a.weight", F32, 256, 1), matrix("b.weight", F32, 256, 1))
	choices := []Choice{{regexp.MustCompile("^b"), Q6_K}}
	out, _ := convert(t, src, Conversion{Recipe: Recipe{Target: Q4_K}, Search: filled, Choices: choices})
	if got := []Type{out.Tensors()[0].Type, out.Tensors()[1].Type}; !slices.Equal(got, []Type{Q4_K, Q6_K}) {
		t.Errorf("by choice: %v", got)
	}
}
