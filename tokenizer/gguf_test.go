// This file reads the vocabulary out of a GGUF file for the tests: a leaf package cannot ask weights for it.
package tokenizer

import (
	"bufio"
	"encoding/binary"
	"io"
	"os"
	"testing"
)

// ggufReader reads metadata values; a file that ends early panics, which fails the test.
type ggufReader struct{ r *bufio.Reader }

func readFixed[T any](g ggufReader) (v T) {
	if err := binary.Read(g.r, binary.LittleEndian, &v); err != nil {
		panic(err)
	}
	return v
}

func (g ggufReader) string() string {
	b := make([]byte, readFixed[uint64](g))
	if _, err := io.ReadFull(g.r, b); err != nil {
		panic(err)
	}
	return string(b)
}

func (g ggufReader) value(typ uint32) any {
	switch typ {
	case 0, 1, 7:
		return readFixed[uint8](g)
	case 2, 3:
		return readFixed[uint16](g)
	case 4, 5:
		return readFixed[int32](g)
	case 6:
		return readFixed[float32](g)
	case 8:
		return g.string()
	case 9:
		element, n := readFixed[uint32](g), readFixed[uint64](g)
		return g.array(element, int(n))
	default:
		return readFixed[uint64](g)
	}
}

func (g ggufReader) array(element uint32, n int) any {
	switch element {
	case 5:
		return readAll(n, readFixed[int32], g)
	case 6:
		return readAll(n, readFixed[float32], g)
	case 8:
		return readAll(n, ggufReader.string, g)
	}
	return readAll(n, func(g ggufReader) any { return g.value(element) }, g)
}

func readAll[T any](n int, one func(ggufReader) T, g ggufReader) []T {
	all := make([]T, n)
	for i := range all {
		all[i] = one(g)
	}
	return all
}

// readVocab reads the tokenizer of a GGUF file.
func readVocab(t testing.TB, path string) Vocab {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	g := ggufReader{bufio.NewReaderSize(file, 1<<20)}
	readFixed[[16]byte](g) // magic, version, tensors
	keys := map[string]any{}
	for range readFixed[uint64](g) {
		key := g.string()
		keys[key] = g.value(readFixed[uint32](g))
	}
	return vocabOf(keys)
}

func vocabOf(keys map[string]any) Vocab {
	const in = "tokenizer.ggml."
	v := Vocab{
		BOS: idOf(keys[in+"bos_token_id"]), EOS: idOf(keys[in+"eos_token_id"]), EOT: idOf(keys[in+"eot_token_id"]),
		EOM: idOf(keys[in+"eom_token_id"]), UNK: idOf(keys[in+"unknown_token_id"]), FIMPad: idOf(keys[in+"fim_pad_token_id"]),
		FIMRepo: idOf(keys[in+"fim_rep_token_id"]), FIMSeparator: idOf(keys[in+"fim_sep_token_id"]),
		AddBOS: flagOf(keys[in+"add_bos_token"]), AddEOS: flagOf(keys[in+"add_eos_token"]),
		AddSpacePrefix: flagOf(keys[in+"add_space_prefix"]),
	}
	v.Model, _ = keys[in+"model"].(string)
	v.Pre, _ = keys[in+"pre"].(string)
	v.Name, _ = keys["general.name"].(string)
	v.Tokens, _ = keys[in+"tokens"].([]string)
	v.Scores, _ = keys[in+"scores"].([]float32)
	v.Types, _ = keys[in+"token_type"].([]int32)
	v.Merges, _ = keys[in+"merges"].([]string)
	return v
}

func idOf(value any) *int64 {
	if id, ok := value.(int32); ok {
		return ptr(int64(id))
	}
	return nil
}

func flagOf(value any) *bool {
	if b, ok := value.(uint8); ok {
		set := b != 0
		return &set
	}
	return nil
}
