package measure

import (
	"strings"
	"time"
)

// This file owns objectives: what the administrator wants of serving, and whether a window was it.

// Objectives are what is wanted of each model; 0 asks nothing. They are held against a window of all tenants together.
type Objectives struct {
	QPS     float64       // requests completed a second
	TTFT    time.Duration // of interactive requests, the mean
	TTFTP95 time.Duration // of interactive requests, the 95th percentile
}

// The names of objectives, as the settings have them.
const (
	QPS     = "qps"
	TTFT    = "ttft_ms"
	TTFTP95 = "ttft_p95_ms"
)

// interactive is the class that latency is promised to: nobody reads along with the others.
const interactive = "interactive"

// whole is a model's window over all tenants.
type whole struct {
	completed int64
	refused   int64
	waiting   int // requests, at its end
	ttft      sketch
}

// missed names the objectives that a window was not. Fewer requests than are wanted are a fault only where there were more that could not be
// served: some were refused, or waited when the window ended.
func (o Objectives) missed(w *whole, length time.Duration) string {
	var list []string
	if o.QPS > 0 && float64(w.completed)/length.Seconds() < o.QPS && (w.refused > 0 || w.waiting > 0) {
		list = append(list, QPS)
	}
	if o.TTFT > 0 && w.ttft.mean() > o.TTFT {
		list = append(list, TTFT)
	}
	if o.TTFTP95 > 0 && w.ttft.quantile(0.95) > o.TTFTP95 {
		list = append(list, TTFTP95)
	}
	return strings.Join(list, ",")
}
