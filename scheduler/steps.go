package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chimera/engine"
)

// This file owns the steps under way: the turn of the loop, and the batches that alternate in it.

// maxDepth is how far the loop plans ahead at most. Two steps hide planning, submission and commit behind
// the device; a third would hide nothing more, compute more rows of answers that have ended, and
// engine.PreviousRow could not name what it waits for.
const maxDepth = 2

// errNoProgress ends a loop that has sequences and can't plan a step for any of them: a bug, which
// must not look like a slow answer.
var errNoProgress = errors.New("no running sequence could be planned")

// step is a batch and whose rows are in it. From submit to wait the batch is the backend's, and the loop
// neither reads nor writes it.
type step struct {
	batch      *engine.Batch
	chunks     []chunk
	generation engine.Generation
	submitted  time.Time
	penalised  bool // it samples with penalties, which count what it samples
}

// steps are the Depth steps in turn: the oldest under way, those submitted after it, then the next to be
// planned. With Depth 1 none is ever under way while the next is planned.
type steps struct {
	all      []step
	oldest   int // index of the oldest one under way
	underWay int
}

// newSteps makes the batches. Of background steps one is under way at a time: what gives way must have nothing behind it
// that stands on what it samples.
func newSteps(in engine.Instance, background bool) (steps, error) {
	depth := min(in.Limits().Depth, maxDepth)
	if background {
		depth = 1
	}
	t := steps{all: make([]step, depth)}
	for i := range t.all {
		b, err := in.NewBatch()
		if err != nil {
			return steps{}, err
		}
		t.all[i].batch = b
	}
	return t, nil
}

// next returns the step to be planned, empty.
func (t *steps) next() *step {
	n := &t.all[(t.oldest+t.underWay)%len(t.all)]
	n.batch.Reset()
	n.chunks, n.penalised = n.chunks[:0], false
	return n
}

// names tells whether a step under way computes with the generation.
func (t *steps) names(g engine.Generation) bool {
	for i := range t.underWay {
		if t.all[(t.oldest+i)%len(t.all)].generation == g {
			return true
		}
	}
	return false
}

// penalised tells whether a step under way samples with penalties.
func (t *steps) penalised() bool { return t.underWay > 0 && t.all[t.oldest].penalised }

// turn is one turn of the loop: plan what to compute, submit it, wait for the oldest step under way, and
// hand out what came of that. Where the backend takes another step the wait is left out, so that the
// next one is planned while this one runs.
func (s *Lane) turn(ctx context.Context) (worked bool, err error) {
	defer s.publishSnapshot()
	if err := s.renew(); err != nil {
		return false, err
	}
	s.cache.tick(time.Now())
	s.plan()
	planned := len(s.next.chunks) > 0
	if planned {
		s.publishSnapshot() // whoever is in the step runs from now on, not from its end
		if err := s.submit(); err != nil {
			return false, err
		}
	}
	switch {
	case s.steps.underWay == 0 && len(s.running) > 0: // waiting would be for ever
		return false, errNoProgress
	case s.steps.underWay == 0:
		return false, nil
	case planned && s.steps.underWay < len(s.steps.all):
		return true, nil
	}
	done, err := s.wait(ctx)
	switch {
	case s.config.Background && errors.Is(err, engine.ErrAborted):
		s.undo(done)
		return true, nil
	case err != nil:
		return false, err
	}
	s.budget = min(2*s.budget, s.config.StepTokens)
	s.commit(done)
	return true, nil
}

func (s *Lane) submit() error {
	if err := s.instance.Submit(s.next.batch); err != nil {
		return fmt.Errorf("step refused: %w", err)
	}
	s.next.submitted = time.Now()
	s.steps.underWay++
	return nil
}

// wait returns the oldest step when it is done. It stays as it is until the next plan. A background step, which may be
// long in coming, ends with ctx.
func (s *Lane) wait(ctx context.Context) (*step, error) {
	if s.config.Background {
		defer context.AfterFunc(ctx, s.instance.Withdraw)()
	}
	t := &s.steps
	done := &t.all[t.oldest]
	t.oldest, t.underWay = (t.oldest+1)%len(t.all), t.underWay-1
	if err := s.instance.Wait(); err != nil {
		return done, fmt.Errorf("step failed: %w", err)
	}
	s.stats.Steps++
	s.stats.Progress = time.Now()
	s.cache.observe(done, s.stats.Progress)
	return done, nil
}

// settle waits for what is under way when nobody wants its results any more: the instance may not be closed
// before. A poisoned one has nothing under way.
func (s *Lane) settle(ctx context.Context) error {
	for s.steps.underWay > 0 {
		if _, err := s.wait(ctx); err != nil && !errors.Is(err, engine.ErrAborted) {
			return err
		}
	}
	return nil
}
