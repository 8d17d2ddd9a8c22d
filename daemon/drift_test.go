package daemon

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"chimera/api"
	"chimera/config"
	group "chimera/quality/control"
	"chimera/quality/drift"
	"chimera/store"
	"chimera/webhook"
)

// This file owns tests of drift at work, of the webhook, and of what suites lack.

// liveScore is a row of a window.
func liveScore(at time.Time, tag string, value float64) store.Score {
	return store.Score{Time: at, Model: "m", Suite: liveSuite, Digest: liveDigest, Metric: "agreement", Tag: tag, Tier: "q4_k", Value: value, Low: value - 0.008, High: value + 0.008, N: 200, Numerics: "n"}
}

// windowScores are those of a window, the source's first, as they are written; worse are those that have drifted.
func (r *remembering) windowScores(at time.Time, value float64) (worse []*drifted) {
	own := liveScore(at, "", 1)
	own.Tier, own.Numerics = api.SourceTier, "source"
	r.models.addScore(own, 0)
	for _, tag := range []string{"", "load:idle"} {
		row := liveScore(at, tag, value)
		if d := r.models.addScore(row, standardError(row)); d != nil {
			worse = append(worse, d)
		}
	}
	return worse
}

// Windows that are surely worse are one alarm, in the history, the metrics and GET /v1/quality; after a restart detectors stand where they stood.
func TestDriftIsKnownAfterARestart(t *testing.T) {
	r := newRemembering(t, nil)
	began := time.Now().Add(-2 * time.Hour)
	told := 0
	for i, value := range []float64{0.96, 0.961, 0.959, 0.96, 0.94, 0.938, 0.9395, 0.94} {
		if worse := r.windowScores(began.Add(time.Duration(i)*time.Minute), value); r.models.tellDrift(worse) {
			told++
			if len(worse) != 2 {
				t.Errorf("window %d: %d series", i, len(worse))
			}
		}
	}
	alarms := r.alarmed()
	if told != 1 || len(alarms) != 1 || alarms[0].Detector != drift.CUSUM || alarms[0].Series != "agreement of live answers, tier q4_k" {
		t.Fatalf("told %d times: %+v", told, alarms)
	}
	q := r.quality()
	if len(q.Alarms) != 1 || q.Alarms[0].Series != alarms[0].Series || !strings.Contains(string(q.Alarms[0].Evidence), `"series":["agreement of live answers, tier q4_k","agreement of live answers, load:idle, tier q4_k"]`) {
		t.Errorf("%s", q.Alarms[0].Evidence)
	}
	if len(q.Drift) != 2 || q.Drift[0].Alarms != 1 || q.Drift[0].State != drift.Watching || !(q.Drift[0].Baseline < 0.945) || q.Drift[1].Tag != "load:idle" {
		t.Errorf("%+v", q.Drift)
	}
	_, _, text := r.do("GET", "/metrics", administrator, nil)
	if !strings.Contains(string(text), `chimera_quality_alarms_total{detector="cusum",model="m"} 1`) || strings.Contains(string(text), "chimera_quality_webhook_total{") {
		t.Errorf("%s", text)
	}
	var own api.Quality
	if r.must("GET", "/v1/quality", dayKey, nil, &own); len(own.Drift)+len(own.Alarms)+len(own.Coverage) != 0 {
		t.Errorf("a tenant sees %+v", own)
	}
	var restarted drifts
	before, after := r.models.drifts.states(r.history), restarted.states(r.history)
	for _, list := range [][]drift.State{before, after} {
		for i := range list {
			list[i].Last.Time = list[i].Last.Time.Truncate(time.Microsecond).UTC()
		}
	}
	if len(after) != 2 || !reflect.DeepEqual(before, after) {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
}

// A suite's run that the same weights answer otherwise is an alarm; of a tier that nobody is served at nothing is said.
func TestDriftOfRuns(t *testing.T) {
	r := newRemembering(t, nil)
	run := func(tier string, value float64) *drifted {
		return r.models.addScore(store.Score{Time: time.Now(), Model: "m", Suite: "s", Digest: "d", Metric: "chrf", Tag: "tuning", Tier: tier, Value: value, Low: value - 1, High: value + 1, N: 500, Numerics: "n"}, 0.5)
	}
	r.models.list[0].tier = "q4_k"
	for i, value := range []float64{52, 52, 51.9} {
		d := run("q4_k", value)
		if (d != nil) != (i == 2) || d != nil && (d.Detector != drift.Exact || seriesName(d.Key) != "chrf of suite s, tier q4_k") {
			t.Errorf("run %d: %+v", i, d)
		}
	}
	run("q2_k", 30)
	if d := run("q2_k", 20); d != nil {
		t.Errorf("of a tier that does not serve: %+v", d)
	}
}

// Live answers that are surely worse than before have the suites asked at once, and move no tier.
func TestLiveDriftAsksSuites(t *testing.T) {
	r := small(t, "q8_0", 200, func(c *config.Config) { c.Quality.Suites = []string{wordsInHalves(t, 40)} })
	r.watch()
	r.published()
	asked := func() (n int) {
		for _, s := range r.scores() {
			if s.Tag == "tuning" && s.Metric == "chrf" && s.Tier == "q8_0" {
				n++
			}
		}
		return n
	}
	before, l := asked(), r.models.live
	l.mu.Lock()
	l.models["m"] = &liveModel{counts: group.Counts{}}
	l.mu.Unlock()
	window := func(worse float64) {
		s := &sample{model: "m", tier: "q8_0", numerics: r.models.list[0].up.model.Numerics(""), control: "source", share: 1, stratum: group.Stratum{Load: group.Idle}}
		for i := range 200 {
			l.note(s, []group.Paired{{Tokens: 10, Same: 10 - float64(i%3) - worse, KL: 0.1 * (1 + float64(i%3) + worse), ChrF: nil}})
		}
		r.published()
	}
	for range 4 {
		window(0)
	}
	if now := asked(); now != before {
		t.Errorf("nothing has changed, and the suites were asked %d times, and then %d", before, now)
	}
	for range 2 {
		window(2)
	}
	alarms := r.alarmed()
	if now := asked(); now != before+1 || len(alarms) != 1 || alarms[0].Detector != drift.CUSUM {
		t.Errorf("the suites were asked %d times, and then %d; %+v", before, now, alarms)
	}
	if now := r.tiersOf(); now.Tier != "q8_0" {
		t.Errorf("it went to %s", now.Tier)
	}
}

// keyFile is a key that its owner alone can read.
func keyFile(t *testing.T, mode os.FileMode) string {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(strings.Repeat("k", 32)+"\n"), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// An alarm is posted to the address of the settings, signed.
func TestAlarmWebhook(t *testing.T) {
	type post struct {
		signature string
		body      []byte
	}
	came := make(chan post, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		came <- post{r.Header.Get(webhook.SignatureHeader), body}
	}))
	defer receiver.Close()
	r := newRemembering(t, func(c *config.Config) { c.Quality.Webhook, c.Quality.WebhookKey = receiver.URL, keyFile(t, 0o600) })
	if err := r.startWebhook(); err != nil {
		t.Fatal(err)
	}
	r.models.raise(alarm{model: "m", series: "agreement", detector: "cusum", evidence: map[string]int{"n": 200}})
	p := <-came
	at, sum, _ := strings.Cut(strings.TrimPrefix(p.signature, "t="), ",v1=")
	h := hmac.New(sha256.New, []byte(strings.Repeat("k", 32)))
	fmt.Fprintf(h, "%s.%s", at, p.body)
	var event map[string]any
	if err := json.Unmarshal(p.body, &event); err != nil || hex.EncodeToString(h.Sum(nil)) != sum {
		t.Errorf("%v: %s is signed %s", err, p.body, p.signature)
	}
	if event["model"] != "m" || event["series"] != "agreement" || event["detector"] != "cusum" || !reflect.DeepEqual(event["evidence"], map[string]any{"n": 200.0}) || event["time"] == nil || len(event) != 5 {
		t.Errorf("%s", p.body)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		_, _, text := r.do("GET", "/metrics", administrator, nil)
		if strings.Contains(string(text), `chimera_quality_webhook_total{outcome="delivered"} 1`) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%s", text)
		}
	}
}

