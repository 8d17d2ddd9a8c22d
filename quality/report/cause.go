package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"chimera/store"
)

// This file owns the root cause of lost quality: how much of the distance to the control comes back when one factor alone is as for the control.

// allFactors is the factor of the experiment in which every factor is as for the control: what comes back then is the whole gap.
const allFactors = "all"

// tagPrefix begins the factor of an experiment in which the questions of one tag alone are answered as by the control.
const tagPrefix = "tag:"

// Cause is what a loss of quality is due to.
type Cause struct {
	Statement
	Measure string  `json:"measure"` // a metric of scores
	Gap     *Figure `json:"gap"`     // null: not measured
	Shares  []Share `json:"shares"`  // the largest first
	Rest    *Figure `json:"rest"`    // of the gap, in percent: what factors do together alone
	Tags    []Share `json:"tags"`    // what comes back where the questions of a tag alone are answered as by the control, the largest first
}

// Share is what one factor alone gives back.
type Share struct {
	Factor string `json:"factor"`
	Effect Figure `json:"effect"` // in the metric's unit
	Share  Figure `json:"share"`  // of the gap, in percent
}

// howCauses says what it takes to know.
const howCauses = "a paired replay with each factor alone as for the control was not run (chimera experiment run --factor causes)"

// cause finds the newest experiments of causes and divides the gap.
func (m *modelInput) cause() Cause {
	c := Cause{Statement: Statement{Topic: "Root cause of lost quality"}, Shares: []Share{}, Tags: []Share{}}
	rows, whole := m.causes()
	if whole == nil {
		f := Figure{Name: "gap", Label: "quality lost", Unit: ratio, Of: "pairs", From: m.From, Until: m.Until, Method: "paired replay, control − served"}.missing(howCauses)
		c.Status, c.Figures = NotThere, []Figure{f}
		c.Text = "What quality is lost to is missing: " + howCauses + "."
		return c
	}
	gap := effectOf(whole)
	gap.Name, gap.Label = "gap", metricOf(whole.Measure).label+" lost"
	c.Measure, c.Gap, c.Figures = whole.Measure, &gap, []Figure{gap}
	if lost(gap) {
		c.divide(rows, whole)
	}
	c.Status, c.Text = c.words(m.Made)
	return c
}

// lost tells whether a gap is more than chance: all of its interval is above 0, or, where it has none, itself.
func lost(gap Figure) bool {
	if gap.Value == nil {
		return false
	}
	return *gap.Value > 0 && (gap.Low == nil || *gap.Low > 0)
}

// causes are the factors of the newest comparison, and the whole of it.
func (m *modelInput) causes() (rows []store.Experiment, whole *store.Experiment) {
	for i := range m.Experiments {
		if e := &m.Experiments[i]; e.Kind == store.CauseRestored && e.Factor == allFactors {
			whole = e
		}
	}
	for i := range m.Experiments {
		if e := &m.Experiments[i]; whole != nil && e.Kind == store.CauseRestored && e.Factor != allFactors && e.Measure == whole.Measure && e.Time.Equal(whole.Time) {
			rows = append(rows, *e)
		}
	}
	return rows, whole
}

// gain is what a change did to a measure, above 0 where it is better.
func gain(e *store.Experiment) (value, low, high float64) {
	value, low, high = e.After-e.Before, e.Low, e.High
	if e.Measure == ttftMeasure || metricOf(e.Measure).lower {
		return -value, -high, -low
	}
	return value, low, high
}

// effectOf is an experiment's gain as a figure, in the measure's unit.
func effectOf(e *store.Experiment) Figure {
	value, low, high := gain(e)
	f := Figure{Name: e.Factor + "." + e.Measure, Label: e.Factor + ", effect on " + metricOf(e.Measure).label, Unit: metricOf(e.Measure).unit, N: e.N, Of: "pairs",
		From: e.Time, Until: e.Time, Method: e.Method, Sources: rowsOf(store.Experiments, []int64{e.Row})}
	return f.set(value, "the experiment gave no number").between(low, high)
}

// divide gives each factor its share of the gap, and the rest to what they do together.
func (c *Cause) divide(rows []store.Experiment, whole *store.Experiment) {
	gap, sum := *c.Gap.Value, 0.0
	all := []int64{whole.Row}
	for i := range rows {
		effect := effectOf(&rows[i])
		if effect.Value == nil {
			continue
		}
		part := effect
		part.Name, part.Label, part.Unit = rows[i].Factor+".share", rows[i].Factor+", share of the loss", percent
		part.Sources = rowsOf(store.Experiments, []int64{rows[i].Row, whole.Row})
		part.Method = "what the factor alone gives back over what all give back"
		part = part.set(100**effect.Value/gap, "")
		part.Low, part.High = scaled(effect.Low, 100/gap), scaled(effect.High, 100/gap)
		c.Figures = append(c.Figures, part)
		if tag, is := strings.CutPrefix(rows[i].Factor, tagPrefix); is { // a part by question, beside those by reason
			c.Tags = append(c.Tags, Share{tag, effect, part})
			continue
		}
		sum += *effect.Value
		all = append(all, rows[i].Row)
		c.Shares = append(c.Shares, Share{rows[i].Factor, effect, part})
	}
	largest := func(a, b Share) int { return cmp.Compare(*b.Effect.Value, *a.Effect.Value) }
	slices.SortStableFunc(c.Shares, largest)
	slices.SortStableFunc(c.Tags, largest)
	rest := *c.Gap
	rest.Name, rest.Label, rest.Unit, rest.Low, rest.High = "rest", "interaction of factors", percent, nil, nil
	rest.Method, rest.Sources = "the gap less what each factor alone gives back", rowsOf(store.Experiments, all)
	rest = rest.set(100*(gap-sum)/gap, "")
	c.Rest, c.Figures = &rest, append(c.Figures, rest)
}

func scaled(x *float64, by float64) *float64 {
	if x == nil {
		return nil
	}
	y := *x * by
	return &y
}

// words name the largest factor, if one is more than chance.
func (c *Cause) words(now time.Time) (Status, string) {
	gap := c.Gap
	label := metricOf(c.Measure).label
	if gap.Value == nil {
		return NotThere, "What quality is lost to is missing: " + gap.Missing + "."
	}
	if !lost(*gap) {
		return Fine, fmt.Sprintf("No quality is seen to be lost: %s with all factors as for the control differs by %s, measured %s.", label, gap.withInterval(), age(gap.Until, now))
	}
	text := fmt.Sprintf("%s lost is %s. ", label, gap.withInterval())
	if len(c.Shares) == 0 {
		return Attention, text + "No factor was restored alone, so what it is due to is missing."
	}
	sure := slices.IndexFunc(c.Shares, func(s Share) bool { return lost(s.Effect) }) // the largest of those that are more than chance
	if sure < 0 {
		return Attention, text + "No factor alone gives back more than chance does."
	}
	first := c.Shares[sure]
	text += fmt.Sprintf("The largest cause is %s: alone it gives back %s of it", first.Factor, first.Share.Text())
	for i, s := range c.Shares {
		if i != sure {
			text += fmt.Sprintf(", %s %s", s.Factor, s.Share.Text())
		}
	}
	text += fmt.Sprintf("; %s is interaction; measured %s.", in(math.Round(*c.Rest.Value), percent), age(gap.Until, now))
	if len(c.Tags) > 0 && lost(c.Tags[0].Effect) {
		text += fmt.Sprintf(" Most of it is lost on questions of the tag %s: %s.", c.Tags[0].Factor, c.Tags[0].Share.Text())
	}
	return Attention, text
}
