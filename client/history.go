package client

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// This file owns what the user sent in earlier conversations.

// keptQuestions is how many a file keeps: more than anyone walks back through with a key.
const keptQuestions = 1000

// history is a file with one JSON string a line, oldest first. Conversations in several terminals append
// to it side by side; only opening it shortens it. The zero value keeps nothing.
type history struct{ path string }

// load returns the questions kept, newest last. A file that was damaged gives what can be read of it.
func (h history) load() ([]string, error) {
	if h.path == "" {
		return nil, nil
	}
	f, err := os.Open(h.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	var kept []string
	full := false
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		var text string
		if json.Unmarshal(lines.Bytes(), &text) == nil && text != "" {
			kept = append(kept, text)
		}
		if len(kept) == 2*keptQuestions {
			kept, full = append(kept[:0], kept[keptQuestions:]...), true
		}
	}
	if !full {
		return kept, lines.Err()
	}
	kept = kept[max(0, len(kept)-keptQuestions):]
	return kept, errors.Join(lines.Err(), h.rewrite(kept))
}

// rewrite replaces the file, or where a link leads, whole or not at all.
func (h history) rewrite(kept []string) error {
	place, err := filepath.EvalSymlinks(h.path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(place), ".chat_history-*") // mode 0600
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for _, text := range kept {
		line, _ := json.Marshal(text) // a string always marshals
		fmt.Fprintf(w, "%s\n", line)
	}
	err = errors.Join(w.Flush(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), place)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// add keeps one more question. The file is the user's alone: questions are private.
func (h history) add(text string) error {
	if h.path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(h.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	line, _ := json.Marshal(text)
	_, err = f.Write(append(line, '\n')) // one write: what other terminals append stays whole
	return errors.Join(err, f.Close())
}
