package daemon

import (
	"context"
	"errors"
	"log/slog"

	"chimera/api"
	"chimera/config"
	"chimera/engine"
	"chimera/loader"
	"chimera/quality/guard"
)

// This file owns what the guard does when the tier that serves fails: it finds out whether its weights are those that the tier has, and makes them anew where
// they are not.

// verify holds the digest of what serves against that of the tier made anew, from the source and not from the disk.
func (g *guardian) verify(ctx context.Context, r *Runtime, d guard.Decision) error {
	serves, own, up, err := g.digests(ctx, r, d.Tier)
	if err != nil {
		return err
	}
	if serves == own || g.mode != config.ModeGuard {
		if serves != own {
			d.Reason += damaged
			g.advise(r, d)
		}
		g.verified(r, up, serves)
		return nil
	}
	slog.Warn("tier: its weights are damaged: it is made anew", "model", r.name, "tier", d.Tier, "reason", d.Reason, "digest", serves, "own", own)
	if err := g.make(ctx, r, &swap{to: d.Tier, reason: d.Reason + damaged, evidence: evidenceOf(d), byGuard: true, remake: true}); err != nil {
		return err
	}
	g.all.mu.Lock()
	delete(r.watched.known, d.Tier)
	up = r.up
	g.all.mu.Unlock()
	if up != nil {
		g.verified(r, up, up.lane.Weights())
	}
	return nil
}

// damaged is what is said of weights that are not their tier's.
const damaged = "; what serves is not what the tier is when it is made of the source, so it is made anew"

// verified notes weights of which nothing better can be made.
func (g *guardian) verified(r *Runtime, of *serving, digest string) {
	g.all.mu.Lock()
	defer g.all.mu.Unlock()
	if r.up == of {
		r.watched.verified = digest
	}
}

// digests are that of the weights that serve, and that of the tier made anew beside them. Where there is no room for it nothing is known of that, and it is "".
func (g *guardian) digests(ctx context.Context, r *Runtime, tier string) (serves, own string, up *serving, err error) {
	all := g.all
	all.mu.Lock()
	if r.state != api.StateReady {
		all.mu.Unlock()
		return "", "", nil, errUnloaded
	}
	held, up := all.borrow(r, ctx), r.up
	all.mu.Unlock()
	defer held.Release()
	serves = up.lane.Weights()
	s, err := all.shadowBeside(held.Context, up, tier, true)
	full, engineFull := (*loader.NoRoomError)(nil), (*engine.NoRoomError)(nil)
	switch {
	case errors.As(err, &full) || errors.As(err, &engineFull):
		return serves, "", up, nil
	case err != nil:
		return "", "", nil, err
	}
	defer s.close()
	return serves, s.lane.Weights(), up, nil
}
