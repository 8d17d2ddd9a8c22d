package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"chimera/api"
	"chimera/config"
	"chimera/engine/enginetest"
	"chimera/loader"
	"chimera/store"
)

// This file owns tests of tiers that change while a model is served: what answers, what is written down, what is refused.

// tiersOf is the first model's entry of GET /v1/tiers.
func (r *remembering) tiersOf() api.ModelTiers {
	r.t.Helper()
	var a struct{ Models []api.ModelTiers }
	r.must("GET", "/v1/tiers", "", nil, &a)
	return a.Models[0]
}

// set has the first model served at a tier, and returns the answer's status and text.
func (r *remembering) set(tier string, more ...string) (status int, text string) {
	r.t.Helper()
	body := map[string]string{"tier": tier}
	for i := 0; i < len(more); i += 2 {
		body[more[i]] = more[i+1]
	}
	status, _, raw := r.do("POST", "/v1/tiers", administrator, body)
	return status, string(raw)
}

// decisions are all of the history.
func (r *remembering) decisions() (list []store.Decision) {
	r.t.Helper()
	for d, err := range r.history.store.Decisions(context.Background(), store.Span{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		list = append(list, d)
	}
	return list
}

// onTheCPU computes what it answers.
func onTheCPU(t *testing.T) func(config.Config) loader.Backend {
	return func(c config.Config) loader.Backend {
		backend, err := loader.OptionsOf(&c).OpenCPU()
		if err != nil {
			t.Fatal(err)
		}
		return backend
	}
}

// said is all of an answer that weights decide: texts and log-probabilities.
func (r *remembering) said(prompt int) (tier, fingerprint, choices string, err error) {
	status, header, text := r.do("POST", "/v1/completions", "", map[string]any{
		"prompt": []int{1, 1 + prompt%3, 1 + prompt/3}, "max_tokens": 24, "ignore_eos": true, "seed": 7, "temperature": 0.8, "logprobs": 1,
	})
	var a struct {
		Fingerprint string `json:"system_fingerprint"`
		Choices     any    `json:"choices"`
	}
	if status != 200 {
		return "", "", "", fmt.Errorf("%d %s", status, text)
	}
	err = json.Unmarshal(text, &a)
	return header.Get("X-Chimera-Tier"), a.Fingerprint, fmt.Sprint(a.Choices), err
}

// Clients ask all the time while the tier changes ten times: every answer comes, whole, and is the one of the tier that it names loaded
// alone.
func TestTiersUnderLoad(t *testing.T) {
	const prompts, clients = 5, 6
	cpu := func(c *config.Config) { c.Device, c.Threads, c.Model[0].Name = "cpu", 2, "m" }
	tiers := []string{"q4_k", "source", "q8_0", "q2_k", "q4_k", "q2_k", "source", "q4_k", "q8_0", "source"}
	want, names := map[string]string{}, map[string]string{} // by fingerprint
	for _, tier := range []string{"source", "q8_0", "q4_k", "q2_k"} {
		alone := newRememberingOn(t, onTheCPU(t), func(c *config.Config) { cpu(c); c.Tiers.Start = tier })
		for prompt := range prompts {
			at, fingerprint, choices, err := alone.said(prompt)
			if err != nil || at != tier || names[fingerprint] != "" && names[fingerprint] != tier {
				t.Fatalf("%s alone: %v, it names %s, %s of %q", tier, err, at, fingerprint, names)
			}
			names[fingerprint], want[fmt.Sprint(fingerprint, prompt)] = tier, choices
		}
	}
	r := newRememberingOn(t, onTheCPU(t), cpu)
	var over atomic.Bool
	var asked, failed atomic.Int64
	var mu sync.Mutex
	seen := map[string]int{}
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() {
			for i := client; !over.Load(); i++ {
				tier, fingerprint, choices, err := r.said(i % prompts)
				asked.Add(1)
				if err != nil || names[fingerprint] != tier || want[fmt.Sprint(fingerprint, i%prompts)] != choices {
					failed.Add(1)
					t.Errorf("%v: at %s, which is %s, %.200s", err, tier, names[fingerprint], choices)
				}
				mu.Lock()
				seen[tier]++
				mu.Unlock()
			}
		})
	}
	for n, tier := range tiers {
		if status, text := r.set(tier); status != 200 {
			t.Errorf("to %s: %d %s", tier, status, text)
		}
		if now := r.tiersOf(); now.Tier != tier || now.Generation != uint64(n+2) || now.Mode != "manual" {
			t.Errorf("asked for %s: %+v", tier, now)
		}
		if at, _, _, err := r.said(0); at != tier || err != nil { // which began behind the swap
			t.Errorf("asked for %s: an answer at %s, %v", tier, at, err)
		}
	}
	over.Store(true)
	group.Wait()
	if t.Logf("%d answers, by tier %v", asked.Load(), seen); failed.Load() > 0 || len(seen) != 4 {
		t.Errorf("%d of %d answers failed; of tiers %v", failed.Load(), asked.Load(), seen)
	}
	all := r.decisions()
	for i, d := range all {
		if d.State != store.Applied || d.To != tiers[i] || d.Model != "m" || d.Settled.Before(d.Time) || i > 0 && d.From != tiers[i-1] {
			t.Errorf("decision %d: %+v", i, d)
		}
	}
	if events := r.tiersOf().Events; len(all) != len(tiers) || len(events) != len(tiers) || events[0].State != "applied" || events[0].From != "source" {
		t.Errorf("%d decisions, events %+v", len(all), events)
	}
	up := r.models.list[0].up
	for end := time.Now().Add(10 * time.Second); up.generations.older() > 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	if left := up.generations.older(); left != 0 {
		t.Errorf("generations that nobody uses take %d bytes", left)
	}
}

