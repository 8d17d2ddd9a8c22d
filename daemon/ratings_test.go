package daemon

import (
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"chimera/api"
	group "chimera/quality/control"
	"chimera/quality/report"
	"chimera/quality/stats"
	"chimera/store"
)

// This file owns tests of ratings: one an answer, by whom it was given to, and what is made of them.

func TestFeedback(t *testing.T) {
	r := newRemembering(t, nil)
	id := r.complete(dayKey, request()).ID
	rate := func(key string, body map[string]any) (int, string) {
		status, _, text := r.do("POST", "/v1/feedback", key, body)
		return status, string(text)
	}
	for name, c := range map[string]struct {
		body map[string]any
		want string
	}{
		"no answer":     {map[string]any{"rating": 3}, `"param":"completion_id"`},
		"no rating":     {map[string]any{"completion_id": id}, `"param":"rating"`},
		"both":          {map[string]any{"completion_id": id, "rating": 3, "thumb": "up"}, `"param":"rating"`},
		"too good":      {map[string]any{"completion_id": id, "rating": 6}, `"param":"rating"`},
		"too bad":       {map[string]any{"completion_id": id, "rating": 0}, `"param":"rating"`},
		"a half":        {map[string]any{"completion_id": id, "rating": 2.5}, `"param":"rating"`},
		"a thumb aside": {map[string]any{"completion_id": id, "thumb": "sideways"}, `"param":"thumb"`},
		"a long one":    {map[string]any{"completion_id": id, "rating": 3, "correction": strings.Repeat("x", 256<<10+1)}, `"param":"correction"`},
		"a field":       {map[string]any{"completion_id": id, "rating": 3, "stars": 3}, `"param":"stars"`},
	} {
		if status, text := rate(dayKey, c.body); status != 400 || !strings.Contains(text, c.want) {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if status, text := rate("night-key", map[string]any{"completion_id": id, "rating": 3}); status != 404 {
		t.Errorf("another tenant's: %d %s", status, text)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	counts := map[int]int{}
	for range 8 { // at once: one of them counts
		all.Go(func() {
			status, _ := rate(dayKey, map[string]any{"completion_id": id, "thumb": "up", "correction": "x"})
			mu.Lock()
			defer mu.Unlock()
			counts[status]++
		})
	}
	if all.Wait(); counts[200] != 1 || counts[409] != 7 {
		t.Errorf("of eight at once: %v", counts)
	}
	if got := r.receipt(dayKey, id).Ratings; len(got) != 1 || got[0] != 5 {
		t.Errorf("ratings %v", got)
	}
}

// goldenRatings are the coefficients that scipy has of 200 answers' lengths and ratings (scripts/ratings_fixture.py).
type goldenRatings struct {
	Tokens                     []int
	Ratings                    []float64
	Pearson, Spearman, Kendall float64
}

func readRatings(t *testing.T) (golden goldenRatings) {
	t.Helper()
	text, err := os.ReadFile("testdata/ratings.json")
	if err == nil {
		err = json.Unmarshal(text, &golden, json.MatchCaseInsensitiveNames(true))
	}
	if err != nil || len(golden.Tokens) != 200 {
		t.Fatal(len(golden.Tokens), err)
	}
	return golden
}

// ownQuality is what the tenant day sees.
func (r *remembering) ownQuality() (q api.Quality) {
	r.t.Helper()
	r.must("GET", "/v1/quality", dayKey, nil, &q)
	return q
}

// correlated is a measure's.
func correlated(t *testing.T, q api.Quality, measure string) api.QualityCorrelation {
	t.Helper()
	for _, c := range q.Correlations {
		if c.Measure == measure {
			return c
		}
	}
	t.Fatalf("there is no correlation with %s", measure)
	return api.QualityCorrelation{}
}

// coefficientsAre compares coefficients, and wants each within its interval.
func coefficientsAre(t *testing.T, c api.QualityCorrelation, pearson, spearman, kendall float64) {
	t.Helper()
	for name, k := range map[string]struct {
		got, low, high *float64
		want           float64
	}{"Pearson": {c.Pearson, c.PearsonLow, c.PearsonHigh, pearson}, "Spearman": {c.Spearman, c.SpearmanLow, c.SpearmanHigh, spearman}, "Kendall": {c.Kendall, c.KendallLow, c.KendallHigh, kendall}} {
		switch {
		case k.got == nil || k.low == nil || k.high == nil:
			t.Errorf("%s of %s: there is none: %s", name, c.Measure, c.Problem)
		case !(math.Abs(*k.got-k.want) <= 1e-9):
			t.Errorf("%s of %s: %v, want %v", name, c.Measure, *k.got, k.want)
		case !(*k.low < *k.got && *k.got < *k.high):
			t.Errorf("%s of %s: %v lies beyond %v to %v", name, c.Measure, *k.got, *k.low, *k.high)
		}
	}
}

// judge has an answer scored as the control would: so many of 12 tokens are what it would have chosen.
func (r *remembering) judge(id string, tenant string, same int) {
	r.t.Helper()
	answer, ok := api.ParseAnswerID(id)
	if !ok {
		r.t.Fatal(id)
	}
	r.models.live.note(&sample{id: answer, tenant: tenant, model: "m", control: "c"}, []group.Paired{{Tokens: 12, Same: float64(same), KL: float64(12 - same)}})
}

// Two hundred posted ratings give the coefficients that scipy has of the same figures, of what a receipt has and of what the control says; the report has the
// same. With fewer it is said why there are none.
func TestCorrelations(t *testing.T) {
	golden := readRatings(t)
	r := newRemembering(t, nil)
	var ttft []float64
	for i, n := range golden.Tokens {
		id := r.complete(dayKey, request("max_tokens", n)).ID
		r.judge(id, "day", n)
		r.must("POST", "/v1/feedback", dayKey, map[string]any{"completion_id": id, "rating": golden.Ratings[i]}, nil)
		a := r.receipt(dayKey, id)
		ttft = append(ttft, math.Round((a.Queue+a.Prefill)*1e6)) // ns, as they are stored
		if i == 28 {
			if c := correlated(t, r.ownQuality(), "agreement"); c.N != 29 || c.Pearson != nil || !strings.Contains(c.Problem, "29 rated answers, it takes 30") {
				t.Errorf("%+v", c)
			}
		}
	}
	q := r.ownQuality()
	if q.Ratings != 200 || len(q.Correlations) != len(measurements) {
		t.Fatalf("%+v", q)
	}
	coefficientsAre(t, correlated(t, q, "answer_tokens"), golden.Pearson, golden.Spearman, golden.Kendall)
	coefficientsAre(t, correlated(t, q, "agreement"), golden.Pearson, golden.Spearman, golden.Kendall)
	coefficientsAre(t, correlated(t, q, "kl"), -golden.Pearson, -golden.Spearman, -golden.Kendall)
	want, err := stats.Spearman(ttft, golden.Ratings) // which differs from run to run
	if c := correlated(t, q, "ttft_ms"); err != nil || c.N != 200 || !(math.Abs(*c.Spearman-want) <= 1e-9) {
		t.Errorf("%+v, %v, want %v", c, err, want)
	}
	if c := correlated(t, q, "relevance"); c.N != 0 || c.Spearman != nil || c.Problem != "0 rated answers, it takes 30" {
		t.Errorf("%+v", c)
	}
	r.agreesWithTheReport(q)
	if again := r.ownQuality(); !reflect.DeepEqual(again.Correlations, q.Correlations) {
		t.Errorf("asked again: %+v", again.Correlations)
	}
	var nights api.Quality
	if r.must("GET", "/v1/quality", "night-key", nil, &nights); nights.Ratings != 0 {
		t.Errorf("another tenant sees %d ratings", nights.Ratings)
	}
}

// agreesWithTheReport holds the report's figures against what GET /v1/quality says, with the rows of the history that they are of.
func (r *remembering) agreesWithTheReport(q api.Quality) {
	r.t.Helper()
	made, c := r.reported(dayKey, ""), correlated(r.t, q, "agreement")
	for name, want := range map[string][3]float64{
		"rating.agreement":         {*c.Spearman, *c.SpearmanLow, *c.SpearmanHigh},
		"rating.agreement.pearson": {*c.Pearson, *c.PearsonLow, *c.PearsonHigh},
		"rating.agreement.kendall": {*c.Kendall, *c.KendallLow, *c.KendallHigh},
	} {
		f := figure(r.t, made, name)
		if f.N != 200 || f.Value == nil || f.Low == nil || [3]float64{*f.Value, *f.Low, *f.High} != want {
			r.t.Errorf("%s: %+v, want %v", name, f, want)
		}
		if len(f.Sources) != 2 || f.Sources[0] != (report.Source{Table: store.Ratings, Rows: "1-200"}) || f.Sources[1] != (report.Source{Table: store.Judgements, Rows: "1-200"}) {
			r.t.Errorf("%s: %+v", name, f.Sources)
		}
	}
}

// What is found of an answer after its rating counts, from then on.
func TestJudgementAfterTheRating(t *testing.T) {
	r := newRemembering(t, nil)
	id := r.complete(dayKey, request()).ID
	r.must("POST", "/v1/feedback", dayKey, map[string]any{"completion_id": id, "rating": 4}, nil)
	for same := range 3 {
		if c := correlated(t, r.ownQuality(), "agreement"); c.N != min(1, same) {
			t.Errorf("after %d judgements: %+v", same, c)
		}
		r.judge(id, "day", same)
	}
	answers, err := r.history.rated(t.Context(), api.Asker{Tenant: "day"})
	if err != nil || len(answers) != 1 || len(answers[0].judgements) < 2 || answers[0].judgement.Agreement != 2.0/12 && answers[0].judgement.Agreement != 1.0/12 {
		t.Fatalf("%+v %v", answers, err)
	}
	before := rowsOf(answers)
	answers[0].judgements[1]++
	if rowsOf(answers) == before {
		t.Error("another judgement has the same rows")
	}
}

// No more than the newest ratings are looked at.
func TestNewestRatingsCount(t *testing.T) {
	r := newRemembering(t, nil)
	h, tenant, now := r.history, r.history.store.Tenant("day"), time.Now()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range mostRatings + 40 {
		id := store.NewID()
		must(h.store.AddReceipt(store.Receipt{Time: now, Answer: id, Tenant: tenant, AnswerTokens: int64(i % 7)}))
		must(h.store.AddRating(store.Rating{Time: now.Add(time.Duration(i-2*mostRatings) * time.Second), Answer: id, Tenant: tenant, Rating: int64(1 + i%5)}))
	}
	q := r.ownQuality()
	if c := correlated(t, q, "answer_tokens"); q.Ratings != mostRatings || c.N != mostRatings || c.Spearman == nil {
		t.Errorf("%d ratings, %+v", q.Ratings, c)
	}
	list, err := h.rated(t.Context(), api.Asker{Administers: true})
	if err != nil || len(list) != mostRatings || list[0].rating.Row != mostRatings+40 || list[mostRatings-1].rating.Row != 41 {
		t.Errorf("%d answers, %v", len(list), err)
	}
}

func TestCorrelationThatIsNotDefined(t *testing.T) {
	figure := &measurement{"x", store.Receipts, func(a *ratedAnswer) float64 { return float64(a.receipt.AnswerTokens) }}
	answers := func(n int, rating func(i int) int64) (list []ratedAnswer) {
		for i := range n {
			list = append(list, ratedAnswer{rating: store.Rating{Answer: store.NewID(), Rating: rating(i)}, receipt: store.Receipt{AnswerTokens: int64(i)}})
		}
		return list
	}
	if c := figure.correlate(answers(30, func(int) int64 { return 3 })).shown(); c.Pearson != nil || !strings.Contains(c.Problem, "constant") || c.N != 30 {
		t.Errorf("%+v", c)
	}
	rising := func(i int) int64 { return int64(i) }
	if c := figure.correlate(answers(29, rising)).shown(); c.Pearson != nil || c.Problem == "" {
		t.Errorf("%+v", c)
	}
	if c := figure.correlate(answers(30, rising)).shown(); c.Problem != "" || !(*c.Pearson > 0.999) || !(*c.KendallLow > 0.999) {
		t.Errorf("%+v", c)
	}
	// An answer of one token has no time between two, and counts for the others. What is no number counts for nothing.
	known := []ratedAnswer{
		{receipt: store.Receipt{AnswerTokens: 1, Answers: 1, Prefill: time.Second}}, {receipt: store.Receipt{AnswerTokens: 5, Answers: 1, Decode: 4 * time.Second, Confidence: math.Inf(-1)}},
		{receipt: store.Receipt{Outcome: store.Cancelled, Confidence: math.NaN()}},
	}
	var counts []int
	for i := range 4 {
		counts = append(counts, measurements[i].correlate(known).n)
	}
	if text := fmt.Sprint(counts); text != "[2 1 3 1]" {
		t.Errorf("%s answers have the four measurements", text)
	}
	if ms := measurements[1].of(&known[1]); ms != 1000 {
		t.Errorf("%v ms a token", ms)
	}
}
