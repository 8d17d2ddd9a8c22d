package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// This file owns the three forms of a report.

// JSON writes the model of the content itself, with all rows of all figures.
func (r *Report) JSON(w io.Writer) error {
	err := json.MarshalWrite(w, r, jsontext.WithIndent("  "), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n")
	return err
}

// Parse reads what JSON wrote. Its error is of a text that is no report.
func Parse(text []byte) (*Report, error) {
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("this is no report: %w", err)
	}
	if len(r.Summaries) != len(r.Suggestions) || r.Risks == nil {
		return nil, fmt.Errorf("this is no report: it has %d summaries and %d sets of recommendations", len(r.Summaries), len(r.Suggestions))
	}
	return &r, nil
}

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"class": class}).Parse(pageText))

// HTML writes a page that needs nothing beside itself and runs no script.
func (r *Report) HTML(w io.Writer) error { return pageTemplate.Execute(w, newPage(r)) }

// class is a status as the name of a style.
func class(status any) string { return strings.ReplaceAll(fmt.Sprint(status), " ", "-") }

// Markdown writes the report as tables and lists, as code hosts show them.
func (r *Report) Markdown(w io.Writer) error {
	p := newPage(r)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n%s UTC, %s. Made %s UTC.\n", p.Title, p.Period, plain(p.Scope), p.Made.Format("2006-01-02 15:04"))
	for _, problem := range p.Problems {
		fmt.Fprintf(&b, "\n> %s\n", plain(problem))
	}
	b.WriteString("\n## Executive Summary\n")
	for i := range p.Models {
		p.Models[i].summary(&b)
	}
	b.WriteString("\n## Optimisation Recommendations\n")
	for i := range p.Models {
		p.Models[i].advice(&b)
	}
	b.WriteString("\n## Risk/Mitigation Table\n\n| Risk | Priority | Status | How it stands | Mitigation | Figures |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, risk := range p.Risks {
		row(&b, risk.About, string(risk.Priority), string(risk.Status), risk.Text, risk.Mitigation, references(risk.Refs))
	}
	b.WriteString("\n## Figures\n\n| No. | Figure | Value | 95 % interval | Sample | When, UTC | Method | Rows |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, f := range p.Figures {
		label := f.Label
		if f.Model != "" && len(p.Models) > 1 {
			label += ", " + f.Model
		}
		row(&b, fmt.Sprint(f.Number), label, f.Shown(), f.Interval(), f.Sample(), f.Period(), f.Method, f.Evidence())
	}
	_, err := b.WriteTo(w)
	return err
}

func (m *modelPage) heading(b *bytes.Buffer) {
	if m.Several {
		fmt.Fprintf(b, "\n### %s\n", plain(m.Name))
	}
}

func (m *modelPage) summary(b *bytes.Buffer) {
	m.heading(b)
	b.WriteString("\n| | Status | | Figures |\n| --- | --- | --- | --- |\n")
	for _, l := range m.Lines {
		row(b, l.Topic, l.Status, l.Text, references(l.Refs))
	}
	if len(m.Changes) > 0 {
		b.WriteString("\n| Against the period before | Before | Now | Change | | Figures |\n| --- | --- | --- | --- | --- | --- |\n")
		for _, c := range m.Changes {
			row(b, c.Label, c.Before, c.After, c.Change, c.Word, references(c.Refs))
		}
	}
}

func (m *modelPage) advice(b *bytes.Buffer) {
	m.heading(b)
	b.WriteString("\n| Change | Verdict | | Figures |\n| --- | --- | --- | --- |\n")
	for _, l := range m.Advice {
		row(b, l.Topic, l.Status, l.Text, references(l.Refs))
	}
	fmt.Fprintf(b, "\n%s: %s\n", plain(m.Cause.Topic), plain(m.Cause.Text))
	b.WriteString("\n| No. | Setting | Queries a second | Time to the first token | Quality | Place |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, f := range m.Front {
		row(b, fmt.Sprint(f.Number), f.Name, f.QPS, f.TTFT, f.Quality, f.Place)
	}
}

// row writes a row of a table.
func row(b *bytes.Buffer, cells ...string) {
	for _, cell := range cells {
		b.WriteString("| " + plain(cell) + " ")
	}
	b.WriteString("|\n")
}

func references(numbers []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(numbers), " ", ", "), "[]")
}

// plain is text that means nothing in Markdown: names of models, tenants and suites are others' words.
func plain(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			b.WriteByte(' ')
			continue
		case strings.ContainsRune("\\`*_{}[]<>|#~&!", r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
