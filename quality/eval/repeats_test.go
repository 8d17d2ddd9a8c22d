package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"chimera/quality/score"
	"chimera/quality/suite"
)

// This file owns tests of repeats, and of a control that reads answers.

// drawnRun asks each item so many times, by a parrot whose answers depend on the seed.
func drawnRun(t testing.TB, s *suite.Suite, p *parrot, times int) *Run {
	t.Helper()
	p.who = Identity{"parrot", "n1"}
	r, err := Begin(t.Context(), s, p, Settings{MaxTokens: 64, Repeats: times, Temperature: 0.5}, 3)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// repeatOf finds out which repeat of an item a seed is.
func repeatOf(t testing.TB, id string, as Sampling) int {
	for repeat := range 64 {
		if seedOf(id, repeat) == as.Seed {
			return repeat
		}
	}
	t.Errorf("item %s was asked by seed %d", id, as.Seed)
	return 0
}

// A metric is the mean of the repeats', its spread their standard deviation, and an item's answers are held against one another.
func TestRepeats(t *testing.T) {
	s := read(t,
		`{"id":"a","input":"a","references":["yes"],"kind":"qa","tags":["x"],"half":"tuning"}`,
		`{"id":"b","input":"b","references":["yes"],"kind":"qa","half":"tuning"}`,
		`{"id":"c","input":"c","choices":["no","or"],"answer":0,"kind":"choice","half":"tuning"}`)
	said := map[string][]string{"a": {"yes", "yes", "no"}, "b": {"yes", "ab", "abc"}}
	p := &parrot{say: echo, likely: func(_, text string) float64 { return -float64(len(text)) }}
	p.drawn = func(text string, as Sampling) string {
		if as.Temperature != 0.5 || as.MaxTokens != 64 || as.Seed < 0 || as.Seed > 1<<31-1 {
			t.Errorf("asked as %+v", as)
		}
		return said[text][repeatOf(t, text, as)]
	}
	run := drawnRun(t, s, p, 3)
	outcomes, err := run.Outcomes(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := run.Report(outcomes)
	if err != nil {
		t.Fatal(err)
	}
	if p.asked.Load() != 6 || r.N != 3 || len(r.Items) != 9 || r.Items[4].Text != " ab\n" || r.Items[8].Repeat != 2 || len(r.Items[8].Likelihoods) != 2 {
		t.Errorf("%d asked, %+v", p.asked.Load(), r)
	}
	exact := r.Scores["exact"] // of the repeats 1, 1/2 and 0
	equal(t, "exact", exact.Value, 0.5)
	equal(t, "its spread", *exact.Spread, 0.5)
	if exact.N != 2 || !(*exact.Low == 1.0/3 && *exact.High == 2.0/3) { // of the items 2/3 and 1/3
		t.Errorf("%+v, %v to %v", exact, *exact.Low, *exact.High)
	}
	if acc := r.Scores["acc"]; acc.Value != 1 || *acc.Spread != 0 || acc.N != 1 {
		t.Errorf("likelihoods have no chance in them: %+v", acc)
	}
	for id, texts := range said {
		want, err := score.Consistency(texts)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "consistency of "+id, r.Consistency[id], want)
	}
	if c := r.Scores["consistency"]; len(r.Consistency) != 2 || c.N != 2 || c.Spread != nil || c.Value != (r.Consistency["a"]+r.Consistency["b"])/2 || !(*c.Low < c.Value && c.Value < *c.High) {
		t.Errorf("%+v, %v", c, r.Consistency)
	}
	if tag := r.ByTag["x"]["exact"]; math.Abs(tag.Value-2.0/3) > 1e-12 || math.Abs(*tag.Spread-math.Sqrt(1.0/3)) > 1e-12 {
		t.Errorf("%+v", tag)
	}
	if seedOf("a", 0) == seedOf("b", 0) || seedOf("a", 0) == seedOf("a", 1) {
		t.Error("two have the same seed")
	}
}

// What was refused once is not compared; what all repeats lack no figure has.
func TestRepeatsThatFail(t *testing.T) {
	s := many(t, 6)
	p := &parrot{say: func(text string) (Reply, error) {
		if text == "gone" {
			return Reply{}, &RefusedError{errors.New("it is too long")}
		}
		return echo(text)
	}}
	p.drawn = func(text string, as Sampling) string {
		if as.Seed == seedOf("4", 1) {
			return "gone"
		}
		return text
	}
	r := reportOf(t, drawnRun(t, s, p, 2))
	if _, has := r.Consistency["4"]; has || len(r.Consistency) != 5 || r.Failed != 1 || r.Consistency["0"] != 100 || r.Scores["chrf"].N != 6 || !(*r.Scores["chrf"].Spread > 0) {
		t.Errorf("%+v", r)
	}
}

// A run that was ended goes on with the repeats that are left, and has the report of one that nobody ended.
func TestRepeatsGoOn(t *testing.T) {
	s, path := many(t, 8), filepath.Join(t.TempDir(), "j.jsonl")
	drawn := func(text string, as Sampling) string { return fmt.Sprint(text, " ", as.Seed%3) }
	text := func(r *Report) string {
		b, err := json.Marshal(r, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	want := text(reportOf(t, drawnRun(t, s, &parrot{say: echo, drawn: drawn}, 3)))
	p := &parrot{drawn: drawn}
	p.say = func(text string) (Reply, error) {
		if p.asked.Load() > 13 {
			return Reply{}, errors.New("killed")
		}
		return echo(text)
	}
	r := drawnRun(t, s, p, 3)
	r.Clients = 1
	j, err := OpenJournal(path, r.Key())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Outcomes(t.Context(), j); err == nil {
		t.Fatal("it was not killed")
	}
	j.Close()
	again := &parrot{say: echo, drawn: drawn}
	r = drawnRun(t, s, again, 3)
	if j, err = OpenJournal(path, r.Key()); err != nil {
		t.Fatal(err)
	}
	outcomes, err := r.Outcomes(t.Context(), j)
	if err != nil || again.asked.Load() != 24-13 {
		t.Fatalf("%d asked again, %v", again.asked.Load(), err)
	}
	if report, err := r.Report(outcomes); err != nil || text(report) != want {
		t.Errorf("another report, %v", err)
	}
}

// Repeats are compared with repeats, paired by item, and with as many alone.
func TestCompareRepeats(t *testing.T) {
	s := many(t, 40)
	good := func(text string, as Sampling) string {
		if as.Seed%2 == 0 {
			return strings.ReplaceAll(text, "cat", "dogs")
		}
		return text
	}
	b := baselineOf(t, reportOf(t, drawnRun(t, s, &parrot{say: echo, drawn: good}, 3)))
	r := drawnRun(t, s, &parrot{say: echo}, 3)
	if err := b.Fits(r); err != nil {
		t.Fatal(err)
	}
	report := reportOf(t, r)
	if err := r.Compare(report, b); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(report.Baseline.Worse, " "); got != "bleu chrf" || !(report.Baseline.Difference["consistency"].Low > 0) {
		t.Errorf("worse: %q, %+v", got, report.Baseline.Difference)
	}
	if err := b.Fits(drawnRun(t, s, &parrot{}, 2)); err == nil || !strings.Contains(err.Error(), "its settings were") {
		t.Errorf("fewer repeats: %v", err)
	}
	b.Items = b.Items[:len(b.Items)-1]
	if err := b.Fits(r); err == nil || !strings.Contains(err.Error(), "it has 119 items") {
		t.Errorf("a repeat is not whole: %v", err)
	}
	b = baselineOf(t, report)
	b.Items[0], b.Items[40] = b.Items[40], b.Items[0]
	if err := r.Compare(report, b); err == nil || !strings.Contains(err.Error(), "of repeat 1") {
		t.Errorf("repeats out of order: %v", err)
	}
}

// reader is a control that holds each character of an answer for so likely.
type reader struct {
	name   string
	likely float64 // log-probability
}

func (r *reader) Name(context.Context) (string, error) { return r.name, nil }

func (r *reader) Read(_ context.Context, answer Reply) (Reading, error) {
	text := strings.TrimSpace(answer.Text)
	if text == "fail" {
		return Reading{}, errors.New("it went")
	}
	return Reading{r.likely * float64(len(text)), len(text)}, nil
}

// fluencyOf is a report of answers that a control has read.
func fluencyOf(t *testing.T, s *suite.Suite, c Control) (*Run, *Report) {
	t.Helper()
	r := begin(t, s, &parrot{say: echo, likely: func(_, _ string) float64 { return -1 }}, 2)
	if err := r.ReadBy(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return r, reportOf(t, r)
}

// A control that finds each token less likely finds answers less fluent, whatever their lengths; choices are no answers, and what is empty has no fluency.
func TestFluencyUnderAControl(t *testing.T) {
	lines := []string{`{"id":"a","input":"ab","references":["x"],"kind":"qa"}`, `{"id":"b","input":"abcdef","references":["x"],"kind":"qa"}`, `{"id":"c","input":"","references":["x"],"kind":"qa"}`,
		`{"id":"d","input":"Q","choices":["no","or"],"answer":0,"kind":"choice"}`}
	for i := range 18 { // of two alone nothing would be sure
		lines = append(lines, fmt.Sprintf(`{"id":"more %d","input":"abcdef","references":["x"],"kind":"qa"}`, i))
	}
	s := read(t, lines...)
	run, r := fluencyOf(t, s, &reader{"n0", -1})
	f := r.Scores["fluency"]
	equal(t, "fluency", f.Value, math.E)
	equal(t, "its lower end", *f.Low, math.E)
	if f.N != 20 || r.Control != "n0" || r.Items[1].Control != (Reading{-6, 6}) || r.Items[3].Control != (Reading{}) || !run.WantsReader() {
		t.Errorf("%+v %+v", f, r)
	}
	compare := func(c Control) *Comparison {
		less, report := fluencyOf(t, s, c)
		if err := less.Compare(report, baselineOf(t, r)); err != nil {
			t.Fatal(err)
		}
		return report.Baseline
	}
	if b := compare(&reader{"n0", -1.5}); strings.Join(b.Worse, " ") != "fluency" || !(b.Difference["fluency"].Low > 1) {
		t.Errorf("%+v", b)
	}
	if b := compare(&reader{"n0", -0.5}); len(b.Worse) != 0 || !(b.Difference["fluency"].High < -0.6) {
		t.Errorf("%+v", b)
	}
	if b := compare(&reader{"n1", -1.5}); len(b.Worse) != 0 || b.Difference["exact"].High != 0 || b.Difference["fluency"].Estimate != 0 {
		t.Errorf("by another control: %+v", b)
	}
	failing := read(t, `{"id":"a","input":"fail","references":["x"],"kind":"qa"}`)
	bad := begin(t, failing, &parrot{say: echo}, 1)
	if err := bad.ReadBy(t.Context(), &reader{"n0", -1}); err != nil {
		t.Fatal(err)
	}
	if _, err := bad.Outcomes(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "item a: the control can't read the answer: it went") {
		t.Errorf("%v", err)
	}
}
