package daemon

import (
	"fmt"
	"path/filepath"
	"strings"

	"chimera/api"
)

// This file owns the names of the models.

// namedModel is one --model setting.
type namedModel struct{ path, name string }

// parseModels reads PATH or PATH=NAME; the name defaults to the file's without .gguf.
func parseModels(settings []string) ([]namedModel, error) {
	if len(settings) == 0 {
		return nil, fmt.Errorf("no model: give --model PATH, or model = [\"PATH\"] in the configuration file")
	}
	var list []namedModel
	seen := map[string]bool{}
	for _, s := range settings {
		path, name, named := strings.Cut(s, "=")
		if !named || name == "" {
			name = strings.TrimSuffix(filepath.Base(path), ".gguf")
		}
		if path == "" {
			return nil, fmt.Errorf("model %q: there is no path before the =", s)
		}
		if seen[name] {
			return nil, fmt.Errorf("model %q: two models have that name; write PATH=NAME", name)
		}
		seen[name] = true
		list = append(list, namedModel{path, name})
	}
	return list, nil
}

// registry is the one loaded model among the configured names.
type registry struct {
	names  []string
	loaded *api.Model
}

// Lookup implements api.Registry.
func (r *registry) Lookup(name string) (*api.Model, bool) {
	if name == "" || name == r.loaded.Name {
		return r.loaded, true
	}
	for _, n := range r.names {
		if n == name {
			return nil, true
		}
	}
	return nil, false
}

// Names implements api.Registry.
func (r *registry) Names() []string { return r.names }
