package client

import (
	"errors"
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

// A file that the user keeps elsewhere stays there, and the link to it a link.
func TestHistoryThroughALink(t *testing.T) {
	folder := t.TempDir()
	kept := filepath.Join(folder, "elsewhere", "kept")
	h := history{filepath.Join(folder, "state", "chat_history")}
	if err := errors.Join(os.Mkdir(filepath.Dir(kept), 0o700), os.Mkdir(filepath.Dir(h.path), 0o700), os.Symlink("../elsewhere/kept", h.path)); err != nil {
		t.Fatal(err)
	}
	if err := h.add("first"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept, []byte(strings.Repeat("\"again\"\n", 2*keptQuestions+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if list, err := h.load(); err != nil || len(list) != keptQuestions {
		t.Fatalf("%d questions, %v", len(list), err)
	}
	text, err := os.ReadFile(kept)
	if err != nil || strings.Count(string(text), "\n") != keptQuestions {
		t.Errorf("the file was not shortened: %d lines, %v", strings.Count(string(text), "\n"), err)
	}
	if to, err := os.Readlink(h.path); err != nil || to != "../elsewhere/kept" {
		t.Errorf("the link was replaced: %s, %v", to, err)
	}
	for _, place := range []string{kept, h.path} {
		if rest, err := os.ReadDir(filepath.Dir(place)); err != nil || len(rest) != 1 {
			t.Errorf("left behind: %v %v", rest, err)
		}
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
