package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chimera/api"
	"chimera/client"
	"chimera/config"
	"chimera/quality/score"
	"chimera/quality/suite"
	"chimera/store"
)

// This file owns tests of suites of choices, which a daemon tells by their likelihoods as clients can.

// choicesInHalves is a suite of choices between words, so many items in each half.
func choicesInHalves(t *testing.T, items int) string {
	t.Helper()
	var text strings.Builder
	for i := range 2 * items {
		fmt.Fprintf(&text, `{"id": "c-%d", "kind": "choice", "input": %q, "choices": [%q, %q, %q], "answer": %d, "half": %q}`+"\n",
			i, word(i), word(2*i+1), word(3*i + 1)[:3], word(5*i + 2)[:[]int{1, 2, 4}[i%3]], i%3, []string{"tuning", "sealed"}[i%2])
	}
	file := filepath.Join(t.TempDir(), "choices.jsonl")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// chosenByClients are the shares of items whose right choice is the likeliest, by its likelihood and by that of a character, as a client finds them.
func (r *remembering) chosenByClients(items []suite.Item) (acc, accNorm float64) {
	r.t.Helper()
	c := client.New(r.path)
	for _, item := range items {
		var list []score.Choice
		for _, choice := range item.Choices {
			l, err := c.LogLikelihood(r.t.Context(), item.Question(), " "+choice, client.Options{})
			if err != nil {
				r.t.Fatal(err)
			}
			list = append(list, score.Choice{Text: choice, LogProbability: l})
		}
		chosen, err := score.Choose(list, item.Right)
		if err != nil {
			r.t.Fatal(err)
		}
		if chosen.Acc {
			acc += 1 / float64(len(items))
		}
		if chosen.AccNorm {
			accNorm += 1 / float64(len(items))
		}
	}
	return acc, accNorm
}

// Both halves are told by likelihoods, of what serves and of the source: what is written is what a client finds, the rule goes by the accuracy of pairs, and
// a tier agrees in as many tokens of the choices as it has likeliest alike.
func TestSuitesOfChoices(t *testing.T) {
	r := small(t, "q3_k", 40, func(c *config.Config) { c.Quality.Suites = []string{choicesInHalves(t, 40)} })
	r.watch()
	r.published()
	rows, g := r.scores(), r.models.guardian
	acc, accNorm := r.chosenByClients(g.suites[0].Items)
	for metric, want := range map[string]float64{"acc": acc, "acc_norm": accNorm} {
		if s := row(rows, metric, "tuning", "q3_k"); s.N != 40 || math.Abs(s.Value-want) > 1e-9 || !(s.Low < s.High) {
			t.Errorf("%s: %+v, clients find %v", metric, s, want)
		}
	}
	for _, tier := range []string{"q3_k", "source"} {
		for _, tag := range []string{"tuning", "sealed", ""} {
			if s := row(rows, "ece", tag, tier); s.N < 40 || !(s.Value > 0 && s.Value < 1) || !(s.Low < s.High) {
				t.Errorf("ece %s %s: %+v", tag, tier, s)
			}
		}
	}
	if tier, source := row(rows, "ece", "tuning", "q3_k"), row(rows, "ece", "tuning", "source"); tier.Value == source.Value {
		t.Errorf("both have the error %v: it is of the same weights", tier.Value)
	}
	if s := row(rows, "agreement", "tuning", "q3_k"); !(s.Value > 0.1 && s.Value < 1) || s.N != 40 || row(rows, "agreement", "sealed", "source").Value != 1 {
		t.Errorf("%+v", s)
	}
	if s := row(rows, "fluency", "", "q3_k"); s.N != 0 {
		t.Errorf("choices are no answers: %+v", s)
	}
	r.models.mu.Lock()
	known := r.models.list[0].watched.known["q3_k"]
	r.models.mu.Unlock()
	e := known.evidence
	if len(e) != 1 || e[0].Metric != "acc" || e[0].Items != 40 || math.Abs(e[0].Value-acc) > 1e-9 || e[0].Control != row(rows, "acc", "tuning", "source").Value || math.Abs(e[0].Difference.Estimate-(e[0].Value-e[0].Control)) > 1e-9 {
		t.Errorf("the rule sees %+v", e)
	}
	if known.speed <= 0 {
		t.Error("nobody knows how fast the tier reads")
	}
	r.readsNoChoiceAgain(t)
}

// readsNoChoiceAgain begins with nothing in memory but the history, and then has the pinned likelihoods say otherwise.
func (r *remembering) readsNoChoiceAgain(t *testing.T) {
	t.Helper()
	r.models.goldens = goldens{}
	g, err := r.models.newGuardian()
	if err != nil {
		t.Fatal(err)
	}
	held, err := r.models.control(t.Context(), r.models.list[0], r.models.borrow)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	half := g.suites[0]
	done, err := g.ofSource(held.Context, held.Model, half, false)
	if err != nil || done.tokens != 0 || len(done.agrees) != len(half.Items) {
		t.Fatalf("%d tokens were read, %v", done.tokens, err)
	}
	other := &suite.Suite{Name: "other", Items: half.Items[:30]}
	answers := append([]pinnedAnswer(nil), done.asked[:30]...)
	for i := range answers {
		answers[i].Likelihoods = append([]float64{answers[i].Likelihoods[0] - 1e-9}, answers[i].Likelihoods[1:]...)
	}
	text, err := json.Marshal(answers)
	if err != nil {
		t.Fatal(err)
	}
	g.pinSuite(context.Background(), promptsOf(held.Model, other), held.Model.Numerics(""), text)
	if _, err := g.ofSource(held.Context, held.Model, other, true); err != nil {
		t.Fatal(err)
	}
	if alarms := r.alarmed(); len(alarms) != 1 || !strings.Contains(alarms[0].Series, "suite other, tier source") || !strings.Contains(string(alarms[0].Evidence), `"changed":30`) {
		t.Errorf("%+v", alarms)
	}
}

// A choice that is longer than the context is that item's failure, and is no choice at all.
func TestChoicesThatAreTooLong(t *testing.T) {
	r := small(t, "source", 40, nil)
	held, err := r.models.control(t.Context(), r.models.list[0], r.models.borrow)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	s, err := suite.Read("s.jsonl", strings.NewReader(fmt.Sprintf(`{"id":"a","kind":"choice","input":"ab","choices":["a","%s"],"answer":0}`+"\n"+`{"id":"b","kind":"choice","input":"ab","choices":["a","b"],"answer":0}`,
		strings.Repeat("abc", held.Model.MaxContext))))
	if err != nil {
		t.Fatal(err)
	}
	done, err := askSuite(held.Context, held.Model, s, nil)
	if err != nil || done.report.Failed != 1 || !strings.Contains(done.report.Items[0].Failed, "the context holds") || done.report.Scores["acc"].N != 2 || done.report.Scores["ece"].N != 1 {
		t.Errorf("%+v, %v", done, err)
	}
}

// What a suite's run says of fluency is drift where it is worse; what live answers say of it follows what is asked, and is none.
func TestFluencyDrifts(t *testing.T) {
	r := newRemembering(t, nil)
	r.models.mu.Lock()
	r.models.list[0].tier = "q4_k"
	r.models.mu.Unlock()
	told := map[string]int{}
	for i, value := range []float64{2, 2.01, 1.99, 2, 3, 3, 3, 3} {
		for _, of := range []struct{ suite, tag string }{{liveSuite, ""}, {"words", "tuning"}} {
			s := store.Score{
				Model: "m", Suite: of.suite, Digest: "d", Metric: "fluency", Tag: of.tag, Tier: "q4_k", Value: value, Low: value - 0.02, High: value + 0.02, N: 200, Numerics: fmt.Sprint("n", i),
			}
			if d := r.models.addScore(s, standardError(s)); d != nil {
				told[of.suite]++
			}
		}
	}
	if told[liveSuite] != 0 || told["words"] != 1 {
		t.Errorf("told of %v", told)
	}
	var q api.Quality
	if r.must("GET", "/v1/quality", administrator, nil, &q); len(q.Drift) != 1 || q.Drift[0].Suite != "words" {
		t.Errorf("%+v", q.Drift)
	}
}
