package config

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"time"

	"chimera/api"
)

// This file owns the settings' tables of which there may be several: [[model]] and [[tenant]]. They stand in the file alone; of
// models, flags and environment say path and name.

// Model is a model that the daemon may serve.
type Model struct {
	Path      string   `toml:"path"`
	Name      string   `toml:"name"`
	KeepAlive Duration `toml:"keep_alive"` // 0: as long as there is room
	Pin       bool     `toml:"pin"`
	Load      string   `toml:"load"` // LoadAtStart or LoadOnDemand
}

// The words of Model.Load.
const (
	LoadAtStart  = "start"
	LoadOnDemand = "demand"
)

// UnmarshalText reads the short form, PATH or PATH=NAME.
func (m *Model) UnmarshalText(short []byte) error {
	m.Path, m.Name = splitModel(string(short))
	return nil
}

// short is the model in the short form.
func (m Model) short() string {
	if m.Name == "" {
		return m.Path
	}
	return m.Path + "=" + m.Name
}

// Tenant is somebody who shares the device with others.
type Tenant struct {
	Name   string   `toml:"name"`
	UIDs   []uint32 `toml:"uids"`
	Keys   []string `toml:"keys"` // SHA-256, in hexadecimal
	Weight int      `toml:"weight"`
}

// defaultWeight is that of a tenant which says none, and of all clients together that are no tenant's.
const defaultWeight = 1

// maxIdle bounds durations: what is longer is for ever.
const maxIdle = 30 * 24 * time.Hour

// table is one kind of table of which there may be several.
type table struct {
	key, about string
	live       bool        // as of a setting
	rows       [][]setting // of each that there is; their keys are those within the table
}

// tables are all kinds, with what c has of them.
func (c *Config) tables() []table {
	models := table{key: "model", about: "A model, instead of the list `model`. As all tables, it stands behind the keys that are in none."}
	for i := range c.Model {
		m := &c.Model[i]
		models.rows = append(models.rows, []setting{
			{key: "path", value: text{&m.Path}, usage: "file, or name of a cached model", example: `"/var/lib/chimera/model.gguf"`},
			{key: "name", value: text{&m.Name}, usage: "what clients call it; without it the file's name without .gguf", example: `"small"`},
			{key: "keep_alive", value: duration{&m.KeepAlive, 0, maxIdle}, usage: "how long it stays loaded when nobody uses it; 0: until another model needs its memory; 1ms: hardly longer than it is used"},
			{key: "pin", value: truth{&m.Pin}, usage: "once loaded it stays, whatever other models need; chimera unload alone unloads it, and keep_alive says nothing"},
			{key: "load", value: choice{&m.Load, []string{LoadAtStart, LoadOnDemand}}, usage: "when it is loaded: start or demand; without it the first at the start, the others on demand"},
		})
	}
	tenants := table{key: "tenant", live: true,
		about: "Somebody who shares the device with others, by weight. Clients that are no tenant's share as one, of weight 1. Their prefix caches stay apart as `isolate_tenants` says."}
	for i := range c.Tenant {
		t := &c.Tenant[i]
		tenants.rows = append(tenants.rows, []setting{
			{key: "name", value: text{&t.Name}, usage: "name in figures and logs", example: `"evening"`},
			{key: "uids", usage: "users of the Unix socket, by number; each is one tenant's alone", example: `[1001, 1002]`},
			{key: "keys", usage: "API keys, each as its SHA-256: printf %s KEY | sha256sum", example: `["` + strings.Repeat("0", 64) + `"]`},
			{key: "weight", value: number{&t.Weight, 1, 1000}, usage: "its share of the device, 1 to 1000, against those of others that want it"},
		})
	}
	return []table{models, tenants}
}

// KeyError is an error about a setting: where a value came from stands before it.
type KeyError struct {
	Key string
	Err error
}

func (w *KeyError) Error() string { return w.Key + ": " + w.Err.Error() }

// Unwrap returns the cause.
func (w *KeyError) Unwrap() error { return w.Err }

// Errorf makes one.
func Errorf(key, format string, args ...any) error {
	return &KeyError{key, fmt.Errorf(format, args...)}
}

// checkModels holds what several keys of a model say against each other, and gives those that do not say when they are loaded
// their moment. Names are checked where they are used: a file's own name counts too.
func (c *Config) checkModels() error {
	for i := range c.Model {
		m := &c.Model[i]
		switch {
		case m.Load == "" && i == 0:
			m.Load = LoadAtStart
		case m.Load == "":
			m.Load = LoadOnDemand
		}
	}
	if len(c.Model) == 0 {
		return nil // said when one is needed
	}
	_, err := Names(c.Model)
	return err
}

// checkTenants refuses tenants that have no name or nobody, and two that claim the same.
func (c *Config) checkTenants() error {
	names, uids, keys := map[string]bool{}, map[uint32]string{}, map[string]string{}
	for i := range c.Tenant {
		t, key := &c.Tenant[i], fmt.Sprintf("tenant[%d].", i)
		switch {
		case api.CheckName(t.Name) != nil:
			return &KeyError{key + "name", api.CheckName(t.Name)}
		case names[t.Name]:
			return Errorf(key+"name", "two tenants are called %q", t.Name)
		case len(t.UIDs)+len(t.Keys) == 0:
			return Errorf(strings.TrimSuffix(key, "."), "tenant %q has nobody: give it uids or keys", t.Name)
		}
		names[t.Name] = true
		for n, uid := range t.UIDs {
			if uid == math.MaxUint32 {
				return Errorf(fmt.Sprintf("%suids[%d]", key, n), "%d is no user's number", uid)
			}
			if owner, taken := uids[uid]; taken {
				return Errorf(fmt.Sprintf("%suids[%d]", key, n), "%d is tenant %q's already", uid, owner)
			}
			uids[uid] = t.Name
		}
		for n, digest := range t.Keys {
			at := fmt.Sprintf("%skeys[%d]", key, n)
			if raw, err := hex.DecodeString(digest); err != nil || len(raw) != 32 {
				return Errorf(at, "it is no SHA-256 in hexadecimal; keys are never written here as they are: printf %%s KEY | sha256sum")
			}
			t.Keys[n] = strings.ToLower(digest)
			if owner, taken := keys[t.Keys[n]]; taken {
				return Errorf(at, "the key is tenant %q's already", owner)
			}
			keys[t.Keys[n]] = t.Name
		}
	}
	return nil
}

// Weights are the tenants', for the scheduler.
func (c *Config) Weights() map[string]float64 {
	w := map[string]float64{}
	for _, t := range c.Tenant {
		w[t.Name] = float64(t.Weight)
	}
	return w
}
