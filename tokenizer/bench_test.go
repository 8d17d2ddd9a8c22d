package tokenizer

import (
	"os"
	"path/filepath"
	"testing"
)

// benchText is English prose of 35 kB, repeated.
func benchText(b *testing.B) string {
	data, err := os.ReadFile(filepath.Join(sharedPath(b, "CHIMERA_GOLDEN", "golden"), "gpl3.txt"))
	if err != nil {
		b.Fatal(err)
	}
	return string(data)
}

func BenchmarkSplit(b *testing.B) {
	text := benchText(b)
	for name := range patterns {
		f := &byteLevel{split: preTokenizers[name].split}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				splitOnly(text, f.split)
			}
		})
	}
}

func splitOnly(text string, split []splitter) {
	if len(split) == 0 {
		return
	}
	for len(text) > 0 {
		n := split[0](text)
		splitOnly(text[:n], split[1:])
		text = text[n:]
	}
}

func BenchmarkSmolLM2(b *testing.B) {
	path := os.Getenv("CHIMERA_SMOLLM2")
	if path == "" {
		b.Skip("CHIMERA_SMOLLM2 does not name a model file")
	}
	v := readVocab(b, path)
	text := benchText(b)
	tok := mustNew(b, v)
	b.Run("New", func(b *testing.B) {
		for b.Loop() {
			mustNew(b, v)
		}
	})
	b.Run("Encode", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			tok.Encode(text, false, true)
		}
	})
	ids := tok.Encode(text, false, true)
	b.Run("Decode", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			tok.Decode(ids, false)
		}
	})
}
