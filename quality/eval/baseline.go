package eval

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json"

	"chimera/quality/stats"
	"chimera/quality/suite"
)

// This file owns comparing a run with an earlier one's report.

// maxReport bounds a baseline's file, in bytes: a suite of the most items, each with an answer of some KiB.
const maxReport = 512 << 20

// Comparison is a run less its baseline, item by item.
type Comparison struct {
	Who        Identity                  `json:"model"`
	Difference map[string]stats.Interval `json:"difference"`
	// Gap is the overfitting gap: the difference on the tuning half less that on the sealed half. Above 0, some of what was gained there was
	// fitted to the suite.
	Gap   map[string]stats.Interval `json:"gap"`
	Worse []string                  `json:"worse"` // metrics whose difference is worse than 0 by its whole interval
	// NotCompared are metrics of the run of which there is no difference, and why.
	NotCompared map[string]string `json:"not_compared,omitempty"`
}

// Baseline is an earlier report, of which the outcomes count.
type Baseline struct {
	Digest  string   `json:"digest"`
	Who     Identity `json:"model"`
	Control string   `json:"control"`
	// RelevanceBy is whose states its relevance was measured by; empty where it has none, or does not say.
	RelevanceBy string    `json:"relevance_by"`
	Settings    Settings  `json:"settings"`
	Items       []Outcome `json:"items"`
}

// AsBaseline is a report as a later one is compared with it.
func (r *Report) AsBaseline() *Baseline {
	return &Baseline{Digest: r.Digest, Who: r.Who, Control: r.Control, RelevanceBy: r.RelevanceBy, Settings: r.Settings, Items: r.Items}
}

// ReadBaseline reads what chimera eval --json printed.
func ReadBaseline(name string, from io.Reader) (*Baseline, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxReport+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxReport {
		return nil, fmt.Errorf("%s: it has more than %d bytes", name, maxReport)
	}
	var b Baseline
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, fmt.Errorf("%s: it is no report of 'chimera eval --json': %w", name, err)
	}
	if b.Digest == "" || len(b.Items) == 0 {
		return nil, fmt.Errorf("%s: it is no report of 'chimera eval --json': it lacks digest or items", name)
	}
	return &b, nil
}

// Fits refuses a baseline that a run can't be compared with. It is known before anything is asked.
func (b *Baseline) Fits(r *Run) error {
	switch digest := r.Suite.Digest(); {
	case b.Digest != digest:
		return fmt.Errorf("baseline: it is of a suite with digest %.12s…, this one's is %.12s…: the items differ, so measure the baseline anew", b.Digest, digest)
	case b.Settings != r.Settings:
		return fmt.Errorf("baseline: its settings were %+v, these are %+v: measure it anew with the same", b.Settings, r.Settings)
	case len(b.Items) != b.Settings.times()*len(r.Suite.Items):
		return fmt.Errorf("baseline: it has %d items, the suite has %d, each asked %d times", len(b.Items), len(r.Suite.Items), b.Settings.times())
	}
	return nil
}

// Compare adds to a report what it is beside a baseline that fits.
func (r *Run) Compare(report *Report, b *Baseline) error {
	now, err := r.tabulate(report.Items, r.Settings)
	if err != nil {
		return err
	}
	before, err := r.tabulate(b.Items, b.Settings)
	if err != nil {
		return fmt.Errorf("baseline: %w", err)
	}
	c := &Comparison{Who: b.Who, Difference: map[string]stats.Interval{}, Gap: map[string]stats.Interval{}, Worse: []string{}, NotCompared: map[string]string{}}
	_, halves := groups(r.Suite)
	for _, m := range now {
		at := slices.IndexFunc(before, func(other *metric) bool { return other.name == m.name })
		if why := b.incomparable(m.name, at >= 0, report); why != "" {
			c.NotCompared[m.name] = why
			continue
		}
		p := pair{m, before[at]}
		difference, err := p.difference(everyItem(r.Suite))
		if errors.Is(err, errTooFew) {
			c.NotCompared[m.name] = err.Error()
			continue
		} else if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		c.Difference[m.name] = difference
		if !m.lower && difference.High < 0 || m.lower && difference.Low > 0 {
			c.Worse = append(c.Worse, m.name)
		}
		if gap, err := p.gap(halves[suite.Tuning], halves[suite.Sealed]); err == nil {
			c.Gap[m.name] = gap
		} else if !errors.Is(err, errTooFew) {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	for _, m := range before {
		if !slices.ContainsFunc(now, func(other *metric) bool { return other.name == m.name }) {
			c.NotCompared[m.name] = "this run has none"
		}
	}
	slices.Sort(c.Worse)
	report.Baseline = c
	return nil
}

// incomparable is why a metric of a report can't be compared with the baseline's; "" where it can. What two models make of answers does not compare.
func (b *Baseline) incomparable(metric string, has bool, report *Report) string {
	switch {
	case !has: // as calibration, where all items of one failed
		return "the baseline has none"
	case metric == fluency && b.Control != report.Control:
		return fmt.Sprintf("the baseline's answers were read by %s, these by %s", cmp.Or(b.Control, "nobody knows whom"), report.Control)
	case metric == relevance && (b.RelevanceBy != report.RelevanceBy || b.RelevanceBy == ""):
		return fmt.Sprintf("the baseline's was measured by the states of %s, this one by those of %s", cmp.Or(b.RelevanceBy, "nobody knows whom"), cmp.Or(report.RelevanceBy, "nobody knows whom"))
	}
	return ""
}

// pair is one metric of the run and of its baseline.
type pair struct{ now, before *metric }

// errTooFew is a figure that a single item has no interval of.
var errTooFew = errors.New("fewer than two items count")

// both are the rows of items that both have.
func (p pair) both(items []int) (now, before [][]float64, of []int, err error) {
	_, of = p.now.pick(items)
	before, of = p.before.pick(of)
	if now, _ = p.now.pick(of); len(of) < 2 {
		err = errTooFew
	}
	return now, before, of, err
}

func (p pair) difference(items []int) (stats.Interval, error) {
	now, before, of, err := p.both(items)
	if err != nil {
		return stats.Interval{}, err
	}
	return stats.PairedBootstrap(now, before, of, p.now.score, stats.Resampling{Seed: seed})
}

func (p pair) gap(tuning, sealed []int) (stats.Interval, error) {
	nowTuning, beforeTuning, ofTuning, err := p.both(tuning)
	if err != nil {
		return stats.Interval{}, err
	}
	nowSealed, beforeSealed, ofSealed, err := p.both(sealed)
	if err != nil {
		return stats.Interval{}, err
	}
	return stats.PairedGap(nowTuning, beforeTuning, nowSealed, beforeSealed, ofTuning, ofSealed, p.now.score, stats.Resampling{Seed: seed})
}
