package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// This file owns where settings come from: the place of each key in the file, a flag, or a variable.

// places are where the settings come from: tenant[1].keys is a key of the second [[tenant]].
type places struct {
	path    string
	text    []byte
	offsets map[string]int    // of keys, in the file's text
	later   map[string]string // flags and variables that have had the last word on a key
}

// of is where a key has its value from, or the nearest that holds it.
func (p *places) of(key string) string {
	for key != "" {
		if by, ok := p.later[key]; ok {
			return by
		}
		if at, ok := p.offsets[key]; ok {
			return p.at(at)
		}
		key = key[:max(strings.LastIndexAny(key, ".["), 0)]
	}
	return ""
}

// at is a place as people find it.
func (p *places) at(offset int) string {
	before := p.text[:offset]
	return fmt.Sprintf("%s:%d:%d", p.path, 1+bytes.Count(before, []byte("\n")), offset-bytes.LastIndexByte(before, '\n'))
}

// keyAt is the key that stands there or, of a value, before it; without its places in lists.
func (p *places) keyAt(row, column int) (key string) {
	line := 0
	for ; row > 1; row-- {
		line += bytes.IndexByte(p.text[line:], '\n') + 1
	}
	limit, last := line+column-1, -1
	for k, at := range p.offsets {
		if at <= limit && (at > last || at == last && len(k) > len(key)) {
			key, last = k, at
		}
	}
	return index.ReplaceAllString(key, "")
}

// has tells whether the file gives a key.
func (p *places) has(key string) bool {
	_, found := p.offsets[key]
	return found
}

// replace notes that a flag or a variable has had the last word on a key.
func (p *places) replace(key, by string) {
	for held := range p.offsets {
		if held == key || strings.HasPrefix(held, key+"[") {
			delete(p.offsets, held)
		}
	}
	p.later[key] = by
}

// named puts the place of a wrong setting before its error.
func (p *places) named(err error) error {
	var w *KeyError
	if errors.As(err, &w) && p.of(w.Key) != "" {
		return fmt.Errorf("%s: %w", p.of(w.Key), err)
	}
	return err
}

// survey notes where the keys of a file stand, up to what is no TOML. Where the library passes on what is no text as one, it is
// refused.
func survey(path string, text []byte) (*places, error) {
	s := surveyor{places: &places{path, text, map[string]int{}, map[string]string{}}, tables: map[string]int{}}
	for _, key := range keys() {
		s.names = append(s.names, key[strings.LastIndexByte(key, '.')+1:])
	}
	s.parser.Reset(text)
	prefix := ""
	for s.parser.NextExpression() {
		switch n := s.parser.Expression(); n.Kind {
		case unstable.KeyValue:
			if err := s.pair(prefix, n); err != nil {
				return nil, err
			}
		case unstable.ArrayTable:
			key, at := s.key(n)
			prefix = fmt.Sprintf("%s[%d].", key, s.tables[key])
			s.tables[key]++
			s.offsets[strings.TrimSuffix(prefix, ".")] = at
		case unstable.Table:
			key, at := s.key(n)
			if listOfTables[key] {
				return nil, fmt.Errorf("%s: [%s] is one of several: write [[%s]]", s.at(at), key, key)
			}
			s.offsets[key], prefix = at, key+"."
		}
	}
	return s.places, nil
}

// listOfTables are the keys of tables of which there may be several.
var listOfTables = map[string]bool{"model": true, "tenant": true}

type surveyor struct {
	*places
	parser unstable.Parser
	tables map[string]int // how many of each kind have been seen
	names  []string       // of all settings, each by itself
}

// key is the dotted key of an expression, and where it stands.
func (s *surveyor) key(n *unstable.Node) (key string, at int) {
	var parts []string
	for it := n.Key(); it.Next(); {
		if parts = append(parts, s.name(string(it.Node().Data))); len(parts) == 1 {
			at = int(it.Node().Raw.Offset)
		}
	}
	return strings.Join(parts, "."), at
}

// name is a key as the settings have it, whose letters' case the library does not mind.
func (s *surveyor) name(key string) string {
	if at := slices.IndexFunc(s.names, func(name string) bool { return strings.EqualFold(name, key) }); at >= 0 {
		return s.names[at]
	}
	return key
}

// pair notes a key with its value.
func (s *surveyor) pair(prefix string, n *unstable.Node) error {
	key, at := s.key(n)
	key = prefix + key
	s.offsets[key] = at
	return s.value(key, at, n.Value())
}

// value notes what a list or a table within a line holds. A value that has no place of its own stands at what holds it.
func (s *surveyor) value(key string, at int, n *unstable.Node) error {
	if n.Raw.Length > 0 {
		at = int(n.Raw.Offset)
	}
	switch n.Kind {
	case unstable.InlineTable:
		for it := n.Children(); it.Next(); {
			if err := s.pair(key+".", it.Node()); err != nil {
				return err
			}
		}
		return nil
	case unstable.Array:
		i := 0
		for it := n.Children(); it.Next(); i++ {
			if err := s.item(fmt.Sprintf("%s[%d]", key, i), at, it.Node()); err != nil {
				return err
			}
		}
	}
	if bare := index.ReplaceAllString(key, ""); n.Kind != unstable.String && slices.Contains(durations, bare) {
		return s.unsuited(at, bare, n.Kind, `a length of time with its unit, such as "90s", "10m" or "1h30m"`)
	}
	return nil
}

// item notes an element of a list.
func (s *surveyor) item(key string, at int, n *unstable.Node) error {
	if n.Raw.Length > 0 {
		at = int(n.Raw.Offset)
	}
	s.offsets[key] = at
	if bare := index.ReplaceAllString(key, ""); bare == "model" && n.Kind != unstable.String && n.Kind != unstable.InlineTable {
		return s.unsuited(at, bare, n.Kind, `"PATH" or "PATH=NAME"`)
	}
	return s.value(key, at, n)
}

// index is the place within a list.
var index = regexp.MustCompile(`\[\d+\]`)

// durations are the keys that are lengths of time.
var durations = []string{"model.keep_alive", "cache.half_life", "privacy.retention", "quality.interval"}

func (s *surveyor) unsuited(at int, key string, kind unstable.Kind, use string) error {
	return fmt.Errorf("%s: %s: a TOML %s does not suit it: write %s", s.at(at), key, strings.ToLower(kind.String()), use)
}
