package main

import (
	"fmt"
	"slices"
	"strings"
)

// This file owns the table that is printed.

// table is what was measured: for each figure of each row, by server, a number a round.
type table struct {
	lines []*line
}

type line struct {
	row, figure string
	less        bool
	values      map[string][]float64
}

func (t *table) add(r row, server string, f figures) {
	for _, x := range f {
		at := slices.IndexFunc(t.lines, func(l *line) bool { return l.row == r.about && l.figure == x.name })
		if at < 0 {
			at = len(t.lines)
			t.lines = append(t.lines, &line{row: r.about, figure: x.name, less: x.less, values: map[string][]float64{}})
		}
		t.lines[at].values[server] = append(t.lines[at].values[server], x.value)
	}
}

// String is Markdown: best and median of each server, and the ratio of medians where there are two.
func (t table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| | %s best | median | %s best | median | ratio of medians |\n| --- | ---: | ---: | ---: | ---: | ---: |\n", chimera.name, llama.name)
	for _, l := range t.lines {
		fmt.Fprintf(&b, "| %s: %s | %s | %s | %s |\n", l.row, l.figure, l.cells(chimera.name), l.cells(llama.name), l.ratio())
	}
	return b.String()
}

func (l *line) cells(server string) string {
	values := l.values[server]
	if len(values) == 0 {
		return " | "
	}
	best := slices.Max(values)
	if l.less {
		best = slices.Min(values)
	}
	return fmt.Sprintf("%.4g | %.4g", best, median(values))
}

func (l *line) ratio() string {
	ours, theirs := l.values[chimera.name], l.values[llama.name]
	if len(ours) == 0 || len(theirs) == 0 || median(theirs) == 0 {
		return ""
	}
	return fmt.Sprintf("%.3g", median(ours)/median(theirs))
}

// median of an even number of values is the mean of the middle two.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
