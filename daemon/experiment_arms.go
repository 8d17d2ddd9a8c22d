package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"chimera/api"
	"chimera/loader"
	"chimera/quality/escalate"
	"chimera/quality/experiment"
	"chimera/scheduler"
)

// This file owns an arm of an experiment: the model served in one way, as an instance of its own beside the one that serves.

// armSpec is a way to serve.
type armSpec struct {
	tier, kv   string
	without    scheduler.CharacteristicSet
	smallPages bool
	alone      bool    // no request finds what others have computed
	budget     float64 // see quality.edge_budget; of a tier below the source
	better     string  // the tier that answers of little confidence are asked of
	cuts       []int   // how long the n-th answer to a question may be, around; 0: as long as it is
}

// arm is one that is loaded.
type arm struct {
	spec   armSpec
	shadow *shadow
	model  *api.Model
	source *shadow // that its answers are escalated to; nil: they are not
}

// arm loads one; full has it as large as what serves, for what is measured of its speed.
func (l *laboratory) arm(ctx context.Context, spec armSpec, full bool) (*arm, error) {
	s, err := l.shadow(ctx, spec, full)
	if err != nil {
		return nil, err
	}
	a := &arm{spec: spec, shadow: s, model: s.model}
	if spec.budget == 0 || !l.up.isBelow(spec.tier) {
		return a, nil
	}
	if a.source, err = l.shadow(ctx, armSpec{tier: spec.better, kv: spec.kv}, false); err != nil {
		a.close()
		return nil, err
	}
	a.model.Escalation = &api.Escalation{Rule: escalate.New(spec.budget), Below: func() bool { return true }, Control: a.escalate}
	if err := l.teach(ctx, a); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (l *laboratory) shadow(ctx context.Context, spec armSpec, full bool) (*shadow, error) {
	all := l.all
	o := all.engineAt(spec.tier)
	o.KVType, o.SmallPages = spec.kv, spec.smallPages
	if !full {
		o.Contexts, o.MaxSequences = 1, min(o.MaxSequences, shadowSequences)
	}
	c := scheduler.Config{StepTokens: all.config.StepTokens, QueueLength: all.config.QueueLength, HalfLife: all.config.Cache.HalfLife.Duration, Without: spec.without}
	s, err := all.inPlaceOfControls(ctx, func() (*shadow, error) { return all.shadowAs(ctx, l.up, o, c, false) })
	if full := (*loader.NoRoomError)(nil); errors.As(err, &full) {
		return nil, fmt.Errorf("there is no room beside what serves: %w", err)
	}
	if err == nil {
		all.mu.Lock()
		s.class = experimentClass
		all.mu.Unlock()
	}
	return s, err
}

// experimentClass is that of the costs of experiments, whose requests are asked as clients are and are none.
const experimentClass = "experiment"

func (a *arm) close() {
	a.shadow.close()
	if a.source != nil {
		a.source.close()
	}
}

// escalate gives the source for one answer.
func (a *arm) escalate(ctx context.Context, _ scheduler.Class) (api.Held, error) {
	ctx, cancel := context.WithCancel(ctx)
	return api.Held{Model: a.source.model, Context: ctx, Release: cancel}, nil
}

// taught is how many answers the rule of escalation has seen before an arm is measured: fewer than 256 tell it nothing.
const taught = 320

// teach lets an arm's rule learn what its answers' confidence is like.
func (l *laboratory) teach(ctx context.Context, a *arm) error {
	if len(l.questions) == 0 {
		return errors.New("nothing can be asked that its answers' confidence could be learned by: set quality.suites")
	}
	return l.all.trials.undisturbed(ctx, func(ctx context.Context) error {
		return inParallel(ctx, taught, func(ctx context.Context, i int) error {
			_, err := a.model.Try(ctx, api.Trial{Prompt: l.questions[i%len(l.questions)].prompt, MaxTokens: suiteAnswer, Salt: "learned"})
			return err
		})
	})
}

// salt keeps what requests of a turn have computed from other turns, and with it from what would make them faster.
func (a *arm) salt(turn string, request int) string {
	if a.spec.alone {
		return fmt.Sprint(turn, " ", request)
	}
	return turn
}

// asks has a request answered.
func (a *arm) asks(ctx context.Context, r *experiment.Request, salt string) (api.Tried, error) {
	return a.model.Try(ctx, api.Trial{Prompt: r.Prompt, MaxTokens: r.Answer, Whole: r.MadeUp, Salt: salt})
}

// saturate asks all, as many at a time as have places, each client the next when it has its answer: when each ended since the beginning.
func (a *arm) saturate(ctx context.Context, list []experiment.Request, clients int, turn string) ([]time.Duration, error) {
	began, ends := time.Now(), make([]time.Duration, len(list))
	next := make(chan int, len(list))
	for i := range list {
		next <- i
	}
	close(next)
	err := together(ctx, min(clients, len(list)), func(ctx context.Context, _ int) error {
		for i := range next {
			if _, err := a.asks(ctx, &list[i], a.salt(turn, i)); err != nil {
				return err
			}
			ends[i] = time.Since(began)
		}
		return nil
	})
	return ends, err
}

// arrive asks each when it is due: how long each waited for its first token.
func (a *arm) arrive(ctx context.Context, list []experiment.Request, due []time.Duration, turn string) ([]time.Duration, error) {
	began, first := time.Now(), make([]time.Duration, len(list))
	err := together(ctx, len(list), func(ctx context.Context, i int) error {
		select {
		case <-time.After(time.Until(began.Add(due[i]))):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		answer, err := a.asks(ctx, &list[i], a.salt(turn, i))
		first[i] = answer.First
		return err
	})
	return first, err
}

// together does n things at once, until one fails.
func together(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := do(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}
