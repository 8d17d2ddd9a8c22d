package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/pflag"
)

// This file owns the TOML file: how it is read, and what its errors say.

// checkFile holds what the file has set against what each setting may be.
func (c *Config) checkFile(from *places) error {
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
		if !from.has(fmt.Sprintf("tenant[%d].weight", i)) {
			c.Tenant[i].Weight = defaultWeight
		}
	}
	return nil
}

// checkGiven refuses a value that the file has given and the setting can't be. Lists are checked where they are read.
func (s setting) checkGiven(prefix string, from *places) error {
	if _, isList := s.value.(pflag.SliceValue); s.value == nil || isList || !from.has(prefix+s.key) {
		return nil
	}
	if err := s.value.Set(s.value.String()); err != nil {
		return &KeyError{prefix + s.key, fmt.Errorf("%s: %w", s.value, err)}
	}
	return nil
}

// readFile reads the file at path into c.
func readFile(path string, c *Config) (*places, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	err = d.Decode(c)
	from, unsuited := survey(path, text)
	if unsuited != nil {
		return nil, unsuited
	}
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		row, column := unknown.Errors[0].Position()
		key := from.keyAt(row, column)
		return nil, fmt.Errorf("%s:%d:%d: unknown key %s%s", path, row, column, key, meant(key, keys()))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		row, column := bad.Position()
		return nil, fmt.Errorf("%s:%d:%d: %s", path, row, column, plain(bad, from.keyAt(row, column)))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return from, nil
}

// goType is how the TOML library names the field that a value does not suit.
var goType = regexp.MustCompile(`cannot (?:decode|store) (?:an )?(.*?) (?:into|in) (?:a )?(?:Go |struct field )?.*`)

// plain words a TOML error about a key for someone who writes the file.
func plain(err *toml.DecodeError, key string) string {
	text := strings.TrimPrefix(err.Error(), "toml: ")
	if len(err.Key()) == 0 { // it is the file's form that is wrong
		return text
	}
	if key == "model" && strings.Contains(text, "already exists") {
		return "model: give the list model or tables [[model]], not both"
	}
	said := key + ": " + goType.ReplaceAllString(text, "a $1 does not suit it")
	if form := forms[text[strings.LastIndexByte(text, ' ')+1:]]; form != "" {
		said += ": write " + form
	}
	return said
}

// forms are how values are written, by the type that the TOML library ends its error with.
var forms = map[string]string{
	"bool": "true or false", "int": "a whole number", "float64": "a number", "uint32": "a whole number from 0 on", "string": "a text in quotes",
	"[]string": "a list of texts, [\"...\"]", "[]uint32": "a list of whole numbers, [...]",
}
