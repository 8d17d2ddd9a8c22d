package daemon

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"chimera/api"
	"chimera/cgo"
	"chimera/config"
	"chimera/engine"
	"chimera/loader"
	"chimera/model"
	"chimera/paths"
	"chimera/quality/tier"
	"chimera/weights"
)

// This file owns tiers on disk as the daemon has them: which are kept, from where a tier's weights come, and what the administrator removes.
//
// Kept are tiers whose scales are searched for, at some ten million values a second. To round, as f16 and q8_0 take, is as quick as to read.

// openShelf has tiers kept from here on, where there is a place for them.
func (s *server) openShelf() error {
	folder := paths.State()
	if file := s.config.History.File; file != "" {
		folder = filepath.Dir(file)
	}
	if s.config.Tiers.DiskQuota == 0 || folder == "" {
		return nil
	}
	shelf, err := tier.OpenShelf(filepath.Join(folder, "tiers"), int64(s.config.Tiers.DiskQuota))
	if err != nil { // a daemon without a disk serves
		slog.Warn("tier: none is kept on disk: each is made anew when it is asked for", "cause", err)
		return nil
	}
	s.models.shelf = shelf
	return nil
}

// tierKeys are what a model's tiers are called on the shelf, by tier: those that are kept. They are made of the types that the recipe gives, which are known before values are: what
// values change of them depends on nothing else.
func (all *runtimes) tierKeys(f *weights.File, p *engine.Program) map[string]string {
	keys, source := map[string]string{}, f.Identity()
	if all.shelf == nil || source == "" {
		return keys
	}
	for i, t := range weights.Tiers() {
		name := config.TierNames()[i+1]
		w := tier.New(model.NewSource(f), loader.Recipe(f, t), loader.Search, loader.Pace)
		if !t.Searched() || !computes(w, weightNames(p)) {
			continue
		}
		if key, err := tier.KeyOf(source, w, weightNames(p), cgo.QuantiseVersion); err == nil {
			keys[name] = key
		}
	}
	return keys
}

// weightNames are the tensors that a program reads.
func weightNames(p *engine.Program) (list []string) {
	seen := map[string]bool{}
	for _, w := range p.Weights {
		if !seen[w.Name] {
			seen[w.Name], list = true, append(list, w.Name)
		}
	}
	return list
}

// computes tells whether any tensor is made: a tier of a model that has few bits already may be the model.
func computes(w engine.Weights, names []string) bool {
	for _, name := range names {
		if t, err := w.Tensor(name); err == nil && t.PartRows > 0 {
			return true
		}
	}
	return false
}

// atTier loads the weights of a tier by load: from the disk, or made of the model's file and then kept. Nothing that the disk does ends a load. anew says to make them whatever is
// kept. load may be called again, when what was kept can't be read, or the tier has types that are too narrow for the model.
func (all *runtimes) atTier(f *weights.File, p *engine.Program, name string, anew bool, load func(engine.Weights) error) error {
	return loader.Widening(f, name, func() error { return all.atTierAsKnown(f, p, name, anew, load) })
}

func (all *runtimes) atTierAsKnown(f *weights.File, p *engine.Program, name string, anew bool, load func(engine.Weights) error) error {
	w := loader.Options{Tier: name}.Weights(f)
	if all.spoil != nil {
		w = all.spoil(name, w)
	}
	key := all.tierKeys(f, p)[name]
	if key == "" {
		return load(w)
	}
	if !anew {
		if done, err := all.fromShelf(key, name, load); done {
			return err
		}
	}
	making, err := all.shelf.Begin(key, name, w, weightNames(p), all.usesKept)
	if err != nil {
		notKept(f, name, err)
	}
	if making == nil {
		return load(w)
	}
	if err := load(making); err != nil {
		return errors.Join(err, making.Abandon())
	}
	if err := making.Keep(); err != nil {
		notKept(f, name, err)
	}
	return nil
}

func notKept(f *weights.File, name string, cause error) {
	slog.Warn("tier: it is not kept on disk, and made anew the next time", "file", f.Name(), "tier", name, "cause", cause)
}

// fromShelf loads what is kept; done is false where nothing is, or nothing that can be read.
func (all *runtimes) fromShelf(key, name string, load func(engine.Weights) error) (done bool, err error) {
	kept, err := all.shelf.Open(key)
	if kept == nil {
		if err != nil {
			slog.Warn("tier: what was kept of it is damaged and removed: it is made anew", "tier", name, "cause", err)
		}
		return false, nil
	}
	err = load(model.NewSource(kept))
	if e := kept.Close(); e != nil {
		slog.Warn("tier: closing what is kept of it", "tier", name, "cause", e)
	}
	if errors.Is(err, engine.ErrModelFile) {
		slog.Warn("tier: what was kept of it can't be read: it is made anew", "tier", name, "cause", err)
		return false, nil
	}
	slog.Debug("tier: read from the disk", "file", kept.Name(), "tier", name)
	return true, err
}

// usesKept tells whether a model is served at a tier that is kept under a key: after the end of the daemon it is loaded at that again.
func (all *runtimes) usesKept(key string) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, r := range all.list {
		if r.up != nil && r.keys[r.tier] == key {
			return true
		}
	}
	return false
}

// keptBytes are what the shelf holds, by key.
func (all *runtimes) keptBytes() map[string]int64 {
	bytes := map[string]int64{}
	if all.shelf == nil {
		return bytes
	}
	list, err := all.shelf.List()
	if err != nil {
		slog.Warn("tier: what is kept on disk can't be listed", "cause", err)
	}
	for _, k := range list {
		bytes[k.Key] = k.Bytes
	}
	return bytes
}

// RemoveTiers implements api.Tiers. What serves is in memory, and goes on.
func (all *runtimes) RemoveTiers(_ context.Context, name, tierName string) (n int, bytes int64, err error) {
	if tierName != "" {
		if err := checkTier(tierName); err != nil {
			return 0, 0, err
		}
	}
	if all.shelf == nil {
		return 0, 0, nil
	}
	if tierName == "" {
		return all.shelf.Remove(func(tier.Kept) bool { return true })
	}
	all.mu.Lock()
	r := all.find(name)
	if r == nil {
		all.mu.Unlock()
		return 0, 0, api.ErrNoModel
	}
	keys := r.keys
	all.mu.Unlock()
	if keys == nil { // it has not been loaded yet
		f, p, err := loader.Open(r.path)
		if err != nil {
			return 0, 0, err
		}
		keys = all.tierKeys(f, p)
		if err := f.Close(); err != nil {
			return 0, 0, err
		}
	}
	key, kept := keys[tierName]
	return all.shelf.Remove(func(k tier.Kept) bool { return kept && k.Key == key })
}
