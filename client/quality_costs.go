package client

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// This file owns what quality shows of costs, and of how far the load is from the knee.

// qualityCost is what requests of a line took.
type qualityCost struct {
	Model       string   `json:"model"`
	Tier        string   `json:"tier"`
	Tenant      string   `json:"tenant"`
	Class       string   `json:"class"`
	Prompt      int64    `json:"prompt_tokens"`
	Answer      int64    `json:"answer_tokens"`
	CoresPrice  *float64 `json:"core_seconds_per_1000_tokens"`
	EnergyPrice *float64 `json:"joules_per_1000_tokens"`
}

// qualityHeadroom is a model's; rates are requests a second.
type qualityHeadroom struct {
	Model    string     `json:"model"`
	Tier     string     `json:"tier"`
	Load     *float64   `json:"load_qps"`
	Knee     *float64   `json:"knee_qps"`
	Headroom *float64   `json:"headroom"`
	Least    *float64   `json:"headroom_busiest"`
	Minutes  int        `json:"crowded_minutes"`
	Until    *time.Time `json:"until"`
	Problem  string     `json:"problem"`
}

// printCosts writes a table of the last hour's costs, and a line for each model's headroom.
func (q Quality) printCosts(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	if len(q.Costs) > 0 {
		fmt.Fprintln(w, "\nCOST OF\tTIER\tTENANT\tCLASS\tTOKENS\tCORE S A 1000\tJOULES A 1000")
	}
	for _, c := range q.Costs {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", dashed(c.Model), dashed(c.Tier), dashed(c.Tenant), dashed(c.Class), c.Prompt+c.Answer, coefficient(c.CoresPrice), price(c.EnergyPrice))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, h := range q.Headroom {
		h.print(out)
	}
	return nil
}

// print writes a line.
func (h qualityHeadroom) print(out io.Writer) {
	fmt.Fprintf(out, "headroom of %s: ", dashed(h.Model))
	if h.Knee == nil || h.Until == nil {
		fmt.Fprintln(out, "missing:", VisibleLine(h.Problem))
		return
	}
	by := "an experiment"
	if h.Minutes > 0 {
		by = fmt.Sprintf("%d minutes with requests waiting", h.Minutes)
	}
	if h.Load != nil && h.Headroom != nil && h.Least != nil {
		fmt.Fprintf(out, "%.0f %% at %.3g requests a second, %.0f %% in the busiest minute; ", 100**h.Headroom, *h.Load, 100**h.Least)
	}
	fmt.Fprintf(out, "the knee is at %.3g, measured at tier %s by %s until %s\n", *h.Knee, dashed(h.Tier), by, h.Until.Local().Format("2006-01-02 15:04"))
}

// price is an amount, or that nobody knows it.
func price(x *float64) string {
	if x == nil {
		return "missing"
	}
	return fmt.Sprintf("%.3g", *x)
}
