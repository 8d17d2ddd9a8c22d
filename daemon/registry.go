package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"chimera/api"
	"chimera/paths"
)

// This file owns the names of the models.

// namedModel is one --model setting.
type namedModel struct{ path, name string }

// parseModels reads PATH or PATH=NAME; the name defaults to the file's without .gguf. Names stand in JSON and in logs.
func parseModels(settings []string) ([]namedModel, error) {
	if len(settings) == 0 {
		return nil, fmt.Errorf("no model: give --model PATH, or model = [\"PATH\"] in the configuration file")
	}
	var list []namedModel
	seen := map[string]bool{}
	for _, s := range settings {
		path, name := splitModel(s)
		if name == "" {
			name = strings.TrimSuffix(filepath.Base(path), ".gguf")
		}
		switch {
		case path == "":
			return nil, fmt.Errorf("model %q: there is no path before the =", s)
		case name == "":
			return nil, fmt.Errorf("model %q: the file's name gives none for the model; write PATH=NAME", s)
		case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
			return nil, fmt.Errorf("model %q: the name %q is not UTF-8, or holds control characters; write PATH=NAME", s, name)
		case seen[name]:
			return nil, fmt.Errorf("model %q: two models have that name; write PATH=NAME", name)
		}
		seen[name] = true
		list = append(list, namedModel{path, name})
	}
	return list, nil
}

// splitModel reads PATH or PATH=NAME. What is there whole is a path; of several = the last behind a path that is there
// counts, and where nothing is there the first.
func splitModel(setting string) (path, name string) {
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

// checkOpens tries the models that are not loaded: a wrong path is known at the start, not when somebody asks for the name.
func checkOpens(models []namedModel) error {
	for _, m := range models {
		f, _, err := Open(m.path)
		if err != nil {
			return fmt.Errorf("model %q: %w", m.name, err)
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// registry is the configured names, and the first one's model when it is loaded.
type registry struct {
	names  []string
	served *atomic.Pointer[served]
}

// Lookup implements api.Registry.
func (r *registry) Lookup(name string) (*api.Model, bool) {
	if name == "" || name == r.names[0] {
		if s := r.served.Load(); s != nil {
			return s.model, true
		}
		return nil, true
	}
	return nil, slices.Contains(r.names, name)
}

// Names implements api.Registry.
func (r *registry) Names() []string { return r.names }
