package daemon

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"chimera/api"
	"chimera/config"
	group "chimera/quality/control"
	"chimera/quality/stats"
	"chimera/store"
)

// This file owns tests of what is known of single answers: whose ratings have them scored, what is written, and what is forgotten.

// hardly is a share of which no answer is drawn in the time that tests have.
const hardly = 1e-15

// judgements are those of an answer, in one.
func (r *remembering) judgements(id string) (all store.Judgement, rows int) {
	r.t.Helper()
	answer, ok := api.ParseAnswerID(id)
	if !ok {
		r.t.Fatal(id)
	}
	if err := r.history.store.Flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	all = store.Unjudged(store.ID(answer), store.Tenant{}, time.Now())
	for j, err := range r.history.store.JudgementsOf(r.t.Context(), store.ID(answer)) {
		if err != nil {
			r.t.Fatal(err)
		}
		all.Merge(j)
		all.Control += j.Control
		rows++
	}
	return all, rows
}

// judged waits until the control has said something of an answer.
func (r *remembering) judged(id string) store.Judgement {
	r.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if all, _ := r.judgements(id); all.Control != "" {
			return all
		}
		if time.Now().After(end) {
			r.t.Fatalf("answer %s is not scored", id)
		}
	}
}

// remembered are the samples that wait for a rating, and those that have one.
func (r *remembering) remembered() (recent, rated int) {
	l := r.models.live
	l.mu.Lock()
	defer l.mu.Unlock()
	recent, _ = l.recent.Waiting()
	rated, _ = l.rated.Waiting()
	return recent, rated
}

// wordRequest is one of 24 tokens, drawn, which a small model's greedy ones are not worth looking at.
func wordRequest(i int) map[string]any {
	return map[string]any{"prompt": word(i), "max_tokens": 24, "temperature": 1, "seed": i, "ignore_eos": true}
}

// answersWord asks for an answer and waits until it is remembered.
func (r *remembering) answersWord(i int) completion {
	r.t.Helper()
	before, _ := r.remembered()
	a := r.complete(dayKey, wordRequest(i))
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if recent, _ := r.remembered(); recent > before {
			return a
		}
		if time.Now().After(end) {
			r.t.Fatal("an answer is not remembered")
		}
	}
}

// An answer that was not drawn is scored when it is rated, with its relevance and what a correction says; it counts for no window, and what nobody rates is
// scored by nobody.
func TestRatedAnswerIsScored(t *testing.T) {
	r := small(t, "q2_k", 20, func(c *config.Config) { c.Quality.ControlShare = hardly })
	r.watchesLive()
	other := r.answersWord(0)
	a := r.answersWord(1)
	for i := 2; i < 60 && len(strings.Fields(a.Choices[0].Text)) == 0; i++ { // of end tokens alone
		a = r.answersWord(i)
	}
	const correction = "abcab cab"
	r.must("POST", "/v1/feedback", dayKey, map[string]any{"completion_id": a.ID, "rating": 2, "correction": correction}, nil)
	j := r.judged(a.ID)
	if !(j.Agreement >= 0 && j.Agreement <= 1) || !(j.KL > 0) || !(j.ChrF >= 0 && j.ChrF <= 100) || !(j.Fluency >= 1) || !(math.Abs(j.Relevance) <= 1) || !(math.Abs(j.CorrectionRelevance) <= 1) || j.Relevance == j.CorrectionRelevance {
		t.Errorf("%+v", j)
	}
	if text := a.Choices[0].Text; j.CorrectionChrF != sentence("chrf", text, correction) || j.CorrectionF1 != sentence("f1", text, correction) || !(j.CorrectionChrF > 0) {
		t.Errorf("%v and %v of %q", j.CorrectionChrF, j.CorrectionF1, text)
	}
	if _, rows := r.judgements(other.ID); rows != 0 {
		t.Errorf("what was not rated has %d judgements", rows)
	}
	l := r.models.live
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.models["m"]; m != nil {
		t.Errorf("what was not drawn counts: %+v", m)
	}
}

