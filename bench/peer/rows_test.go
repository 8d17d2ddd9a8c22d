package main

import (
	"strings"
	"testing"

	"chimera/bench"
)

// This file owns the test of what is told of an overload.

// Goodput is of answers that began in time, and each request is in one share.
func TestOfOverload(t *testing.T) {
	peak := &bench.Report{Completed: 40, Good: 40, Seconds: 4, QPS: 10}
	r := &bench.Report{Completed: 180, Good: 150, Failed: 820, Seconds: 20, QPS: 9, Codes: map[string]int{
		"overloaded": 500, "deadline_too_short": 100, "queue_full": 150, "deadline_exceeded": 50, "internal_error": 15}}
	f, err := ofOverload(r, peak)
	if err != nil {
		t.Fatal(err)
	}
	got, shares := map[string]float64{}, 0.0
	for _, x := range f {
		if got[x.name] = x.value; strings.Contains(x.name, "(%") {
			shares += x.value
		}
	}
	for name, want := range map[string]float64{
		"goodput of peak": 0.75, "answers of peak": 0.9, "in time (% of requests)": 15, "answered late (%)": 3, "refused at once, would be late (%)": 60,
		"refused at once, queue full (%)": 15, "sent away from the queue (%)": 5, "failed otherwise (%)": 2,
	} {
		if value, there := got[name]; !there || value < want-1e-9 || value > want+1e-9 {
			t.Errorf("%s: %g, want %g", name, value, want)
		}
	}
	if shares < 100-1e-9 || shares > 100+1e-9 {
		t.Errorf("the shares are %g%% together", shares)
	}
	if _, err := ofOverload(r, &bench.Report{Completed: 4}); err == nil {
		t.Error("a peak without a good answer is one")
	}
}
