package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"chimera/quality/eval"
	"chimera/quality/suite"
)

// This file owns how the verb eval shows a report to people.

// print writes the report: as JSON, or what matters of it.
func (o *evalFlags) print(w io.Writer, r *eval.Report) error {
	if o.asJSON {
		return printJSON(w, r)
	}
	fmt.Fprintf(w, "suite %s (%.12s), %d items, answered by %s\n\n", r.Suite, r.Digest, r.N, strings.TrimSpace(r.Who.Model+" "+r.Who.Numerics))
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "metric\titems\tn\tscore\t95 % interval\t"+spread(r, "spread"))
	for _, name := range r.Scores.Names() {
		for _, part := range []struct {
			items string
			eval.Scores
		}{{"all", r.Scores}, {string(suite.Tuning), r.ByHalf[suite.Tuning]}, {string(suite.Sealed), r.ByHalf[suite.Sealed]}} {
			if s, has := part.Scores[name]; has {
				fmt.Fprintf(t, "%s\t%s\t%d\t%.*f\t%s\t%s\n", name, part.items, s.N, decimals(name), s.Value, interval(name, s.Low, s.High), spread(r, spreadOf(name, s.Spread)))
			}
		}
	}
	if r.Baseline != nil {
		printComparison(t, r)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return printNotes(w, r)
}

// spread is a cell of the last column, which is there with repeats alone.
func spread(r *eval.Report, cell string) string {
	if r.Settings.Repeats == 0 {
		return ""
	}
	return cell + "\t"
}

func spreadOf(metric string, spread *float64) string {
	if spread == nil {
		return ""
	}
	return fmt.Sprintf("%.*f", decimals(metric), *spread)
}

// printComparison adds what is different from the baseline, and how much of that the tuning half alone has.
func printComparison(w io.Writer, r *eval.Report) {
	fmt.Fprintln(w, "\t\t\t\t\t\nless baseline\titems\t\tdifference\t95 % interval\t")
	for _, name := range r.Scores.Names() {
		if d, has := r.Baseline.Difference[name]; has {
			fmt.Fprintf(w, "%s\tall\t\t%+.*f\t%s\t\n", name, decimals(name), d.Estimate, interval(name, &d.Low, &d.High))
		}
		if g, has := r.Baseline.Gap[name]; has {
			fmt.Fprintf(w, "%s\ttuning - sealed\t\t%+.*f\t%s\t\n", name, decimals(name), g.Estimate, interval(name, &g.Low, &g.High))
		}
	}
}

// printNotes writes what figures alone do not tell, a line each.
func printNotes(w io.Writer, r *eval.Report) error {
	var notes strings.Builder
	if r.Settings.Choices == eval.ByLetter {
		notes.WriteString("\nchoices by the letter that was answered: the server tells no log-probabilities of a prompt\n")
	}
	if at := slices.IndexFunc(r.Items, func(o eval.Outcome) bool { return o.RelevanceMissing != "" }); at >= 0 {
		fmt.Fprintf(&notes, "\nrelevance of %d items is missing, the first of them %s: %s\n", r.RelevanceMissing, r.Items[at].ID, r.Items[at].RelevanceMissing)
	}
	if b := r.Baseline; b != nil {
		for _, name := range slices.Sorted(maps.Keys(b.NotCompared)) {
			fmt.Fprintf(&notes, "\n%s is not compared: %s\n", name, b.NotCompared[name])
		}
	}
	if r.Truncated > 0 {
		fmt.Fprintf(&notes, "\n%d answers were cut off, at --max-tokens or the context's end\n", r.Truncated)
	}
	_, err := io.WriteString(w, notes.String())
	return err
}

// decimals are as published scores have them.
func decimals(metric string) int {
	if metric == "bleu" || metric == "chrf" || metric == "consistency" {
		return 2
	}
	return 4
}

func interval(metric string, low, high *float64) string {
	if low == nil {
		return "none"
	}
	return fmt.Sprintf("%.*f to %.*f", decimals(metric), *low, decimals(metric), *high)
}
