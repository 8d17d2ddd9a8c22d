package main

import (
	"fmt"
	"slices"
	"strings"
)

// This file owns the table that is printed.

// table is what was measured: for each figure of each row, by kind, a number a round.
type table struct {
	lines []*line
}

type line struct {
	row, figure string
	less        bool
	values      map[string][]float64
}

func (t *table) add(row, kind string, f figures) {
	for _, x := range f {
		at := slices.IndexFunc(t.lines, func(l *line) bool { return l.row == row && l.figure == x.name })
		if at < 0 {
			at = len(t.lines)
			t.lines = append(t.lines, &line{row: row, figure: x.name, less: x.less, values: map[string][]float64{}})
		}
		t.lines[at].values[kind] = append(t.lines[at].values[kind], x.value)
	}
}

// String is Markdown: best and median of each kind that was measured, and for each peer the ratios of Chimera to it.
func (t table) String() string {
	var b strings.Builder
	head, rule := "| |", "| --- |"
	shown := t.kinds()
	for _, k := range shown {
		head, rule = head+" "+k+" best | median |", rule+" ---: | ---: |"
		if k != chimera.name {
			head, rule = head+" ratio of bests | of medians |", rule+" ---: | ---: |"
		}
	}
	fmt.Fprintf(&b, "%s\n%s\n", head, rule)
	for _, l := range t.lines {
		fmt.Fprintf(&b, "| %s: %s |", l.row, l.figure)
		for _, k := range shown {
			b.WriteString(l.cells(k))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// kinds are those that have figures.
func (t table) kinds() (list []string) {
	for _, k := range kinds {
		if slices.ContainsFunc(t.lines, func(l *line) bool { return len(l.values[k.name]) > 0 }) {
			list = append(list, k.name)
		}
	}
	return list
}

// cells are empty where nothing was measured, or there is nothing to compare.
func (l *line) cells(kind string) string {
	bestOf, medianOf, ratios := "", "", ""
	if kind != chimera.name {
		ratios = "  |  |"
	}
	if len(l.values[kind]) > 0 {
		bestOf, medianOf = fmt.Sprintf("%.4g", l.best(kind)), fmt.Sprintf("%.4g", median(l.values[kind]))
		if ratios != "" && len(l.values[chimera.name]) > 0 {
			ratios = fmt.Sprintf(" %s | %s |", ratio(l.best(chimera.name), l.best(kind)), ratio(median(l.values[chimera.name]), median(l.values[kind])))
		}
	}
	return fmt.Sprintf(" %s | %s |%s", bestOf, medianOf, ratios)
}

func (l *line) best(kind string) float64 {
	if l.less {
		return slices.Min(l.values[kind])
	}
	return slices.Max(l.values[kind])
}

func ratio(ours, theirs float64) string {
	if theirs == 0 {
		return ""
	}
	return fmt.Sprintf("%.3g", ours/theirs)
}

// median of an even number of values is the mean of the middle two.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
