package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// This file owns the figures.

// Quantiles are of one quantity, in milliseconds.
type Quantiles struct {
	P50 float64 `json:"p50_ms"`
	P90 float64 `json:"p90_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// Report is what a load measured. TTFT runs from sending the request to the first text; ITL is the gap
// between pieces of text of one answer.
type Report struct {
	Clients         int       `json:"clients"`
	Rate            float64   `json:"rate,omitempty"`
	Completed       int       `json:"completed"`
	Failed          int       `json:"failed"`
	Seconds         float64   `json:"seconds"`
	QPS             float64   `json:"qps"`
	TokensPerSecond float64   `json:"tokens_per_second"`
	TTFT            Quantiles `json:"ttft"`
	ITL             Quantiles `json:"itl"`
	EndToEnd        Quantiles `json:"end_to_end"`
	OwnCPUShare     float64   `json:"own_cpu_share"` // cores that the generator itself used
	FirstError      string    `json:"first_error,omitempty"`
}

func report(l Load, samples []sample, wall time.Duration) *Report {
	r := &Report{Clients: l.Clients, Rate: l.Rate, Seconds: wall.Seconds()}
	var ttft, gaps, total []time.Duration
	tokens := 0
	for _, s := range samples {
		if s.err != nil {
			r.Failed++
			if r.FirstError == "" {
				r.FirstError = s.err.Error()
			}
			continue
		}
		r.Completed++
		tokens += s.tokens
		ttft, total, gaps = append(ttft, s.ttft), append(total, s.total), append(gaps, s.gaps...)
	}
	r.QPS, r.TokensPerSecond = float64(r.Completed)/r.Seconds, float64(tokens)/r.Seconds
	r.TTFT, r.ITL, r.EndToEnd = quantiles(ttft), quantiles(gaps), quantiles(total)
	return r
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
	return Quantiles{at(.5), at(.9), at(.99), at(1)}
}

// String is the report as a table.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests answered, %d failed, in %.1f s: %.2f requests/s, %.1f tokens/s\n", r.Completed, r.Failed, r.Seconds, r.QPS, r.TokensPerSecond)
	fmt.Fprintf(&b, "%-22s %9s %9s %9s %9s\n", "milliseconds", "p50", "p90", "p99", "max")
	for _, row := range []struct {
		name string
		q    Quantiles
	}{{"time to first token", r.TTFT}, {"between tokens", r.ITL}, {"end to end", r.EndToEnd}} {
		fmt.Fprintf(&b, "%-22s %9.1f %9.1f %9.1f %9.1f\n", row.name, row.q.P50, row.q.P90, row.q.P99, row.q.Max)
	}
	fmt.Fprintf(&b, "the load generator itself used %.2f cores", r.OwnCPUShare)
	if r.FirstError != "" {
		fmt.Fprintf(&b, "\nfirst error: %s", r.FirstError)
	}
	return b.String()
}
