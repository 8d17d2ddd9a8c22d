package client

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// This file owns what quality shows: the last minutes of serving, and how ratings go with what was measured.

// Quality is an answer of GET /v1/quality.
type Quality struct {
	Windows []struct {
		Until     time.Time `json:"until"`
		Model     string    `json:"model"`
		Tenant    string    `json:"tenant"`
		Class     string    `json:"class"`
		Requests  int64     `json:"requests"`
		Refused   int64     `json:"refused"`
		Failed    int64     `json:"failed"`
		Cancelled int64     `json:"cancelled"`
		QPS       float64   `json:"qps"`
		Tokens    int64     `json:"answer_tokens"`
		TTFT      latency   `json:"ttft_ms"`
		ITL       latency   `json:"itl_ms"`
		Queue     latency   `json:"queue_ms"`
		Missed    []string  `json:"missed"`
	} `json:"windows"`
	Costs        []qualityCost     `json:"costs"`
	Headroom     []qualityHeadroom `json:"headroom"`
	Escalation   []escalation      `json:"escalation"`
	Ratings      int               `json:"ratings"`
	Correlations []struct {
		Measure      string   `json:"measure"`
		N            int      `json:"n"`
		Pearson      *float64 `json:"pearson"`
		PearsonLow   *float64 `json:"pearson_low"`
		PearsonHigh  *float64 `json:"pearson_high"`
		Spearman     *float64 `json:"spearman"`
		SpearmanLow  *float64 `json:"spearman_low"`
		SpearmanHigh *float64 `json:"spearman_high"`
		Kendall      *float64 `json:"kendall_tau_b"`
		KendallLow   *float64 `json:"kendall_tau_b_low"`
		KendallHigh  *float64 `json:"kendall_tau_b_high"`
		Problem      string   `json:"problem"`
	} `json:"correlations"`
	Control []QualityControl `json:"control"`
	Drift   []drift          `json:"drift"`
	Alarms  []struct {
		Time     time.Time `json:"time"`
		Model    string    `json:"model"`
		Series   string    `json:"series"`
		Detector string    `json:"detector"`
	} `json:"alarms"`
	Coverage []struct {
		Model    string `json:"model"`
		Requests int    `json:"requests"`
		Items    int    `json:"items"`
		Parts    []struct {
			Dimension string  `json:"dimension"`
			Value     string  `json:"value"`
			Share     float64 `json:"share"`
			Low       float64 `json:"low"`
			High      float64 `json:"high"`
			Items     int     `json:"items"`
			Uncovered bool    `json:"uncovered"`
		} `json:"parts"`
	} `json:"coverage"`
}

// drift is how a series of scores stands.
type drift struct {
	Model     string  `json:"model"`
	Suite     string  `json:"suite"`
	Metric    string  `json:"metric"`
	Tag       string  `json:"tag"`
	Tier      string  `json:"tier"`
	State     string  `json:"state"`
	Value     float64 `json:"value"`
	Baseline  float64 `json:"baseline"`
	Windows   int     `json:"windows"`
	Sum       float64 `json:"sum"`
	Threshold float64 `json:"threshold"`
	Alarms    int     `json:"alarms"`
}

// QualityControl is how a model's answers go with the control's.
type QualityControl struct {
	Model    string  `json:"model"`
	Share    float64 `json:"share"`
	Requests []struct {
		Tag     string `json:"tag"`
		Drawn   int64  `json:"drawn"`
		Scored  int64  `json:"scored"`
		Waiting int64  `json:"waiting"`
		Lost    int64  `json:"lost"`
	} `json:"requests"`
	Window   *estimates `json:"window"`
	Last     *estimates `json:"last_window"`
	Canaries *struct {
		Time    time.Time `json:"time"`
		Tier    string    `json:"tier"`
		Asked   int       `json:"asked"`
		Changed int       `json:"changed"`
		Cached  int       `json:"cached_tokens"`
		ByCache int       `json:"changed_by_cache"`
	} `json:"canaries"`
	NextSuite *time.Time `json:"next_suite"`
}

// estimates are what a window says.
type estimates struct {
	Until    *time.Time `json:"until"`
	Requests int        `json:"requests"`
	Metrics  []struct {
		Metric string  `json:"metric"`
		Tag    string  `json:"tag"`
		Value  float64 `json:"value"`
		Low    float64 `json:"low"`
		High   float64 `json:"high"`
		N      int     `json:"n"`
	} `json:"metrics"`
}

// escalation is how a model's answers are escalated; thresholds are log-probabilities in nats.
type escalation struct {
	Model           string           `json:"model"`
	Tier            string           `json:"tier"`
	Budget          float64          `json:"budget"`
	Tokens          int64            `json:"tokens"`
	Extra           int64            `json:"extra_tokens"`
	Threshold       *float64         `json:"threshold"`
	StreamThreshold *float64         `json:"stream_threshold"`
	Escalated       int64            `json:"escalated"`
	FellBack        map[string]int64 `json:"fallen_back"`
	Control         bool             `json:"control"`
	Problem         string           `json:"problem"`
}

// latency is in milliseconds.
type latency struct {
	Mean float64 `json:"mean"`
	P95  float64 `json:"p95"`
}

// Quality asks the daemon and returns its answer byte for byte.
func (c *Client) Quality(ctx context.Context) ([]byte, error) {
	return fetch(ctx, c, "/v1/quality", ParseQuality)
}

// ParseQuality reads an answer of GET /v1/quality.
func ParseQuality(text []byte) (Quality, error) {
	return parseAnswer[Quality](text, "windows", '[')
}

