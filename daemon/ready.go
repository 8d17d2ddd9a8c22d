package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chimera/scheduler"
)

// This file owns readiness: whether the model answers. The question does not queue behind clients: under load their own steps
// are the proof, and where there is none a token is decoded for it.

// readyTime bounds the decode that readiness stands for, and how long a busy loop may go without completing a step: more than a
// step of a large model takes on a slow machine.
const readyTime = 30 * time.Second

// readyLook is how often the question looks whether clients' steps have answered it meanwhile.
const readyLook = 50 * time.Millisecond

// probe asks a model whether it answers.
type probe struct {
	loop   *scheduler.Lane
	prompt []int32 // the least that can be asked
	limit  time.Duration
}

// ready tells why the model does not answer.
func (p probe) ready(ctx context.Context) error { return p.readyAfter(ctx, p.loop.Snapshot()) }

// readyAfter is ready when the loop was last seen like this. Clients may have come since.
func (p probe) readyAfter(ctx context.Context, now scheduler.Snapshot) error {
	if now.Refusal != nil {
		return now.Refusal
	}
	if now.Running == 0 { // idle, or about to be busy; what the daemon asks itself may have to wait for clients of other models
		err := p.decode(ctx, func() bool { return p.loop.Snapshot().Steps > now.Steps })
		if !errors.Is(err, scheduler.ErrQueueFull) {
			return err
		}
		now = p.loop.Snapshot() // clients were faster
	}
	if still := time.Since(now.Progress); still > p.limit {
		return fmt.Errorf("%d requests run and %d wait, but no step was completed for %v", now.Running, now.Waiting, still.Round(time.Millisecond))
	}
	return nil
}

// decode asks for one token. It is content when somebody else's step is done first, as moved tells.
func (p probe) decode(ctx context.Context, moved func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	seq, err := p.loop.Submit(ctx, scheduler.Request{Prompt: p.prompt, MaxTokens: 1, Own: true, Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}})
	if err != nil {
		return err
	}
	for {
		look, done := context.WithTimeout(ctx, readyLook)
		e, err := seq.Next(look)
		done()
		switch {
		case err == nil && e.HasToken:
			return nil
		case err == nil:
			return fmt.Errorf("no token was decoded: %w", errors.Join(e.Err, context.Cause(ctx)))
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case moved():
			return nil
		}
	}
}
