package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"chimera/api"
	"chimera/config"
	"chimera/scheduler"
)

// This file owns what the endpoints see of a model's prefix cache, and the pins of it that outlive the lane whose pages they hold.

// modelCache is one, while its model is loaded.
type modelCache struct {
	lane *scheduler.Lane
	kept *keptPins
}

// keptPins are what requests have pinned in a model's cache, until they unpin it: each load of the model computes them anew.
type keptPins struct {
	mu   sync.Mutex // held while the lane is asked: list and lane say the same
	list []keptPin
}

// keptPin is for the requests of a tenant, or for all.
type keptPin struct {
	name   string
	prompt []int32
	tenant string
}

// Pin implements api.Cache.
func (c modelCache) Pin(name string, prompt []int32, tenant string) error {
	c.kept.mu.Lock()
	defer c.kept.mu.Unlock()
	err := c.lane.Pin(name, prompt, tenant)
	if err == nil {
		c.kept.forget(name)
		c.kept.list = append(c.kept.list, keptPin{name, slices.Clone(prompt), tenant})
	}
	return err
}

// Unpin implements api.Cache.
func (c modelCache) Unpin(name string) error {
	c.kept.mu.Lock()
	defer c.kept.mu.Unlock()
	c.kept.forget(name)
	err := c.lane.Unpin(name)
	if errors.Is(err, scheduler.ErrNoPin) {
		return api.ErrNoPin
	}
	return err
}

func (k *keptPins) forget(name string) {
	k.list = slices.DeleteFunc(k.list, func(p keptPin) bool { return p.name == name })
}

// restore pins in a new lane what was pinned in the one before. What it refuses, as it does where the file is another by now, is
// forgotten: there is nobody who could be told.
func (k *keptPins) restore(model string, lane *scheduler.Lane) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = slices.DeleteFunc(k.list, func(p keptPin) bool {
		err := lane.Pin(p.name, p.prompt, p.tenant)
		if err != nil {
			slog.Warn("a prefix is pinned no more", "model", model, "cause", err)
		}
		return err != nil
	})
}

// State implements api.Cache.
func (c modelCache) State() api.CacheState {
	now := c.lane.Cache()
	state := api.CacheState{
		Lookups: now.Lookups, Hits: now.Hits, HitTokens: now.HitTokens, Evictions: now.Evictions,
		SavedSeconds: now.SavedMillis / 1000, HalfLife: now.HalfLife.Seconds(),
	}
	for _, g := range now.Groups {
		state.Groups = append(state.Groups, api.CachePages{
			Group: g.Group, PageBytes: g.PageBytes, Total: g.Total, Free: g.Empty, Computing: g.Computing, Used: g.InUse, Cached: g.Cached, Pinned: g.Pinned,
		})
	}
	for _, p := range now.Prefixes {
		state.Prefixes = append(state.Prefixes, api.CachedPrefix{
			Name: p.Pin, Key: p.Key, Tokens: p.Tokens, Uses: p.Uses, Hotness: p.Decayed, SavedSeconds: p.SavedMillis / 1000,
		})
	}
	for _, p := range now.Pins {
		state.Pins = append(state.Pins, api.Pin{Name: p.Name, Tenant: p.Tenant, Tokens: p.Tokens, Ready: p.Ready})
	}
	return state
}

// pinPrefixes pins what the settings name, for all. ids tokenises.
func pinPrefixes(lane pinner, ids func(text string) []int32, pins []config.Pin) error {
	for _, p := range pins {
		if err := lane.Pin(p.Name, ids(p.Text), ""); err != nil {
			return &config.Error{Err: fmt.Errorf("cache.pins: %w", err)}
		}
	}
	return nil
}

// pinner is what pinPrefixes needs of a lane.
type pinner interface {
	Pin(name string, prompt []int32, tenant string) error
}
