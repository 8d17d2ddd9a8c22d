package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
	"github.com/spf13/pflag"
)

// This file owns the TOML file: how it is read, and where in it a key stands.

// places are where keys stand in the file, as path:line:column. tenant[1].keys is a key of the second [[tenant]].
type places map[string]string

// of is the place of a key, or of the nearest that holds it.
func (p places) of(key string) string {
	for key != "" {
		if at, ok := p[key]; ok {
			return at
		}
		key = key[:max(strings.LastIndexAny(key, ".["), 0)]
	}
	return ""
}

// replace notes that a later source has had the last word on a key.
func (p places) replace(key, by string) {
	for held := range p {
		if held == key || strings.HasPrefix(held, key+"[") {
			delete(p, held)
		}
	}
	p[key] = by
}

// named puts the place of a wrong setting before its error.
func (p places) named(err error) error {
	var w *wrong
	if errors.As(err, &w) && p.of(w.key) != "" {
		return fmt.Errorf("%s: %w", p.of(w.key), err)
	}
	return err
}

// checkFile holds what the file has set against what each setting may be.
func (c *Config) checkFile(from places) error {
	for _, s := range c.settings() {
		if err := s.checkGiven("", from); err != nil {
			return err
		}
	}
	for _, t := range c.tables() {
		for i, row := range t.rows {
			for _, s := range row {
				if err := s.checkGiven(fmt.Sprintf("%s[%d].", t.key, i), from); err != nil {
					return err
				}
			}
		}
	}
	for i := range c.Tenant {
		if from[fmt.Sprintf("tenant[%d].weight", i)] == "" {
			c.Tenant[i].Weight = defaultWeight
		}
	}
	return nil
}

// checkGiven refuses a value that the file has given and the setting can't be. Lists are checked where they are read.
func (s setting) checkGiven(prefix string, from places) error {
	if _, isList := s.value.(pflag.SliceValue); s.value == nil || isList || from[prefix+s.key] == "" {
		return nil
	}
	if err := s.value.Set(s.value.String()); err != nil {
		return &wrong{prefix + s.key, fmt.Errorf("%s: %w", s.value, err)}
	}
	return nil
}

// readFile reads the file at path into c.
func readFile(path string, c *Config) (places, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	err = d.Decode(c)
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		row, column := unknown.Errors[0].Position()
		key := strings.Join(unknown.Errors[0].Key(), ".")
		return nil, fmt.Errorf("%s:%d:%d: unknown key %s%s", path, row, column, key, meant(key, keys()))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		row, column := bad.Position()
		return nil, fmt.Errorf("%s:%d:%d: %s", path, row, column, plain(bad))
	}
	from, wrong := survey(path, text)
	switch {
	case wrong != nil:
		return nil, wrong
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return from, nil
}

// goType is how the TOML library names the field that a value does not suit.
var goType = regexp.MustCompile(`cannot (?:decode|store) (?:an )?(.*?) (?:into|in) (?:a )?(?:Go |struct field )?.*`)

// plain words a TOML error for someone who writes the file.
func plain(err *toml.DecodeError) string {
	text := strings.TrimPrefix(err.Error(), "toml: ")
	key := strings.Join(err.Key(), ".")
	if key == "model" && strings.Contains(text, "already exists") {
		return "model: give the list model or tables [[model]], not both"
	}
	if key != "" {
		text = key + ": " + goType.ReplaceAllString(text, "a $1 does not suit it")
	}
	return text
}

// survey notes where the keys of a file stand that has been read. Where the library passes on what is no text as one, it is
// refused.
func survey(path string, text []byte) (places, error) {
	s := surveyor{path: path, found: places{}, tables: map[string]int{}}
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
			s.found[strings.TrimSuffix(prefix, ".")] = at
		case unstable.Table:
			key, at := s.key(n)
			if listOfTables[key] {
				return nil, fmt.Errorf("%s: [%s] is one of several: write [[%s]]", at, key, key)
			}
			s.found[key], prefix = at, key+"."
		}
	}
	return s.found, s.parser.Error()
}

// listOfTables are the keys of tables of which there may be several.
var listOfTables = map[string]bool{"model": true, "tenant": true}

type surveyor struct {
	parser unstable.Parser
	path   string
	found  places
	tables map[string]int // how many of each kind have been seen
}

// key is the dotted key of an expression, and where it stands.
func (s *surveyor) key(n *unstable.Node) (key, at string) {
	var parts []string
	for it := n.Key(); it.Next(); {
		if parts = append(parts, string(it.Node().Data)); at == "" {
			at = s.at(it.Node())
		}
	}
	return strings.Join(parts, "."), at
}

func (s *surveyor) at(n *unstable.Node) string {
	start := s.parser.Shape(n.Raw).Start
	return fmt.Sprintf("%s:%d:%d", s.path, start.Line, start.Column)
}

// pair notes a key with its value.
func (s *surveyor) pair(prefix string, n *unstable.Node) error {
	key, at := s.key(n)
	key = prefix + key
	s.found[key] = at
	return s.value(key, at, n.Value())
}

// value notes what a list or a table within a line holds.
func (s *surveyor) value(key, at string, n *unstable.Node) error {
	switch n.Kind {
	case unstable.InlineTable:
		for it := n.Children(); it.Next(); {
			if err := s.pair(key+".", it.Node()); err != nil {
				return err
			}
		}
	case unstable.String:
	default:
		if n.Raw.Length > 0 {
			at = s.at(n)
		}
		if bare := index.ReplaceAllString(key, ""); slices.Contains(durations, bare) {
			return unsuited(at, bare, n.Kind, `a length of time with its unit, such as "90s", "10m" or "1h30m"`)
		}
	case unstable.Array:
		i := 0
		for it := n.Children(); it.Next(); i++ {
			item := fmt.Sprintf("%s[%d]", key, i)
			if it.Node().Raw.Length > 0 {
				at = s.at(it.Node())
			}
			if kind := it.Node().Kind; key == "model" && kind != unstable.String && kind != unstable.InlineTable {
				return unsuited(at, key, kind, `"PATH" or "PATH=NAME"`)
			}
			s.found[item] = at
			if err := s.value(item, at, it.Node()); err != nil {
				return err
			}
		}
	}
	return nil
}

// index is the place within a list.
var index = regexp.MustCompile(`\[\d+\]`)

// durations are the keys that are lengths of time.
var durations = []string{"model.keep_alive", "cache.half_life"}

func unsuited(at, key string, kind unstable.Kind, use string) error {
	return fmt.Errorf("%s: %s: a TOML %s does not suit it: write %s", at, key, strings.ToLower(kind.String()), use)
}
