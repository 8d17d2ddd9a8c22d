package main

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chimera/model"
	"chimera/weights"
)

var tiny = shape{width: 256, feed: 512, layers: 2, heads: 4, kvHeads: 2, head: 64}

// tokenizerFile is a model of which nothing but its tokenizer is of interest.
func tokenizerFile(t *testing.T) string {
	m := &weights.Metadata{}
	m.Set("general.architecture", weights.Value{Type: weights.Text, Any: "other"})
	m.Set("tokenizer.ggml.model", weights.Value{Type: weights.Text, Any: "gpt2"})
	m.Set("tokenizer.ggml.tokens", weights.Value{Type: weights.Array, Element: weights.Text, Any: []string{"a", "b", "c", "d", "e"}})
	var b bytes.Buffer
	if err := weights.WriteFile(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tokenizer.gguf")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func written(t *testing.T, s shape) string {
	path := filepath.Join(t.TempDir(), "random.gguf")
	if err := s.writeFile(path, tokenizerFile(t)); err != nil {
		t.Fatal(err)
	}
	return path
}

// The product reads the file and states its program; the tokenizer is the other file's; the weights have their scale, and are the same each time.
func TestRandomLlama(t *testing.T) {
	path := written(t, tiny)
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := model.Build(f); err != nil {
		t.Error(err)
	}
	if err := tiny.holds(f); err != nil {
		t.Error(err)
	}
	if tokens, _, err := f.Metadata().Strings("tokenizer.ggml.tokens"); err != nil || strings.Join(tokens, "") != "abcde" {
		t.Errorf("%v %v", tokens, err)
	}
	for name, want := range map[string]float64{
		"token_embd.weight": 1. / 16, "blk.0.attn_q.weight": 1. / 16, "blk.1.ffn_down.weight": 1 / math.Sqrt(512) / 2, "output_norm.weight": 1,
	} {
		if got := effective(t, f, name); math.Abs(got/want-1) > .05 {
			t.Errorf("%s: root mean square %g, not %g", name, got, want)
		}
	}
	first, err1 := os.ReadFile(path)
	second, err2 := os.ReadFile(written(t, tiny))
	if err1 != nil || err2 != nil || !bytes.Equal(first, second) {
		t.Error("the same file is not written again")
	}
}

// effective is the root of the mean square of a tensor's values.
func effective(t *testing.T, f *weights.File, name string) float64 {
	x, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("no %s", name)
	}
	raw, values := make([]byte, x.RowBytes()*x.Rows()), make([]float32, x.Values())
	if err := errors.Join(f.Read(x, 0, raw), weights.Dequantize(x.Type, raw, values)); err != nil {
		t.Fatal(err)
	}
	sum := 0.
	for _, v := range values {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(len(values)))
}

// Rows of the random llama are whole blocks of each type, and it has the values of its description.
func TestStandardShape(t *testing.T) {
	values := 0
	for _, m := range standard.matrices(49152) {
		if m.out > 0 && m.in%256 != 0 {
			t.Errorf("%s: rows of %d", m.name, m.in)
		}
		values += m.in * max(m.out, 1)
	}
	if want := 49152*1024 + 12*(2*1024*1024+2*1024*256+3*1024*3072+2*1024) + 1024; values != want {
		t.Errorf("%d values, not %d", values, want)
	}
}

// A file is kept where it holds what it should; one that was cut off, or holds something else, is made anew, and a failure leaves none.
func TestKeepOrMake(t *testing.T) {
	whole, err := os.ReadFile(written(t, tiny))
	if err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	for _, c := range []struct {
		name         string
		there        []byte
		writes       []byte
		made, exists bool
	}{
		{"whole", whole, nil, false, true},
		{"none", nil, whole, true, true},
		{"cut off", whole[:len(whole)-100], whole, true, true},
		{"not a model", []byte("GGUF"), whole, true, true},
		{"fails", nil, nil, true, false},
		{"writes half", nil, whole[:len(whole)/2], true, false},
	} {
		path := filepath.Join(t.TempDir(), "m.gguf")
		if c.there != nil {
			if err := os.WriteFile(path, c.there, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		made := false
		err := keepOrMake(path, tiny.holds, func(part string) error {
			made = true
			if c.writes == nil {
				return failed
			}
			return os.WriteFile(part, c.writes, 0o600)
		})
		_, missing := os.Stat(path)
		entries, _ := os.ReadDir(filepath.Dir(path))
		if made != c.made || (err == nil) != c.exists || (missing == nil) != c.exists || len(entries) > 1 {
			t.Errorf("%s: made %v, %v, %v, %d files", c.name, made, err, missing, len(entries))
		}
	}
}

// A pure file has all matrices of its type; the peer's mixtures have several.
func TestQuantisedHolds(t *testing.T) {
	f, err := weights.Open(written(t, tiny))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []struct {
		q    quantised
		fine bool
	}{
		{quantised{matrices: weights.F16, pure: true}, true}, {quantised{matrices: weights.Q4_K, pure: true}, false}, {quantised{matrices: weights.Q4_K}, true},
	} {
		if err := c.q.holds(f); (err == nil) != c.fine {
			t.Errorf("%+v: %v", c.q, err)
		}
	}
	for want, list := range map[int][]quantised{14: random("r"), 7: requantised("m")} {
		if len(list) != want {
			t.Errorf("%d files, not %d", len(list), want)
		}
	}
}

// What the quantiser is asked, and what is told of a refusal.
func TestQuantiserIsAsked(t *testing.T) {
	folder := t.TempDir()
	program := filepath.Join(folder, "llama-quantize")
	script := "#!/bin/sh\n[ \"$4\" = Q2_K ] && { echo starting; echo no such type >&2; exit 3; }\necho \"$@\" > " + filepath.Join(folder, "asked") + "\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, q := range random("source") {
		err := q.run(t.Context(), program, "out")
		asked, _ := os.ReadFile(filepath.Join(folder, "asked"))
		switch {
		case q.matrices == weights.Q2_K:
			if err == nil || !strings.Contains(err.Error(), "Q2_K") || !strings.HasSuffix(err.Error(), "no such type") {
				t.Errorf("%v", err)
			}
		case err != nil || string(asked) != "--pure source out "+q.as+" 1\n":
			t.Errorf("%s: %q %v", q.name, asked, err)
		case q.matrices == weights.MXFP4 && q.as != "MXFP4_MOE":
			t.Errorf("MXFP4 is asked for as %s", q.as)
		}
	}
}
