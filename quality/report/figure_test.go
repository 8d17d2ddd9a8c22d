package report

import (
	"context"
	"log/slog"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"chimera/store"
)

// This file owns tests of figures: that each can be traced to rows of the history, and says when there is nothing.

// figuresOf are all figures of a report, wherever they stand.
func figuresOf(v reflect.Value) (list []Figure) {
	if f, ok := v.Interface().(Figure); ok {
		return []Figure{f}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return figuresOf(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			list = append(list, figuresOf(v.Index(i))...)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return nil
		}
		for i := range v.NumField() {
			list = append(list, figuresOf(v.Field(i))...)
		}
	}
	return list
}

// shownBeside are figures that are there only where another one is: of a tag the whole suite's, of a cause the gap, of a tier all tiers'.
var shownBeside = map[string]string{"questions.acc.edge cases": "questions.acc", "questions.acc.nuance": "questions.acc", "tier.bleu": "gap", "cache.bleu": "gap",
	"cost.source": "cost", "cost.q8_0": "cost", "energy.source": "cost", "energy.q8_0": "cost"}

// keepRows drops all rows of the tables that sources name but those that they name.
func keepRows(t *testing.T, in Input, sources []Source) Input {
	t.Helper()
	kept := map[store.Table][]int64{}
	for _, s := range sources {
		rows, err := s.Numbers()
		must(t, err)
		kept[s.Table] = append(kept[s.Table], rows...)
	}
	for table, rows := range kept {
		named := func(row int64) bool { return slices.Contains(rows, row) }
		switch table {
		case store.Windows:
			in.Windows = where(in.Windows, func(w *store.Window) bool { return named(w.Row) })
			if in.Earlier != nil {
				earlier := *in.Earlier
				earlier.Windows = where(earlier.Windows, func(w *store.Window) bool { return named(w.Row) })
				in.Earlier = &earlier
			}
		case store.Scores:
			in.Scores = where(in.Scores, func(r *store.Score) bool { return named(r.Row) })
		case store.Experiments:
			in.Experiments = where(in.Experiments, func(r *store.Experiment) bool { return named(r.Row) })
		case store.Costs:
			in.Costs = where(in.Costs, func(r *store.Cost) bool { return named(r.Row) })
		case store.Alarms:
			in.Alarms = where(in.Alarms, func(r *store.Alarm) bool { return named(r.Row) })
		case store.Decisions:
			in.Decisions = where(in.Decisions, func(r *store.Decision) bool { return named(r.Row) })
		}
	}
	return in
}

// Each figure is traced to rows that are in the file, and is the same without all others of their tables.
func TestFiguresAreTraced(t *testing.T) {
	withCause := slow()
	withCause.experiments = append(withCause.experiments, restored("translate", allFactors, 68, 71, 1), restored("translate", "tier", 68, 70, 0.8), restored("translate", "cache", 68, 68.4, 0.8))
	for name, f := range map[string]*fixture{"fast": fast(), "slow": slow(), "slow, with causes": withCause} {
		path := filepath.Join(t.TempDir(), "h", "history.db")
		s, err := store.Open(path, store.Options{Log: slog.New(slog.DiscardHandler)})
		must(t, err)
		f.fill(t, s)
		there := rowsThere(t, s)
		in := f.input(t)
		r := Make(in)
		traced := 0
		for _, figure := range figuresOf(reflect.ValueOf(r)) {
			if figure.Name == "" || figure.Label == "" || figure.Method == "" || figure.Unit == "" || figure.From.IsZero() || figure.Until.IsZero() || figure.Until.Before(figure.From) || (figure.Value == nil) != (figure.Missing != "") {
				t.Errorf("%s: a figure that lacks something: %+v", name, figure)
			}
			fromState := slices.Contains([]string{"damaged_rows", "dropped_rows", "refused_rows"}, figure.Name)
			countsNone := figure.N == 0 && figure.Value != nil && *figure.Value == 0
			if figure.Value == nil || fromState || countsNone {
				continue
			}
			if len(figure.Sources) == 0 {
				t.Errorf("%s: %s comes from no row", name, figure.Label)
			}
			for _, source := range figure.Sources {
				rows, err := source.Numbers()
				must(t, err)
				for _, row := range rows {
					if !there[source.Table][row] {
						t.Errorf("%s: %s: there is no row %d of %s", name, figure.Label, row, source.Table)
					}
				}
			}
			if strings.HasPrefix(figure.Name, "rating.") {
				continue // computed by who hands it in
			}
			sources := figure.Sources
			if name := shownBeside[figure.Name]; name != "" {
				all := figuresOf(reflect.ValueOf(r))
				sources = append(slices.Clone(sources), all[slices.IndexFunc(all, func(f Figure) bool { return f.Name == name })].Sources...)
			}
			alone := Make(keepRows(t, in, sources))
			if !slices.ContainsFunc(figuresOf(reflect.ValueOf(alone)), func(g Figure) bool { return same(figure, g) }) {
				t.Errorf("%s: %s (%s) is not what its rows give alone: %v", name, figure.Label, figure.Text(), figure.Sources)
			}
			traced++
		}
		if traced < 30 {
			t.Errorf("%s: only %d figures were traced", name, traced)
		}
		must(t, s.Close())
	}
}

