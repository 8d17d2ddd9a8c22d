package report

import (
	"fmt"
	"slices"
	"strings"

	"chimera/store"
)

// This file owns what is said of people's ratings: which measures of answers go with them.

// agreesWithPeople says which measures go with people's ratings, by Spearman's coefficient: a rating is a place in an order. One goes with them whose interval
// has no 0.
func (in *Input) agreesWithPeople() Statement {
	t := Statement{Topic: "People's ratings", Figures: []Figure{}}
	var with, without []string
	var problems []unknown
	for i := range in.Correlations {
		c := &in.Correlations[i]
		figures := in.coefficients(c)
		t.Figures = append(t.Figures, figures...)
		f := figures[0]
		switch word := fmt.Sprintf("%s (%s, %s rated answers)", c.Measure, f.Text(), count(f.N)); {
		case f.Value == nil:
			problems = noted(problems, f.Missing, c.Measure)
		case c.Spearman.Low > 0 || c.Spearman.High < 0:
			with = append(with, word)
		default:
			without = append(without, word)
		}
	}
	var parts []string
	if len(with) > 0 {
		parts = append(parts, "People's ratings go with "+listed(with))
	}
	if len(without) > 0 {
		parts = append(parts, "no connection is seen with "+listed(without))
	}
	for _, p := range problems {
		parts = append(parts, "it is not known how people's ratings go with "+listed(p.measures)+" ("+p.why+")")
	}
	t.Status = status(t.Figures...)
	t.Text = strings.Join(parts, "; ") + "."
	if len(parts) == 0 {
		t.Text = "How people's ratings go with what is measured is missing: nothing was compared."
	}
	t.Text = capital(t.Text)
	return t
}

// unknown are measures that miss their coefficients for one reason.
type unknown struct {
	why      string
	measures []string
}

// noted adds a measure to those of its reason.
func noted(list []unknown, why, measure string) []unknown {
	at := slices.IndexFunc(list, func(u unknown) bool { return u.why == why })
	if at < 0 {
		return append(list, unknown{why, []string{measure}})
	}
	list[at].measures = append(list[at].measures, measure)
	return list
}

// coefficients are a measure's figures, Spearman's first; one that is missing where there are none.
func (in *Input) coefficients(c *Correlation) (list []Figure) {
	f := Figure{
		Name: "rating." + c.Measure, Label: "ratings with " + c.Measure, Unit: correlated, N: int64(c.N), Of: "rated answers", From: c.Since, Until: in.Until,
		Method: "Spearman's coefficient; percentile bootstrap over requests", Sources: rowsOf(store.Ratings, c.Ratings),
	}
	f.Sources = append(f.Sources, rowsOf(c.From, c.Rows)...)
	if c.Problem != "" {
		return []Figure{f.missing(c.Problem)}
	}
	for _, k := range []struct {
		suffix, method string
		of             Coefficient
	}{{"", "Spearman's coefficient", c.Spearman}, {".pearson", "Pearson's coefficient", c.Pearson}, {".kendall", "Kendall's tau-b", c.Kendall}} {
		g := f
		g.Name, g.Method = f.Name+k.suffix, k.method+"; percentile bootstrap over requests"
		list = append(list, g.set(k.of.Value, "it is no number").between(k.of.Low, k.of.High))
	}
	return list
}
