package report

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"chimera/store"
)

// This file owns what a report is made of, and reading it from the history.

// Input is what a report is made of. Rows are the oldest first, and of the tenants in scope alone.
type Input struct {
	Made        time.Time
	From, Until time.Time
	Scope       string
	Models      []string // that are configured: one that has no row is missing, not left out
	Objectives  Objectives
	Allowed     Allowed
	KVType      string // of the models' caches

	Windows      []store.Window // of the period
	Costs        []store.Cost   // of the period
	Alarms       []store.Alarm  // of the period
	Scores       []store.Score  // of the period, and of evidenceKept before
	Decisions    []store.Decision
	Experiments  []store.Experiment
	Earlier      *Period // what the period is compared with; nil: nothing
	Correlations []Correlation
	Health       Health
	Problems     []string // what could not be read
}

// Period is an earlier stretch.
type Period struct {
	From, Until time.Time
	Windows     []store.Window
}

// Objectives are what is wanted of each model; 0 asks nothing. The names are those of the settings in [objectives].
type Objectives struct {
	QPS       float64 // requests completed a second, in the mean
	TTFT      float64 // ms, in the mean, of interactive requests
	TTFTP95   float64 // ms
	BLEU      float64 // 0 to 100
	Agreement float64 // 0 to 1
	Accuracy  float64 // 0 to 1
}

// Correlation is how a measure of answers goes with people's ratings of them.
type Correlation struct {
	Measure                    string
	N                          int
	Pearson, Spearman, Kendall Coefficient // Kendall's is tau-b
	Problem                    string      // why there are none
	Since                      time.Time   // the first of them may be of
	Ratings                    []int64     // their rows
	From                       store.Table // that the measure is of, beside the ratings
	Rows                       []int64     // of that table
}

// Coefficient is a correlation's, with the ends of its 95 % interval.
type Coefficient struct{ Value, Low, High float64 }

// Health is how the history is doing.
type Health struct {
	Problem string // why it takes no rows at the moment
	Since   time.Time
	Dropped int64 // rows that found no room, since the daemon's start
	Refused int64 // rows that the database did not take
	Damaged int64 // rows whose checksum is another's
}

// evidenceKept is how far back scores, decisions and experiments are looked for: suites and experiments run now and then, and what they said holds
// until something changes. What is older than a quarter of a year was most likely another model's, or another machine's.
const evidenceKept = 90 * 24 * time.Hour

// mostRows bounds what is read of a table, some 50 MB: half a year of minutes of one model and class.
const mostRows = 250_000

// TooManyRowsError is Read's of a period that has more rows than a report is made of.
type TooManyRowsError struct{ Table store.Table }

func (e *TooManyRowsError) Error() string {
	return fmt.Sprintf("the period has more than %d rows of %s: choose a later since", mostRows, e.Table)
}

// Read fills in the rows of in's period. tenant keeps those of one tenant alone, where rows are a tenant's; nil: all are kept. against is how long
// the earlier period is that ends where the period begins; 0: there is none. Rows that are damaged are left out, and said to be.
func (in *Input) Read(ctx context.Context, s *store.Store, tenant *store.Tenant, against time.Duration) error {
	span, evidence := store.Span{From: in.From, Until: in.Until}, store.Span{From: in.From.Add(-evidenceKept), Until: in.Until}
	mine := func(t store.Tenant) bool { return tenant == nil || t == *tenant }
	window := func(w *store.Window) bool { return mine(w.Tenant) }
	var errs [7]error
	in.Windows, errs[0] = read(in, store.Windows, s.Windows(ctx, span), window)
	in.Costs, errs[1] = read(in, store.Costs, s.Costs(ctx, span), func(c *store.Cost) bool { return mine(c.Tenant) })
	in.Alarms, errs[2] = read(in, store.Alarms, s.Alarms(ctx, span), nil)
	in.Scores, errs[3] = read(in, store.Scores, s.Scores(ctx, evidence), nil)
	in.Decisions, errs[4] = read(in, store.Decisions, s.Decisions(ctx, evidence), nil)
	in.Experiments, errs[5] = read(in, store.Experiments, s.Experiments(ctx, evidence), nil)
	if against > 0 {
		in.Earlier = &Period{From: in.From.Add(-against), Until: in.From}
		in.Earlier.Windows, errs[6] = read(in, store.Windows, s.Windows(ctx, store.Span{From: in.Earlier.From, Until: in.From}), window)
	}
	return errors.Join(errs[:]...)
}

// read collects the rows that are kept; keep of nil keeps all.
func read[R any](in *Input, t store.Table, rows iter.Seq2[R, error], keep func(*R) bool) (list []R, err error) {
	for r, err := range rows {
		var damaged *store.DamagedRowError
		switch {
		case errors.As(err, &damaged):
			in.Problems = append(in.Problems, err.Error()+"; it is left out")
		case err != nil:
			return nil, err
		case keep != nil && !keep(&r):
		case len(list) == mostRows:
			return nil, &TooManyRowsError{t}
		default:
			list = append(list, r)
		}
	}
	return list, nil
}

// models are those that are configured, and then those that have windows all the same.
func (in *Input) models() []string {
	list := slices.Clone(in.Models)
	for i := range in.Windows {
		if name := in.Windows[i].Model; name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// modelInput is what one model's part is made of.
type modelInput struct {
	*Input
	name        string
	alone       bool           // no other model is there
	nameless    []store.Window // of requests that were sent away before their model was known
	Windows     []store.Window
	Costs       []store.Cost
	Alarms      []store.Alarm
	Scores      []store.Score
	Decisions   []store.Decision
	Experiments []store.Experiment
}

// of picks a model's rows.
func (in *Input) of(name string) *modelInput {
	return &modelInput{
		Input: in, name: name, alone: len(in.models()) == 1,
		nameless:    where(in.Windows, func(w *store.Window) bool { return w.Model == "" && w.Refused+w.Failed > 0 }),
		Windows:     where(in.Windows, func(w *store.Window) bool { return w.Model == name }),
		Costs:       where(in.Costs, func(c *store.Cost) bool { return c.Model == name }),
		Alarms:      where(in.Alarms, func(a *store.Alarm) bool { return a.Model == name }),
		Scores:      where(in.Scores, func(s *store.Score) bool { return s.Model == name }),
		Decisions:   where(in.Decisions, func(d *store.Decision) bool { return d.Model == name }),
		Experiments: where(in.Experiments, func(e *store.Experiment) bool { return e.Model == name }),
	}
}

func where[R any](rows []R, keep func(*R) bool) (list []R) {
	for i := range rows {
		if keep(&rows[i]) {
			list = append(list, rows[i])
		}
	}
	return list
}

// numbers are those of rows.
func numbers[R any](rows []R, of func(*R) int64) (list []int64) {
	for i := range rows {
		list = append(list, of(&rows[i]))
	}
	return list
}
