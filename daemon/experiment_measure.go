package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"

	"chimera/api"
	group "chimera/quality/control"
	"chimera/quality/experiment"
	"chimera/quality/stats"
	"chimera/store"
)

// This file owns how a change is measured: speed in blocks, quality by what both arms answer to the same questions, and the rows that come of it.
//
// A turn asks its requests twice. First with as many clients as there are places, each the next when it has its answer: how many end a second is what can be
// computed. Then as they were recorded to come, at 70 % of what was computed as it is, for both arms alike: how long they wait there for their
// first token is what clients feel.

const (
	// measuredLoad is of what is computed as it is. Where more comes, a queue grows, and its length is all that is measured.
	measuredLoad = 0.7
	// fewestBlocks of four turns each; with fewer intervals say nothing. mostBlocks are more than time is given for.
	fewestBlocks, mostBlocks = 4, 40
	// certain is the half-width at which a difference of 5 % is certain.
	certain = 0.02
	// A turn has so many requests: fewer hardly fill the places, and more take longer than clients stay away.
	leastRequests, mostRequests = 24, 256
	// asksFirst is how many tell what is computed a second.
	asksFirst = 48
)

// measure compares a change with what is, in one of so many parts of a factor's time.
func (l *laboratory) measure(ctx context.Context, f factor, parts int) error {
	spec := l.served()
	was, err := l.arm(ctx, spec, true)
	if err != nil {
		return err
	}
	defer was.close()
	f.Apply(&spec)
	now, err := l.arm(ctx, spec, true)
	if err != nil {
		return err
	}
	defer now.close()
	rows, err := l.quality(ctx, was, now)
	if err != nil {
		return err
	}
	speed, result, err := l.speed(ctx, [2]*arm{was, now}, l.each/time.Duration(parts))
	if err != nil {
		return err
	}
	method := fmt.Sprintf("%s, ABBA in %d blocks%s; quality: %s", l.replayed, result.Blocks, l.beside(), l.askedBy())
	if result.Discarded > 0 {
		method += fmt.Sprintf("; %d blocks gave way to clients", result.Discarded)
	}
	var list []store.Experiment
	for _, m := range append(rows, speed...) {
		list = append(list, store.Experiment{
			Kind: store.SettingTried, Factor: f.Name, Off: f.Off, On: f.On, Method: method, Measure: m.Measure, Before: m.Before, After: m.After,
			Low: m.Difference.Low, High: m.Difference.High, N: int64(m.n),
		})
	}
	return l.write(list)
}

// beside tells of clients that were served meanwhile.
func (l *laboratory) beside() string {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	if l.all.trials.run.shown.Now {
		return " beside clients"
	}
	return ""
}

// changed is an effect with how many pairs it is of.
type changed struct {
	experiment.Effect
	n int
}

// speed measures throughput and latency.
func (l *laboratory) speed(ctx context.Context, arms [2]*arm, most time.Duration) (rows []changed, r experiment.Result, err error) {
	clients, rate := l.all.config.MaxSequences, 0.0
	err = l.all.trials.undisturbed(ctx, func(ctx context.Context) error {
		ends, err := arms[0].saturate(ctx, experiment.Window(l.load, 0, asksFirst, l.seed), clients, "calibration")
		rate = experiment.Rate(ends)
		return err
	})
	if err != nil {
		return nil, r, err
	}
	if math.IsNaN(rate) {
		return nil, r, errors.New("what is computed a second can't be told: all answers ended at once")
	}
	turn := most.Seconds() / (4 * fewestBlocks) / (1 + 1/measuredLoad)
	n := int(min(max(rate*turn, leastRequests), mostRequests))
	var spent time.Duration
	d := experiment.Design{Seed: l.seed, Least: fewestBlocks, Most: mostBlocks, HalfWidth: certain, Over: func() bool { return spent >= most }}
	d.Begin = func(ctx context.Context) (context.Context, func(), error) {
		turns, end, err := l.all.trials.begin(ctx)
		began := time.Now()
		return turns, func() {
			spent += time.Since(began)
			end()
		}, err
	}
	r, err = d.Run(ctx, func(ctx context.Context, which experiment.Arm, block int) (experiment.Reading, error) {
		read, err := l.turn(ctx, arms[which], experiment.Window(l.load, block, n, l.seed), clients, rate*measuredLoad)
		return read, interrupted(ctx, err)
	})
	for _, e := range r.Effects {
		rows = append(rows, changed{e, r.Blocks})
	}
	return rows, r, err
}

// turn asks an arm a block's requests.
func (l *laboratory) turn(ctx context.Context, a *arm, list []experiment.Request, clients int, rate float64) (experiment.Reading, error) {
	l.turns++
	ends, err := a.saturate(ctx, list, clients, fmt.Sprint("saturated ", l.turns))
	if err != nil {
		return nil, err
	}
	first, err := a.arrive(ctx, list, experiment.Arrivals(list, rate), fmt.Sprint("arriving ", l.turns))
	if err != nil {
		return nil, err
	}
	return experiment.Reading{"qps": experiment.Rate(ends), "ttft_ms": experiment.Wait(first)}, nil
}

