package client

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// This file owns how quality shows what is watched: drift, alarms, and what suites lack.

// shownAlarms are as many as people read; the answer's JSON has more.
const shownAlarms = 10

// printWatched writes what there is of the three.
func (q Quality) printWatched(out io.Writer) error {
	if err := q.printDrift(out); err != nil {
		return err
	}
	for _, c := range q.Coverage {
		for _, p := range c.Parts {
			if p.Uncovered {
				fmt.Fprintf(out, "suites of %s lack %s %s: %.0f%% of requests (%.0f%% to %.0f%%), %d of %d items\n",
					dashed(c.Model), VisibleLine(p.Dimension), VisibleLine(p.Value), 100*p.Share, 100*p.Low, 100*p.High, p.Items, c.Items)
			}
		}
	}
	if len(q.Alarms) == 0 {
		return nil
	}
	fmt.Fprintf(out, "\nalarms of the last 30 days: %d\n", len(q.Alarms))
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "TIME\tMODEL\tDETECTOR\tSERIES")
	for _, a := range q.Alarms[:min(len(q.Alarms), shownAlarms)] {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", a.Time.Local().Format("2006-01-02 15:04:05"), dashed(a.Model), VisibleLine(a.Detector), VisibleLine(a.Series))
	}
	return w.Flush()
}

// printDrift writes a table of the series of all requests, and of parts that are worse than they were.
func (q Quality) printDrift(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	headed := false
	for _, d := range q.Drift {
		if d.Tag != "" && d.Sum == 0 && d.Alarms == 0 {
			continue
		}
		if !headed {
			headed = true
			fmt.Fprintln(w, "\nDRIFT OF\tTIER\tSUITE\tTAG\tMETRIC\tLAST\tBASELINE\tOF WINDOWS\tWORSE BY\tALARM AT\tALARMS\tSTATE")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%.4g\t%.4g\t%d\t%.1f\t%.1f\t%d\t%s\n", VisibleLine(d.Model), VisibleLine(d.Tier), VisibleLine(d.Suite), dashed(d.Tag), VisibleLine(d.Metric),
			d.Value, d.Baseline, d.Windows, d.Sum, d.Threshold, d.Alarms, VisibleLine(d.State))
	}
	return w.Flush()
}
