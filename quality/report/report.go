// Package report owns the report of a daemon's serving: what was measured against what is wanted, what could be better by how much, and what
// may go wrong. Make computes one model of the content from rows of the history; JSON, Markdown and HTML are made of that model, and none of
// them computes anything.
//
// Every figure names the rows that it was computed from, how, and of how many; one that nobody measured is there as missing, with the reason.
// No sentence has a figure of its own: each is put together from those beside it.
//
// This file owns the model, and the order in which it is made.
package report

import (
	"slices"
	"time"
)

// Report is the content, under its three headings.
type Report struct {
	Made        time.Time `json:"made"`
	From        time.Time `json:"from"`
	Until       time.Time `json:"until"`
	Scope       string    `json:"scope"` // whose requests: AllTenants, or a tenant's name
	Problems    []string  `json:"problems"`
	Summaries   []Summary `json:"executive_summary"`            // one a model
	Suggestions []Advice  `json:"optimisation_recommendations"` // one a model
	Risks       []Risk    `json:"risks"`
}

// AllTenants is the scope of an administrator's report.
const AllTenants = "all tenants"

// Status is how a statement stands against what is wanted.
type Status string

// The statuses of statements.
const (
	Met       Status = "met"           // the objective
	Missed    Status = "missed"        // the objective
	Unasked   Status = "not asked for" // as much as the objective wants: nobody was turned away or had to wait
	NoTarget  Status = "no objective"  // there are figures, and nothing to hold them against
	NotThere  Status = "missing"       // nobody measured it
	Attention Status = "attention"     // no objective is missed, and something is not as it should be
	Fine      Status = "fine"          // nothing is wanted, and nothing is wrong
)

// Statement is a sentence or two with the figures that they are made of.
type Statement struct {
	Topic   string   `json:"topic"`
	Status  Status   `json:"status"`
	Text    string   `json:"text"`
	Figures []Figure `json:"figures"`
}

// Summary is what a model's serving was like.
type Summary struct {
	Model      string      `json:"model"`
	Statements []Statement `json:"statements"`
	Missed     []string    `json:"missed"` // objectives, as the settings call them
	Series     Series      `json:"series"`
	Changes    []Change    `json:"changes"` // since the period before; empty where none was asked for
}

// Missed names the objectives that were missed, by model.
func (r *Report) Missed() (list []string) {
	for _, s := range r.Summaries {
		for _, name := range s.Missed {
			list = append(list, s.Model+": "+name)
		}
	}
	return list
}

// Make computes a report. It is the same for the same input.
func Make(in Input) Report {
	in.Made, in.From, in.Until = in.Made.UTC(), in.From.UTC(), in.Until.UTC()
	r := Report{Made: in.Made, From: in.From, Until: in.Until, Scope: in.Scope, Problems: noNull(in.Problems)}
	for _, name := range in.models() {
		m := in.of(name)
		served := m.serving()
		s := Summary{Model: name, Series: seriesOf(m.Windows), Missed: []string{}}
		cause := m.cause()
		s.Statements = m.summary(served, cause)
		for _, statement := range s.Statements {
			for _, f := range statement.Figures {
				if f.Objective != nil && f.Objective.Status == Missed && !slices.Contains(s.Missed, f.Objective.Name) {
					s.Missed = append(s.Missed, f.Objective.Name)
				}
			}
		}
		s.Changes = m.changes(served)
		r.Summaries = append(r.Summaries, s)
		r.Suggestions = append(r.Suggestions, m.advice(served, cause, s.Missed))
		r.Risks = append(r.Risks, m.risks(s.Missed)...)
	}
	r.Risks = append(r.Risks, in.historyRisks()...)
	slices.SortStableFunc(r.Risks, func(a, b Risk) int { return b.Priority.rank() - a.Priority.rank() })
	r.Summaries, r.Suggestions = noNull(r.Summaries), noNull(r.Suggestions)
	return r
}

// noNull is a list that JSON shows as one where it is empty, too.
func noNull[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