func TestWebhookKeyIsPrivate(t *testing.T) {
	r := newRemembering(t, func(c *config.Config) {
		c.Quality.Webhook, c.Quality.WebhookKey = "http://127.0.0.1:1", keyFile(t, 0o644)
	})
	if err := r.startWebhook(); !errors.As(err, new(*config.Error)) || !strings.Contains(err.Error(), "quality.webhook_key") || r.models.webhook != nil {
		t.Errorf("a key that all can read: %v", err)
	}
}

// french are sentences of another language than the suite's.
func french(n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("Le fichier %d ne peut pas être ouvert dans la fenêtre, et il est perdu.", i))
	}
	return lines
}

// A language that clients begin to ask in, and that no suite has, is named, once.
func TestNewLanguageIsNamed(t *testing.T) {
	r := guarded(t, 60, func(c *config.Config) {
		c.Tiers.Start, c.Quality.ControlShare, c.Quality.Window = api.SourceTier, 1, 40
	})
	r.watchesLive()
	r.translates(devLines(t, 60), "max_tokens", 4)
	uncovered := func() (list []string) {
		for _, c := range r.quality().Coverage {
			for _, p := range c.Parts {
				if p.Uncovered && p.Dimension != "topic" {
					list = append(list, fmt.Sprint(p.Dimension, " ", p.Value, " ", p.Items))
				}
			}
		}
		return list
	}
	r.counted()
	if list := uncovered(); len(list) != 0 {
		t.Errorf("suites lack %v of what they are themselves", list)
	}
	r.translates(french(60), "max_tokens", 4)
	r.counted()
	if list := uncovered(); !reflect.DeepEqual(list, []string{"language french 0"}) {
		t.Errorf("suites lack %v", list)
	}
	r.liveRows(9)
	var named []string
	for end := time.Now().Add(30 * time.Second); len(named) == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, a := range r.alarmed() {
			named = append(named, a.Detector+": "+a.Series)
		}
	}
	if len(named) != 1 || !strings.HasPrefix(named[0], "coverage: language french, ") || !strings.HasSuffix(named[0], ", 0 of 60 items") {
		t.Errorf("%q", named)
	}
}
