package bench

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"chimera/client"
)

// This file owns the figures.

// Quantiles are of one quantity, in milliseconds.
type Quantiles struct {
	P50 float64 `json:"p50_ms"`
	P95 float64 `json:"p95_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// Report is what a load measured. TTFT runs from sending the request to the first text; ITL is the gap
// between pieces of text of one answer. Requests of the warm-up are in none of it.
type Report struct {
	Clients         int            `json:"clients"`
	Rate            float64        `json:"rate,omitempty"`
	Completed       int            `json:"completed"`
	Good            int            `json:"good,omitempty"` // of those completed, with a first token within Load.Within
	Failed          int            `json:"failed"`
	Errors          map[string]int `json:"errors,omitempty"`      // failures by HTTP status; broken: without an answer, or within it
	Codes           map[string]int `json:"error_codes,omitempty"` // the same by the code that the server gave, where it gave one
	Seconds         float64        `json:"seconds"`
	QPS             float64        `json:"qps"`
	TokensPerSecond float64        `json:"tokens_per_second"`
	PromptTokens    float64        `json:"prompt_tokens"` // of a prompt, mean, by the server's count
	TTFT            Quantiles      `json:"ttft"`
	ITL             Quantiles      `json:"itl"`
	EndToEnd        Quantiles      `json:"end_to_end"`
	Little          Little         `json:"littles_law"`
	OwnCPUShare     float64        `json:"own_cpu_share"` // of all cores, what the generator itself used
	FirstError      string         `json:"first_error,omitempty"`
}

// Little sets the mean number of requests under way, as it was counted, beside their rate times their mean time: in a load
// that is steady they are the same.
type Little struct {
	InFlight      float64 `json:"in_flight"`
	RateByLatency float64 `json:"rate_times_latency"`
	Apart         float64 `json:"apart"` // as a share of InFlight
}

// littleTolerance is how far the two may be apart: the requests at the ends of the window are counted by halves.
const littleTolerance = .02

// Holds tells whether the figures are those of a steady load.
func (l Little) Holds() bool { return l.Apart <= littleTolerance }

func report(l Load, w *window) *Report {
	r := &Report{Clients: l.Clients, Rate: l.Rate, Seconds: w.length(), Errors: map[string]int{}, Codes: map[string]int{}}
	var ttft, gaps, total []time.Duration
	var tokens, promptTokens int
	var latency time.Duration
	for _, s := range w.samples {
		latency += s.total
		if s.err != nil {
			r.fail(s.err)
			continue
		}
		r.Completed++
		if l.Within > 0 && s.ttft <= l.Within {
			r.Good++
		}
		tokens, promptTokens = tokens+s.tokens, promptTokens+s.promptTokens
		ttft, total, gaps = append(ttft, s.ttft), append(total, s.total), append(gaps, s.gaps...)
	}
	r.QPS, r.TokensPerSecond = ratio(float64(r.Completed), r.Seconds), ratio(float64(tokens), r.Seconds)
	r.PromptTokens = ratio(float64(promptTokens), float64(r.Completed))
	r.TTFT, r.ITL, r.EndToEnd = quantiles(ttft), quantiles(gaps), quantiles(total)
	r.Little = little(w.busy.Seconds(), latency.Seconds(), r.Seconds)
	r.OwnCPUShare = ratio(w.used.Seconds(), r.Seconds*float64(runtime.NumCPU()))
	return r
}

// ratio of nothing to nothing is nothing.
func ratio(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return a / b
}

// little takes requests under way and latencies, both summed in seconds, over a window.
func little(busy, latencies, window float64) Little {
	l := Little{InFlight: ratio(busy, window), RateByLatency: ratio(latencies, window)}
	l.Apart = ratio(math.Abs(l.InFlight-l.RateByLatency), l.InFlight)
	return l
}

func (r *Report) fail(err error) {
	kind := "broken"
	var status *client.StatusError
	if errors.As(err, &status) {
		kind = strconv.Itoa(status.Status)
		if status.Code != "" {
			r.Codes[status.Code]++
		}
	}
	r.Failed++
	r.Errors[kind]++
	if r.FirstError == "" {
		r.FirstError = err.Error()
	}
}

// quantiles by nearest rank: the smallest value that at least the share p does not exceed.
func quantiles(d []time.Duration) (q Quantiles) {
	if len(d) == 0 {
		return q
	}
	slices.Sort(d)
	at := func(p float64) float64 {
		i := max(int(math.Ceil(p*float64(len(d))))-1, 0)
		return float64(d[i].Microseconds()) / 1000
	}
	return Quantiles{at(.5), at(.95), at(.99), at(1)}
}

// String is the report as a table.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests answered, %d failed, in %.1f s: %.2f requests/s, %.1f tokens/s\n", r.Completed, r.Failed, r.Seconds, r.QPS, r.TokensPerSecond)
	fmt.Fprintf(&b, "%-22s %9s %9s %9s %9s\n", "milliseconds", "p50", "p95", "p99", "max")
	for _, row := range []struct {
		name string
		q    Quantiles
	}{{"time to first token", r.TTFT}, {"between tokens", r.ITL}, {"end to end", r.EndToEnd}} {
		fmt.Fprintf(&b, "%-22s %9.1f %9.1f %9.1f %9.1f\n", row.name, row.q.P50, row.q.P95, row.q.P99, row.q.Max)
	}
	fmt.Fprintf(&b, "under way %.2f, rate x mean time %.2f", r.Little.InFlight, r.Little.RateByLatency)
	if !r.Little.Holds() {
		fmt.Fprintf(&b, ": %.0f%% apart, so this load was not steady; send more --requests", 100*r.Little.Apart)
	}
	fmt.Fprintf(&b, "\nthe load generator itself used %.1f%% of the machine's cores", 100*r.OwnCPUShare)
	for _, kind := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(&b, "\nfailed with %s: %d", kind, r.Errors[kind])
	}
	if r.FirstError != "" {
		fmt.Fprintf(&b, "\nfirst error: %s", r.FirstError)
	}
	return b.String()
}
