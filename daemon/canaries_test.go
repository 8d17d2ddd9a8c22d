package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"chimera/api"
	"chimera/config"
	"chimera/internal/fixtures"
	"chimera/quality/report"
	"chimera/quality/suite"
	"chimera/scheduler"
	"chimera/store"
)

// This file owns tests of what is asked again and again: canaries against their golden answers, suites in both halves, and what a report makes of them.

// canary asks the first model's canaries now, as after a change or on the timer.
func (r *remembering) canary() *canaryState {
	r.t.Helper()
	g := r.models.guardian
	g.patience = 0
	g.doubt(r.models.list[0].name)
	if err := g.canaries(r.t.Context(), r.models.list[0]); err != nil {
		r.t.Fatal(err)
	}
	r.models.mu.Lock()
	defer r.models.mu.Unlock()
	return new(r.models.list[0].watched.canaries)
}

// goldens are all of the history.
func (r *remembering) goldens(kind store.GoldenKind) (list []store.Golden) {
	r.t.Helper()
	for g, err := range r.history.store.Goldens(r.t.Context(), store.Span{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		if g.Kind == kind {
			list = append(list, g)
		}
	}
	return list
}

// Weights that have changed in memory still name themselves as they were loaded: their first canaries find it, and say it once. What is pinned stays as it
// was, over a restart too.
func TestCanariesFindChangedWeights(t *testing.T) {
	r := small(t, "q4_k", 40, func(c *config.Config) { c.Quality.Suites = []string{wordsInHalves(t, 40)} })
	first := r.canary()
	if first.asked < 16 || len(first.changed)+len(first.unlike) != 0 || first.cached < first.asked || first.tier != "q4_k" || len(r.goldens(store.Canaries)) != 1 {
		t.Fatalf("%+v, %d goldens", first, len(r.goldens(store.Canaries)))
	}
	pinned := string(r.goldens(store.Canaries)[0].Content)
	if again := r.canary(); !again.at.After(first.at) || len(again.changed) != 0 || len(r.alarmed()) != 0 {
		t.Errorf("nothing has changed: %+v, %+v", again, r.alarmed())
	}
	up := r.models.list[0].up
	numerics := up.model.Numerics("")
	up.model.Numerics = func(string) string { return numerics } // as it is of weights whose bytes changed behind their digest
	o := r.models.engineAt("q2_k")
	id, err := up.lane.Replace(o.Weights(up.loaded.File), nil)
	if err != nil {
		t.Fatal(err)
	}
	up.generations.add(id, "q4_k", 1)
	for range 2 {
		if now := r.canary(); len(now.changed) < 5 {
			t.Errorf("%+v", now)
		}
	}
	alarms := r.alarmed()
	if len(alarms) != 1 || alarms[0].Model != "m" || alarms[0].Detector != "golden" || !strings.Contains(alarms[0].Series, "canaries, tier q4_k, numerics "+numerics) || !strings.Contains(alarms[0].Series, "prompt ") {
		t.Fatalf("%+v", alarms)
	}
	var evidence struct {
		Canaries int
		Changed  []string
	}
	if err := json.Unmarshal(alarms[0].Evidence, &evidence, json.MatchCaseInsensitiveNames(true)); err != nil || evidence.Canaries != first.asked || len(evidence.Changed) < 5 {
		t.Errorf("%s %v", alarms[0].Evidence, err)
	}
	if c := r.quality().Control[0].Canaries; c == nil || c.Changed < 5 || c.Asked != first.asked || c.Tier != "q4_k" || c.CachedTokens == 0 || c.ChangedByCache != 0 {
		t.Errorf("%+v", c)
	}
	if all := r.goldens(store.Canaries); len(all) != 1 || string(all[0].Content) != pinned {
		t.Errorf("what is pinned has changed: %d goldens", len(all))
	}
	r.models.goldens = goldens{}
	if now := r.canary(); len(now.changed) < 5 {
		t.Errorf("as after a restart: %+v", now)
	}
}

// confused computes another prompt where the same salt was asked for before, as a cache would that has the wrong pages. Otherwise it counts nothing as cached.
type confused struct {
	api.Engine
	mu   sync.Mutex
	seen map[string]bool
}

func (c *confused) SubmitGroup(ctx context.Context, list []scheduler.Request) ([]*scheduler.Sequence, error) {
	c.mu.Lock()
	again := c.seen[list[0].Salt]
	c.seen[list[0].Salt] = true
	c.mu.Unlock()
	if again && len(list[0].Prompt) > 1 {
		list = slices.Clone(list)
		list[0].Prompt = list[0].Prompt[1:]
	}
	return c.Engine.SubmitGroup(ctx, list)
}

// The prefix cache changes no answer; where it does, it is told once, and the weights are not to blame.
func TestCanariesFindAnotherCache(t *testing.T) {
	r := small(t, "q8_0", 40, nil)
	if first := r.canary(); len(first.unlike) != 0 || first.cached == 0 {
		t.Fatalf("%+v", first)
	}
	up := r.models.list[0].up
	up.model.Engine = &confused{Engine: up.model.Engine, seen: map[string]bool{}}
	for range 2 {
		if now := r.canary(); len(now.unlike) < 5 || len(now.changed) != 0 {
			t.Errorf("%+v", now)
		}
	}
	alarms := r.alarmed()
	if len(alarms) != 1 || alarms[0].Detector != cacheDetector || !strings.Contains(alarms[0].Series, "canaries, tier q8_0, numerics ") || !strings.Contains(string(alarms[0].Evidence), `"cached_tokens"`) {
		t.Errorf("%+v", alarms)
	}
	if c := r.quality().Control[0].Canaries; c.ChangedByCache < 5 || c.Changed != 0 {
		t.Errorf("%+v", c)
	}
}

// Golden answers that can't be read are no golden answers, and none are pinned in their place.
func TestDamagedGoldenIsNotReplaced(t *testing.T) {
	r := small(t, "q8_0", 40, nil)
	list := []canary{{"a", []int32{1}}}
	if changed, err := r.models.heldAgainst(t.Context(), list, []string{"x"}, "n"); err != nil || len(changed) != 0 {
		t.Fatal(changed, err)
	}
	r.models.goldens = goldens{}
	if changed, err := r.models.heldAgainst(t.Context(), list, []string{"y"}, "n"); err != nil || len(changed) != 1 {
		t.Errorf("out of the history: %v, %v", changed, err)
	}
	if changed, err := r.models.heldAgainst(t.Context(), list, []string{"y"}, "another"); err != nil || len(changed) != 0 {
		t.Errorf("of another numerics id: %v, %v", changed, err)
	}
	r.models.history = nil
	for said, want := range map[string]int{"z": 0} {
		if changed, err := r.models.heldAgainst(t.Context(), list, []string{said}, "third"); err != nil || len(changed) != want {
			t.Errorf("without a history: %v, %v", changed, err)
		}
	}
	if changed, err := r.models.heldAgainst(t.Context(), list, []string{"w"}, "third"); err != nil || len(changed) != 1 {
		t.Errorf("without a history, later: %v, %v", changed, err)
	}
}

// bothHalves is a suite of so many lines of each half, of which the first of each are tagged.
func bothHalves(t *testing.T, lines int) string {
	t.Helper()
	var text strings.Builder
	for _, half := range []struct{ half, file string }{{"tuning", "dev.jsonl"}, {"sealed", "test.jsonl"}} {
		raw, err := os.ReadFile(filepath.Join(fixtures.SharedDir(t, "CHIMERA_MT", "mt"), "suite", half.file))
		if err != nil {
			t.Fatal(err)
		}
		items := strings.SplitAfterN(string(raw), "\n", lines+1)[:lines]
		text.WriteString(strings.ReplaceAll(strings.Join(items, ""), `{"id"`, `{"half": "`+half.half+`", "id"`))
	}
	file := filepath.Join(t.TempDir(), "both.jsonl")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// wordsInHalves is a suite of words that are translated to others, so many in each half.
func wordsInHalves(t *testing.T, lines int) string {
	t.Helper()
	var text strings.Builder
	for i := range 2 * lines {
		fmt.Fprintf(&text, `{"id": "w-%d", "kind": "translation", "input": %q, "references": ["%d"], "half": %q, "tags": [%q]}`+"\n",
			i, word(i), i, []string{"tuning", "sealed"}[i%2], []string{"short", "medium", "medium"}[i%3])
	}
	file := filepath.Join(t.TempDir(), "words.jsonl")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// published waits until the suites' rows of what serves are there.
func (r *remembering) published() {
	r.t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		r.models.mu.Lock()
		model := r.models.list[0]
		done := model.watched.known[model.tier].published
		r.models.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(end) {
			r.t.Fatal("no suite is published")
		}
	}
}

// row is the last score of a suite's part.
func row(all []store.Score, metric, tag, tier string) (found store.Score) {
	for _, s := range all {
		if s.Suite != liveSuite && s.Metric == metric && s.Tag == tag && s.Tier == tier {
			found = s
		}
	}
	return found
}

// With the tier fixed, too, suites are asked of what serves and of the source: both halves are written, and the rule has seen the tuning one alone. A restart
// asks the source nothing again, and pinned answers that the source does not give any more are an alarm.
func TestSuitesInHalves(t *testing.T) {
	r := small(t, "q3_k", 40, func(c *config.Config) { c.Quality.Suites = []string{wordsInHalves(t, 40)} })
	r.watch()
	r.published()
	r.areInHalves(t, 40)
	r.asksNothingAgain(t)
}

// Of a model that translates, the report has the overfitting gap with its interval, what the tier loses beside its source, and live scores.
func TestSuitesAreReported(t *testing.T) {
	const lines = 60
	r := sampled(t, "q3_k", 40, func(c *config.Config) { c.Quality.Suites = []string{bothHalves(t, lines)} })
	r.watch()
	r.watchesLive()
	r.translates(devLines(t, 40))
	r.liveRows(6)
	r.published()
	r.areInHalves(t, lines)
	if s := row(r.scores(), "agreement", "sealed", "q3_k"); !(s.Value > 0.9 && s.Value < 0.99) {
		t.Errorf("%+v", s)
	}
	r.isReported(t)
}

// areInHalves holds the rows of a suite to its halves.
func (r *remembering) areInHalves(t *testing.T, lines int64) {
	t.Helper()
	rows := r.scores()
	for _, want := range []struct {
		metric, tag, tier string
		n                 int64
	}{
		{"agreement", "", "q3_k", 2 * lines}, {"agreement", "tuning", "q3_k", lines}, {"agreement", "sealed", "q3_k", lines}, {"agreement", "sealed", "source", lines},
		{"chrf", "", "q3_k", 2 * lines}, {"chrf", "", "source", 2 * lines}, {"bleu", "tuning", "source", lines}, {"bleu", "sealed", "q3_k", lines},
	} {
		s := row(rows, want.metric, want.tag, want.tier)
		if s.N != want.n || !(s.Low <= s.Value && s.Value <= s.High) || want.tier == "q3_k" && want.metric == "agreement" && s.Low == s.High {
			t.Errorf("%+v: %+v", want, s)
		}
	}
	if s := row(rows, "agreement", "sealed", "source"); s.Value != 1 {
		t.Errorf("%+v", s)
	}
	last := rows[len(rows)-1]
	for _, s := range rows {
		if s.Suite != liveSuite {
			last = s
		}
	}
	if last.Tier != "q3_k" {
		t.Errorf("the last score is of tier %s: reports take it for what serves", last.Tier)
	}
	if a, b := row(rows, "chrf", "medium", "q3_k"), row(rows, "chrf", "short", "q3_k"); a.N+b.N < lines || a.N == 2*lines {
		t.Errorf("by tag: %+v, %+v", a, b)
	}
	r.models.mu.Lock()
	evidence := r.models.list[0].watched.known["q3_k"].evidence
	r.models.mu.Unlock()
	if len(evidence) != 1 || evidence[0].Items != int(lines) {
		t.Errorf("the rule sees %+v", evidence)
	}
}

// isReported holds the report to what the suites and live answers say.
func (r *remembering) isReported(t *testing.T) {
	t.Helper()
	made := r.reported(administrator, "")
	for _, risk := range made.Risks {
		if risk.Name != "overfitting" {
			continue
		}
		if risk.Status == report.Unwatched || len(risk.Figures) < 3 {
			t.Fatalf("%+v", risk)
		}
		for _, f := range risk.Figures {
			if f.Value == nil || f.Low == nil || f.High == nil || !(*f.Low < *f.High) || f.N != 120 {
				t.Errorf("%+v", f)
			}
		}
	}
	if f := figure(t, made, "live.agreement"); f.Value == nil || f.Low == nil || !(*f.Value > 0.8) || f.N != 40 {
		t.Errorf("%+v", f)
	}
	for _, risk := range made.Risks {
		if risk.Name != "degradation by quantisation" {
			continue
		}
		if risk.Status == report.Unwatched || !strings.Contains(risk.Text, "q3_k less the control") {
			t.Errorf("%+v", risk)
		}
		for _, f := range risk.Figures {
			if strings.HasPrefix(f.Name, "live.") || strings.HasSuffix(f.Name, ".agreement.loss") && !(*f.Value < 0 && f.Low != nil && f.N == 120) {
				t.Errorf("%+v", f)
			}
		}
	}
}

// asksNothingAgain begins with nothing in memory but the history, as after a restart.
func (r *remembering) asksNothingAgain(t *testing.T) {
	t.Helper()
	if n := len(r.goldens(store.Suite)); n != 3 {
		t.Errorf("%d suites are pinned, want both halves of the source's, and the tuning half of what serves", n)
	}
	r.models.goldens = goldens{}
	g, err := r.models.newGuardian()
	if err != nil {
		t.Fatal(err)
	}
	model := r.models.list[0]
	held, err := r.models.control(t.Context(), model, r.models.borrow)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	half := g.suites[0]
	done, err := g.ofSource(held.Context, held.Model, half, false)
	if err != nil || done.tokens != 0 || len(done.agrees) != len(half.Items) {
		t.Fatalf("%d tokens were computed, %v", done.tokens, err)
	}
	fresh, err := g.ofSource(held.Context, held.Model, half, true)
	if err != nil || fresh.tokens == 0 || len(r.alarmed()) != 0 {
		t.Fatalf("asked anew %d tokens were computed, %v, %+v", fresh.tokens, err, r.alarmed())
	}
	// The source answers as it did; what was pinned is made to say otherwise.
	other := &suite.Suite{Name: "other", Items: half.Items[:30]}
	prompts := promptsOf(held.Model, other)
	var answers []pinnedAnswer
	for i := range prompts {
		answers = append(answers, fresh.asked[i])
	}
	answers[3].Tokens = append([]int32{7}, answers[3].Tokens...)
	text, err := json.Marshal(answers)
	if err != nil {
		t.Fatal(err)
	}
	g.pinSuite(context.Background(), prompts, held.Model.Numerics(""), text)
	if _, err := g.ofSource(held.Context, held.Model, other, true); err != nil {
		t.Fatal(err)
	}
	if alarms := r.alarmed(); len(alarms) != 1 || !strings.Contains(alarms[0].Series, "suite other, tier source") || !strings.Contains(string(alarms[0].Evidence), other.Items[3].ID) {
		t.Errorf("%+v", alarms)
	}
	if control := g.controls[controlKey(held.Model, other)]; control == nil || len(control.asked[3].Tokens) != len(answers[3].Tokens) {
		t.Error("others are held against what has changed")
	}
}