// The tier is in the answer's head, whole or streamed, in its receipt, the status and the metrics; and another tier is another numerics id.
func TestTierIsTold(t *testing.T) {
	r := newRemembering(t, nil)
	before := r.complete(dayKey, request())
	if status, text := r.set("q4_k"); status != 200 || !strings.Contains(text, `"tier":"q4_k"`) {
		t.Fatalf("%d %s", status, text)
	}
	after := r.complete(dayKey, request())
	if before.Fingerprint == after.Fingerprint {
		t.Error("two tiers are one numerics id")
	}
	if first, second := r.receipt(dayKey, before.ID), r.receipt(dayKey, after.ID); first.Tier != "source" || second.Tier != "q4_k" || second.Numerics != after.Fingerprint {
		t.Errorf("receipts of %q and %q", first.Tier, second.Tier)
	}
	for _, stream := range []bool{false, true} {
		if _, header, _ := r.do("POST", "/v1/completions", dayKey, request("stream", stream)); header.Get("X-Chimera-Tier") != "q4_k" || header.Get("X-Chimera-Numerics") != after.Fingerprint {
			t.Errorf("stream %t: %v", stream, header)
		}
	}
	if _, _, text := r.do("GET", "/v1/status", "", nil); !strings.Contains(string(text), `"tier":"q4_k"`) {
		t.Errorf("%s", text)
	}
	if _, _, text := r.do("GET", "/metrics", "", nil); !strings.Contains(string(text), `chimera_tier{model="m",tier="q4_k"} 1`) || strings.Contains(string(text), `chimera_tier{model="m",tier="source"}`) {
		t.Error("the metric does not say the tier, or says another")
	}
}

// A tier stays through unloading and loading, is chosen of what is not loaded, and is given back when its time is over.
func TestTierStays(t *testing.T) {
	r := newRemembering(t, nil)
	tier := func() string {
		_, header, _ := r.do("POST", "/v1/completions", "", request())
		return header.Get("X-Chimera-Tier")
	}
	r.set("q4_k")
	r.must("POST", "/v1/models/m/unload", administrator, nil, nil)
	if now := r.tiersOf(); now.Tier != "q4_k" || now.Generation != 0 {
		t.Errorf("unloaded: %+v", now)
	}
	if got := tier(); got != "q4_k" {
		t.Errorf("loaded again it is at %s", got)
	}
	r.must("POST", "/v1/models/m/unload", administrator, nil, nil)
	if status, text := r.set("q8_0"); status != 200 || tier() != "q8_0" {
		t.Errorf("chosen while it was not loaded: %d %s, then %s", status, text, tier())
	}
	if status, text := r.set("auto"); status != 200 || tier() != "source" || r.tiersOf().Mode != "fixed" {
		t.Errorf("auto: %d %s", status, text)
	}
	r.set("q4_k", "for", "1s")
	if now := r.tiersOf(); now.Mode != "manual" || now.Until == nil || tier() != "q4_k" {
		t.Errorf("for a second: %+v", now)
	}
	for end := time.Now().Add(10 * time.Second); r.tiersOf().Mode == "manual" && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
	}
	if now := r.tiersOf(); now.Tier != "source" || now.Mode != "fixed" || now.Until != nil || tier() != "source" {
		t.Errorf("its time is over: %+v", now)
	}
	all := r.decisions()
	if last := all[len(all)-1]; len(all) != 5 || !strings.Contains(last.Reason, "time is over") || last.State != store.Applied {
		t.Errorf("%d decisions, the last %+v", len(all), last)
	}
	before := len(all)
	if r.set("source"); len(r.decisions()) != before || r.tiersOf().Mode != "manual" {
		t.Error("the tier that serves was a decision, or no choice")
	}
}

