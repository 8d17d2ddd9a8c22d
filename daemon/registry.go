package daemon

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

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