// same tells whether two figures are the same number of the same thing.
func same(f, g Figure) bool {
	return g.Name == f.Name && g.Label == f.Label && g.Value != nil && *g.Value == *f.Value && g.N == f.N && reflect.DeepEqual(f.Low, g.Low) && reflect.DeepEqual(f.High, g.High)
}

// rowsThere are the rows that a history has.
func rowsThere(t *testing.T, s *store.Store) map[store.Table]map[int64]bool {
	t.Helper()
	all := map[store.Table]map[int64]bool{}
	note := func(table store.Table, row int64, err error) {
		must(t, err)
		if all[table] == nil {
			all[table] = map[int64]bool{}
		}
		all[table][row] = true
	}
	ctx, span := context.Background(), store.Span{}
	for r, err := range s.Windows(ctx, span) {
		note(store.Windows, r.Row, err)
	}
	for r, err := range s.Scores(ctx, span) {
		note(store.Scores, r.Row, err)
	}
	for r, err := range s.Experiments(ctx, span) {
		note(store.Experiments, r.Row, err)
	}
	for r, err := range s.Costs(ctx, span) {
		note(store.Costs, r.Row, err)
	}
	for r, err := range s.Alarms(ctx, span) {
		note(store.Alarms, r.Row, err)
	}
	for r, err := range s.Decisions(ctx, span) {
		note(store.Decisions, r.Row, err)
	}
	for r, err := range s.Ratings(ctx, span) {
		note(store.Ratings, r.Row, err)
	}
	return all
}

// A model of which there is nothing has all its headings, and each says that it is missing and why.
func TestNothingMeasured(t *testing.T) {
	f := &fixture{models: []string{"new"}, objectives: Objectives{QPS: 1, TTFT: 2, TTFTP95: 3, BLEU: 4, Agreement: 0.5, Accuracy: 0.6}}
	r := Make(f.input(t))
	if len(r.Summaries) != 1 || len(r.Missed()) > 0 {
		t.Fatalf("%+v", r.Missed())
	}
	for _, s := range r.Summaries[0].Statements {
		if s.Status != NotThere || !strings.Contains(s.Text, "missing") {
			t.Errorf("%s: %s: %s", s.Topic, s.Status, s.Text)
		}
	}
	for _, risk := range r.Risks {
		if risk.Model != "" && (risk.Status != Unwatched || risk.Priority == Low) {
			t.Errorf("%s: a risk that nobody watches is %s, %s", risk.Name, risk.Priority, risk.Status)
		}
	}
	for _, item := range r.Suggestions[0].Items {
		if item.Verdict != NotTried || !strings.Contains(item.Text, "run chimera experiment run --factor ") {
			t.Errorf("%s: %s", item.Factor, item.Text)
		}
	}
	text := render(t, &r, "md") + render(t, &r, "html")
	for _, never := range []string{"NaN", "Inf", "0001-01-01", "%!"} {
		if strings.Contains(text, never) {
			t.Errorf("it says %s", never)
		}
	}
}

