package api

import (
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// This file owns the log of fields that nobody knows, so that a misspelt one can be found.

const (
	// maxUnknown bounds how many names are remembered. Beyond it the oldest is forgotten, so that a client which makes names up
	// hides no other's.
	maxUnknown = 1000
	// maxNoted bounds the lines of one request: nobody misspells more.
	maxNoted = 16
)

// unknownFields remembers names, so that each is logged once.
type unknownFields struct {
	mu    sync.Mutex
	seen  map[string]bool
	order []string // of seen, a ring once it is full
	next  int      // the place in order of the next name
}

func (u *unknownFields) note(path string, fields map[string]jsontext.Value) {
	u.mu.Lock()
	defer u.mu.Unlock()
	noted := 0
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		name := clip(name, maxParam)
		if _, known := foreignFields[name]; known || u.seen[name] {
			continue
		}
		if noted++; noted > maxNoted {
			slog.Debug("more fields that nobody knows are passed over", "path", path)
			return
		}
		u.remember(name)
		slog.Debug("a field that nobody knows is passed over", "field", name, "path", path)
	}
}

func (u *unknownFields) remember(name string) {
	if u.seen == nil {
		u.seen = map[string]bool{}
	}
	if len(u.order) < maxUnknown {
		u.order = append(u.order, name)
	} else {
		delete(u.seen, u.order[u.next])
		u.order[u.next] = name
	}
	u.seen[name] = true
	u.next = (u.next + 1) % maxUnknown
}

func (g *generation) unknown() map[string]jsontext.Value { return g.Others }
