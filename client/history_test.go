package client

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// This file owns tests of what chat keeps from one conversation to the next.

func TestHistoryKeepsWhatWasSent(t *testing.T) {
	h := history{filepath.Join(t.TempDir(), "state", "chat_history")}
	if kept, err := h.load(); err != nil || kept != nil {
		t.Fatalf("before anything was sent: %q %v", kept, err)
	}
	want := []string{"one", "two\nlines", `a "quoted" \ thing`, "ünï ✓"}
	for _, text := range want {
		if err := h.add(text); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := h.load(); err != nil || !reflect.DeepEqual(kept, want) {
		t.Errorf("%q %v", kept, err)
	}
	if s, err := os.Stat(h.path); err != nil || s.Mode().Perm() != 0o600 {
		t.Errorf("the file is not the user's alone: %v %v", s.Mode(), err)
	}
}

func TestHistoryShortensAndSurvivesDamage(t *testing.T) {
	h := history{filepath.Join(t.TempDir(), "chat_history")}
	var text strings.Builder
	for i := range 2*keptQuestions + 700 {
		fmt.Fprintf(&text, "\"question %d\"\n%s", i, []string{"", "no JSON\n", "7\n", "\n"}[i%4])
	}
	if err := os.WriteFile(h.path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time what the first has written
		kept, err := h.load()
		if err != nil || len(kept) != keptQuestions || kept[keptQuestions-1] != fmt.Sprintf("question %d", 2*keptQuestions+699) {
			t.Fatalf("%d kept: %v", len(kept), err)
		}
	}
	if rest, err := os.ReadDir(filepath.Dir(h.path)); err != nil || len(rest) != 1 {
		t.Errorf("left behind: %v %v", rest, err)
	}
}

func TestHistoryWithoutAPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (history{filepath.Join(file, "chat_history")}).add("x"); err == nil {
		t.Error("a folder that is a file was accepted")
	}
	if err := (history{}).add("x"); err != nil {
		t.Error(err)
	}
}
