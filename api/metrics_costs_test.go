package api

import (
	"strings"
	"testing"
)

// This file owns the test of what metrics say of costs.

func TestCostMetrics(t *testing.T) {
	h := newBench(t, letters)
	day := Payer{"m", "q4_k", "day", "batch"}
	h.Metrics.CountCosts(CostFigures{
		Spent:  func() ([]CoreSeconds, float64) { return []CoreSeconds{{day, 1.5}}, 0.25 },
		Joules: func() []Joules { return []Joules{{day, "cpu", 30}, {day, "gpu", 400}, {Payer{}, "cpu", 5}} },
		Work:   func() WorkCounts { return WorkCounts{Busy: 7, Crowded: map[string]float64{"m": 2}} },
		Cores:  func() float64 { return 1.5 },
	})
	text := string(h.do("GET", "/metrics", "").body)
	for _, want := range []string{
		`chimera_core_seconds_total{class="batch",model="m",tenant="day",tier="q4_k"} 1.5`, `chimera_core_seconds_total{class="overhead",model="",tenant="",tier=""} 0.25`,
		`chimera_joules_total{class="batch",model="m",source="cpu",tenant="day",tier="q4_k"} 30`, `chimera_joules_total{class="batch",model="m",source="gpu",tenant="day",tier="q4_k"} 400`,
		`chimera_joules_total{class="overhead",model="",source="cpu",tenant="",tier=""} 5`,
		"chimera_device_busy_seconds_total 7", `chimera_crowded_seconds_total{model="m"} 2`, "chimera_usable_cores 1.5",
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
}
