package daemon

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"chimera/engine"
	"chimera/internal/fixtures"
	"chimera/loader"
)

// Files as people reported them: what loads, with which warnings, and how a text begins.
func TestReportedFiles(t *testing.T) {
	dir := fixtures.SharedDir(t, "CHIMERA_REPORTS", "reports")
	for name, c := range map[string]struct {
		warnings []string
		begins   int32 // with this token; -1: with none of its own
		refusal  string
	}{
		"bpe_no_merges":         {refusal: "tokenizer.ggml.merges"},
		"spm-no-ids":            {begins: 1, warnings: []string{"bos_token_id", "eos_token_id", "unknown_token_id"}},
		"dup_token_text":        {begins: 1, warnings: []string{"tokenizer.ggml.tokens has 1 texts"}},
		"eos=99999":             {begins: 1, warnings: []string{"eos_token_id is 99999"}},
		"rope_sliding_window_0": {begins: 1},
		"ct_filter":             {begins: -1},
	} {
		f, p, err := loader.Open(filepath.Join(dir, "files", name+".gguf"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		tok, err := loader.NewTokenizer(f)
		switch {
		case c.refusal != "":
			if !errors.Is(err, engine.ErrModelFile) || !strings.Contains(err.Error(), c.refusal) {
				t.Errorf("%s: %v, want %s", name, err, c.refusal)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		default:
			if w := tok.Warnings(); len(w) != len(c.warnings) || !slices.EqualFunc(w, c.warnings, strings.Contains) {
				t.Errorf("%s: warnings %q, want %q", name, w, c.warnings)
			}
			if ids := tok.Around(tok.Encode("hello", false, true)); tok.IsSpecial(ids[0]) != (c.begins >= 0) || c.begins >= 0 && ids[0] != c.begins {
				t.Errorf("%s: a text is %v", name, ids)
			}
		}
		for _, g := range p.Groups {
			if g.Window != 0 {
				t.Errorf("%s: a window of %d", name, g.Window)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
