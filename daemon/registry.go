package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"chimera/paths"
)

// This file owns the names of the models.

// namedModel is one --model setting.
type namedModel struct{ path, name string }

// parseModels gives every model its name, which defaults to the file's without .gguf. Names stand in JSON and in logs.
func parseModels(settings []ModelConfig) ([]namedModel, error) {
	if len(settings) == 0 {
		return nil, fmt.Errorf("no model: give --model PATH, or model = [\"PATH\"] in the configuration file")
	}
	var list []namedModel
	seen := map[string]bool{}
	for i, m := range settings {
		path, name, key := m.Path, m.Name, fmt.Sprintf("model[%d]", i)
		if name == "" {
			name = strings.TrimSuffix(filepath.Base(path), ".gguf")
		}
		switch {
		case path == "":
			return nil, wrongf(key, "there is no path: write PATH, PATH=NAME or, in a table, path = \"PATH\"")
		case name == "":
			return nil, wrongf(key, "the file's name gives none for the model; write PATH=NAME")
		case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
			return nil, wrongf(key, "the name %q is not UTF-8, or holds control characters; write PATH=NAME", name)
		case seen[name]:
			return nil, wrongf(key, "%q: two models have that name; write PATH=NAME", name)
		}
		seen[name] = true
		list = append(list, namedModel{path, name})
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

// checkOpens tries the models: a wrong path, or a setting that one of them can't have, is known at the start, not when somebody asks
// for the name.
func checkOpens(models []namedModel, o EngineOptions) error {
	for _, m := range models {
		f, p, err := Open(m.path)
		if err != nil {
			return fmt.Errorf("model %q: %w", m.name, err)
		}
		_, wrong := o.options(p)
		if err := errors.Join(wrong, f.Close()); err != nil {
			return fmt.Errorf("model %q: %w", m.name, err)
		}
	}
	return nil
}
