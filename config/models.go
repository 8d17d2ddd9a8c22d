package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"chimera/paths"
)

// This file owns the names of the models, and how a setting writes a file and its name.

// Names are the models', which default to the files' without .gguf. They stand in JSON and in logs.
func Names(settings []Model) (list []string, err error) {
	if len(settings) == 0 {
		return nil, fmt.Errorf("no model: give --model PATH, or model = [\"PATH\"] in the configuration file")
	}
	seen := map[string]bool{}
	for i, m := range settings {
		path, name, key := m.Path, m.Name, fmt.Sprintf("model[%d]", i)
		if name == "" {
			name = strings.TrimSuffix(filepath.Base(path), ".gguf")
		}
		switch {
		case path == "":
			return nil, Errorf(key, "there is no path: write PATH, PATH=NAME or, in a table, path = \"PATH\"")
		case name == "":
			return nil, Errorf(key, "the file's name gives none for the model; write PATH=NAME")
		case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
			return nil, Errorf(key, "the name %q is not UTF-8, or holds control characters; write PATH=NAME", name)
		case seen[name]:
			return nil, Errorf(key, "%q: two models have that name; write PATH=NAME", name)
		}
		seen[name] = true
		list = append(list, name)
	}
	return list, nil
}

// splitModel reads PATH or PATH=NAME. What is there whole is a path; of several = the last behind a path that is there
// counts, and where nothing is there the first.
func splitModel(setting string) (path, name string) { return splitNamed(setting, present) }

// splitNamed is that for any setting which names a file and gives it a name.
func splitNamed(setting string, present func(path string) bool) (path, name string) {
	if present(setting) {
		return setting, ""
	}
	for at := strings.LastIndexByte(setting, '='); at > 0; at = strings.LastIndexByte(setting[:at], '=') {
		if present(setting[:at]) {
			return setting[:at], setting[at+1:]
		}
	}
	path, name, _ = strings.Cut(setting, "=")
	return path, name
}

// present tells whether there is a file or cached model of that name.
func present(path string) bool {
	_, err := os.Stat(paths.Model(path))
	return path != "" && err == nil
}

// splitModels reads settings that are separated by commas. One in a path that is there separates nothing.
func splitModels(list string) (settings []string) {
	for parts := strings.Split(list, ","); len(parts) > 0; {
		n := len(parts)
		for ; n > 1; n-- {
			path, name := splitModel(strings.Join(parts[:n], ","))
			if present(path) && !strings.Contains(name, ",") {
				break
			}
		}
		if setting := strings.Join(parts[:n], ","); setting != "" {
			settings = append(settings, setting)
		}
		parts = parts[n:]
	}
	return settings
}
