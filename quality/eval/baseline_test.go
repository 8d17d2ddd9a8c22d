package eval

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"chimera/quality/suite"
)

// This file owns tests of comparing: what is worse is said, what is not is not, and what can't be compared is refused.

// baselineOf is a report as it is read from the file that it was printed to.
func baselineOf(t *testing.T, r *Report) *Baseline {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ReadBaseline("b.json", strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCompare(t *testing.T) {
	s := many(t, 60)
	good := func(text string) (Reply, error) { return echo(strings.ReplaceAll(text, "cat", "dogs")) }
	compare := func(before, now func(string) (Reply, error)) *Report {
		b := baselineOf(t, reportOf(t, begin(t, s, &parrot{say: before}, 4)))
		r := begin(t, s, &parrot{say: now}, 4)
		if err := b.Fits(r); err != nil {
			t.Fatal(err)
		}
		report := reportOf(t, r)
		if err := r.Compare(report, b); err != nil {
			t.Fatal(err)
		}
		return report
	}
	worse := compare(good, echo)
	if got := strings.Join(worse.Baseline.Worse, " "); got != "bleu chrf" {
		t.Errorf("worse: %q", got)
	}
	better := compare(echo, good)
	if len(better.Baseline.Worse) != 0 || better.Baseline.Difference["bleu"].Low <= 0 {
		t.Errorf("better: %+v", better.Baseline)
	}
	equal(t, "difference", better.Baseline.Difference["chrf"].Estimate, -worse.Baseline.Difference["chrf"].Estimate)
	same := compare(good, good).Baseline
	if d := same.Difference["bleu"]; len(same.Worse) != 0 || d.Low != 0 || d.High != 0 || d.Estimate != 0 {
		t.Errorf("the same: %+v", same)
	}
	// What is better on the tuning half alone is a gap.
	tuning := map[string]bool{}
	for _, i := range s.Of(suite.Tuning).Items {
		tuning[i.Question()] = true
	}
	fitted := compare(echo, func(text string) (Reply, error) {
		if tuning[text] {
			return good(text)
		}
		return echo(text)
	}).Baseline
	if g := fitted.Gap["chrf"]; !(g.Low > 0) || !(g.Estimate > g.Low) || !(g.High > g.Estimate) {
		t.Errorf("the gap is %+v", g)
	}
	if g := better.Baseline.Gap["chrf"]; !(g.Low < 0 && g.High > 0) {
		t.Errorf("what is better everywhere has a gap: %+v", g)
	}
}

// Calibration error is better where it is less.
func TestCompareCalibration(t *testing.T) {
	var lines []string
	for _, id := range strings.Split("abcdefghij", "") {
		lines = append(lines, `{"id":"`+id+`","input":"Q","choices":["no","or"],"answer":0,"kind":"choice"}`)
	}
	s := read(t, lines...)
	sure := &parrot{likely: func(_, text string) float64 { return map[string]float64{" no": -0.01, " or": -9}[text] }}
	unsure := &parrot{likely: func(_, text string) float64 { return map[string]float64{" no": -0.6, " or": -0.8}[text] }}
	b := baselineOf(t, reportOf(t, begin(t, s, sure, 1)))
	r := begin(t, s, unsure, 1)
	report := reportOf(t, r)
	if err := r.Compare(report, b); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(report.Baseline.Worse, " "); got != "ece" || !(report.Baseline.Difference["ece"].Estimate > 0) {
		t.Errorf("worse: %q, %+v", got, report.Baseline.Difference)
	}
}

func TestBaselineRefuses(t *testing.T) {
	s := many(t, 3)
	report := reportOf(t, begin(t, s, &parrot{say: echo}, 1))
	r := begin(t, s, &parrot{say: echo}, 1)
	for want, change := range map[string]func(b *Baseline){
		"with digest":          func(b *Baseline) { b.Digest = strings.Repeat("0", 64) },
		"its settings were":    func(b *Baseline) { b.Settings.MaxTokens++ },
		"it has 2 items":       func(b *Baseline) { b.Items = b.Items[:2] },
		`outcome 1 is of item`: func(b *Baseline) { b.Items[1].ID = "else" },
	} {
		b := baselineOf(t, report)
		change(b)
		err := b.Fits(r)
		if err == nil {
			err = r.Compare(report, b)
		}
		if err == nil || !strings.Contains(err.Error(), "baseline: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, text := range []string{"", "[]", "{}", `{"digest":"x"}`, `{"digest":3}`, "not JSON"} {
		if _, err := ReadBaseline("b.json", strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), "b.json: ") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if report.Baseline != nil {
		t.Error("a refused baseline left something in the report")
	}
}
