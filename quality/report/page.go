package report

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// This file owns the layout that Markdown and HTML have in common: the report's statements as lines, and all of its figures as one numbered list
// at the end, to which the lines refer. It says nothing that the report does not.

// page is a report as it is laid out.
type page struct {
	*Report
	Title   string
	Period  string
	Models  []modelPage
	Risks   []riskLine
	Figures []numbered
	index   map[string]int
}

// modelPage is a model's part of it.
type modelPage struct {
	Name    string
	Several bool // models are in the report, so that each has its heading
	Lines   []line
	Plots   []plot
	Changes []changeLine
	Advice  []line
	Cause   line
	Front   []pointLine
	Scatter []plot
}

// line is a statement, with the numbers of its figures.
type line struct {
	Topic, Status, Text string
	Refs                []int
}

// riskLine is a row of the table of risks.
type riskLine struct {
	Risk
	About string // the risk, and of which model
	Refs  []int
}

// changeLine is a row of the comparison with the period before.
type changeLine struct {
	Label, Before, After, Change, Word string
	Refs                               []int
}

// pointLine is a row of the Pareto table.
type pointLine struct {
	Number                   int
	Name, QPS, TTFT, Quality string
	Place                    string
}

// numbered is a figure with its number.
type numbered struct {
	Number int
	Model  string
	Figure
}

func newPage(r *Report) *page {
	p := &page{Report: r, Title: "Performance report", Period: period(r.From, r.Until), index: map[string]int{}}
	for i := range r.Summaries {
		p.Models = append(p.Models, p.model(&r.Summaries[i], &r.Suggestions[i], len(r.Summaries) > 1))
	}
	for _, risk := range r.Risks {
		row := riskLine{Risk: risk, About: risk.Name, Refs: p.refs(risk.Model, risk.Figures)}
		if risk.Model != "" && len(r.Summaries) > 1 {
			row.About += ", " + risk.Model
		}
		p.Risks = append(p.Risks, row)
	}
	return p
}

func (p *page) model(s *Summary, a *Advice, several bool) modelPage {
	m := modelPage{Name: s.Model, Several: several}
	for _, t := range s.Statements {
		m.Lines = append(m.Lines, p.line(s.Model, t))
	}
	for _, c := range s.Changes {
		m.Changes = append(m.Changes, p.change(s.Model, c))
	}
	for _, item := range a.Items {
		m.Advice = append(m.Advice, line{item.Factor, string(item.Verdict), item.Text, p.refs(s.Model, item.Effects)})
	}
	m.Cause = p.line(s.Model, a.Cause.Statement)
	for i, point := range a.Front {
		m.Front = append(m.Front, pointLine{i + 1, point.Name, point.QPS.Text(), point.TTFT.Text(), point.Quality.Text(), place(point)})
		p.refs(s.Model, []Figure{point.QPS, point.TTFT, point.Quality})
	}
	m.Plots, m.Scatter = timePlots(s), paretoPlot(a)
	return m
}

// place says where a point stands.
func place(p Point) string {
	switch {
	case p.OnFront:
		return "on the front"
	case p.Unplaced != "":
		return "not placed: " + p.Unplaced
	}
	return "behind " + p.DominatedBy
}

func (p *page) line(model string, t Statement) line {
	return line{t.Topic, string(t.Status), t.Text, p.refs(model, t.Figures)}
}

func (p *page) change(model string, c Change) changeLine {
	l := changeLine{Label: c.After.Label, Before: c.Before.Text(), After: c.After.Text(), Change: "missing", Word: "unknown"}
	switch {
	case c.Better != nil && *c.Better:
		l.Word = "better"
	case c.Better != nil:
		l.Word = "worse"
	case c.Before.Value != nil && c.After.Value != nil:
		l.Word, l.Change = "the same", "none"
	}
	if c.Change != nil {
		l.Change = signed(*c.Change, percent)
	}
	before := c.Before
	before.Label += ", the period before"
	l.Refs = p.refs(model, []Figure{before, c.After})
	return l
}

// refs gives figures their numbers. One that stands in several places has one.
func (p *page) refs(model string, figures []Figure) (list []int) {
	for _, f := range figures {
		key := strings.Join([]string{model, f.Name, f.Label, f.Text(), f.Method, fmt.Sprint(f.Sources)}, "\x00")
		n, ok := p.index[key]
		if !ok {
			n = len(p.Figures) + 1
			p.index[key] = n
			p.Figures = append(p.Figures, numbered{n, model, f})
		}
		if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// period is a stretch in words, in UTC.
func period(from, until time.Time) string {
	const form = "2006-01-02 15:04"
	switch from, until = from.UTC(), until.UTC(); {
	case from.Equal(until):
		return from.Format(form)
	case from.Format(time.DateOnly) == until.Format(time.DateOnly):
		return from.Format(form) + " to " + until.Format("15:04")
	}
	return from.Format(form) + " to " + until.Format(form)
}

// mostRanges are as many ranges of rows as a table's cell has room for; the JSON form has all of them.
const mostRanges = 6

// Evidence is where a figure comes from: the table and its rows.
func (n numbered) Evidence() string {
	var parts []string
	for _, s := range n.Sources {
		ranges := strings.Fields(s.Rows)
		text := string(s.Table) + " " + strings.Join(ranges[:min(len(ranges), mostRanges)], ", ")
		if more := len(ranges) - mostRanges; more > 0 {
			text += " and " + counted(int64(more), "further range", "further ranges")
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, "; ")
}

// Shown is the figure's value, or why there is none.
func (n numbered) Shown() string {
	if n.Value == nil {
		return "missing: " + n.Missing
	}
	return n.Text()
}

// Sample is how many of what.
func (n numbered) Sample() string { return amount(float64(n.N), n.Of) }

// Period is when the figure was measured.
func (n numbered) Period() string { return period(n.From, n.Until) }
