package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chimera/config"
	"chimera/engine"
	"chimera/internal/fixtures"
	"chimera/loader"
)

// Every configured model must open, and be able to have the context that is asked for, loaded at the start or not.
func TestCheckOpens(t *testing.T) {
	none, text := filepath.Join(t.TempDir(), "none.gguf"), filepath.Join(t.TempDir(), "text.gguf")
	if err := os.WriteFile(text, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	good, c := namedModel{fixtures.Biased, "good"}, config.Default()
	options := loader.OptionsOf(&c)
	for path, part := range map[string]string{none: "there is no such file", text: "text.gguf"} {
		if err := checkOpens([]namedModel{good, {path, "second"}}, options); !errors.Is(err, engine.ErrModelFile) || !strings.HasPrefix(err.Error(), `model "second": `) || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := checkOpens([]namedModel{good, good}, options); err != nil {
		t.Error(err)
	}
	options.Context = 1 << 20
	if err := checkOpens([]namedModel{good}, options); !errors.As(err, new(*config.Error)) || !strings.HasPrefix(err.Error(), `model "good": ctx: `) {
		t.Errorf("a context beyond the model's: %v", err)
	}
}