func TestRows(t *testing.T) {
	for want, rows := range map[string][]int64{"": nil, "7": {7}, "3-5": {5, 3, 4, 4}, "1 3-4 9": {9, 1, 4, 3}} {
		if s := rowsOf(store.Windows, rows); want == "" && len(s) != 0 || want != "" && s[0].Rows != want {
			t.Errorf("%v: %v, want %s", rows, s, want)
		}
	}
	for _, bad := range []string{"x", "1-", "5-3", "1-99999999999", "-2"} {
		if rows, err := (Source{store.Windows, bad}).Numbers(); err == nil {
			t.Errorf("%q: %v", bad, rows)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.Int64Range(1, 60), 1, 40).Draw(t, "rows")
		got, err := rowsOf(store.Windows, rows)[0].Numbers()
		if err != nil || !slices.Equal(got, slices.Compact(slices.Sorted(slices.Values(rows)))) {
			t.Fatalf("%v: %v %v", rows, got, err)
		}
	})
}

func TestNumbers(t *testing.T) {
	for want, got := range map[string]string{
		"1,500": number(1500), "1,339": number(1339.29), "85": number(85), "2.37": number(2.3666), "0.0123": number(0.01234), "0": number(0), "−12.5": number(-12.5), "100": number(99.97), "1,000,000": number(1e6), "2e-05": number(2e-5),
		"1.8 s": in(1800, millis), "45 ms": in(45, millis), "999 ms": in(999, millis), "68.0": in(68, points), "−0.4": in(-0.4, points), "0.875": in(0.875, ratio), "12 %": in(12, percent), "+8 %": signed(8, percent), "0.0": signed(-0.01, points),
		"−3 ms": signed(-3, millis), "1 request": counted(1, "request", "requests"), "12,345 requests": counted(12345, "request", "requests"), "a, b and c": listed([]string{"a", "b", "c"}),
		"just now": age(noon, noon.Add(time.Second)), "90 minutes ago": age(noon, noon.Add(90*time.Minute)), "3 hours ago": age(noon, noon.Add(3*time.Hour)), "50 days ago": age(noon, noon.Add(50*24*time.Hour)),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Figures that are held against a target say how far they are from it, in which direction.
func TestObjectives(t *testing.T) {
	for _, c := range []struct {
		value, target float64
		atMost        bool
		status        Status
		words         string
	}{
		{1500, 1500 / 1.12, false, Met, "12 % over the target of 1.34 s"}, {45, 50, true, Met, "10 % under the limit of 50 ms"}, {50, 50, true, Met, "at the limit of 50 ms"},
		{50.5, 50, true, Missed, "1 % over the limit of 50 ms"}, {49.5, 50, false, Missed, "1 % under the target of 50 ms"}, {50, 50, false, Met, "at the target of 50 ms"},
	} {
		f := Figure{Unit: millis}.set(c.value, "").against("x", c.target, c.atMost)
		if f.Objective.Status != c.status || f.Objective.distance(millis) != c.words || status(f) != c.status {
			t.Errorf("%v: %s, %s", c, f.Objective.Status, f.Objective.distance(millis))
		}
	}
	if f := (Figure{}).set(1, "").against("x", 0, true); f.Objective != nil || status(f) != NoTarget {
		t.Error("an objective of 0 asks something")
	}
	if f := (Figure{}).set(math.NaN(), "why").against("x", 1, true); f.Objective != nil || f.Missing != "why" || status(f) != NotThere {
		t.Errorf("%+v", f)
	}
}