// Of drawn answers all figures are kept by name as they are scored, and their ratings give the coefficients of these.
func TestRatingsOfScoredAnswers(t *testing.T) {
	const n = 200
	r := small(t, "q2_k", 200, nil)
	r.watchesLive()
	var ids []string
	for i := range n {
		ids = append(ids, r.complete(dayKey, wordRequest(i)).ID)
	}
	figures, ratings := map[string][]float64{}, []float64{}
	for i, id := range ids {
		j := r.judged(id)
		for name, x := range map[string]float64{"agreement": j.Agreement, "kl": j.KL, "chrf": j.ChrF, "fluency": j.Fluency} {
			figures[name] = append(figures[name], x)
		}
		ratings = append(ratings, float64(1+i*7%5))
		r.must("POST", "/v1/feedback", dayKey, map[string]any{"completion_id": id, "rating": ratings[i]}, nil)
	}
	q := r.ownQuality()
	for name, x := range figures {
		pearson, err := stats.Pearson(x, ratings)
		if err != nil {
			t.Fatalf("%s: %v of %v", name, err, x)
		}
		spearman, _ := stats.Spearman(x, ratings)
		kendall, _ := stats.Kendall(x, ratings)
		coefficientsAre(t, correlated(t, q, name), pearson, spearman, kendall)
		t.Logf("%s: %v %v %v", name, pearson, spearman, kendall)
	}
	if c := correlated(t, q, "confidence"); c.N != n || c.Spearman == nil { // the tier is below its source, so that each answer's was asked
		t.Errorf("%+v", c)
	}
}

// Drawn samples go first: they stand for others.
func TestRatedSamplesWaitBehindDrawnOnes(t *testing.T) {
	l := newRemembering(t, nil).models.live
	own := func(id byte, share float64) *sample { return &sample{id: api.AnswerID{id}, share: share, model: "m"} }
	l.mu.Lock()
	l.rated.Add(own(1, 0))
	l.memory.Add(own(2, 0.5))
	l.mu.Unlock()
	var order []byte
	for s := l.take(); s != nil; s = l.take() {
		order = append(order, s.id[0])
		if len(order) == 2 && !l.keep(s) || len(order) > 4 {
			t.Fatal(order)
		}
	}
	if !slices.Equal(order, []byte{2, 1, 1}) || l.waits() {
		t.Errorf("they are taken as %v", order)
	}
}

// What is forgotten is erased wherever it waits, of a sample that is being scored nothing is written, and what was written is deleted.
func TestForgottenAnswers(t *testing.T) {
	r := newRemembering(t, func(c *config.Config) { c.Quality.ControlShare = hardly })
	l := r.models.live
	ask := func() string {
		t.Helper()
		id := r.complete(dayKey, request()).ID
		r.counted()
		return id
	}
	rate := func(id string) {
		t.Helper()
		r.must("POST", "/v1/feedback", dayKey, map[string]any{"completion_id": id, "thumb": "up"}, nil)
	}
	for name, forgotten := range map[string]func(id string) map[string]any{
		"an answer": func(id string) map[string]any { return map[string]any{"answer": id} },
		"a tenant":  func(string) map[string]any { return map[string]any{"tenant": "day"} },
	} {
		unrated, waiting, scored := ask(), ask(), ask()
		rate(waiting)
		rate(scored)
		r.judge(scored, "day", 5)
		if recent, rated := r.remembered(); recent != 1 || rated != 2 {
			t.Fatalf("%s: %d and %d are remembered", name, recent, rated)
		}
		s := l.take() // the one that waits longest
		if _, rows := r.judgements(scored); rows != 1 {
			t.Errorf("%s: %d judgements", name, rows)
		}
		for _, id := range []string{unrated, waiting, scored} {
			r.must("POST", "/v1/forget", administrator, forgotten(id), nil)
		}
		if recent, rated := r.remembered(); recent+rated != 0 {
			t.Errorf("%s: %d and %d are left", name, recent, rated)
		}
		if !s.forgotten || l.keep(s) {
			t.Errorf("%s: what is being scored is kept", name)
		}
		l.note(s, []group.Paired{{Tokens: 2, Same: 1}})
		l.leave()
		for _, id := range []string{unrated, waiting, scored} {
			if _, rows := r.judgements(id); rows != 0 {
				t.Errorf("%s: %d judgements are left", name, rows)
			}
		}
	}
	id := ask()
	rate(id)
	r.judge(id, "day", 5)
	var said struct{ Rows int64 }
	if r.must("POST", "/v1/forget", dayKey, map[string]any{"answer": id}, &said); said.Rows != 3 {
		t.Errorf("%d rows are forgotten of a receipt, a rating and a judgement", said.Rows)
	}
}

