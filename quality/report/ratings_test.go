package report

import (
	"strings"
	"testing"

	"chimera/store"
)

// This file owns the test of what is said of people's ratings.

// A measure goes with ratings, in either direction, where Spearman's whole interval lies on one side of 0. What is not known is said once for each reason; each
// coefficient is a figure with its interval and its rows.
func TestRatings(t *testing.T) {
	surely, none := Coefficient{-0.4, -0.6, -0.2}, Coefficient{0.1, -0.1, 0.3}
	in := Input{Correlations: []Correlation{
		{Measure: "kl", N: 50, Spearman: surely, Pearson: none, Kendall: none, Ratings: []int64{1, 2, 4}, From: store.Judgements, Rows: []int64{7, 8}},
		{Measure: "chrf", N: 50, Spearman: none, Pearson: surely, Kendall: surely},
		{Measure: "agreement", N: 2, Problem: "too few"}, {Measure: "relevance", N: 40, Problem: "constant"}, {Measure: "fluency", N: 2, Problem: "too few"},
	}}
	s := in.agreesWithPeople()
	want := "People's ratings go with kl (−0.400, 50 rated answers); no connection is seen with chrf (0.100, 50 rated answers); " +
		"it is not known how people's ratings go with agreement and fluency (too few); it is not known how people's ratings go with relevance (constant)."
	if s.Text != want {
		t.Errorf("%s", s.Text)
	}
	var names []string
	for _, f := range s.Figures {
		names = append(names, f.Name)
	}
	if text := strings.Join(names, " "); text != "rating.kl rating.kl.pearson rating.kl.kendall rating.chrf rating.chrf.pearson rating.chrf.kendall rating.agreement rating.relevance rating.fluency" {
		t.Errorf("%s", text)
	}
	f := s.Figures[0]
	if *f.Value != -0.4 || *f.Low != -0.6 || *f.High != -0.2 || len(f.Sources) != 2 || f.Sources[0] != (Source{store.Ratings, "1-2 4"}) || f.Sources[1] != (Source{store.Judgements, "7-8"}) {
		t.Errorf("%+v", f)
	}
	if s := (&Input{}).agreesWithPeople(); !strings.Contains(s.Text, "missing") || s.Status != NotThere {
		t.Errorf("%+v", s)
	}
}
