package daemon

import (
	"errors"
	"fmt"

	"chimera/config"
	"chimera/loader"
)

// This file owns the models of the settings: their names, and whether they can be opened.

// namedModel is a model's file and what clients call it.
type namedModel struct{ path, name string }

func namedModels(settings []config.Model) (list []namedModel, err error) {
	names, err := config.Names(settings)
	for i, name := range names {
		list = append(list, namedModel{settings[i].Path, name})
	}
	return list, err
}

// checkOpens tries the models: a wrong path, or a setting that one of them can't have, is known at the start, not when somebody asks
// for the name.
func checkOpens(models []namedModel, o loader.Options) error {
	for _, m := range models {
		f, p, err := loader.Open(m.path)
		if err != nil {
			return fmt.Errorf("model %q: %w", m.name, err)
		}
		_, wrong := o.LoadOptions(p)
		if err := errors.Join(wrong, f.Close()); err != nil {
			return fmt.Errorf("model %q: %w", m.name, err)
		}
	}
	return nil
}
