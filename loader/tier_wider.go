package loader

import (
	"errors"
	"log/slog"
	"sync"

	"chimera/model"
	"chimera/quality/tier"
	"chimera/weights"
)

// This file owns tiers of models whose values are unusual: a tensor that the tier's type can't hold gets a wider one, as in a file that quantize writes. That shows when the
// tier is made, which is then begun anew.

// widerTypes are what tensors of files were found to need at a tier. They are facts of the files: each is found, and told, once in a process.
type widerTypes struct {
	mu    sync.Mutex
	known map[fileTier]map[string]weights.Type // by tensor
}

type fileTier struct{ file, tier string }

var WiderTypes = widerTypes{known: map[fileTier]map[string]weights.Type{}}

// of are those that are known, which nobody changes any more. A file in memory has none.
func (w *widerTypes) of(f *weights.File, tierName string) map[string]weights.Type {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known[fileTier{f.Identity(), tierName}]
}

// Forget has every file's values looked at again.
func (w *widerTypes) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.known)
}

// learn looks for those of a file, and tells whether there are any that were not known.
func (w *widerTypes) learn(f *weights.File, tierName string) (bool, error) {
	tell := func(tensor string, to weights.Type, reason string) {
		slog.Warn("tier: a tensor has a wider type than the others", "file", f.Name(), "tier", tierName, "tensor", tensor, "type", to.String(), "cause", reason)
	}
	at := fileTier{f.Identity(), tierName}
	target, ok := tierType(tierName)
	if at.file == "" || !ok {
		return false, nil
	}
	if w.of(f, tierName) != nil { // by another load of the same file
		return true, nil
	}
	types, err := tier.Wider(f, model.NewSource(f), Recipe(f, target), tell)
	if err != nil || len(types) == 0 {
		return false, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known[at] = types
	return true, nil
}

// Widening makes a tier by load, which is called once more with the wider types where there are such.
func Widening(f *weights.File, tierName string, load func() error) error {
	err := load()
	if unfit := (*tier.UnfitError)(nil); !errors.As(err, &unfit) {
		return err
	}
	if learnt, e := WiderTypes.learn(f, tierName); e != nil || !learnt {
		return errors.Join(err, e)
	}
	return load()
}
