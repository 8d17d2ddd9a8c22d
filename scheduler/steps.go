package scheduler

import (
	"errors"
	"fmt"
	"time"

	"chimera/engine"
)

// This file owns a lane's steps: those under way, and the batches that alternate.

// maxDepth is how far the loop plans ahead at most, over all its lanes. Two steps hide planning, submission and commit behind
// the device; a third would hide nothing more, compute more rows of answers that have ended, and
// engine.PreviousRow could not name what it waits for.
const maxDepth = 2

// errNoProgress ends a loop that has sequences and can't plan a step for any of them: a bug, which
// must not look like a slow answer.
var errNoProgress = errors.New("no running sequence could be planned")

// stepKind is whose rows a step has.
type stepKind uint8

const (
	ordinary stepKind = iota // all but class Background
	givesWay                 // Background alone: in the gaps that others leave
	owed                     // Background alone, which was kept waiting long enough: in the place of an ordinary step
)

// step is a batch and whose rows are in it. From submit to wait the batch is the backend's, and the loop
// neither reads nor writes it.
type step struct {
	batch      *engine.Batch
	chunks     []chunk
	generation engine.Generation
	penalised  bool         // it samples with penalties, which count what it samples
	shape      Shape        // of what is in it so far
	rows       [classes]int // of each class
	submitted  time.Time
	kind       stepKind
	decodes    bool  // an interactive answer has a row
	crowded    bool  // requests wait that there is no room for
	base       Shape // of its decode rows
	predicted  time.Duration
	class      Class // the lane's, that it is charged to
}

// steps are the Depth steps in turn: the oldest under way, those submitted after it, then the next to be
// planned. With Depth 1 none is ever under way while the next is planned.
type steps struct {
	all      []step
	oldest   int // index of the oldest one under way
	underWay int
}

func newSteps(in engine.Instance) (steps, error) {
	t := steps{all: make([]step, min(in.Limits().Depth, maxDepth))}
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
	n.chunks, n.penalised, n.shape, n.rows = n.chunks[:0], false, Shape{}, [classes]int{}
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

// prepare plans a step of a kind, and tells whether there is anything in it. Of
// steps that give way one is under way at a time and nothing beside it: what gives way must have nothing behind it that
// stands on what it samples.
func (s *Lane) prepare(kind stepKind) bool {
	if s.broken != nil || s.steps.underWay == len(s.steps.all) {
		return false
	}
	if s.broken = s.renew(); s.broken != nil {
		return false
	}
	s.cache.tick(s.loop.config.Now())
	s.plan(kind)
	planned := len(s.next.chunks) > 0
	if planned || s.steps.underWay == 0 {
		s.publishSnapshot() // whoever is in the step runs from now on, not from its end
	}
	return planned
}

func (s *Lane) submit() {
	s.next.submitted = s.loop.config.Now()
	s.next.predicted = s.predict(s.next.shape)
	if s.broken = s.copyPages(); s.broken != nil {
		return
	}
	if err := s.instance.Submit(s.next.batch); err != nil {
		s.broken = fmt.Errorf("step refused: %w", err)
		return
	}
	s.steps.underWay++
}

// complete takes note that the oldest step is done, or why it is not.
func (s *Lane) complete(err error) {
	done := s.steps.takeOldest()
	s.charge(done)
	switch {
	case done.kind == givesWay && errors.Is(err, engine.ErrAborted):
		s.undo(done)
	case err != nil:
		s.broken = fmt.Errorf("step failed: %w", err)
	default:
		s.stats.Steps++
		s.stats.Progress = s.loop.config.Now()
		if done.kind == givesWay {
			s.shares.served(Background)
			s.loop.shares.served(Background)
			s.budget = min(2*s.budget, s.mostBackground())
		}
		s.observe(done)
		s.commit(done)
	}
	s.publishSnapshot()
}

// mostBackground is how many rows a background step has at most.
func (s *Lane) mostBackground() int {
	if most := s.limits.BackgroundRows; most > 0 {
		return min(s.config.StepTokens, most)
	}
	return s.config.StepTokens
}

// takeOldest is the step that was submitted first. It stays as it is until the next plan.
func (t *steps) takeOldest() *step {
	done := &t.all[t.oldest]
	t.oldest, t.underWay = (t.oldest+1)%len(t.all), t.underWay-1
	return done
}

// settle waits for what is under way when nobody wants its results any more. A poisoned instance has nothing under way.
func (s *Lane) settle() {
	for s.steps.underWay > 0 && !errors.Is(s.broken, engine.ErrPoisoned) {
		s.steps.takeOldest()
		if err := s.instance.Wait(); err != nil && s.broken == nil {
			s.broken = err
		}
	}
}
