package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"chimera/api"
)

// This file owns controls: a model as its file has it, beside a lower tier that serves. Answers are held against it, and those that the tier is least
// sure of are asked of it. It is loaded when somebody wants it, kept for a while, and the first to go where memory is short.

// control is a model's control while it is loaded. It is behind the lock of runtimes.
type control struct {
	made   chan struct{} // closed with one of
	shadow *shadow
	err    error

	since time.Time // it was there; zero: it is not, or failed
	users int
	idle  *time.Timer
	// life ends its users. It goes when they have let go of it.
	life  context.Context
	end   context.CancelCauseFunc
	going bool
}

// controlStay is how long a control stays that nobody uses: to load it again takes as long as a tier's weights, seconds to a minute, and samples
// come all the time where a model is used at all.
const controlStay = 5 * time.Minute

var (
	errUnloaded    = errors.New("the model is not loaded any more")
	errControlGoes = errors.New("the control makes room for something else")
	errControlIdle = errors.New("nobody has used it for " + controlStay.String())
)

// control gives somebody a model's control until he releases it, or until the context that he is given ends. A model that serves at its source is its
// own. The error of a control that has no room is a *noRoomError.
func (all *runtimes) control(ctx context.Context, r *Runtime, hold holder) (api.Held, error) {
	all.mu.Lock()
	switch {
	case r.state != api.StateReady:
		all.mu.Unlock()
		return api.Held{}, errUnloaded
	case r.tier == api.SourceTier && r.swap == nil:
		defer all.mu.Unlock()
		return itself(hold(r, ctx)), nil
	case len(all.short) > 0, r.beside != nil && r.beside.going:
		all.mu.Unlock()
		return api.Held{}, errControlGoes
	}
	held, c := hold(r, ctx), r.beside
	if c == nil {
		c = all.makeControl(r)
	}
	c.take()
	all.mu.Unlock()
	return all.waitForControl(held, r, c)
}

// itself is a model that is its own control: what is asked of it is nobody's request.
func itself(held api.Held) api.Held {
	m := *held.Model
	m.Ended = nil
	held.Model = &m
	return held
}

func (c *control) take() {
	c.users++
	if c.idle != nil {
		c.idle.Stop()
	}
}

// makeControl has a control loaded. The load is a user of it, and of the model.
func (all *runtimes) makeControl(r *Runtime) *control {
	c := &control{made: make(chan struct{})}
	c.life, c.end = context.WithCancelCause(context.Background())
	c.take()
	r.beside = c
	held, up := all.borrow(r, c.life), r.up
	all.work.Go(func() {
		defer held.Release()
		slog.Info("control: loading", "model", r.name)
		s, err := all.shadow(held.Context, up, api.SourceTier, false)
		all.mu.Lock()
		defer all.mu.Unlock()
		if c.shadow, c.err, r.controlProblem = s, err, err; err != nil {
			slog.Warn("control: there is none for now", "model", r.name, "cause", err)
			all.dropControl(r, err)
		} else {
			c.since = time.Now()
		}
		close(c.made)
		all.letGo(r, c)
	})
	return c
}

// waitForControl waits for a control that is being loaded. Who waits uses it already.
func (all *runtimes) waitForControl(held api.Held, r *Runtime, c *control) (api.Held, error) {
	ctx, cancel := context.WithCancelCause(held.Context)
	detach := context.AfterFunc(c.life, func() { cancel(context.Cause(c.life)) })
	release := sync.OnceFunc(func() {
		detach()
		cancel(nil)
		all.mu.Lock()
		all.letGo(r, c)
		all.mu.Unlock()
		held.Release()
	})
	select {
	case <-c.made:
	case <-ctx.Done():
		err := context.Cause(ctx)
		release()
		return api.Held{}, err
	}
	if c.err != nil {
		release()
		return api.Held{}, c.err
	}
	return api.Held{Model: c.shadow.model, Context: ctx, Release: release}, nil
}

// letGo takes note that somebody uses a control no more.
func (all *runtimes) letGo(r *Runtime, c *control) {
	if c.users--; c.users > 0 {
		return
	}
	all.notify()
	if c.going {
		return
	}
	c.idle = time.AfterFunc(controlStay, func() {
		all.mu.Lock()
		defer all.mu.Unlock()
		if r.beside == c && c.users == 0 {
			all.dropControl(r, errControlIdle)
		}
	})
}

// dropControl ends the use of a model's control, if there is one, and gives its memory back.
func (all *runtimes) dropControl(r *Runtime, cause error) {
	c := r.beside
	if c == nil || c.going {
		return
	}
	c.going = true
	if c.idle != nil {
		c.idle.Stop()
	}
	c.end(cause)
	all.work.Go(func() {
		all.mu.Lock()
		// Its users end with their context. Streams that have begun end as they would of a model that is unloaded.
		_ = all.until(context.Background(), func() bool { return c.users == 0 })
		all.mu.Unlock()
		if c.shadow != nil {
			c.shadow.close()
			slog.Info("control: unloaded", "model", r.name, "reason", cause)
		}
		all.mu.Lock()
		defer all.mu.Unlock()
		if !errors.Is(cause, errControlIdle) {
			stayed := time.Duration(0)
			if !c.since.IsZero() {
				stayed = time.Since(c.since)
			}
			r.absent.begin(time.Now(), stayed, all.freed)
		}
		r.beside = nil
		all.notify()
	})
}

// askControlsToGo has all controls go, and tells whether any is there yet.
func (all *runtimes) askControlsToGo() (there bool) {
	for _, r := range all.list {
		if r.beside != nil {
			there = true
			all.dropControl(r, errControlGoes)
		}
	}
	return there
}

// dropControls has all controls go and waits for that. It tells whether there were any.
func (all *runtimes) dropControls(ctx context.Context) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	if !all.askControlsToGo() {
		return false
	}
	return all.until(ctx, func() bool { return !all.askControlsToGo() }) == nil
}
