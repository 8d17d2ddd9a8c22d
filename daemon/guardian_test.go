package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"chimera/api"
	"chimera/config"
	"chimera/internal/fixtures"
	"chimera/loader"
	"chimera/quality/guard"
	"chimera/quality/suite"
	"chimera/store"
)

// This file owns tests of the guard at work, on a translation model that computes, and of the settings that it goes by.

// guarded is a daemon of the translation model whose tiers are watched by so many lines of its tuning suite.
func guarded(t *testing.T, lines int, change func(*config.Config)) *remembering {
	t.Helper()
	mt := fixtures.SharedDir(t, "CHIMERA_MT", "mt")
	text, err := os.ReadFile(filepath.Join(mt, "suite", "dev.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	file, items := filepath.Join(t.TempDir(), "dev.jsonl"), strings.SplitAfterN(string(text), "\n", lines+1)[:lines]
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(strings.Join(items, ""), `{"id"`, `{"half": "tuning", "id"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	return newRememberingOn(t, onTheCPU(t), func(c *config.Config) {
		c.Model = []config.Model{{Path: filepath.Join(mt, "gguf", "f32.gguf"), Name: "mt", Load: config.LoadAtStart}}
		c.Device, c.Threads, c.StepTokens, c.MaxSequences = "cpu", 2, 256, 16
		c.Quality.Suites, c.Quality.Interval = []string{file}, config.Duration{Duration: time.Hour}
		change(c)
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

// watch has the guard look at the models, as behind the loads of a start.
func (r *remembering) watch() {
	r.t.Helper()
	if err := r.watchTiers(); err != nil {
		r.t.Fatal(err)
	}
}

// asksLines has clients ask for translations until what it returns is called, which gives how many were answered and how many failed.
func (r *remembering) asksLines(clients int) (stop func() (answered, failed int64)) {
	return r.asksLinesEvery(clients, 30*time.Millisecond) // else background work has hardly a gap
}

// asksLinesEvery has each client pause for so long between two questions.
func (r *remembering) asksLinesEvery(clients int, pause time.Duration) (stop func() (answered, failed int64)) {
	var over atomic.Bool
	var answered, failed atomic.Int64
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() {
			for i := client; !over.Load(); i++ {
				status, _, text := r.do("POST", "/v1/chat/completions", "", map[string]any{
					"messages": []map[string]string{{"role": "user", "content": fmt.Sprintf("Open file %d in a new window", i%50)}}, "temperature": 0, "max_tokens": 32,
				})
				time.Sleep(pause)
				if status == 200 {
					answered.Add(1)
				} else if failed.Add(1) == 1 {
					r.t.Errorf("%d %s", status, text)
				}
			}
		})
	}
	return func() (int64, int64) {
		over.Store(true)
		group.Wait()
		return answered.Load(), failed.Load()
	}
}

// rests waits until the guard knows what serves and is content with it.
func (r *remembering) rests() api.ModelTiers {
	r.t.Helper()
	for end := time.Now().Add(4 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		r.models.mu.Lock()
		settled := r.models.list[0].swap == nil // what a step has become is told at its end
		r.models.mu.Unlock()
		now := r.tiersOf()
		for _, tier := range now.Ladder {
			if settled && tier.Tier == now.Tier && tier.State != string(guard.Unmeasured) && tier.State != string(guard.Fails) && now.Swapping == "" {
				return now
			}
		}
	}
	r.t.Fatalf("it does not come to rest: %+v", r.tiersOf())
	return api.ModelTiers{}
}

// Started at two bits while clients ask, it climbs to the first tier whose lower bound surely keeps the agreement, with no request lost; the
// decision is written down with its evidence, and told.
func TestGuardClimbs(t *testing.T) {
	r := guarded(t, 500, func(c *config.Config) {
		c.Tiers.Mode, c.Tiers.Start, c.Tiers.MinAgreement, c.Tiers.MaxLoss = config.ModeGuard, "q2_k", 0.95, 1.5
	})
	stop := r.asksLines(3)
	r.watch()
	now := r.rests()
	answered, failed := stop()
	t.Logf("%d answers", answered)
	if failed > 0 || answered < 20 {
		t.Errorf("%d of %d requests failed", failed, answered+failed)
	}
	states := map[string]api.TierState{}
	for _, tier := range now.Ladder {
		states[tier.Tier] = tier
		t.Logf("%+v", tier)
	}
	if now.Tier != "q4_k" || now.Mode != "guard" || states["q4_k"].State != "holds" || states["q3_k"].State == "holds" || states["q2_k"].State != "fails" || states["q8_0"].State != "unmeasured" {
		t.Errorf("it rests at %s", now.Tier)
	}
	if s := states["q4_k"].Scores["agreement"]; !(1+s.Low > 0.95) || s.N < 490 || s.Control != 1 {
		t.Errorf("q4_k agrees %+v", s)
	}
	if s := states["q2_k"].Scores["agreement"]; !(s.Value < 0.95 && s.Value > 0.8) {
		t.Errorf("q2_k agrees %+v", s)
	}
	all := r.decisions()
	var evidence []guard.Evidence
	if len(all) != 1 || all[0].From != "q2_k" || all[0].To != "q4_k" || all[0].State != store.Applied || json.Unmarshal(all[0].Evidence, &evidence) != nil || len(evidence) != 4 {
		t.Fatalf("%+v", all)
	}
	if e := now.Events; len(e) != 1 || e[0].To != "q4_k" || !strings.Contains(e[0].Reason, "agreement of q2_k is 0.8") || string(e[0].Evidence) != string(all[0].Evidence) {
		t.Errorf("%+v", e)
	}
	if _, header, _ := r.do("POST", "/v1/chat/completions", "", map[string]any{"messages": []map[string]string{{"role": "user", "content": "Open"}}, "max_tokens": 4}); header.Get("X-Chimera-Tier") != "q4_k" {
		t.Errorf("an answer afterwards is at %s", header.Get("X-Chimera-Tier"))
	}
	r.models.dropControls(t.Context())
	if left := r.beside(); left != 0 {
		t.Errorf("what was measured with takes %d bytes", left)
	}
}

// Advice is told and not followed; what the administrator has chosen stays, and given back it is the guard's again.
func TestGuardAdvises(t *testing.T) {
	r := guarded(t, 100, func(c *config.Config) {
		c.Tiers.Mode, c.Tiers.Start, c.Tiers.MinAgreement, c.Tiers.Ladder = config.ModeAdvise, "q2_k", 0.93, []string{"q8_0", "q2_k"}
	})
	r.watch()
	for end := time.Now().Add(2 * time.Minute); len(r.tiersOf().Events) == 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
	}
	r.models.guardian.look()
	time.Sleep(300 * time.Millisecond)
	now := r.tiersOf()
	if len(now.Events) != 1 || now.Events[0].State != "advised" || now.Events[0].To != "q8_0" || now.Tier != "q2_k" || now.Mode != "advise" || len(r.decisions()) != 0 {
		t.Errorf("%+v, %d decisions", now, len(r.decisions()))
	}
}

// Each missed window after another has the guard look for a faster tier; a model that the administrator chose is left alone.
func TestGuardGoesDown(t *testing.T) {
	r := guarded(t, 100, func(c *config.Config) {
		c.Tiers.Mode, c.Tiers.Start, c.Tiers.MinAgreement, c.Tiers.MaxLoss, c.Tiers.Ladder = config.ModeGuard, "source", 0.5, 50, []string{"q8_0"}
	})
	missed := []store.Window{{Model: "mt", Class: "interactive", Missed: "ttft_ms"}}
	r.set("source")
	r.watch()
	r.models.guardian.windows(missed)
	r.models.guardian.windows(missed)
	time.Sleep(300 * time.Millisecond)
	if now := r.tiersOf(); now.Ladder[2].State != "unmeasured" || now.Tier != "source" || now.Mode != "manual" {
		t.Errorf("the administrator's choice: %+v", now)
	}
	if status, text := r.set("auto"); status != 200 {
		t.Errorf("%d %s", status, text)
	}
	for end := time.Now().Add(2 * time.Minute); r.tiersOf().Ladder[2].State == "unmeasured" && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if r.tiersOf().Ladder[0].State != "unmeasured" {
			r.models.guardian.windows(missed)
		}
	}
	now := r.tiersOf()
	if now.Ladder[2].State != "holds" {
		t.Fatalf("%+v", now)
	}
	r.models.mu.Lock()
	known := r.models.list[0].watched.known
	faster := known["q8_0"].speed >= 1.02*known["source"].speed
	r.models.mu.Unlock()
	t.Logf("tokens a second: source %.0f, q8_0 %.0f", known["source"].speed, known["q8_0"].speed)
	for end := time.Now().Add(10 * time.Second); r.tiersOf().Tier != "q8_0" && faster && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
	}
	if went := r.tiersOf().Tier == "q8_0"; went != faster {
		t.Errorf("q8_0 is faster: %t, it went there: %t", faster, went)
	}
}

func TestCriteria(t *testing.T) {
	c := config.Default()
	c.Tiers.Mode, c.Tiers.MinBLEU, c.Tiers.MinAgreement, c.Tiers.MaxLoss, c.Quality.Suites = config.ModeGuard, 20.5, 0.95, 2, []string{"edge", "qa"}
	if tier := loader.OptionsOf(&c).Tier; tier != "q8_0" {
		t.Errorf("it begins at %s", tier)
	}
	wholes, err := readSuites(&c.Quality)
	if err != nil {
		t.Fatal(err)
	}
	list, err := tuningHalves(&c.Quality, wholes)
	if err != nil || len(list) != 2 || len(list[0].Items) != 240 || list[0].Name != "edge" {
		t.Fatalf("%d suites, %v", len(list), err)
	}
	if _, err := criteria(&c.Tiers, list); err == nil || !strings.Contains(err.Error(), "tiers.min_bleu") {
		t.Errorf("BLEU without translations: %v", err)
	}
	c.Tiers.MinBLEU = 0
	all, err := criteria(&c.Tiers, list)
	if err != nil || len(all) != 3 || all[0].Metric != "exact" || all[0].MaxLoss != 0.02 || all[1].Metric != "properties" || all[2].Metric != "agreement" || !(all[2].MaxLoss > 0.0499 && all[2].MaxLoss < 0.0501) || all[2].Floor != 0.95 {
		t.Errorf("%+v, %v", all, err)
	}
	all, err = criteria(&c.Tiers, []*suite.Suite{{Items: []suite.Item{{Kind: suite.Translation}}}})
	if err != nil || len(all) != 2 || all[0].Metric != "chrf" || all[0].MaxLoss != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	all, err = criteria(&c.Tiers, []*suite.Suite{{Items: []suite.Item{{Kind: suite.Choice}}}})
	if err != nil || len(all) != 2 || all[0].Metric != "acc" || all[0].MaxLoss != 0.02 {
		t.Errorf("%+v, %v", all, err)
	}
	q := config.Quality{Suites: []string{filepath.Join(t.TempDir(), "none.jsonl")}}
	if _, err := readSuites(&q); err == nil || !strings.Contains(err.Error(), "quality.suites[0]") {
		t.Error(err)
	}
}

// What is measured ends with its model, at once, and leaves nothing behind; loaded again it is measured again. Where there is no room to measure,
// the model stays as it is.
func TestGuardEndsWithItsModel(t *testing.T) {
	r := guarded(t, 100, func(c *config.Config) {
		c.Tiers.Mode, c.Tiers.Start, c.Tiers.MinAgreement = config.ModeGuard, "q2_k", 0.95
	})
	r.watch()
	for end := time.Now().Add(time.Minute); r.beside() == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	began := time.Now()
	r.must("POST", "/v1/models/mt/unload", administrator, nil, nil)
	if took := time.Since(began); r.beside() != 0 || took > 5*time.Second || r.models.state("mt").State != api.StateConfigured {
		t.Errorf("unloaded after %v, %d bytes are left, %+v", took, r.beside(), r.models.state("mt"))
	}
	r.must("POST", "/v1/models/mt/load", administrator, nil, nil)
	taken := r.models.state("mt").Memory
	r = guarded(t, 100, func(c *config.Config) {
		c.Tiers.Mode, c.Tiers.Start, c.Tiers.MinAgreement, c.Memory = config.ModeGuard, "q2_k", 0.95, int(taken>>20)+10
	})
	r.watch()
	time.Sleep(300 * time.Millisecond)
	if now := r.tiersOf(); r.beside() != 0 || now.Tier != "q2_k" || now.Ladder[0].State != "unmeasured" || len(now.Events) != 0 {
		t.Errorf("without room: %+v", now)
	}
}