// What can't be made leaves the tier that serves, and is written down as reverted.
func TestTierFails(t *testing.T) {
	d := newFakeDevice()
	d.bytes["m"], d.memory = 6, 20
	r := newRememberingOn(t, func(config.Config) loader.Backend { return d }, nil)
	r.models.promised = func() int64 { return 0 }
	serves := func(want string) {
		t.Helper()
		if _, header, text := r.do("POST", "/v1/completions", "", request()); header.Get("X-Chimera-Tier") != want || r.tiersOf().Tier != want {
			t.Errorf("at %s, not %s: %s", header.Get("X-Chimera-Tier"), want, text)
		}
	}
	d.replace = func(string) error { return errors.New("tensor x: blocks reach 1") }
	if status, text := r.set("q4_k"); status != 500 || !strings.Contains(text, "blocks reach 1") || !strings.Contains(text, "serves on") {
		t.Errorf("%d %s", status, text)
	}
	serves("source")
	d.mu.Lock()
	d.memory = 11 // of which the model has 6
	d.mu.Unlock()
	r.models.promised = func() int64 { return 6 } // so that it would not fit alone either
	if status, text := r.set("q4_k"); status != 503 || !strings.Contains(text, "no_room") || !strings.Contains(text, "nor would there be without the one that serves") {
		t.Errorf("%d %s", status, text)
	}
	serves("source")
	last := r.tiersOf().Events[1]
	if all := r.decisions(); len(all) != 2 || all[0].State != store.Reverted || all[1].State != store.Reverted || last.State != "reverted" || !strings.Contains(last.Problem, "no room") {
		t.Errorf("%+v, told %+v", all, last)
	}
}

// A tier whose answers are no numbers is found before a swap is done with, and the one before is made again.
func TestTierThatComputesNothing(t *testing.T) {
	d := newFakeDevice()
	var spoilt atomic.Bool
	made := 0
	d.replace = func(string) error { made++; spoilt.Store(made == 1); return nil }
	d.tune = func(in *enginetest.Instance) { in.Spoil = func(int32, int) bool { return spoilt.Load() } }
	r := newRememberingOn(t, func(config.Config) loader.Backend { return d }, nil)
	if status, text := r.set("q4_k"); status != 500 || !strings.Contains(text, "tier_failed") {
		t.Errorf("%d %s", status, text)
	}
	if _, header, text := r.do("POST", "/v1/completions", "", request()); header.Get("X-Chimera-Tier") != "source" || made != 2 {
		t.Errorf("at %s, %d made: %s", header.Get("X-Chimera-Tier"), made, text)
	}
	if now := r.tiersOf(); now.Tier != "source" || now.Generation != 3 || now.Events[0].State != "reverted" {
		t.Errorf("%+v", now)
	}
}

// A model has one swap at a time; its unloading ends it.
func TestTierInChange(t *testing.T) {
	d := newFakeDevice()
	began, proceed := make(chan struct{}), make(chan struct{})
	d.replace = func(string) error { close(began); <-proceed; return nil }
	r := newRememberingOn(t, func(config.Config) loader.Backend { return d }, nil)
	outcome := make(chan string, 1)
	go func() {
		status, text := r.set("q4_k")
		outcome <- fmt.Sprint(status, " ", text)
	}()
	<-began
	if status, text := r.set("q8_0"); status != 409 || !strings.Contains(text, "tier_in_change") || !strings.Contains(text, "q4_k") {
		t.Errorf("a second: %d %s", status, text)
	}
	if now := r.tiersOf(); now.Tier != "source" || now.Swapping != "q4_k" {
		t.Errorf("meanwhile: %+v", now)
	}
	if a := r.complete("", request()); len(a.Choices) != 1 {
		t.Errorf("meanwhile: %+v", a)
	}
	unloaded := make(chan int, 1)
	go func() {
		status, _, _ := r.do("POST", "/v1/models/m/unload", administrator, nil)
		unloaded <- status
	}()
	for r.models.state("m").State != api.StateDraining {
		time.Sleep(time.Millisecond)
	}
	close(proceed)
	if got := <-outcome; !strings.Contains(got, "model_unloaded") {
		t.Errorf("the first: %s", got)
	}
	if status := <-unloaded; status != 200 || r.models.state("m").State != api.StateConfigured || r.tiersOf().Tier != "source" {
		t.Errorf("unloaded: %d, %+v", status, r.tiersOf())
	}
	if all := r.decisions(); len(all) != 1 || all[0].State != store.Reverted {
		t.Errorf("%+v", all)
	}
}

