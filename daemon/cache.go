package daemon

import (
	"errors"
	"fmt"

	"chimera/api"
	"chimera/scheduler"
)

// This file owns what the endpoints see of a lane's prefix cache.

// laneCache is one. What it pins is for all who share their prefixes: those without a salt.
type laneCache struct{ lane *scheduler.Lane }

// Pin implements api.Cache.
func (c laneCache) Pin(name string, prompt []int32) error { return c.lane.Pin(name, prompt, "") }

// Unpin implements api.Cache.
func (c laneCache) Unpin(name string) error {
	err := c.lane.Unpin(name)
	if errors.Is(err, scheduler.ErrNoPin) {
		return api.ErrNoPin
	}
	return err
}

// State implements api.Cache.
func (c laneCache) State() api.CacheState {
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
		state.Pins = append(state.Pins, api.Pin{Name: p.Name, Tokens: p.Tokens, Ready: p.Ready})
	}
	return state
}

// mayPin refuses pins that nobody would find.
func (s *server) mayPin() error {
	if len(s.pins) > 0 && s.isolates() {
		return &ConfigError{fmt.Errorf("cache.pins: users and keys are kept apart, so that nobody would find what is pinned: leave it out, or set isolate_tenants = false")}
	}
	return nil
}

// pinPrefixes pins what the settings name in a model's cache. ids tokenises.
func pinPrefixes(cache api.Cache, ids func(text string) []int32, pins []pinned) error {
	for _, p := range pins {
		if err := cache.Pin(p.name, ids(p.text)); err != nil {
			return &ConfigError{fmt.Errorf("cache.pins: %w", err)}
		}
	}
	return nil
}
