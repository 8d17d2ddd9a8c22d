package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"chimera/store"
)

// This file owns a figure: a number with all that it takes to believe it, or the reason why there is none.

// Figure is one number of the report.
type Figure struct {
	Name      string     `json:"name"`  // such as ttft_p95_ms, the same in every report
	Label     string     `json:"label"` // in words
	Value     *float64   `json:"value"` // null: missing
	Low       *float64   `json:"low"`   // the ends of its 95% interval; null where none was computed
	High      *float64   `json:"high"`
	Unit      string     `json:"unit"`
	N         int64      `json:"n"`    // sample size
	Of        string     `json:"n_of"` // what was counted
	From      time.Time  `json:"from"`
	Until     time.Time  `json:"until"`
	Method    string     `json:"method"`
	Sources   []Source   `json:"sources"`
	Missing   string     `json:"missing,omitempty"` // why there is no value
	Objective *Objective `json:"objective,omitempty"`
}

// The units of figures.
const (
	perSecond   = "queries/s"
	millis      = "ms"
	points      = "points"     // of metrics from 0 to 100
	ratio       = "ratio"      // of metrics from 0 to 1
	perplexity  = "perplexity" // from 1 on
	percent     = "%"
	requests    = "requests"
	rowsUnit    = "rows"
	alarms      = "alarms"
	steps       = "decisions"
	coreSeconds = "core-seconds per 1,000 tokens"
	joules      = "joules per 1,000 tokens"
	correlated  = "correlation"
)

// Objective is what is wanted of a figure, and how far it is from that.
type Objective struct {
	Name       string  `json:"name"` // as the settings call it
	Target     float64 `json:"target"`
	AtMost     bool    `json:"at_most"`    // the target is a limit
	Difference float64 `json:"difference"` // of the value from the target, in percent of that; above 0 it is over it
	Status     Status  `json:"status"`
}

// Source is rows of a table of the history. No number of a row is given twice, so that they can be looked up for as long as they are kept.
type Source struct {
	Table store.Table `json:"table"`
	Rows  string      `json:"rows"` // numbers and ranges in ascending order, such as "3-17 19"
}

// rowsOf is the source of rows of one table; none of none.
func rowsOf(t store.Table, rows []int64) []Source {
	if len(rows) == 0 {
		return []Source{}
	}
	rows = slices.Compact(slices.Sorted(slices.Values(rows)))
	var text []string
	for i := 0; i < len(rows); {
		j := i
		for j+1 < len(rows) && rows[j+1] == rows[j]+1 {
			j++
		}
		if span := strconv.FormatInt(rows[i], 10); i == j {
			text = append(text, span)
		} else {
			text = append(text, span+"-"+strconv.FormatInt(rows[j], 10))
		}
		i = j + 1
	}
	return []Source{{t, strings.Join(text, " ")}}
}

// Numbers are the rows of a source, the other way round. Its error is of a text that is no list of rows.
func (s Source) Numbers() (rows []int64, err error) {
	for span := range strings.FieldsSeq(s.Rows) {
		from, to, found := strings.Cut(span, "-")
		if !found {
			to = from
		}
		a, err := strconv.ParseInt(from, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("rows of %s: %w", s.Table, err)
		}
		b, err := strconv.ParseInt(to, 10, 64)
		if err != nil || b < a || b-a > mostRows {
			return nil, fmt.Errorf("rows of %s: %q is no range", s.Table, span)
		}
		for ; a <= b; a++ {
			rows = append(rows, a)
		}
	}
	return rows, nil
}

// set gives the figure its value; one that is no number is missing, for the reason given.
func (f Figure) set(x float64, orMissing string) Figure {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return f.missing(orMissing)
	}
	f.Value = &x
	return f
}

// between gives it its interval, if one was computed.
func (f Figure) between(low, high float64) Figure {
	if !math.IsNaN(low) && !math.IsNaN(high) && !math.IsInf(low, 0) && !math.IsInf(high, 0) && f.Value != nil {
		f.Low, f.High = &low, &high
	}
	return f
}

func (f Figure) missing(why string) Figure {
	f.Value, f.Low, f.High, f.Missing, f.Objective = nil, nil, nil, why, nil
	if f.Sources == nil {
		f.Sources = []Source{}
	}
	return f
}

// against holds the figure against a target; one of 0 asks nothing.
func (f Figure) against(name string, target float64, atMost bool) Figure {
	if f.Value == nil || !(target > 0) {
		return f
	}
	o := Objective{Name: name, Target: target, AtMost: atMost, Difference: 100 * (*f.Value - target) / target, Status: Met}
	if atMost && *f.Value > target || !atMost && *f.Value < target {
		o.Status = Missed
	}
	f.Objective = &o
	return f
}

// status is that of a statement with these figures: the worst.
func status(figures ...Figure) Status {
	s := NotThere
	for _, f := range figures {
		switch {
		case f.Objective != nil && f.Objective.Status == Missed:
			return Missed
		case f.Objective != nil:
			s = f.Objective.Status
		case f.Value != nil && s == NotThere:
			s = NoTarget
		}
	}
	return s
}