// Who may not is refused, and so is what can't be meant.
func TestTierRefuses(t *testing.T) {
	r := newRemembering(t, nil)
	for _, c := range []struct {
		key    string
		body   map[string]any
		status int
		want   string
	}{
		{dayKey, map[string]any{"tier": "q4_k"}, 403, "not_permitted"}, {"", map[string]any{"tier": "q4_k"}, 403, "not_permitted"},
		{administrator, map[string]any{}, 400, "tier: it is missing"}, {administrator, map[string]any{"tier": "q1_k"}, 400, "choose source, f16, q8_0"},
		{administrator, map[string]any{"tier": "q4_k", "model": "other"}, 404, "model_not_found"}, {administrator, map[string]any{"tier": "q4_k", "until": "x"}, 400, "until: there is no such field"},
		{administrator, map[string]any{"tier": "q4_k", "for": "soon"}, 400, "for: "}, {administrator, map[string]any{"tier": "q4_k", "for": "1ms"}, 400, "for: "},
		{administrator, map[string]any{"tier": "q4_k", "for": "9000h"}, 400, "for: "}, {administrator, map[string]any{"tier": "auto", "for": "1h"}, 400, "for: "},
		{administrator, map[string]any{"tier": 4}, 400, "tier"},
	} {
		if status, _, text := r.do("POST", "/v1/tiers", c.key, c.body); status != c.status || !strings.Contains(string(text), c.want) {
			t.Errorf("%v of %q: %d %s", c.body, c.key, status, text)
		}
	}
	if now := r.tiersOf(); now.Tier != "source" || len(now.Events) != 0 || len(now.Ladder) != 8 || now.Ladder[0].Tier != "source" || now.Ladder[7].Tier != "q2_k" || now.Ladder[0].State != "unmeasured" {
		t.Errorf("%+v", now)
	}
	if status, header, _ := r.do("PUT", "/v1/tiers", administrator, nil); status != http.StatusMethodNotAllowed || header.Get("Allow") != "GET, HEAD, POST, DELETE" {
		t.Errorf("PUT: %d %v", status, header)
	}
	for _, c := range []struct {
		key    string
		body   map[string]any
		status int
		want   string
	}{
		{dayKey, map[string]any{"all": true}, 403, "not_permitted"}, {administrator, map[string]any{}, 400, "tier: it is missing"}, {administrator, map[string]any{"tier": "q1_k"}, 400, "choose source"},
		{administrator, map[string]any{"tier": "q4_k", "model": "other"}, 404, "model_not_found"}, {administrator, map[string]any{"tier": "q4_k", "all": true}, 400, "all: "},
		{administrator, map[string]any{"tier": "q4_k", "for": "1h"}, 400, "for: there is no such field"}, {administrator, map[string]any{"all": "yes"}, 400, "all"},
	} {
		if status, _, text := r.do("DELETE", "/v1/tiers", c.key, c.body); status != c.status || !strings.Contains(string(text), c.want) {
			t.Errorf("DELETE %v of %q: %d %s", c.body, c.key, status, text)
		}
	}
}

// A decision that the end of a daemon has left begun is settled by the next one, which begins with the tier of its settings and tells of it.
func TestDecisionLeftBegun(t *testing.T) {
	file := ""
	first := newRemembering(t, func(c *config.Config) { file = c.History.File })
	if _, err := first.history.store.Decide(t.Context(), store.Decision{Time: time.Now(), Model: "m", From: "source", To: "q4_k", Reason: "the test"}); err != nil {
		t.Fatal(err)
	}
	if status, _ := first.set("q8_0"); status != 200 {
		t.Error(status)
	}
	first.stop()
	first.http, first.stops = nil, nil
	second := newRemembering(t, func(c *config.Config) { c.History.File = file })
	all, events := second.decisions(), second.tiersOf().Events
	if len(all) != 2 || all[0].State != store.Reverted || all[0].Settled.IsZero() || all[1].State != store.Applied {
		t.Errorf("%+v", all)
	}
	if len(events) != 2 || events[0].State != "reverted" || events[0].To != "q4_k" || events[1].State != "applied" || second.tiersOf().Tier != "source" {
		t.Errorf("%+v", events)
	}
}
