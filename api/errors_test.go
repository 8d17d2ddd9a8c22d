package api

import (
	"fmt"
	"strings"
	"testing"

	"chimera/engine"
)

// Logits that are no numbers are the server's fault, and the answer says so: never an empty text.
func TestNotFiniteIsAnError(t *testing.T) {
	h := toHTTP(fmt.Errorf("decoding: %w", &engine.NotFiniteError{Position: 7}))
	if h.Status != 500 || h.Code != "not_finite" || h.Type != "server_error" || !strings.Contains(h.Message, "NaN or infinite at position 7") || h.Cause == nil {
		t.Errorf("%+v", h)
	}
}
