package daemon

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"chimera/loader"
)

// This file owns the test of the numerics id: it follows what is computed with, not what the file is called.

// idOf loads a model file and returns the id that its answers would carry.
func idOf(t *testing.T, path, kv string) string {
	t.Helper()
	l, err := loader.Load(path, loader.Options{Threads: 2, KVType: kv, ISA: "auto", Device: "cpu", StepTokens: 16, MaxSequences: 1, MaxLogprobs: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Policy.NumericsID(l.Instance.Digest(l.Instance.Generation()), l.Instance.Plan().Backend)
}

func TestNumericsID(t *testing.T) {
	source := filepath.Join("testdata", "parts", "llama_biases", "llama_biases-f16.gguf")
	whole, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	want := idOf(t, source, "f16")
	if got := idOf(t, write("another-name.gguf", whole), "f16"); got != want {
		t.Errorf("under another name: %s, not %s", got, want)
	}
	ids := map[string]string{want: "the file"}
	other := func(what, id string) {
		if same, known := ids[id]; known {
			t.Errorf("%s has the id of %s", what, same)
		}
		ids[id] = what
	}
	other("another KV type", idOf(t, source, "f32"))
	spoilt := func(part []byte, offset int) string {
		at := bytes.Index(whole, part)
		if at < 0 {
			t.Fatalf("%s does not hold %q", source, part)
		}
		data := bytes.Clone(whole)
		data[at+offset] ^= 1
		return write("m.gguf", data)
	}
	other("another weight", idOf(t, spoilt(lastTensor(t, source), 0), "f16"))
	key := []byte("llama.attention.layer_norm_rms_epsilon")
	other("another epsilon", idOf(t, spoilt(key, len(key)+4), "f16")) // the last bit of the float behind the value's type
	other("another model", idOf(t, filepath.Join("testdata", "parts", "llama_fused", "llama_fused-f16.gguf"), "f16"))
}

// lastTensor is the bytes of the tensor that is last in the file.
func lastTensor(t *testing.T, path string) []byte {
	t.Helper()
	f, err := loader.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	last := f.Tensors()[len(f.Tensors())-1]
	data := make([]byte, last.Rows()*last.RowBytes())
	if err := f.Read(last, 0, data); err != nil {
		t.Fatal(err)
	}
	return data
}
