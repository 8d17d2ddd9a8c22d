package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/hostmem"
	"chimera/quality/experiment"
	"chimera/scheduler"
	"chimera/store"
)

// This file owns tests of experiments: who may ask for them, that they give way, what they write, and that a cause that was planted is found.

// asksFor has clients ask for translations, which is the load that is replayed.
func (r *remembering) asksFor(n int, fields map[string]any) {
	r.t.Helper()
	lines := []string{"Open the file in a new window", "The selected file could not be opened", "Save all changes before you close the document"}
	for i := range n {
		body := map[string]any{"messages": []map[string]string{{"role": "user", "content": lines[i%3]}}, "temperature": 0, "max_tokens": 32}
		for k, v := range fields {
			body[k] = v
		}
		if status, _, text := r.do("POST", "/v1/chat/completions", "", body); status != 200 {
			r.t.Fatalf("%d %s", status, text)
		}
	}
	for end := time.Now().Add(20 * time.Second); r.receipts()%3 != 0; time.Sleep(time.Millisecond) { // an answer is there before its receipt
		if time.Now().After(end) {
			r.t.Fatal("a receipt is missing")
		}
	}
}

// receipts is how many answers the history knows.
func (r *remembering) receipts() (n int) {
	if err := r.history.store.Flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	for _, err := range r.history.store.Receipts(r.t.Context(), store.Span{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		n++
	}
	return n
}

// byMeasure are an experiment's effects.
func byMeasure(e api.Experiment) map[string]api.ExperimentMeasure {
	list := map[string]api.ExperimentMeasure{}
	for _, m := range e.Measures {
		list[m.Measure] = m
	}
	return list
}

// A change has rows of throughput, latency and quality, each with its interval, and one that can't be applied says why.
func TestExperimentIsWritten(t *testing.T) {
	r := guarded(t, 40, func(c *config.Config) { c.Privacy.Store = "all" })
	r.asksFor(12, nil)
	var s api.ExperimentState
	r.must("POST", "/v1/experiments", administrator, map[string]any{"model": "mt", "factors": []string{"tier", "escalation", "hotness"}, "for": "1s"}, &s)
	if len(s.Experiments) != 2 || s.Running != nil || len(s.Problems) != 1 || s.Problems[0].Factor != "escalation" || !strings.Contains(s.Problems[0].Problem, "source serves") {
		t.Fatalf("%+v", s)
	}
	by := map[string]map[string]api.ExperimentMeasure{}
	for _, e := range s.Experiments {
		list := byMeasure(e)
		by[e.Factor] = list
		for _, name := range []string{"qps", "ttft_ms", "chrf", "bleu", "agreement"} {
			m, is := list[name]
			if !is || m.Low == nil || m.High == nil || !(*m.Low <= m.After-m.Before+1e-9 && m.After-m.Before <= *m.High+1e-9) || !(m.Before > 0) {
				t.Errorf("%s: %s is %+v", e.Factor, name, m)
			}
		}
		if e.Model != "mt" || e.Kind != "setting" || e.N < 4 || !strings.Contains(e.Method, "replay of 12 requests, ABBA in") || !strings.Contains(e.Method, "40 questions") || time.Since(e.Time) > time.Minute {
			t.Errorf("%+v", e)
		}
	}
	for _, e := range s.Experiments {
		if e.Tier != api.SourceTier || e.KVType != r.models.config.KVType || e.Seed == 0 {
			t.Errorf("served at %q with %q, drawn by %d", e.Tier, e.KVType, e.Seed)
		}
	}
	if a := by["tier"]["agreement"]; a.Before != 1 || !(a.After <= 1) {
		t.Errorf("the source does not agree with itself: %+v", a)
	}
	if a, c := by["cache hotness"]["agreement"], by["cache hotness"]["chrf"]; a.After != 1 || *a.Low != 0 || *a.High != 0 || c.Before != c.After {
		t.Errorf("what stays in the cache changes answers: %+v %+v", a, c)
	}
	var again api.ExperimentState
	r.must("GET", "/v1/experiments", administrator, nil, &again)
	if len(again.Experiments) != 2 || len(again.Factors) != len(knownFactors()) {
		t.Errorf("%+v", again)
	}
	if r.beside() != 0 {
		t.Errorf("%d bytes of arms are left", r.beside())
	}
}

// Who may not, and what can't be measured, is told at once.
func TestExperimentRefusals(t *testing.T) {
	r := newRemembering(t, nil)
	for _, c := range []struct {
		who, body string
		status    int
		says      string
	}{
		{dayKey, `{}`, 403, "root and the daemon's own user"},
		{administrator, `{"factors":["luck"]}`, 400, `no factor \"luck\": choose among hotness, batching`},
		{administrator, `{"for":"1ms"}`, 400, "from 1s to 12h"},
		{administrator, `{"for":"x"}`, 400, "from 1s to 12h"},
		{administrator, `{"seconds":1}`, 400, "there is no such field"},
		{administrator, `{"model":"none"}`, 404, "none"},
		{administrator, `{"factors":["door"]}`, 409, "nothing to replay"},
	} {
		var body any
		if err := json.Unmarshal([]byte(c.body), &body); err != nil {
			t.Fatal(err)
		}
		if status, _, text := r.do("POST", "/v1/experiments", c.who, body); status != c.status || !strings.Contains(string(text), c.says) {
			t.Errorf("%s %s: %d %s", c.who, c.body, status, text)
		}
	}
	if status, _, _ := r.do("GET", "/v1/experiments", dayKey, nil); status != 403 {
		t.Errorf("a tenant sees experiments: %d", status)
	}
	if r.models.trials.run != nil {
		t.Error("one that was refused is under way")
	}
	trialOf(r, false)
	if status, _, text := r.do("POST", "/v1/experiments", administrator, map[string]any{}); status != 409 || !strings.Contains(string(text), "under way") {
		t.Errorf("a second: %d %s", status, text)
	}
	r.models.trials.run = nil
}

// trialOf is a run under way without a laboratory.
func trialOf(r *remembering, now bool) *experiments {
	e := &r.models.trials
	e.run = &experimentRun{shown: api.ExperimentRun{Now: now}, end: func(error) {}}
	return e
}

// A block waits until nobody is served, ends when somebody comes, and is begun again when he has gone. With now it does neither.
func TestExperimentGivesWay(t *testing.T) {
	r := newRemembering(t, nil)
	e := trialOf(r, false)
	hold := func() api.Held {
		h, err := r.models.Hold(t.Context(), "", api.Wait{Class: scheduler.Interactive})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	first := hold()
	began, tries := make(chan context.Context), 0
	ended := make(chan error, 1)
	go func() {
		ended <- e.undisturbed(t.Context(), func(ctx context.Context) error {
			if tries++; tries > 1 {
				return nil
			}
			began <- ctx
			<-ctx.Done()
			return context.Cause(ctx)
		})
	}()
	select {
	case <-began:
		t.Fatal("it began while somebody was served")
	case <-time.After(breath + 50*time.Millisecond):
	}
	first.Release()
	turn := <-began
	background, err := r.models.Hold(t.Context(), "", api.Wait{Class: scheduler.Background})
	if err != nil || turn.Err() != nil {
		t.Fatalf("background work ends a block: %v %v", err, turn.Err())
	}
	background.Release()
	second := hold()
	if turn.Err() == nil || !errors.Is(context.Cause(turn), errClientsCame) {
		t.Fatalf("it ended by %v", context.Cause(turn))
	}
	select {
	case err := <-ended:
		t.Fatalf("it went on beside a client: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	second.Release()
	if err := <-ended; err != nil || tries != 2 || len(r.models.measuring) != 0 {
		t.Errorf("%v after %d tries, %d measure", err, tries, len(r.models.measuring))
	}

	third := hold()
	defer third.Release()
	e = trialOf(r, true)
	tries = 0
	err = e.undisturbed(t.Context(), func(ctx context.Context) error {
		if tries++; tries > 1 {
			return errors.New("it gave way")
		}
		hold().Release()
		return context.Cause(ctx)
	})
	if err != nil {
		t.Errorf("beside clients: %v", err)
	}
	e.run = nil
}

// Where nobody leaves, who waits for an experiment may give it up.
func TestExperimentIsGivenUp(t *testing.T) {
	r := newRemembering(t, nil)
	e := trialOf(r, false)
	held, err := r.models.Hold(t.Context(), "", api.Wait{})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, _, err := e.begin(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	e.run = nil
}

// Idle runs are due once a day, and not where somebody was served of late.
func TestExperimentsDue(t *testing.T) {
	r := newRemembering(t, nil)
	e := &r.models.trials
	e.left = time.Now().Add(-idleBefore - time.Second)
	if names := e.due(map[string]time.Time{}); len(names) != 1 || names[0] != "m" {
		t.Errorf("after a quiet time: %v", names)
	}
	if names := e.due(map[string]time.Time{"m": time.Now().Add(-time.Hour)}); names != nil {
		t.Errorf("an hour after the last: %v", names)
	}
	e.left = time.Now()
	if names := e.due(map[string]time.Time{}); names != nil {
		t.Errorf("just after a client: %v", names)
	}
}

// What is replayed is what clients of the model were answered, its text where it is kept; and answers that were cut are known as such.
func TestExperimentLoad(t *testing.T) {
	for _, keeps := range []string{"all", "none"} {
		r := guarded(t, 40, func(c *config.Config) { c.Privacy.Store = keeps })
		r.asksFor(9, nil)
		r.asksFor(3, map[string]any{"max_tokens": 2})
		l := r.laboratory()
		if len(l.load) != 12 || l.load[0].MadeUp != (keeps == "none") || l.load[11].Answer != 2 || strings.Contains(l.replayed, "by their lengths") != (keeps == "none") {
			t.Errorf("%s: %d requests, %+v, %s", keeps, len(l.load), l.load[11], l.replayed)
		}
		if spec := (&armSpec{cuts: l.cuts}); spec.longest(11) != 2 || spec.longest(0) != suiteAnswer || spec.longest(12+11) != 2 {
			t.Errorf("%v", l.cuts)
		}
		if len(l.questions) != 40 || l.suite == nil {
			t.Errorf("%d questions", len(l.questions))
		}
		for i, q := range l.load {
			if len(q.Prompt) == 0 || len(q.Prompt) > 64 {
				t.Errorf("request %d has a prompt of %d tokens", i, len(q.Prompt))
			}
		}
	}
}

// Of a suite that is too large a part is asked that the seed decides, not the first.
func TestExperimentDraws(t *testing.T) {
	const lines = 240
	r := guarded(t, lines, func(c *config.Config) { c.Privacy.Store = "all" })
	r.asksFor(9, nil)
	asked := func(seed uint64) (ids []string) {
		m := r.models.find("mt")
		l := &laboratory{all: r.models, r: m, up: m.up, tier: m.tier, seed: seed}
		if err := l.prepare(r.t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(l.questions) != mostQuestions || !strings.Contains(l.askedBy(), "200 of 240 questions of suite") {
			t.Errorf("%d questions, %s", len(l.questions), l.askedBy())
		}
		for _, item := range l.suite.Items {
			ids = append(ids, item.ID)
		}
		return ids
	}
	one, all := asked(1), r.models.guardian.suites[0].Items
	var first []string
	for _, item := range all[:mostQuestions] {
		first = append(first, item.ID)
	}
	if !slices.Equal(one, asked(1)) || slices.Equal(one, asked(2)) || slices.Equal(one, first) {
		t.Errorf("%q", one)
	}
}

// An arm with small pages has no huge ones: neither weights nor caches.
func TestArmOfSmallPages(t *testing.T) {
	huge := func() (n int64) {
		for _, u := range hostmem.Usage() {
			n += u.HugeBytes
		}
		return n
	}
	r := guarded(t, 40, func(c *config.Config) { c.Quality.ControlShare = 0 })
	m := r.models.find("mt")
	l := &laboratory{all: r.models, r: m, up: m.up, tier: m.tier}
	before := huge()
	if before == 0 {
		t.Skip("the kernel gives no huge pages")
	}
	for _, small := range []bool{false, true} {
		a, err := l.arm(t.Context(), armSpec{tier: api.SourceTier, kv: "f16", smallPages: small}, true)
		if err != nil {
			t.Fatal(err)
		}
		if more := huge() - before; (more > 1<<20) == small {
			t.Errorf("small pages %t: %d bytes more may be huge", small, more)
		}
		a.close()
	}
}

// laboratory is one that is prepared.
func (r *remembering) laboratory() *laboratory {
	r.t.Helper()
	m := r.models.find("mt")
	l := &laboratory{all: r.models, r: m, up: m.up, tier: m.tier, seed: 1}
	if err := l.prepare(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return l
}

// Whatever is planted is named the largest cause; the cache costs nothing, and all together give all back.
func TestPlantedCauses(t *testing.T) {
	r := guarded(t, 80, func(c *config.Config) { c.Quality.ControlShare = 0 })
	r.asksFor(9, nil)
	for _, c := range []struct {
		plant string
		sure  bool // by its interval: what q8_0 rounds of a KV cache costs half a point, which 80 questions don't tell from none
		spec  func(*armSpec)
	}{
		{"tier", true, func(a *armSpec) { a.tier, a.kv = "q2_k", "f16" }},
		{"KV type", false, func(a *armSpec) { a.kv = "q8_0" }},
		{"cut answers", true, func(a *armSpec) { a.tier, a.cuts = "f16", []int{6} }},
		{"escalation", true, func(a *armSpec) { a.tier, a.budget, a.better = "f16", 1, "q2_k" }}, // to a tier that is worse
	} {
		spec := armSpec{tier: api.SourceTier, kv: exactKV, better: api.SourceTier}
		c.spec(&spec)
		trialOf(r, false)
		if err := r.laboratory().divide(t.Context(), spec); err != nil {
			t.Fatalf("%s: %v", c.plant, err)
		}
		r.models.trials.run = nil
		by := map[string]store.Experiment{}
		largest, most := "", 0.0
		for _, e := range r.causes() {
			if by[e.Factor] = e; e.Factor != experiment.All && !strings.HasPrefix(e.Factor, experiment.TagPrefix) && e.After-e.Before > most {
				largest, most = e.Factor, e.After-e.Before
			}
		}
		all, cache := by[experiment.All], by["cache"]
		if gap := all.After - all.Before; largest != c.plant || all.After != 100 || !(gap > 0) || !(math.Abs(most-gap) <= 0.5*gap) {
			t.Errorf("%s was planted, %q is the largest: %+v", c.plant, largest, by)
		}
		if cache.Measure != "chrf" || cache.After != cache.Before || cache.Low != 0 || cache.High != 0 {
			t.Errorf("%s: the cache costs %+v", c.plant, cache)
		}
		if _, _, text := r.do("GET", "/v1/report?format=markdown", administrator, nil); c.sure && !strings.Contains(string(text), "The largest cause is "+c.plant+":") {
			t.Errorf("%s: the report does not name it", c.plant)
		}
	}
}

// causes are the rows of the newest comparison.
func (r *remembering) causes() (list []store.Experiment) {
	r.t.Helper()
	if err := r.history.store.Flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	for e, err := range r.history.store.Experiments(r.t.Context(), store.Span{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		if len(list) > 0 && !list[0].Time.Equal(e.Time) {
			list = nil
		}
		list = append(list, e)
	}
	return list
}
