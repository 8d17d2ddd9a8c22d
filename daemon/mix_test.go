package daemon

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chimera/api"
	"chimera/internal/fixtures"
	document "chimera/internal/tables"
	"chimera/quality/suite"
	"chimera/weights"
)

// This file owns tests of mixes: that a mix is what was asked for, the same each time, and better than one type at the same size.

// questionsOf is a suite of so many items, each with a reference.
func questionsOf(t *testing.T, half suite.Half, n int) *suite.Suite {
	t.Helper()
	text := ""
	for i := range n {
		text += fmt.Sprintf(`{"id": "q%d", "kind": "qa", "half": %q, "input": "What is %d and %d?", "references": ["It is %d."]}`+"\n", i, half, i, 3*i, 4*i)
	}
	s, err := suite.Read("questions", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mixedBytes are what the tensors of a file take, and of those that there is a choice for the bits a value.
func mixedBytes(t *testing.T, path string, m *Mix) (all int64, bits float64) {
	t.Helper()
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	bytes, values := int64(0), uint64(0)
	for _, tensor := range f.Tensors() {
		all += bytesAs(tensor, tensor.Type)
		for _, one := range m.Tensors {
			if one.Name == tensor.Name {
				if one.Type != tensor.Type || one.Bytes != bytesAs(tensor, tensor.Type) {
					t.Errorf("%s is %s, the mix says %s and %d bytes", tensor.Name, tensor.Type, one.Type, one.Bytes)
				}
				bytes, values = bytes+one.Bytes, values+tensor.Values()
			}
		}
	}
	return all, 8 * float64(bytes) / float64(values)
}

// file is the mix of a size, and the file that it makes of a model.
func (x *mixing) file(t *testing.T, in string, size MixSize) (m *Mix, out string) {
	t.Helper()
	budget, err := size.budget(x.loaded.File, x.candidates)
	if err == nil {
		m, err = x.choose(t.Context(), budget)
	}
	out = filepath.Join(t.TempDir(), "out.gguf")
	if err == nil {
		err = Quantize(t.Context(), QuantizeRequest{In: in, Out: out, Mix: m})
	}
	if err != nil {
		t.Fatal(err)
	}
	return m, out
}

// TestMix: files have the types of their mix and are no larger than was asked for; more room is used and costs less; what is chosen twice is the same.
func TestMix(t *testing.T) {
	s, small := questionsOf(t, suite.Tuning, 12), fixtures.Talking(t, fixtures.Biased, t.TempDir(), "small") // its rows are short: of blocks of 256 it has none
	x, err := newMixing(MixRequest{Model: small, Calibration: s})
	if err != nil {
		t.Fatal(err)
	}
	defer x.loaded.Close()
	if err := x.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	last := math.Inf(1)
	var sizes []int64
	var mixes []string
	for _, bits := range []float64{4.6, 5.5, 7, 8.5} {
		m, out := x.file(t, small, MixSize{Bits: bits})
		all, got := mixedBytes(t, out, m)
		if !(got <= bits && got > bits-0.5) || !(m.Sum < last) || !(m.Measured > 0) || m.Places == 0 {
			t.Errorf("%v bits: %v bits, KL %v measured %v over %d places, less room %v", bits, got, m.Sum, m.Measured, m.Places, last)
		}
		last = m.Sum
		sizes, mixes = append(sizes, all), append(mixes, fmt.Sprint(m))
	}
	// The same size in bytes is the same mix, also when all is measured anew.
	again, err := ChooseMix(t.Context(), MixRequest{Model: small, Calibration: s, Size: MixSize{Bytes: sizes[1]}})
	if err != nil || fmt.Sprint(again) != mixes[1] {
		t.Errorf("%d bytes are %v\n%v\n%v", sizes[1], err, again, mixes[1])
	}
}

func TestMixRefuses(t *testing.T) {
	small := fixtures.Talking(t, fixtures.Biased, t.TempDir(), "small")
	smaller := quantised(t, small, "q4_0", `^token_embd|^output\.weight=q4_0`)
	for _, c := range []struct {
		name, model string
		size        MixSize
		suite       *suite.Suite
		says        string
	}{
		{"too few bits", small, MixSize{Bits: 2}, questionsOf(t, suite.Tuning, 1), "there is none as small: with all matrices in their smallest type it has"},
		{"too few bytes", small, MixSize{Bytes: 1}, questionsOf(t, suite.Tuning, 1), "there is none as small"},
		{"sealed items alone", small, MixSize{Bits: 5}, questionsOf(t, suite.Sealed, 9), "no item with a reference"},
		{"nothing to make smaller", smaller, MixSize{Bits: 5}, questionsOf(t, suite.Tuning, 1), "no matrix of it has more bits"},
		{"no such file", filepath.Join(t.TempDir(), "none.gguf"), MixSize{Bits: 5}, questionsOf(t, suite.Tuning, 1), "there is no such file"},
	} {
		if _, err := ChooseMix(t.Context(), MixRequest{Model: c.model, Size: c.size, Calibration: c.suite}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	over := errors.New("it is over")
	_, err := ChooseMix(ctx, MixRequest{Model: small, Size: MixSize{Bits: 5}, Calibration: questionsOf(t, suite.Tuning, 9), Progress: func(_, _ uint64) { cancel(over) }})
	if !errors.Is(err, over) {
		t.Errorf("when it is ended: %v", err)
	}
}

// matrices are all of the translation model's.
const matrices = `(token_embd|attn_[qkv]|attn_output|ffn_(up|down|gate))\.weight`

// measuredMixes are held against files of the same bytes at most. limit is what the divergence may be of theirs.
var measuredMixes = []struct {
	against, tier string
	choices       []string
	published     float64 // divergence of llama-quantize's file of these types, where that is what is held against
	limit         float64
}{
	{"q3_k in all matrices", "q3_k", []string{matrices + "=q3_k"}, 0, 0.8},
	{"q4_k in all matrices", "q4_k", []string{matrices + "=q4_k"}, 0, 0.8},
	{"llama-quantize's q2_k", "q2_k", nil, 0.13290, 0.6},
	{"the tier q2_k", "q2_k", nil, 0, 1},
	{"the tier q3_k", "q3_k", nil, 0, 1},
	{"the tier q4_k", "q4_k", nil, 0, 1},
}

// TestMixTable makes the table of docs/TIERS.md of mixes, in minutes: chosen on the lines for tuning, measured on those that are sealed.
func TestMixTable(t *testing.T) {
	if !*rewrite {
		t.Skip("with -rewrite it measures mixes of the translation model")
	}
	dir := fixtures.SharedDir(t, "CHIMERA_MT", "mt")
	model := filepath.Join(dir, "gguf", "f32.gguf")
	text, err := os.ReadFile(filepath.Join(dir, "suite", "dev.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := suite.Read("dev", strings.NewReader(strings.ReplaceAll(string(text), `{"id"`, `{"half": "tuning", "id"`)))
	if err != nil {
		t.Fatal(err)
	}
	x, err := newMixing(MixRequest{Model: model, Calibration: s})
	if err != nil {
		t.Fatal(err)
	}
	defer x.loaded.Close()
	if err := x.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines := translations(t, dir)
	full := fullTranslations(t, model, lines)
	table := document.Table{Name: "mixes", Head: []string{"as many bytes as", "bytes of tensors", "bits a value", "its KL", "KL of the mix", "ratio", "KL added up"}}
	for _, c := range measuredMixes {
		other := quantised(t, model, c.tier, c.choices...)
		bytes, _ := mixedBytes(t, other, &Mix{})
		m, out := x.file(t, model, MixSize{Bytes: bytes})
		took, bits := mixedBytes(t, out, m)
		was := c.published
		if was == 0 {
			was, _ = divergence(t, quantised(t, other, "f32"), api.SourceTier, lines, full)
		}
		is, _ := divergence(t, quantised(t, out, "f32"), api.SourceTier, lines, full)
		if !(took <= bytes) || !(is <= c.limit*was) {
			t.Errorf("%s: %d bytes of %d diverge by %v, want %v of %v", c.against, took, bytes, is, c.limit, was)
		}
		table.Rows = append(table.Rows, []string{c.against, fmt.Sprint(bytes), fmt.Sprintf("%.2f", bits), fmt.Sprintf("%.5f", was), fmt.Sprintf("%.5f", is), fmt.Sprintf("%.2f", is/was), fmt.Sprintf("%.5f", m.Sum)})
		t.Log(table.Rows[len(table.Rows)-1])
	}
	if err := table.Write("../docs/TIERS.md"); err != nil {
		t.Fatal(err)
	}
}
