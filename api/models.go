package api

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/scheduler"
)

// This file owns what the administrator does with models: POST /v1/models/{name}/load and unload.

// Models loads and unloads. Both return when it is done, or why it is not.
type Models interface {
	// Load does nothing where the model is loaded.
	Load(ctx context.Context, name string) error
	// Unload lets the model's requests end first, and does nothing where it is not loaded.
	Unload(ctx context.Context, name string) error
}

// The states of a model.
const (
	StateConfigured = "configured" // nothing of it is loaded
	StateLoading    = "loading"
	StateReady      = "ready"
	StateDraining   = "draining" // its requests end, new ones are refused
	StateFailed     = "failed"
)

// OwnRequests are those that the daemon asks itself, by how they are doing.
type OwnRequests struct {
	Running int `json:"running"`
	Waiting int `json:"waiting"`
}

// ModelState is how a model is doing.
type ModelState struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Running int    `json:"running"`
	Waiting int    `json:"waiting"` // for a place, or for the model
	// Own are requests that the daemon asks itself; none of the others.
	Own     OwnRequests `json:"own,omitzero"`
	Memory  int64       `json:"memory_bytes,omitzero"`  // that it takes, off the heap and on its device
	Idle    *float64    `json:"idle_seconds,omitempty"` // since somebody used it; none while somebody does
	Percent *int        `json:"loading_percent,omitempty"`
	Problem string      `json:"problem,omitempty"` // why it failed
	// NoControl is why the last control that was wanted beside a lower tier is not there; none where it is.
	NoControl string `json:"control_problem,omitempty"`
	// Cost is what its steps take, as far as they have told; none before the first.
	Cost *scheduler.CostState `json:"cost,omitempty"`
}

// checkAdministers refuses who may not change what the server holds.
func (c *call) checkAdministers() error {
	if c.peer.Administers {
		return nil
	}
	return &HTTPError{
		Status: 403, Type: "permission_error", Code: "not_permitted",
		Message: fmt.Sprintf("%s %s is for root and the daemon's own user, over the Unix socket", c.method, clip(validUTF8(c.path), maxPath)),
	}
}

// modelVerb is a change of a model that the administrator may ask for.
type modelVerb func(m Models, ctx context.Context, name string) error

// modelVerbs are the ends of the paths that ask for them.
var modelVerbs = map[string]modelVerb{"/load": Models.Load, "/unload": Models.Unload}

// changeRoute is the route of a path behind /v1/models/ that ends like a verb. A model may be called so itself.
func (s *Server) changeRoute(escaped string) (route, bool) {
	at := strings.LastIndexByte(escaped, '/')
	if at <= 0 || s.Models == nil {
		return route{}, false
	}
	change, isVerb := modelVerbs[escaped[at:]]
	name, err := url.PathUnescape(escaped[:at])
	if whole, bad := url.PathUnescape(escaped); bad == nil {
		if _, known := s.Registry.Lookup(whole); known {
			return route{}, false
		}
	}
	return route{method: "POST", handler: func(c *call) error { return s.change(c, change, name) }}, isVerb && err == nil
}

// checkNoFields refuses a body that asks for something: who sends it would believe that it counts.
func (c *call) checkNoFields() error {
	raw, err := c.read()
	if raw = bytes.TrimSpace(raw); err != nil || len(raw) == 0 || string(raw) == "null" {
		return err
	}
	var body struct {
		Fields map[string]jsontext.Value `json:",embed"`
	}
	if err := decodeJSON(raw, &body); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(body.Fields)) {
		return badField(name, "there is no such field: the path names the model, and a body says nothing")
	}
	return nil
}

func (s *Server) change(c *call, change modelVerb, name string) error {
	if err := c.checkAdministers(); err != nil {
		return err
	}
	if _, known := s.Registry.Lookup(name); !known {
		return s.noModel(name)
	}
	if err := c.checkNoFields(); err != nil {
		return err
	}
	if err := change(s.Models, c.context(), name); err != nil {
		h := c.toHTTP(err)
		if h.Code == codeInternal { // who asks may know the cause
			h.Message = err.Error()
		}
		return h
	}
	for _, state := range s.Registry.States() {
		if state.Name == name {
			return c.reply(state)
		}
	}
	return nil
}
