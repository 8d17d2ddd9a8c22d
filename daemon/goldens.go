package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"chimera/store"
)

// This file owns what was answered first and must stay so: in the history, and where there is none for as long as the process lives.

// goldens are those that this process has seen, by kind, digest and numerics id. They are read from the disk once.
type goldens struct {
	mu   sync.Mutex
	seen map[[3]string]json.RawMessage
}

// golden is what is pinned; nil: nothing is.
func (all *runtimes) golden(ctx context.Context, kind store.GoldenKind, digest, numerics string) (json.RawMessage, error) {
	key := [3]string{string(kind), digest, numerics}
	all.goldens.mu.Lock()
	content := all.goldens.seen[key]
	all.goldens.mu.Unlock()
	if content != nil || all.history.keepsNothing() {
		return content, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	g, err := all.history.store.Golden(ctx, kind, digest, numerics)
	switch {
	case errors.Is(err, store.ErrNone):
		return nil, nil
	case err != nil:
		return nil, err
	}
	all.goldens.remember(key, g.Content)
	return g.Content, nil
}

// pin has answers pinned, and returns those that are: others, if somebody was first. What the disk does not take is pinned for this process alone.
func (all *runtimes) pin(ctx context.Context, g store.Golden) json.RawMessage {
	key := [3]string{string(g.Kind), g.Digest, g.Numerics}
	g.Time = time.Now()
	if !all.history.keepsNothing() {
		ctx, cancel := context.WithTimeout(ctx, askTime)
		defer cancel()
		pinned, err := all.history.store.Pin(ctx, g)
		if err == nil {
			g = pinned
		} else {
			slog.Warn("control: answers are pinned until the end of the process alone", "kind", string(g.Kind), "numerics", g.Numerics, "cause", err)
		}
	}
	return all.goldens.remember(key, g.Content)
}

func (g *goldens) remember(key [3]string, content json.RawMessage) json.RawMessage {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.seen == nil {
		g.seen = map[[3]string]json.RawMessage{}
	}
	if g.seen[key] == nil {
		g.seen[key] = content
	}
	return g.seen[key]
}
