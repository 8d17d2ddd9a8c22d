package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"chimera/api"
	"chimera/hostmem"
	"chimera/paths"
	"chimera/scheduler"
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
	names   []string
	served  *atomic.Pointer[served]
	loading *api.Loading
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

// States implements api.Registry.
func (r *registry) States() []api.ModelState {
	list := make([]api.ModelState, len(r.names))
	for i, name := range r.names {
		list[i] = api.ModelState{Name: name, State: api.StateConfigured}
	}
	first := &list[0]
	s := r.served.Load()
	if s == nil {
		first.State, first.Waiting, first.Percent = api.StateLoading, r.loading.Waiting(), new(r.loading.Percent())
		return list
	}
	s.describe(first)
	return list
}

// describe says how a model is doing that is loaded.
func (s *served) describe(to *api.ModelState) {
	now := s.loop.Snapshot()
	to.State, to.Running, to.Waiting = api.StateReady, now.Running, now.Waiting
	if cost := s.loop.Cost(); cost.Steps > 0 {
		to.Cost = &cost
	}
	switch {
	case errors.Is(now.Refusal, scheduler.ErrDraining):
		to.State = api.StateDraining
	case now.Refusal != nil:
		to.State, to.Problem = api.StateFailed, now.Refusal.Error()
	}
	if now.Running+now.Waiting == 0 {
		to.Idle = new(time.Since(now.Progress).Round(time.Millisecond).Seconds())
	}
	for _, u := range hostmem.Usage() { // all of it is the one model's
		to.Memory += u.Bytes
	}
}
