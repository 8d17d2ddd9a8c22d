package api

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/engine"
)

// This file owns what is shown and asked of the prefix cache: GET /v1/cache, and the prefixes that are pinned in it.

// Cache is a model's prefix cache.
type Cache interface {
	State() CacheState
	// Pin has a beginning of prompts computed, for the requests of a tenant or, for "", for all, and keeps it under a name until Unpin. It
	// returns when that is taken on: CacheState.Pins tells when it is done. An error that is none of the client's or the server's is why
	// it can't be pinned.
	Pin(name string, prompt []int32, tenant string) error
	// Unpin's error is ErrNoPin where nothing is pinned under the name.
	Unpin(name string) error
}

// ErrNoPin is Unpin's of a name under which nothing is pinned.
var ErrNoPin = errors.New("nothing is pinned under that name")

// CacheState is what a cache holds, and what it was good for since its model was loaded.
type CacheState struct {
	Groups       []CachePages   `json:"groups"`
	Lookups      uint64         `json:"lookups"`    // requests of 16 tokens and more that were given a place
	Hits         uint64         `json:"hits"`       // of these, those that found a prefix
	HitTokens    uint64         `json:"hit_tokens"` // that were not computed
	Evictions    uint64         `json:"evictions"`  // pages that made room
	SavedSeconds float64        `json:"saved_seconds"`
	HalfLife     float64        `json:"half_life_seconds"` // 0: it follows the uses
	Prefixes     []CachedPrefix `json:"prefixes"`          // the hottest first
	Pins         []Pin          `json:"pins"`
}

// CachePages are the pages of a group of layers by what they are.
type CachePages struct {
	Group     string `json:"group"`
	PageBytes int64  `json:"page_bytes"`
	Total     int    `json:"total"`
	Free      int    `json:"free"`
	Computing int    `json:"computing"`
	Used      int    `json:"used"`   // ready, and of a request that runs or a pin
	Cached    int    `json:"cached"` // ready, and nobody's at the moment
	Pinned    int    `json:"pinned"` // of those used
}

// CachedPrefix is a beginning of prompts.
type CachedPrefix struct {
	Name         string  `json:"name,omitempty"` // of a pin
	Key          string  `json:"key"`            // a digest: the text is not shown
	Tokens       int     `json:"tokens"`
	Uses         uint64  `json:"uses"`
	Hotness      float64 `json:"hotness"` // uses, of which those of a half-life ago count half
	SavedSeconds float64 `json:"saved_seconds"`
}

// Pin is a beginning of prompts that stays.
type Pin struct {
	Name   string `json:"name"`
	Tenant string `json:"tenant,omitempty"` // whom it is for; none: all
	Tokens int    `json:"tokens"`           // of its full pages
	Ready  bool   `json:"ready"`            // it is computed
}

// maxName bounds names that the administrator gives, in bytes.
const maxName = 64

// CheckName refuses what is no name for a log's line or a table's cell.
func CheckName(name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("%q: a name has 1 to %d bytes, as UTF-8 without control characters", clip(validUTF8(name), maxParam), maxName)
	}
	return nil
}

// PrefixIDs are the tokens of a beginning of prompts, as /v1/completions reads them.
func (m *Model) PrefixIDs(text string) []int32 {
	ids := m.Tokenizer.Encode(text, bare, readSpecial)
	if len(ids) == 0 {
		return nil
	}
	last := ids[len(ids)-1]
	ids = m.Tokenizer.Around(ids)
	if n := len(ids); ids[n-1] != last { // the end of a whole prompt
		ids = ids[:n-1]
	}
	return ids
}

// cache shows the caches of the models that are loaded. Where tenants are kept apart, what is hot is nobody's business but the
// administrator's.
func (s *Server) cache(c *call) error {
	if s.IsolateTenants {
		if err := c.checkAdministers(); err != nil {
			return err
		}
	}
	type entry struct {
		Model string `json:"model"`
		CacheState
	}
	list := []entry{}
	for _, name := range s.Registry.Names() {
		if m, _ := s.Registry.Lookup(name); m != nil && m.Cache != nil {
			e := entry{name, m.Cache.State()}
			e.Groups, e.Prefixes, e.Pins = noNull(e.Groups), noNull(e.Prefixes), noNull(e.Pins)
			list = append(list, e)
		}
	}
	return c.reply(map[string]any{"caches": list})
}

