package daemon

import (
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
	group "chimera/quality/control"
	"chimera/scheduler"
	"chimera/store"
)

// This file owns tests of live answers held against the control, on a translation model that computes.

// sampled is a daemon of the translation model at a tier, of whose answers all are drawn.
func sampled(t *testing.T, tier string, window int, change func(*config.Config)) *remembering {
	t.Helper()
	r := guarded(t, 40, func(c *config.Config) {
		c.Tiers.Start, c.Quality.ControlShare, c.Quality.Window, c.Quality.Suites = tier, 1, window, nil
		if change != nil {
			change(c)
		}
	})
	return r
}

// small is as sampled with a model of some thousand parameters, which says anything.
func small(t *testing.T, tier string, window int, change func(*config.Config)) *remembering {
	t.Helper()
	return newRememberingOn(t, onTheCPU(t), func(c *config.Config) {
		c.Device, c.Threads, c.StepTokens, c.MaxSequences, c.ChatTemplate = "cpu", 2, 64, 16, "chatml"
		c.Tiers.Start, c.Quality.ControlShare, c.Quality.Window = tier, 1, window
		if change != nil {
			change(c)
		}
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

// word is the i-th of the letters that a small model knows, of which it reads no others.
func word(i int) string {
	text := ""
	for range 5 {
		text, i = text+string("abc"[i%3]), i/3
	}
	return text
}

// asksWords asks for so many answers.
func (r *remembering) asksWords(n int) {
	r.t.Helper()
	for i := range n {
		r.complete(dayKey, map[string]any{"prompt": word(i), "max_tokens": 24, "temperature": 0})
	}
}

// A tier that is another model than its source says so, and is no alarm for that; what is written is of both.
func TestLiveOnASmallModel(t *testing.T) {
	r := small(t, "q2_k", 20, nil)
	r.watchesLive()
	r.asksWords(20)
	rows := r.liveRows(6)
	if s := rows["agreement q2_k"]; !(s.Value > 0.02 && s.Value < 0.99) || !(rows["kl q2_k"].Value > 1e-4) || rows["chrf q2_k"].Value > 99 || s.N != 20 || rows["agreement source"].Value != 1 {
		t.Errorf("%+v, %v, %v", s, rows["kl q2_k"].Value, rows["chrf q2_k"].Value)
	}
	if alarms := r.alarmed(); len(alarms) != 0 {
		t.Errorf("%+v", alarms)
	}
}

// devLines are English lines of the tuning suite.
func devLines(t *testing.T, n int) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(fixtures.SharedDir(t, "CHIMERA_MT", "mt"), "suite", "dev.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var item struct{ Input string }
		if err := json.Unmarshal([]byte(line), &item, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Fatal(err)
		}
		if lines = append(lines, item.Input); len(lines) == n {
			break
		}
	}
	return lines
}

// translates asks for all lines, some at a time.
func (r *remembering) translates(lines []string, more ...any) {
	r.t.Helper()
	var all sync.WaitGroup
	places := make(chan struct{}, 6)
	for i, line := range lines {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			body := map[string]any{"messages": []map[string]string{{"role": "user", "content": line}}, "temperature": 0, "max_tokens": 64, "seed": i}
			for i := 0; i < len(more); i += 2 {
				body[more[i].(string)] = more[i+1]
			}
			if status, _, text := r.do("POST", "/v1/chat/completions", dayKey, body); status != 200 {
				r.t.Errorf("%d %s", status, text)
			}
		})
	}
	all.Wait()
}

// liveRows waits for so many rows of live scores of all traffic, and returns those of all tags by metric, tag and tier.
func (r *remembering) liveRows(overall int) map[string]store.Score {
	r.t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		rows, n := map[string]store.Score{}, 0
		for _, s := range r.scores() {
			if s.Suite != liveSuite {
				continue
			}
			rows[strings.TrimSpace(s.Metric+" "+s.Tag)+" "+s.Tier] = s
			if s.Tag == "" {
				n++
			}
		}
		if n >= overall {
			return rows
		}
		if time.Now().After(end) {
			r.t.Fatalf("%d rows: %v", n, r.quality().Control)
		}
	}
}

