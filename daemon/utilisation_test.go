package daemon

import (
	"math"
	"strings"
	"testing"
	"time"

	"chimera/api"
	"chimera/measure"
	"chimera/store"
)

// This file owns tests of costs by tier and energy, and of how busy the machine was, from requests to what clients are shown.

// The energy of the processors is laid to those whose requests were computed, by tier, and rows, answers and metrics have it.
func TestCostsHaveEnergy(t *testing.T) {
	r := newRemembering(t, nil)
	r.closeWindow(time.Now())
	machine := sockets(1000, 5_000_000)
	r.measuring.energy = newEnergyMeter(machine, noCards, time.Now(), processCPU())
	for range 20 {
		r.complete(dayKey, request())
	}
	become(machine, sockets(1000, 65_000_000)) // nobody else has computed
	first := len(r.costs())
	r.closeWindow(time.Now())
	joules := 0.0
	for _, c := range r.costs()[first:] {
		if joules += c.CPUJoules; !math.IsNaN(c.GPUJoules) || c.Tier != "source" && c.Requests+c.AnswerTokens > 0 {
			t.Errorf("%+v", c)
		}
	}
	if !(math.Abs(joules-60) <= 1e-6) {
		t.Errorf("the rows have %v J of 60", joules)
	}
	var q api.Quality
	r.must("GET", "/v1/quality", administrator, nil, &q)
	paid := q.Costs[len(q.Costs)-1]
	if paid.Model != "m" || paid.Tier != "source" || paid.Tenant != "day" || paid.PromptTokens+paid.AnswerTokens < 200 || paid.EnergyPrice == nil || !(*paid.EnergyPrice > 0) || paid.CPUJoules == nil || paid.GPUJoules != nil || !(*paid.CoresPrice > 0) {
		t.Errorf("%+v", q.Costs)
	}
	if len(q.Headroom) != 1 || q.Headroom[0].Knee != nil || !strings.Contains(q.Headroom[0].Problem, "was not measured") {
		t.Errorf("%+v", q.Headroom)
	}
	if w := q.Windows[len(q.Windows)-1]; w.DeviceBusy == nil || w.Crowded == nil || w.CoresUsed == nil || !(*w.Cores > 0) {
		t.Errorf("%+v", w)
	}
	var status struct{ Utilisation *api.Utilisation }
	r.must("GET", "/v1/status", administrator, nil, &status)
	if u := status.Utilisation; u == nil || u.CPUWatts == nil || u.GPUWatts != nil || !(*u.CoresUsed > 0) || u.Problem != "" {
		t.Errorf("%+v", u)
	}
	if r.must("GET", "/v1/status", dayKey, nil, &status); status.Utilisation != nil {
		t.Errorf("a tenant sees %+v", status.Utilisation)
	}
	_, _, text := r.do("GET", "/metrics", administrator, nil)
	for _, want := range []string{`chimera_joules_total{class="interactive",model="m",source="cpu",tenant="day",tier="source"} `, "chimera_device_busy_seconds_total ", `chimera_crowded_seconds_total{model="m"} 0`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(string(text), `source="gpu"`) {
		t.Error("joules of a graphics card that there is none of")
	}
}

// A headroom is of the last hour's minutes, and of a knee that was measured.
func TestHeadroomShown(t *testing.T) {
	r := newRemembering(t, nil)
	now := time.Now().Truncate(time.Minute)
	for i := range 6 {
		w := store.Window{From: now.Add(-time.Duration(100-i) * time.Minute), Until: now.Add(-time.Duration(99-i) * time.Minute), Model: "m", Class: "interactive", Requests: 6000, DeviceBusy: 1, DeviceShare: 1, Crowded: 0.8, Tier: api.SourceTier, KVType: r.models.config.KVType}
		if i > 2 {
			w.From, w.Until, w.Requests, w.Crowded = now.Add(-time.Duration(10-i)*time.Minute), now.Add(-time.Duration(9-i)*time.Minute), int64(600*i), 0
		}
		if err := r.history.store.AddWindow(w); err != nil {
			t.Fatal(err)
		}
	}
	var q api.Quality
	r.must("GET", "/v1/quality", administrator, nil, &q)
	h := q.Headroom[0]
	if h.Problem != "" || h.Tier != api.SourceTier || h.KVType != r.models.config.KVType || *h.Knee != 100 || *h.Load != 40 || *h.Busiest != 50 || h.Minutes != 3 || !(math.Abs(*h.Headroom-0.6) <= 1e-9) || !(math.Abs(*h.Least-0.5) <= 1e-9) || h.Until.After(now.Add(-time.Hour)) {
		t.Errorf("%+v", h)
	}
	r.models.mu.Lock()
	r.models.list[0].tier = "q8_0"
	r.models.mu.Unlock()
	var moved api.Quality
	r.must("GET", "/v1/quality", administrator, nil, &moved)
	if h := moved.Headroom[0]; h.Knee != nil || h.Tier != "q8_0" || !strings.Contains(h.Problem, "not measured at tier q8_0") {
		t.Errorf("at another tier than that of the minutes: %+v", h)
	}
}

// Time of steps that left requests waiting is counted on when the model has gone, and so is what tiers beside it took.
func TestWorkedOutlivesTheModel(t *testing.T) {
	r := newRemembering(t, nil)
	r.complete(dayKey, request())
	before := r.models.worked(r.models.spent())
	if err := r.models.Unload(t.Context(), "m"); err != nil {
		t.Fatal(err)
	}
	r.models.mu.Lock()
	r.models.list[0].pastCrowded += time.Second
	r.models.mu.Unlock()
	r.complete(dayKey, request())
	after := r.models.worked(r.models.spent())
	if m := after.Models["m"]; m.Device < before.Models["m"].Device || before.Models["m"].Device <= 0 || m.Crowded < time.Second || after.Device < before.Device || after.CPU < before.CPU {
		t.Errorf("%+v, then %+v", before, after)
	}
}

// A request that is refused before it is looked at counts for the model that it names.
func TestRefusedCountsForItsModel(t *testing.T) {
	r := newRemembering(t, nil)
	r.models.mu.Lock()
	r.models.closed = true
	r.models.mu.Unlock()
	if status, _, text := r.do("POST", "/v1/completions", dayKey, request()); status != 503 {
		t.Fatalf("%d %s", status, text)
	}
	var rows []store.Window
	for until := time.Now().Add(time.Minute); len(rows) == 0 && time.Now().Before(until); time.Sleep(time.Millisecond) { // it is told when the answer is written
		rows, _ = r.measuring.windows.Close(time.Now(), measure.Objectives{}, measure.Load{}, func(string) int { return 0 }, func(string) store.Tenant { return store.Tenant{} })
	}
	if len(rows) != 1 || rows[0].Model != "m" || rows[0].Refused != 1 {
		t.Errorf("%+v", rows)
	}
}