// Print writes a table of the windows, the oldest first, one of the correlations, and what is known of the control group.
func (q Quality) Print(out io.Writer) error {
	if len(q.Windows) == 0 {
		fmt.Fprintln(out, "no window of the last hour: a minute is shown when it is over, and had a request")
	} else if err := q.printWindows(out); err != nil {
		return err
	}
	if err := q.printCosts(out); err != nil {
		return err
	}
	if err := q.printEscalation(out); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d ratings of the last 30 days\n", q.Ratings)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "RATING AND\tN\tPEARSON\tSPEARMAN\tKENDALL\t")
	for _, c := range q.Correlations {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", VisibleLine(c.Measure), c.N, within(c.Pearson, c.PearsonLow, c.PearsonHigh), within(c.Spearman, c.SpearmanLow, c.SpearmanHigh),
			within(c.Kendall, c.KendallLow, c.KendallHigh), VisibleLine(c.Problem))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, c := range q.Control {
		if err := c.print(out); err != nil {
			return err
		}
	}
	return q.printWatched(out)
}

// print writes what a model's control group is, and what it says.
func (c QualityControl) print(out io.Writer) error {
	fmt.Fprintf(out, "\ncontrol group of %s: %.3g%% of requests\n", dashed(c.Model), 100*c.Share)
	if len(c.Requests) > 0 {
		w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "TAG\tDRAWN\tSCORED\tWAITING\tLOST")
		for _, n := range c.Requests {
			tag := VisibleLine(n.Tag)
			if tag == "" {
				tag = "all"
			}
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", tag, n.Drawn, n.Scored, n.Waiting, n.Lost)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	c.Last.print(out, "last window")
	c.Window.print(out, "window under way")
	if k := c.Canaries; k != nil {
		fmt.Fprintf(out, "canaries of %s: %d asked at tier %s, %d changed; again with %d tokens of the prefix cache, %d changed\n",
			k.Time.Local().Format("15:04:05"), k.Asked, VisibleLine(k.Tier), k.Changed, k.Cached, k.ByCache)
	}
	if c.NextSuite != nil {
		fmt.Fprintf(out, "suites are asked next at %s\n", c.NextSuite.Local().Format("15:04:05"))
	}
	return nil
}

// print writes what a window says of all traffic, if there is one: of its parts the answer's JSON tells.
func (e *estimates) print(out io.Writer, name string) {
	if e == nil {
		return
	}
	fmt.Fprintf(out, "%s, %d requests scored", name, e.Requests)
	for _, m := range e.Metrics {
		if m.Tag == "" {
			fmt.Fprintf(out, "; %s %.4g (%.4g to %.4g)", VisibleLine(m.Metric), m.Value, m.Low, m.High)
		}
	}
	fmt.Fprintln(out)
}

func (q Quality) printWindows(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "UNTIL\tMODEL\tTENANT\tCLASS\tDONE\tREFUSED\tFAILED\tCANCELLED\tQPS\tTOKENS\tTTFT MS\tP95\tITL MS\tP95\tQUEUE MS\tMISSED")
	for _, m := range q.Windows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%.2f\t%d\t%.0f\t%.0f\t%.1f\t%.1f\t%.0f\t%s\n", m.Until.Local().Format("15:04:05"), dashed(m.Model), dashed(m.Tenant),
			VisibleLine(m.Class), m.Requests, m.Refused, m.Failed, m.Cancelled, m.QPS, m.Tokens, m.TTFT.Mean, m.TTFT.P95, m.ITL.Mean, m.ITL.P95, m.Queue.Mean, dashed(strings.Join(m.Missed, " ")))
	}
	return w.Flush()
}

// printEscalation writes a table of the models that were answered for below their source; there need be none.
func (q Quality) printEscalation(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	headed := false
	for _, e := range q.Escalation {
		if e.Tokens == 0 {
			continue
		}
		if !headed {
			headed = true
			fmt.Fprintln(w, "\nESCALATED OF\tTIER\tBUDGET\tSPENT\tBELOW\tSTREAMS\tESCALATED\tFALLEN BACK\tCONTROL\t")
		}
		control := "-"
		if e.Control {
			control = "loaded"
		}
		fmt.Fprintf(w, "%s\t%s\t%.2f %%\t%.2f %%\t%s\t%s\t%d\t%s\t%s\t%s\n", VisibleLine(e.Model), dashed(e.Tier), 100*e.Budget, 100*float64(e.Extra)/float64(e.Tokens),
			coefficient(e.Threshold), coefficient(e.StreamThreshold), e.Escalated, fallen(e.FellBack), control, VisibleLine(e.Problem))
	}
	return w.Flush()
}

// fallen is why answers were given as they were, by reason; those that never came up are left out.
func fallen(reasons map[string]int64) string {
	var list []string
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		if reasons[reason] > 0 {
			list = append(list, fmt.Sprintf("%d %s", reasons[reason], reason))
		}
	}
	return dashed(strings.Join(list, ", "))
}

// dashed is a name, or a dash for none.
func dashed(name string) string {
	if name == "" {
		return "-"
	}
	return VisibleLine(name)
}

// within is a coefficient with its interval, if there is one.
func within(r, low, high *float64) string {
	if r == nil || low == nil || high == nil {
		return coefficient(r)
	}
	return fmt.Sprintf("%.3f (%.3f to %.3f)", *r, *low, *high)
}

func coefficient(r *float64) string {
	if r == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f", *r)
}
