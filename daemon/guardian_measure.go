package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"chimera/api"
	"chimera/quality/eval"
	"chimera/quality/guard"
	"chimera/quality/stats"
	"chimera/quality/suite"
	"chimera/scheduler"
	"chimera/store"
)

// This file owns how a tier is measured. The one that serves is asked in its own lane, as background work, so that it is the weights in memory that
// are measured. Any other is loaded beside it for the time, small, on the same device, in the same plan of memory.
//
// Rejected: to make a tier that is only to be measured a generation of the instance that serves. Whoever begins meanwhile would be answered by it.

// tierFigures are what is known of a tier.
type tierFigures struct {
	evidence []guard.Evidence
	speed    float64 // tokens of answers a second of the device
}

// suiteRun is a suite as one tier has answered it.
type suiteRun struct {
	run    *eval.Run
	report *eval.Report
	asked  map[string]api.Asked // by the conversation, as JSON
	tokens int
	device time.Duration
}

// At a time so many questions are asked, which is what a step of a CPU gains by, and answers have so many tokens at most, as eval's have.
const (
	shadowSequences = 8
	suiteAnswer     = 512
)

// measure asks a tier all suites and holds it against the source, which is asked first: see guard.Ladder. of is the load that it is known of.
func (g *guardian) measure(ctx context.Context, r *Runtime, tier string) (m tierFigures, of *serving, err error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	all := g.all
	all.mu.Lock()
	if r.state != api.StateReady {
		all.mu.Unlock()
		return m, nil, errUnloaded
	}
	held, up, serves := all.grant(r, ctx, scheduler.Background), r.up, r.tier == tier
	r.watched.end = end
	all.mu.Unlock()
	defer held.Release()
	model := *up.model
	model.Ended = nil // these are nobody's requests
	switch {
	case serves:
	case tier == sourceTier:
		control, err := all.control(held.Context, r, scheduler.Background)
		if err != nil {
			return m, up, fmt.Errorf("the control can't be had: %w", err)
		}
		defer control.Release()
		ctx, model = control.Context, *control.Model
	default:
		s, err := all.shadowBeside(held.Context, up, tier)
		if err != nil {
			return m, up, fmt.Errorf("tier %s can't be measured: %w", tier, err)
		}
		defer s.close()
		ctx, model = held.Context, *s.model
	}
	var tokens int
	var device time.Duration
	for _, s := range g.suites {
		done, evidence, err := g.compare(ctx, &model, s, tier)
		if err != nil {
			return m, up, fmt.Errorf("suite %s at tier %s: %w", s.Name, tier, err)
		}
		tokens, device = tokens+done.tokens, device+done.device
		m.evidence = append(m.evidence, evidence...)
		all.history.addScores(r.name, tier, done.report, evidence)
	}
	if device > 0 {
		m.speed = float64(tokens) / device.Seconds()
	}
	for _, e := range m.evidence {
		slog.Info("tier: measured", "model", r.name, "tier", tier, "suite", e.Suite, "metric", e.Metric, "value", e.Value, "control", e.Control, "low", e.Difference.Low, "high", e.Difference.High)
	}
	return m, up, nil
}

// compare asks one suite. The source's answers are the control's, which are asked once for each suite and numerics id.
func (g *guardian) compare(ctx context.Context, model *api.Model, s *suite.Suite, tier string) (*suiteRun, []guard.Evidence, error) {
	key := model.Name + " " + s.Digest()
	if tier == sourceTier {
		control := g.controls[key]
		if control == nil || control.report.Who.Numerics != model.Numerics("") {
			var err error
			if control, err = askSuite(ctx, model, s); err != nil {
				return nil, nil, err
			}
			g.controls[key] = control
		}
		return control, g.ofControl(control, s), nil
	}
	control := g.controls[key]
	if control == nil {
		return nil, nil, errors.New("the source has not been asked")
	}
	done, err := askSuite(ctx, model, s)
	if err != nil {
		return nil, nil, err
	}
	err = done.run.Compare(done.report, &eval.Baseline{Digest: control.report.Digest, Who: control.report.Who, Settings: control.report.Settings, Items: control.report.Items})
	if err != nil {
		return nil, nil, err
	}
	evidence, err := g.beside(ctx, model, s, done, control)
	return done, evidence, err
}

// ofControl is the source's evidence: what it is itself, and no difference.
func (g *guardian) ofControl(control *suiteRun, s *suite.Suite) (list []guard.Evidence) {
	for _, c := range g.criteria {
		if c.Metric == agreement {
			list = append(list, guard.Evidence{Suite: s.Name, Metric: agreement, Items: len(control.asked), Value: 1, Control: 1})
		} else if score, has := control.report.Scores[c.Metric]; has {
			list = append(list, guard.Evidence{Suite: s.Name, Metric: c.Metric, Items: score.N, Value: score.Value, Control: score.Value})
		}
	}
	return list
}

