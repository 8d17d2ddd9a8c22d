package jinja

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// goldenCases are renders by Python's jinja2; where error is set, it raised.
type goldenCases struct {
	Templates map[string]string          `json:"templates"`
	Contexts  map[string]json.RawMessage `json:"contexts"`
	Cases     []struct {
		Name, Template, Context string
		Out                     *string
		Error                   *string
	} `json:"cases"`
}

var fixedNow = time.Date(2026, 11, 24, 9, 5, 7, 0, time.UTC)

func TestGolden(t *testing.T) {
	const path = "../../../shared/jinja/cases.json"
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		t.Skipf("%s is not there", path)
	}
	var g goldenCases
	if err == nil {
		err = json.Unmarshal(text, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range g.Cases {
		vars, err := FromJSON(g.Contexts[c.Context])
		if err != nil {
			t.Fatalf("context %s: %v", c.Context, err)
		}
		got, err := render(g.Templates[c.Template], vars)
		switch {
		case c.Error != nil && err == nil:
			t.Errorf("%s (%s): rendered %q, jinja2 raised %s", c.Name, c.Template, got, *c.Error)
		case c.Error == nil && err != nil:
			t.Errorf("%s (%s): %v, want %q", c.Name, c.Template, err, *c.Out)
		case c.Error == nil && got != *c.Out && !strings.Contains(*c.Out, " at 0x"): // an address is nobody's to repeat
			t.Errorf("%s (%s):\n got %q\nwant %q", c.Name, c.Template, got, *c.Out)
		}
	}
	t.Logf("%d cases", len(g.Cases))
}

func render(src string, vars *Dict) (string, error) {
	template, err := Parse(src)
	if err != nil {
		return "", err
	}
	r, err := template.Render(vars, Options{Now: func() time.Time { return fixedNow }})
	if err == nil && len(r.Marks) != 0 && len(r.Marks) != len(r.Text) {
		panic(fmt.Sprintf("%d marks for %d bytes", len(r.Marks), len(r.Text)))
	}
	return r.Text, err
}
