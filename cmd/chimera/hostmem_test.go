package main

import (
	"math"
	"strings"
	"testing"
)

// The log at start and the metrics say the same of the memory, and a limit on locking is told once,
// with what to set.
func TestHostMemoryIsTold(t *testing.T) {
	d := startDaemon(t, "--model", fixture(t, "llama"))
	bytes := func(kind, purpose string) float64 {
		return metric(t, d.http, `chimera_host_memory_bytes{kind="`+kind+`",purpose="`+purpose+`"}`)
	}
	mapped, fallback := map[string]float64{}, bytes("fallback", "weights")
	for _, purpose := range []string{"weights", "kv", "activations"} {
		mapped[purpose] = bytes("mapped", purpose)
	}
	if locked := bytes("locked", "weights"); locked+fallback != mapped["weights"] {
		t.Errorf("weights: %v bytes, of these %v locked, %v not", mapped["weights"], locked, fallback)
	}
	times := metric(t, d.http, `chimera_host_memory_fallbacks_total{purpose="weights"}`)
	d.stop(t)
	for purpose, n := range mapped {
		if printed := printedMiB(t, d.log.String(), purpose); n <= 0 || math.Abs(printed-n/(1<<20)) > 0.051 {
			t.Errorf("%s: %v bytes in the metrics, %v MiB in the log", purpose, n, printed)
		}
	}
	if warned := strings.Count(d.log.String(), "LimitMEMLOCK="); (fallback > 0) != (warned == 1) || float64(warned) != times {
		t.Errorf("%v bytes are pageable, %v times, warned %d times:\n%s", fallback, times, warned, d.log.String())
	}
}