// beside is a tier's evidence.
func (g *guardian) beside(ctx context.Context, model *api.Model, s *suite.Suite, done, control *suiteRun) (list []guard.Evidence, err error) {
	for _, c := range g.criteria {
		score, has := done.report.Scores[c.Metric]
		difference, compared := done.report.Baseline.Difference[c.Metric]
		switch {
		case c.Metric == agreement:
			e, err := agreementOf(ctx, model, s.Name, control)
			if err != nil {
				return nil, err
			}
			list = append(list, e)
		case has && compared:
			list = append(list, guard.Evidence{Suite: s.Name, Metric: c.Metric, Items: score.N, Value: score.Value, Control: control.report.Scores[c.Metric].Value, Difference: difference})
		}
	}
	return list, nil
}

// agreementOf is the share of the control's tokens that the model would have chosen too, each behind the control's own before it.
func agreementOf(ctx context.Context, model *api.Model, name string, control *suiteRun) (guard.Evidence, error) {
	keys := slices.Sorted(maps.Keys(control.asked))
	tier, whole := make([][]float64, len(keys)), make([][]float64, len(keys))
	err := inParallel(ctx, len(keys), func(ctx context.Context, i int) error {
		a := control.asked[keys[i]]
		same, err := persist(ctx, func() (int, error) { return model.Agrees(ctx, a.Prompt, a.Tokens) })
		n := float64(len(a.Tokens))
		tier[i], whole[i] = []float64{float64(same), n}, []float64{n, n}
		return err
	})
	if err != nil {
		return guard.Evidence{}, err
	}
	share := func(sum []float64) float64 { return sum[0] / sum[1] }
	return guard.Paired(name, agreement, tier, whole, share, stats.Resampling{Seed: 1})
}

// inParallel does n things, some at a time, until one fails.
func inParallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	places := make(chan struct{}, shadowSequences)
	for i := range n {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			if ctx.Err() == nil {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// askSuite has all items answered.
func askSuite(ctx context.Context, model *api.Model, s *suite.Suite) (*suiteRun, error) {
	a := &asker{model: model, done: &suiteRun{asked: map[string]api.Asked{}}}
	run, err := eval.Begin(ctx, s, a, suiteAnswer, shadowSequences)
	if err != nil {
		return nil, err
	}
	outcomes, err := run.Outcomes(ctx, nil)
	if err != nil {
		return nil, err
	}
	a.done.run = run
	a.done.report, err = run.Report(outcomes)
	return a.done, err
}

// asker implements eval.Answerer by a model of the daemon.
type asker struct {
	model *api.Model
	mu    sync.Mutex
	done  *suiteRun
}

// Identify implements eval.Answerer.
func (a *asker) Identify(context.Context) (eval.Identity, error) {
	return eval.Identity{Model: a.model.Name, Numerics: a.model.Numerics("")}, nil
}

// Answer implements eval.Answerer.
func (a *asker) Answer(ctx context.Context, messages []suite.Message, maxTokens int) (eval.Reply, error) {
	turns := make([]api.Turn, len(messages))
	for i, m := range messages {
		turns[i] = api.Turn(m)
	}
	key, err := json.Marshal(turns)
	if err != nil {
		return eval.Reply{}, err
	}
	asked, err := persist(ctx, func() (api.Asked, error) { return a.model.Ask(ctx, turns, maxTokens) })
	if own := (*api.HTTPError)(nil); errors.As(err, &own) && own.Status == http.StatusBadRequest {
		return eval.Reply{}, &eval.RefusedError{Err: errors.New(own.Message)}
	}
	if err != nil {
		return eval.Reply{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done.asked[string(key)] = asked
	a.done.tokens, a.done.device = a.done.tokens+len(asked.Tokens), a.done.device+asked.Device
	return eval.Reply{Text: asked.Text, Finish: asked.Finish, Numerics: a.model.Numerics(asked.Weights)}, nil
}

// Likelihoods implements eval.Answerer: choices are told by the letter, as clients choose them.
func (a *asker) Likelihoods(context.Context, string, []string) ([]float64, error) {
	return nil, eval.ErrNoLikelihoods
}

// persist asks again as long as clients leave no place in the queue.
func persist[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	for {
		got, err := ask()
		if !errors.Is(err, scheduler.ErrQueueFull) {
			return got, err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return got, context.Cause(ctx)
		}
	}
}

// addScores has what was measured written down.
func (h *history) addScores(model, tier string, report *eval.Report, evidence []guard.Evidence) {
	if h.keepsNothing() {
		return
	}
	for _, e := range evidence {
		row := store.Score{
			Time: time.Now(), Model: model, Suite: e.Suite, Digest: report.Digest, Metric: e.Metric, Tier: tier, Value: e.Value,
			Low: e.Control + e.Difference.Low, High: e.Control + e.Difference.High, N: int64(e.Items), Numerics: report.Who.Numerics,
		}
		if err := h.store.AddScore(row); err != nil {
			slog.Warn("tier: a score is not kept", "model", model, "tier", tier, "cause", err)
		}
	}
}