// Answers are remembered for an hour at most, and none of a daemon without a history, where nobody can rate, or without a control group.
func TestRecentAnswersAreErased(t *testing.T) {
	r := newRemembering(t, func(c *config.Config) { c.Quality.ControlShare = hardly })
	l := r.models.live
	r.complete(dayKey, request())
	r.counted()
	l.mu.Lock()
	s, there := l.recent.Pull(func(*sample) bool { return true })
	if there {
		l.recent.Add(s)
	}
	l.mu.Unlock()
	if !there || len(s.answers) != 1 || len(s.answers[0].tokens) != 10 {
		t.Fatalf("%+v", s)
	}
	l.forgetOld(s.ended.Add(recentFor))
	if recent, _ := r.remembered(); recent != 1 {
		t.Fatal("it is forgotten too soon")
	}
	l.forgetOld(s.ended.Add(recentFor + time.Second))
	if recent, _ := r.remembered(); recent != 0 || slices.Max(s.answers[0].tokens) != 0 || slices.Max(s.answers[0].request.Prompt) != 0 {
		t.Errorf("%d are remembered; %v", recent, s.answers)
	}
	for name, change := range map[string]func(*config.Config){
		"a history":       func(c *config.Config) { c.Quality.ControlShare, c.History.File = hardly, "" },
		"a control group": func(c *config.Config) { c.Quality.ControlShare = 0 },
	} {
		without := newRemembering(t, change)
		without.complete(dayKey, request())
		without.counted()
		if recent, _ := without.remembered(); recent != 0 {
			t.Errorf("without %s an answer is remembered for its rating", name)
		}
	}
}

// A correction is compared where the answer is still known: its tokens in memory, or its text on the disk. Of several answers it is not known which is meant.
func TestCorrections(t *testing.T) {
	for name, c := range map[string]struct {
		privacy    store.Privacy
		more       []any
		old        bool
		correction string
		compared   bool
	}{
		"in memory":             {store.None, nil, false, "abc", true},
		"no longer":             {store.None, nil, true, "abc", false},
		"on the disk":           {store.All, nil, true, "abc", true},
		"without one":           {store.All, nil, false, "", false},
		"several":               {store.None, []any{"n", 2}, false, "abc", false},
		"several, on the disk":  {store.All, []any{"n", 2}, true, "abc", false},
		"too long to be waited": {store.All, nil, false, strings.Repeat("a ", mostCorrected/2+1), false},
	} {
		r := newRemembering(t, func(s *config.Config) { s.Privacy.Store, s.Quality.ControlShare = string(c.privacy), hardly })
		a := r.complete(dayKey, request(c.more...))
		r.counted()
		if c.old {
			r.models.live.forgetOld(time.Now().Add(2 * recentFor))
		}
		body := map[string]any{"completion_id": a.ID, "rating": 4}
		if c.correction != "" {
			body["correction"] = c.correction
		}
		r.must("POST", "/v1/feedback", dayKey, body, nil)
		j, rows := r.judgements(a.ID)
		if (rows == 1) != c.compared || c.compared && (j.CorrectionChrF != sentence("chrf", a.Choices[0].Text, c.correction) || j.CorrectionF1 != sentence("f1", a.Choices[0].Text, c.correction)) {
			t.Errorf("%s: %d judgements, %+v of %q", name, rows, j, a.Choices[0].Text)
		}
	}
}
