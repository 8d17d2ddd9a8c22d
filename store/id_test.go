package store

import (
	"strings"
	"testing"
)

// This file owns tests of answers' names.

func TestID(t *testing.T) {
	seen := map[ID]bool{}
	for range 1000 {
		id := NewID()
		back, err := ParseID(id.String())
		if err != nil || back != id || seen[id] || len(id.String()) != 32 {
			t.Fatalf("%s: %s %v", id, back, err)
		}
		seen[id] = true
	}
	for _, text := range []string{"", "00", strings.Repeat("g", 32), strings.Repeat("0", 31), strings.Repeat("0", 34), strings.Repeat("0", 1<<20)} {
		if _, err := ParseID(text); err == nil || !strings.Contains(err.Error(), "names no answer") || len(err.Error()) > 150 {
			t.Errorf("%.50q: %v", text, err)
		}
	}
}
