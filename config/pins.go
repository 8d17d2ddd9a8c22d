package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"chimera/api"
)

// This file owns the prefixes that the settings pin in the cache.

// Pin is a beginning of prompts that has a name.
type Pin struct{ Name, Text string }

// pinOf reads FILE or FILE=NAME; the name defaults to the file's without its ending.
func pinOf(setting string) (path, name string) {
	path, name = splitNamed(setting, func(path string) bool {
		_, err := os.Stat(path)
		return path != "" && err == nil
	})
	if base := filepath.Base(path); name == "" {
		name = strings.TrimSuffix(base, filepath.Ext(base))
	}
	return path, name
}

// checkPins refuses pins that have no name of their own.
func (c *Config) checkPins() error {
	names := map[string]bool{}
	for i, setting := range c.Cache.Pins {
		key := fmt.Sprintf("cache.pins[%d]", i)
		path, name := pinOf(setting)
		if err := api.CheckName(name); path == "" || err != nil {
			return Errorf(key, "%q: write FILE or FILE=NAME", setting)
		}
		if names[name] {
			return Errorf(key, "two pins are called %q; write FILE=NAME", name)
		}
		names[name] = true
	}
	return nil
}

// ReadPins reads the files. A prefix is no longer than a request.
func (c *Config) ReadPins() (list []Pin, err error) {
	for _, setting := range c.Cache.Pins {
		path, name := pinOf(setting)
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("cache.pins: %w", err)
		}
		if !info.Mode().IsRegular() || info.Size() == 0 || info.Size() > int64(c.MaxBody) {
			return nil, fmt.Errorf("cache.pins: %s must be a file of 1 to %d bytes (max_body)", path, c.MaxBody)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("cache.pins: %w", err)
		}
		list = append(list, Pin{name, string(text)})
	}
	return list, nil
}
