// This file holds the package to what llama.cpp and Hugging Face tokenizers produced.
package tokenizer

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

func sharedPath(t testing.TB, variable, folder string) string {
	t.Helper()
	path := cmp.Or(os.Getenv(variable), filepath.Join("..", "..", "shared", folder))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no fixtures: %v (%s names them)", err, variable)
	}
	return path
}

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func mustNew(t testing.TB, v Vocab) *Tokenizer {
	t.Helper()
	tok, err := New(v)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func checkIDs(t *testing.T, what, text string, got, want []int32) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s of %q:\n got %v\nwant %v", what, text, got, want)
	}
}

// TestConformance: every fixture's cases, made with Hugging Face tokenizers; special tokens in the text are parsed.
func TestConformance(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(sharedPath(t, "CHIMERA_CONFORMANCE", "conformance"), "*", "golden.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden.json found: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) { checkFixture(t, path) })
	}
}

func checkFixture(t *testing.T, path string) {
	var golden struct {
		Cases []struct {
			Text       string
			IDs        []int32
			IDsSpecial []int32 `json:"ids_special"`
		} `json:"tokenizer_cases"`
	}
	readJSON(t, path, &golden)
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.gguf"))
	if err != nil || len(files) == 0 || len(golden.Cases) == 0 {
		t.Fatalf("%d GGUF files, %d cases: %v", len(files), len(golden.Cases), err)
	}
	v := readVocab(t, files[0])
	tok, err := New(v)
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range golden.Cases {
		checkIDs(t, "ids", c.Text, tok.Encode(c.Text, false, true), c.IDs)
		checkIDs(t, "ids_special", c.Text, tok.Encode(c.Text, true, true), c.IDsSpecial)
		checkStream(t, tok, c.IDs)
		if back := tok.Decode(c.IDs, true); reversible(tok, c.Text, c.IDs) && back != normalised(tok, c.Text) {
			t.Errorf("decoded %q as %q", c.Text, back)
		}
	}
}

// reversible: SentencePiece cannot tell a space from its mark, nor one of its own from the text's after a special token.
func reversible(tok *Tokenizer, text string, ids []int32) bool {
	_, spm := tok.model.(*sentencePiece)
	return !spm || !strings.Contains(text, wordMark) && !slices.ContainsFunc(ids, tok.IsSpecial)
}

// normalised is what a decoded text is equal to: NFC where the model wants it.
func normalised(tok *Tokenizer, text string) string {
	if f, ok := tok.model.(*byteLevel); ok && f.nfc {
		return norm.NFC.String(text)
	}
	return text
}

// checkStream: tokens pushed one by one give what Decode gives, and never half a character.
func checkStream(t *testing.T, tok *Tokenizer, ids []int32) {
	t.Helper()
	for _, show := range []bool{false, true} {
		var got strings.Builder
		s := tok.NewStream(show)
		for _, id := range ids {
			got.WriteString(s.Push(id))
		}
		got.WriteString(s.Flush())
		if want := tok.Decode(ids, show); got.String() != want {
			t.Errorf("stream gives %q, Decode %q", got.String(), want)
		}
	}
}

type smolGolden struct {
	NVocab   int `json:"n_vocab"`
	BOS, EOS int32
	AddBOS   bool `json:"add_bos"`
	AddEOS   bool `json:"add_eos"`
	EOG      []struct{ ID int32 }
	Cases    []struct {
		TextHex     string   `json:"text_hex"`
		Plain       []int32  `json:"ids_plain"`
		Parsed      []int32  `json:"ids_parse_special"`
		Added       []int32  `json:"ids_add_special_parse_special"`
		Pieces      []string `json:"pieces_plain_hex"`
		Detokenised string   `json:"detok_plain_hex"`
		Hidden      string   `json:"detok_special_hidden_hex"`
	}
}

// TestSmolLM2: a real vocabulary, judged by llama.cpp. CHIMERA_SMOLLM2 names the model file.
func TestSmolLM2(t *testing.T) {
	path := os.Getenv("CHIMERA_SMOLLM2")
	if path == "" {
		t.Skip("CHIMERA_SMOLLM2 does not name a model file")
	}
	var golden smolGolden
	readJSON(t, filepath.Join(sharedPath(t, "CHIMERA_GOLDEN", "golden"), "smollm2-135m-q4_1.kvf16_fa0.tokenize.json"), &golden)
	tok := mustNew(t, readVocab(t, path))
	if tok.VocabSize() != golden.NVocab || tok.BOS() != golden.BOS || tok.EOS() != golden.EOS ||
		tok.AddsBOS() != golden.AddBOS || tok.AddsEOS() != golden.AddEOS {
		t.Errorf("%d tokens, bos %d, eos %d, added %v %v; want %+v", tok.VocabSize(), tok.BOS(), tok.EOS(), tok.AddsBOS(), tok.AddsEOS(), golden)
	}
	var eog []int32
	for _, token := range golden.EOG {
		eog = append(eog, token.ID)
	}
	checkIDs(t, "EOG", "", tok.EOG(), eog)
	for _, c := range golden.Cases {
		text := unhex(t, c.TextHex)
		checkIDs(t, "ids_plain", text, tok.Encode(text, false, false), c.Plain)
		checkIDs(t, "ids_parse_special", text, tok.Encode(text, false, true), c.Parsed)
		checkIDs(t, "ids_add_special_parse_special", text, tok.Encode(text, true, true), c.Added)
		for i, id := range c.Plain {
			if piece := hex.EncodeToString([]byte(tok.Piece(id, false))); piece != c.Pieces[i] {
				t.Errorf("piece %d is %s, want %s", id, piece, c.Pieces[i])
			}
		}
		if got := tok.Decode(c.Plain, false); got != unhex(t, c.Detokenised) {
			t.Errorf("decoded %q as %q", text, got)
		}
		if got := tok.Decode(c.Parsed, false); got != unhex(t, c.Hidden) {
			t.Errorf("decoded %q without special tokens as %q", text, got)
		}
		checkStream(t, tok, c.Parsed)
	}
}

func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