// quality holds what both arms answer against references, and against what the source answers.
func (l *laboratory) quality(ctx context.Context, was, now *arm) (rows []changed, err error) {
	if len(l.questions) < 2 {
		return nil, nil
	}
	if err := l.askControl(ctx); err != nil {
		return nil, err
	}
	before, err := l.answers(ctx, was)
	if err != nil {
		return nil, err
	}
	after, err := l.answers(ctx, now)
	if err != nil {
		return nil, err
	}
	if rows, err = l.scored(ctx, was, now, before, after); err != nil {
		return nil, err
	}
	agrees, err := l.agreement(ctx, was, now)
	return append(rows, agrees), err
}

// askControl has the source answer the questions, once.
func (l *laboratory) askControl(ctx context.Context) error {
	if l.control != nil {
		return nil
	}
	a, err := l.arm(ctx, armSpec{tier: api.SourceTier, kv: l.all.config.KVType}, false)
	if err != nil {
		return fmt.Errorf("the control: %w", err)
	}
	defer a.close()
	l.control, err = l.answers(ctx, a)
	return err
}

// agreement is the share of the control's tokens that arms would have chosen too, each behind those before it.
func (l *laboratory) agreement(ctx context.Context, was, now *arm) (m changed, err error) {
	before, err := l.agreeing(ctx, was)
	if err != nil {
		return m, err
	}
	after, err := l.agreeing(ctx, now)
	if err != nil {
		return m, err
	}
	m.n = len(before)
	m.Measure, m.Before, m.After = agreement, shareOf(before), shareOf(after)
	m.Difference, err = stats.PairedBootstrap(after, before, numbered(m.n), share, stats.Resampling{Seed: 1})
	return m, err
}

// agreeing counts by question an arm's agreement and the control's tokens.
func (l *laboratory) agreeing(ctx context.Context, a *arm) ([][]float64, error) {
	rows := make([][]float64, len(l.questions))
	err := l.all.trials.undisturbed(ctx, func(ctx context.Context) error {
		return inParallel(ctx, len(rows), func(ctx context.Context, i int) error {
			said := l.control[i].Tokens
			same, err := a.model.Agrees(ctx, l.questions[i].prompt, said)
			rows[i] = []float64{float64(same), float64(len(said))}
			return err
		})
	})
	return rows, err
}

func shareOf(rows [][]float64) float64 {
	sum := []float64{0, 0}
	for _, row := range rows {
		sum[0], sum[1] = sum[0]+row[0], sum[1]+row[1]
	}
	return share(sum)
}

func numbered(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// scored are the metrics of the suite, as of any evaluation of it.
func (l *laboratory) scored(ctx context.Context, was, now *arm, before, after []api.Tried) (rows []changed, err error) {
	if l.suite == nil {
		return nil, nil
	}
	b, err := l.reported(ctx, was, before)
	if err != nil {
		return nil, err
	}
	a, err := l.reported(ctx, now, after)
	if err != nil {
		return nil, err
	}
	if err := a.compare(b); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(a.report.Baseline.Difference)) {
		e := experiment.Effect{Measure: name, Before: b.report.Scores[name].Value, After: a.report.Scores[name].Value, Difference: a.report.Baseline.Difference[name]}
		rows = append(rows, changed{e, a.report.Scores[name].N})
	}
	return rows, nil
}

// reported scores an arm's answers.
func (l *laboratory) reported(ctx context.Context, a *arm, answers []api.Tried) (*suiteRun, error) {
	known := map[string]pinnedAnswer{}
	for _, said := range answers {
		known[group.AnswerDigest(said.Prompt)] = pinnedAnswer{prompt: said.Prompt, Tokens: said.Tokens, Text: said.Text, Finish: said.Finish}
	}
	return askSuite(ctx, a.model, l.suite, known)
}

// write has the rows of a comparison written, all of one time. One whose tier has been changed meanwhile is of nothing that serves.
func (l *laboratory) write(list []store.Experiment) error {
	l.all.mu.Lock()
	moved := l.r.tier != l.tier || l.r.up != l.up
	l.all.mu.Unlock()
	if moved {
		return errors.New("the model's tier was changed meanwhile: it is to be measured anew")
	}
	now := time.Now()
	for _, row := range list {
		row.Time, row.Model, row.Tier, row.KVType, row.Seed = now, l.r.name, l.tier, l.all.config.KVType, l.seed
		if err := l.all.history.store.AddExperiment(row); err != nil {
			return err
		}
		slog.Info("experiment: measured", "model", row.Model, "kind", string(row.Kind), "factor", row.Factor, "off", row.Off, "on", row.On,
			"measure", row.Measure, "before", row.Before, "after", row.After, "low", row.Low, "high", row.High, "n", row.N)
	}
	return nil
}
