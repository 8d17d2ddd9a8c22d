package suite

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"
)

// This file owns reading a file of items. All of it is a user's: what is read is bounded before it is kept.

const (
	maxLine  = 1 << 20   // bytes of an item: a very long prompt has a tenth of that
	maxFile  = 256 << 20 // bytes of a file
	maxItems = 100_000   // intervals of so many take a minute
)

// limits are those of a file; tests have smaller ones.
type limits struct{ line, file, items int }

// Read reads the items of a file, of which name is the path. An error names the file, the line and the field.
func Read(name string, from io.Reader) (*Suite, error) {
	return limits{maxLine, maxFile, maxItems}.read(name, from)
}

func (l limits) read(name string, from io.Reader) (*Suite, error) {
	s := &Suite{Name: strings.TrimSuffix(filepath.Base(name), ".jsonl")}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, l.line)
	first := map[string]int{} // the line of an id
	at, size := 0, 0
	for lines.Scan() {
		at++
		if size += len(lines.Bytes()) + 1; size > l.file {
			return nil, fmt.Errorf("%s:%d: the file has more than %d bytes", name, at, l.file)
		}
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		item, err := parse(lines.Bytes())
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s:%d: %w", name, at, err)
		case first[item.ID] > 0:
			return nil, fmt.Errorf("%s:%d: id: line %d has %q too, each item needs its own", name, at, first[item.ID], item.ID)
		case len(s.Items) == l.items:
			return nil, fmt.Errorf("%s:%d: there are more than %d items", name, at, l.items)
		}
		first[item.ID] = at
		s.Items = append(s.Items, item)
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%s:%d: the line has more than %d bytes", name, at+1, l.line)
	case err != nil:
		return nil, fmt.Errorf("%s:%d: %w", name, at+1, err)
	case len(s.Items) == 0:
		return nil, fmt.Errorf("%s: it has no items", name)
	}
	return s, nil
}

// parse reads one line.
func parse(line []byte) (Item, error) {
	var w wire
	err := json.Unmarshal(line, &w)
	var unfit *json.SemanticError
	switch {
	case errors.As(err, &unfit) && unfit.JSONPointer == "":
		return Item{}, errors.New("it must be a JSON object")
	case errors.As(err, &unfit):
		place := strings.ReplaceAll(strings.TrimPrefix(string(unfit.JSONPointer), "/"), "/", ".")
		return Item{}, fmt.Errorf("%s: it must be %s", place, wanted(place))
	case err != nil:
		return Item{}, fmt.Errorf("it is no JSON: %w", err)
	}
	return w.item()
}

// wanted says of a field what it takes.
func wanted(field string) string {
	name, within, nested := strings.Cut(field, ".")
	switch {
	case name == "messages":
		return `a list of turns, such as [{"role":"user","content":"Hello"}]`
	case name == "checks":
		return `a list of checks, such as [{"check":"contains","any":["4"]}]`
	case !nested && (name == "references" || name == "choices" || name == "tags"):
		return "a list of strings"
	case within != "", name != "":
		return "a string"
	}
	return "an object"
}