// noNull is a list that JSON shows as one.
func noNull[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// pinRequest is the body of POST and DELETE /v1/cache/pins.
type pinRequest struct {
	Model  *string        `json:"model"`
	Name   string         `json:"name"`
	Prompt jsontext.Value `json:"prompt"` // text or token ids; none to unpin
	Tenant *string        `json:"tenant"` // whose requests find it; none: all

	Others map[string]jsontext.Value `json:",embed"`
}

// readPin reads and checks all but the prompt.
func (s *Server) readPin(c *call) (r pinRequest, m *Model, err error) {
	if err := c.checkAdministers(); err != nil {
		return r, nil, err
	}
	if err := c.decode(&r); err != nil {
		return r, nil, err
	}
	for name := range r.Others {
		return r, nil, badField(name, "there is no such field: a pin has name, prompt, tenant and model")
	}
	if err := CheckName(r.Name); err != nil {
		return r, nil, badField("name", "%v", err)
	}
	m = c.model.Model
	if m.Cache == nil {
		return r, nil, badField("model", "%q has no cache that prefixes could be pinned in", m.Name)
	}
	return r, m, nil
}

func (s *Server) pin(c *call) error {
	r, m, err := s.readPin(c)
	if err != nil {
		return err
	}
	tenant, err := s.pinsFor(r.Tenant)
	if err != nil {
		return err
	}
	list, err := prompts("prompt", r.Prompt, m.Tokenizer.VocabSize())
	if err != nil {
		return err
	}
	if len(list) != 1 {
		return badField("prompt", "%d prompts, a pin has one", len(list))
	}
	ids := list[0].ids
	if ids == nil {
		if ids, err = c.promptIDs(m, "prompt", list[0].text, func() []int32 { return m.PrefixIDs(list[0].text) }); err != nil {
			return err
		}
	}
	if len(ids) < engine.PageTokens || len(ids) > m.MaxContext {
		return badField("prompt", "it has %d tokens, it must have %d to %d: what is kept are full pages of %d", len(ids), engine.PageTokens, m.MaxContext, engine.PageTokens)
	}
	if err := m.Cache.Pin(r.Name, ids, tenant); err != nil {
		return refusedPin(err)
	}
	return c.reply(map[string]any{"name": r.Name, "model": m.Name, "tokens": len(ids)})
}

// pinsFor is the tenant whom a pin is for. Where nobody is kept apart it is for all in any case.
func (s *Server) pinsFor(name *string) (tenant string, err error) {
	switch {
	case name == nil:
		return "", nil
	case s.Tenants == nil || !slices.Contains(s.Tenants(), *name):
		return "", badField("tenant", "%q is no [[tenant]] of the settings: leave it out to pin for all", clip(validUTF8(*name), maxParam))
	case !s.IsolateTenants:
		return "", nil
	}
	return *name, nil
}

// refusedPin gives an error that has no answer of its own one: the cache has said why.
func refusedPin(err error) error {
	if h := toHTTP(err); h.Code != codeInternal {
		return h
	}
	return &HTTPError{Status: 409, Type: "invalid_request_error", Param: "prompt", Code: "not_pinned", Message: err.Error()}
}

func (s *Server) unpin(c *call) error {
	r, m, err := s.readPin(c)
	if err != nil {
		return err
	}
	if err := m.Cache.Unpin(r.Name); errors.Is(err, ErrNoPin) {
		return &HTTPError{Status: 404, Type: "invalid_request_error", Param: "name", Code: "no_such_pin", Message: fmt.Sprintf("%q: %v", r.Name, err)}
	} else if err != nil {
		return err
	}
	return c.reply(map[string]any{"name": r.Name, "model": m.Name})
}