// scores are all of the history.
func (r *remembering) scores() (list []store.Score) {
	r.t.Helper()
	if err := r.history.store.Flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	for s, err := range r.history.store.Scores(r.t.Context(), store.Span{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

// alarmed are all of the history.
func (r *remembering) alarmed() (list []store.Alarm) {
	r.t.Helper()
	if err := r.history.store.Flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	for a, err := range r.history.store.Alarms(r.t.Context(), store.Span{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		list = append(list, a)
	}
	return list
}

// quality is what the administrator sees.
func (r *remembering) quality() (q api.Quality) {
	r.t.Helper()
	r.must("GET", "/v1/quality", administrator, nil, &q)
	return q
}

func (r *remembering) watchesLive() {
	r.t.Helper()
	if err := r.watchLive(); err != nil {
		r.t.Fatal(err)
	}
}

// At two bits live answers agree with the control as much as the tier does on suites (0.867 of the tokens of the source's own text), and are another
// text; what is said of them is written by tag, beside the control's, and nothing is left of the samples.
func TestLiveScores(t *testing.T) {
	r := sampled(t, "q2_k", 80, nil)
	r.watchesLive()
	r.translates(devLines(t, 80))
	rows := r.liveRows(6)
	for name, within := range map[string][2]float64{"agreement q2_k": {0.80, 0.93}, "kl q2_k": {0.05, 0.25}, "chrf q2_k": {50, 90}, "agreement source": {1, 1}, "kl source": {0, 0}, "chrf source": {100, 100}} {
		s, there := rows[name]
		t.Logf("%s: %.4f (%.4f to %.4f), n %d", name, s.Value, s.Low, s.High, s.N)
		if !there || !(s.Value >= within[0] && s.Value <= within[1]) || !(s.Low <= s.Value && s.Value <= s.High) || s.N != 80 || s.Digest != liveDigest {
			t.Errorf("%s: %+v, want %v", name, s, within)
		}
	}
	if s := rows["agreement q2_k"]; !(s.High-s.Low > 0.005 && s.High-s.Low < 0.1) || s.Numerics == "" || s.Numerics == rows["agreement source"].Numerics {
		t.Errorf("%+v", s)
	}
	if s := rows["agreement script:latin q2_k"]; !(s.N > 60) || rows["agreement class:interactive q2_k"].N != 80 {
		t.Errorf("by tag: %+v, %d rows", s, len(rows))
	}
	c := r.quality().Control[0]
	all := c.Requests[0]
	if all.Tag != "" || all.Drawn != 80 || all.Scored != 80 || all.Lost != 0 || all.Waiting != 0 || c.Last == nil || c.Last.Requests != 80 || c.Window != nil || c.Share != 1 {
		t.Errorf("%+v", c)
	}
	if n, bytes := r.models.live.memory.Waiting(); n != 0 || bytes != 0 {
		t.Errorf("%d samples of %d bytes are left", n, bytes)
	}
	_, _, text := r.do("GET", "/metrics", administrator, nil)
	if !strings.Contains(string(text), `chimera_quality_score{metric="agreement",model="mt",suite="live"} 0.8`) || strings.Contains(string(text), `chimera_quality_alarms_total{`) {
		t.Errorf("%s", text)
	}
	var own api.Quality
	if r.must("GET", "/v1/quality", dayKey, nil, &own); len(own.Control) != 0 {
		t.Errorf("a tenant sees %+v", own.Control)
	}
}

// A source is its own control: drawn or greedy, it agrees with itself in all there is, and nothing is an alarm.
func TestLiveSourceIsItself(t *testing.T) {
	r := sampled(t, "source", 40, nil)
	r.watchesLive()
	lines := devLines(t, 20)
	r.translates(lines)
	r.translates(lines, "temperature", 0.9, "top_p", 0.8, "frequency_penalty", 0.5)
	rows := r.liveRows(3)
	for metric, want := range perfect {
		if s := rows[metric+" source"]; s.Value != want || s.Low != want || s.High != want || s.N != 40 {
			t.Errorf("%s: %+v", metric, s)
		}
	}
	if alarms := r.alarmed(); len(alarms) != 0 {
		t.Errorf("%+v", alarms)
	}
}

// liveSample is one that was served, as it is kept, taken out of the memory.
func (r *remembering) liveSample() *sample {
	r.t.Helper()
	r.asksWords(1)
	return r.waitingSample()
}

// waitingSample is the one that waits longest, taken out of the memory.
func (r *remembering) waitingSample() *sample {
	r.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		r.models.live.mu.Lock()
		s, there := r.models.live.memory.Take()
		r.models.live.mu.Unlock()
		if there {
			return s
		}
	}
	r.t.Fatal("nothing was drawn")
	return nil
}

// What was served by a numerics id and is not computed again by the same is an alarm, which is counted and written down.
func TestLiveDifferenceIsAnAlarm(t *testing.T) {
	r := small(t, "source", 40, nil)
	s := r.liveSample()
	s.answers[0].tokens[len(s.answers[0].tokens)-2]++
	if _, err := r.models.live.score(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	alarms := r.alarmed()
	if len(alarms) != 1 || alarms[0].Detector != "same numerics id" || !strings.Contains(alarms[0].Series, s.numerics) || alarms[0].Model != "m" {
		t.Fatalf("%+v", alarms)
	}
	_, _, text := r.do("GET", "/metrics", administrator, nil)
	if !strings.Contains(string(text), `chimera_quality_alarms_total{detector="same numerics id",model="m"} 1`) {
		t.Errorf("%s", text)
	}
}

// A sample is erased when it was scored or lost; of weights that serve no more it is lost; where there is no control it waits.
func TestLiveSamplesAreErased(t *testing.T) {
	r := small(t, "q8_0", 40, nil)
	l := r.models.live
	erased := func(s *sample) bool {
		a := s.answers[0]
		return !slices.ContainsFunc(slices.Concat(a.request.Prompt, a.tokens), func(id int32) bool { return id != 0 })
	}
	give := func(s *sample) {
		l.mu.Lock()
		l.memory.Add(s)
		l.mu.Unlock()
		l.next(t.Context())
	}
	s := r.liveSample()
	if erased(s) {
		t.Fatal("it is erased before it is scored")
	}
	if give(s); !erased(s) {
		t.Error("a sample was scored and is not erased")
	}
	s = r.liveSample()
	r.models.mu.Lock()
	r.models.list[0].swap = &swap{to: "q4_k", done: make(chan struct{}), end: func(error) {}}
	r.models.short = append(r.models.short, r.models.list[0])
	r.models.mu.Unlock()
	if give(s); erased(s) {
		t.Error("a sample that may wait for a control is erased")
	}
	r.models.mu.Lock()
	r.models.list[0].swap, r.models.short = nil, nil
	r.models.mu.Unlock()
	r.set("q4_k")
	if l.next(t.Context()); !erased(s) {
		t.Error("a sample of other weights is not erased")
	}
	if all := l.shown("m").Requests[0]; all.Drawn != 2 || all.Scored != 1 || all.Lost != 1 || all.Waiting != 0 {
		t.Errorf("%+v", all)
	}
	s = r.liveSample()
	l.mu.Lock()
	l.memory.Add(s)
	l.mu.Unlock()
	if l.forget(func(*sample) bool { return true }); !erased(s) {
		t.Error("at the end a sample is left")
	}
}

// However much comes, samples take no more than they may, and what is lost is counted by the load that it came under.
func TestLiveFlood(t *testing.T) {
	r := newRemembering(t, func(c *config.Config) { c.Quality.ControlShare = 1 })
	l := r.models.live
	l.memory.MostBytes = 100_000
	answer := func(load string, tokens int) api.Answered {
		return api.Answered{Model: "m", Status: 200, Work: &api.Work{
			Numerics: "n", Drawn: &api.Drawn{Load: load, Share: 1}, Requests: []scheduler.Request{{Prompt: make([]int32, tokens)}},
			Answers: []api.AnswerWork{{IDs: make([]int32, 10), Finish: "stop"}},
		}}
	}
	for i := range 2000 {
		l.answered(answer([]string{group.Idle, group.Queued}[i%2], 100))
		if n, bytes := l.memory.Waiting(); bytes > 100_000 || n > mostSamples {
			t.Fatalf("%d samples take %d bytes", n, bytes)
		}
	}
	l.answered(answer(group.Busy, 100_000))
	l.answered(api.Answered{Model: "m", Work: &api.Work{Drawn: &api.Drawn{}, Answers: make([]api.AnswerWork, 1), Requests: make([]scheduler.Request, 1)}})
	counts := map[string]api.QualityCount{}
	for _, n := range l.shown("m").Requests {
		counts[n.Tag] = n
	}
	n, _ := l.memory.Waiting()
	if all := counts[""]; all.Drawn != 2001 || all.Waiting != int64(n) || all.Lost != 2001-int64(n) || n < 80 {
		t.Errorf("%d wait, %+v", n, all)
	}
	if counts["load:busy"].Lost != 1 || counts["load:idle"].Drawn != 1000 || counts["load:queued"].Drawn != 1000 || counts["length:long"].Lost != 1 {
		t.Errorf("%+v", counts)
	}
}

// A share is drawn by the answer's name: of the requests of a class in which somebody waits, and of none where the share is nothing, as a reload may make it.
func TestLiveDraws(t *testing.T) {
	r := newRemembering(t, func(c *config.Config) { c.Quality.ControlShare, c.Privacy.Store = 1, "samples" })
	r.reload = func() (config.Config, error) { return r.config, nil }
	r.watchesLive()
	drawn := func() int64 {
		r.counted()
		if list := r.models.live.shown("m").Requests; len(list) > 0 {
			return list[0].Drawn
		}
		return 0
	}
	id := r.complete(dayKey, request("prompt", "abc")).ID
	if drawn() != 1 {
		t.Errorf("%d are drawn of one", drawn())
	}
	if got := r.receipt(dayKey, id); !got.PromptKept {
		t.Errorf("the prompt of a sample is not kept: %+v", got)
	}
	status, _, text := r.doAs("background", request())
	if status != 200 || drawn() != 1 {
		t.Errorf("background work is drawn: %d, %d %s", drawn(), status, text)
	}
	r.complete(dayKey, request("n", 2))
	if drawn() != 2 {
		t.Errorf("%d are drawn", drawn())
	}
	c := r.config
	c.Quality.ControlShare = 0
	for _, apply := range r.reloaded {
		apply(c)
	}
	id = r.complete(dayKey, request("prompt", "abc")).ID
	if drawn() != 2 {
		t.Errorf("with a share of 0 %d are drawn", drawn())
	}
	if got := r.receipt(dayKey, id); got.PromptKept {
		t.Errorf("the prompt of what is no sample is kept: %+v", got)
	}
}

// doAs asks for a completion in a class.
func (r *remembering) doAs(class string, body map[string]any) (status int, header map[string][]string, text []byte) {
	r.t.Helper()
	r.class = class
	defer func() { r.class = "" }()
	return r.do("POST", "/v1/completions", dayKey, body)
}

// However bad live answers look, no tier changes by them: they have the suites asked, at most once an interval, and these decide.
func TestLiveOnlyTriggersSuites(t *testing.T) {
	r := small(t, "q8_0", 200, func(c *config.Config) {
		c.Tiers.Mode, c.Tiers.MinAgreement, c.Tiers.MaxLoss, c.Tiers.Ladder = config.ModeGuard, 0.5, 50, []string{"q8_0", "q4_k"}
		c.Quality.Suites = []string{wordsInHalves(t, 40)}
	})
	r.watch()
	r.published()
	now := r.tiersOf()
	l, model := r.models.live, r.models.list[0]
	asked := func() int {
		n := 0
		for _, s := range r.scores() {
			if s.Tag == "tuning" && s.Metric == "chrf" && s.Tier == "q8_0" {
				n++
			}
		}
		return n
	}
	before := asked()
	l.mu.Lock()
	l.models["m"] = &liveModel{counts: group.Counts{}}
	l.mu.Unlock()
	for range 3 {
		s := &sample{model: "m", tier: "q8_0", numerics: model.up.model.Numerics(""), share: 1, stratum: group.Stratum{Load: group.Idle}}
		for range 200 {
			l.note(s, []group.Paired{{Tokens: 10, KL: 9, ChrF: make([]float64, 18)}})
		}
		r.published() // again, where the window had what serves doubted
	}
	if after := asked(); after != before+1 {
		t.Errorf("the suites were asked %d times, and then %d", before, after)
	}
	if end := r.tiersOf(); end.Tier != "q8_0" || now.Tier != "q8_0" || len(r.decisions()) != 0 {
		t.Errorf("it went from %s to %s, %d decisions", now.Tier, end.Tier, len(r.decisions()))
	}
	if r.models.guardian.doubts([]group.Estimate{{Metric: "agreement", Tag: "load:idle"}}) {
		t.Error("a part of the traffic has the suites asked")
	}
}
