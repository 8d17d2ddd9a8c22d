package report

import (
	"encoding/xml"
	"io"
	"regexp"
	"strings"
	"testing"

	"chimera/store"
)

// This file owns tests of the forms: that they stand alone, and that no name in them is taken for more than a name.

// hostile is a name that would do something in each form.
const hostile = "<script>alert(1)</script> | `x` [y](http://z) \x1b[2J\u202e&amp;\n# z"

func TestHostileNames(t *testing.T) {
	f := fast()
	f.models = []string{hostile, "other"}
	for i := range f.windows {
		f.windows[i].Model = hostile
	}
	for i := range f.scores {
		f.scores[i].Model, f.scores[i].Suite = hostile, hostile
	}
	for i := range f.experiments {
		f.experiments[i].Model, f.experiments[i].Factor, f.experiments[i].On, f.experiments[i].Method = hostile, f.experiments[i].Factor+hostile, hostile, hostile
	}
	f.decisions[0].Model, f.decisions[0].Reason = hostile, hostile
	f.alarms = []store.Alarm{{Time: noon, Model: hostile, Series: hostile, Detector: hostile}}
	in := f.input(t)
	in.Scope, in.Problems = hostile, []string{hostile}
	r := Make(in)
	page := render(t, &r, "html")
	if strings.Contains(page, "<script") || strings.Contains(page, `href="http`) {
		t.Error("the page obeys a name")
	}
	text := render(t, &r, "md")
	if regexp.MustCompile(`(^|[^\\])[<>]`).MatchString(strings.ReplaceAll(text, "\n> ", "\n")) {
		t.Error("Markdown has a tag")
	}
	for _, never := range []string{"[y](", "\x1b", "\u202e", "\n# z"} {
		if strings.Contains(text, never) {
			t.Errorf("Markdown has %q", never)
		}
	}
	columns := 0
	for line := range strings.Lines(text) {
		bars := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
		if bars == 0 {
			columns = 0
			continue
		}
		if columns != 0 && bars != columns {
			t.Errorf("a row has %d columns, its table %d: %s", bars-1, columns-1, line)
		}
		columns = bars
	}
}

// The page is whole by itself: nothing is fetched, nothing runs, and each reference leads somewhere.
func TestPageStandsAlone(t *testing.T) {
	r := Make(fast().input(t))
	page := render(t, &r, "html")
	for _, never := range []string{"http:", "https:", "src=", "<script", "url(", "@import", "onload", "<link"} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %s", never)
		}
	}
	targets := map[string]bool{}
	for _, id := range regexp.MustCompile(`id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if targets[id[1]] {
			t.Errorf("two have the id %s", id[1])
		}
		targets[id[1]] = true
	}
	references := regexp.MustCompile(`(?:href="#|aria-labelledby=")([^"]+)"`).FindAllStringSubmatch(page, -1)
	for _, ref := range references {
		if !targets[ref[1]] {
			t.Errorf("%s leads nowhere", ref[1])
		}
	}
	if len(references) < 30 {
		t.Errorf("%d references", len(references))
	}
	for _, want := range []string{"<h2 id=\"summary\">Executive Summary</h2>", "Optimisation Recommendations</h2>", "Risk/Mitigation Table</h2>", "prefers-color-scheme: dark", "@media print", "max-width: 40rem", `lang="en"`, `role="img"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	plots := regexp.MustCompile(`(?s)<svg viewBox="0 0 720 260".*?</svg>`).FindAllString(page, -1)
	if len(plots) != 3 {
		t.Errorf("%d plots", len(plots))
	}
	for _, plot := range plots {
		d := xml.NewDecoder(strings.NewReader(plot))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("a plot is no XML: %v", err)
			}
		}
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"{": "no report", "[]": "no report", "{}": "no report", `{"executive_summary":[{}],"optimisation_recommendations":[],"risks":[]}`: "1 summaries and 0 sets", "null": "no report",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	// What says that it has a place and has none must not bring anybody down.
	r, err := Parse([]byte(`{"executive_summary":[{"model":"m","series":{"points":[{"qps":1e308},{"qps":-1e308}]}}],"optimisation_recommendations":[{"model":"m","pareto":[{"name":"a","on_front":true},{"name":"b"}]}],"risks":[{"figures":[{"sources":[{"table":"x","rows":"zz"}]}]}]}`))
	must(t, err)
	for form := range forms {
		if text := render(t, r, form); len(text) < 100 {
			t.Errorf("%s: %s", form, text)
		}
	}
}
