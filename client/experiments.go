package client

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// This file owns what experiment shows and asks for: what changes were measured to do on the daemon's machine.

// Experiments is an answer of GET /v1/experiments.
type Experiments struct {
	Running *struct {
		Model   string    `json:"model"`
		Factor  string    `json:"factor"`
		Done    int       `json:"done"`
		Of      int       `json:"of"`
		Since   time.Time `json:"since"`
		Waiting bool      `json:"waiting"`
		Now     bool      `json:"now"`
	} `json:"running"`
	Factors []struct {
		Name    string `json:"name"`
		Meaning string `json:"meaning"`
	} `json:"factors"`
	Problems []struct {
		Model   string `json:"model"`
		Factor  string `json:"factor"`
		Problem string `json:"problem"`
	} `json:"problems"`
	Experiments []Experiment `json:"experiments"`
}

// Experiment is one comparison.
type Experiment struct {
	Time     time.Time `json:"time"`
	Model    string    `json:"model"`
	Kind     string    `json:"kind"`
	Factor   string    `json:"factor"`
	Off      string    `json:"off"`
	On       string    `json:"on"`
	N        int64     `json:"n"`
	Method   string    `json:"method"`
	Tier     string    `json:"tier"`
	Seed     uint64    `json:"seed"`
	Measures []struct {
		Measure string   `json:"measure"`
		Before  float64  `json:"before"`
		After   float64  `json:"after"`
		Low     *float64 `json:"low"`
		High    *float64 `json:"high"`
	} `json:"measures"`
}

// Experiments asks the daemon and returns its answer byte for byte.
func (c *Client) Experiments(ctx context.Context) ([]byte, error) {
	return fetch(ctx, c, "/v1/experiments", ParseExperiments)
}

// ParseExperiments reads an answer of GET /v1/experiments.
func ParseExperiments(text []byte) (Experiments, error) {
	return parseAnswer[Experiments](text, "experiments", '[')
}

// ExperimentAsk is what is to be measured: of a model, the first for "", these factors, all for none, for a time such as 10m, and beside
// clients or when they leave.
type ExperimentAsk struct {
	Model   string   `json:"model,omitempty"`
	Factors []string `json:"factors,omitempty"`
	For     string   `json:"for,omitempty"`
	Now     bool     `json:"now,omitempty"`
}

// RunExperiments has the daemon measure, waits for it, and returns its answer byte for byte. The context's end ends what is being measured.
func (c *Client) RunExperiments(ctx context.Context, ask ExperimentAsk) ([]byte, error) {
	body, err := c.post(ctx, "/v1/experiments", ask)
	if err != nil {
		return nil, err
	}
	return readWhole(c, body, ParseExperiments)
}

// Print writes a line for each experiment, what could not be measured, and what is under way.
func (e Experiments) Print(out io.Writer) error {
	if r := e.Running; r != nil {
		state := ""
		if r.Waiting {
			state = ", waiting until nobody is served"
		}
		fmt.Fprintf(out, "under way since %s: %s of %s, %d of %d done%s\n", r.Since.Local().Format(time.TimeOnly), VisibleLine(r.Factor), VisibleLine(r.Model), r.Done, r.Of, state)
	}
	if len(e.Experiments) == 0 {
		fmt.Fprintln(out, "nothing was measured yet: chimera experiment run")
	} else if err := e.table(out); err != nil {
		return err
	}
	for _, p := range e.Problems {
		fmt.Fprintf(out, "not measured: %s of %s: %s\n", VisibleLine(p.Factor), VisibleLine(p.Model), VisibleLine(p.Problem))
	}
	return nil
}

func (e Experiments) table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "TIME\tMODEL\tKIND\tFACTOR\tFROM\tTO\tEFFECTS")
	for _, x := range e.Experiments {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.Time.Local().Format(time.DateTime), VisibleLine(x.Model), VisibleLine(x.Kind), VisibleLine(x.Factor), VisibleLine(x.Off), VisibleLine(x.On), x.effects())
	}
	return w.Flush()
}

// shownMeasures are those that a line has; show has all.
var shownMeasures = []string{"qps", "ttft_ms", "agreement", "chrf"}

// effects are an experiment's on a line.
func (x Experiment) effects() string {
	var list []string
	for _, name := range shownMeasures {
		for _, m := range x.Measures {
			if m.Measure == name {
				list = append(list, fmt.Sprintf("%s %.4g to %.4g", name, m.Before, m.After))
			}
		}
	}
	return strings.Join(list, ", ")
}

// Of is what is known of some factors alone, by the name that run takes or the one that is shown.
func (e Experiments) Of(factor string) Experiments {
	plain := func(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", " ") }
	e.Experiments = slices.DeleteFunc(slices.Clone(e.Experiments), func(x Experiment) bool { return plain(x.Factor) != plain(factor) && plain(x.Kind) != plain(factor) })
	return e
}

// Print writes all of an experiment.
func (x Experiment) Print(out io.Writer) error {
	fmt.Fprintf(out, "%s of %s: from %s to %s\nmeasured %s at tier %s by %s; seed %d\n", VisibleLine(x.Factor), VisibleLine(x.Model), VisibleLine(x.Off), VisibleLine(x.On),
		x.Time.Local().Format(time.DateTime), dashed(x.Tier), VisibleLine(x.Method), x.Seed)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "MEASURE\tBEFORE\tAFTER\tCHANGE\t95 % INTERVAL")
	for _, m := range x.Measures {
		interval := "-"
		if m.Low != nil && m.High != nil {
			interval = fmt.Sprintf("%+.4g to %+.4g", *m.Low, *m.High)
		}
		fmt.Fprintf(w, "%s\t%.5g\t%.5g\t%+.4g\t%s\n", VisibleLine(m.Measure), m.Before, m.After, m.After-m.Before, interval)
	}
	return w.Flush()
}

// Names are the factors that something is known of.
func (e Experiments) Names() (names []string) {
	for _, x := range e.Experiments {
		if !slices.Contains(names, x.Factor) {
			names = append(names, x.Factor)
		}
	}
	if len(names) == 0 {
		return []string{"none yet"}
	}
	return names
}
