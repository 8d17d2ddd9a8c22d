package daemon

import (
	"context"
	"fmt"
	"time"

	"chimera/api"
	"chimera/quality/stats"
	"chimera/store"
)

// This file owns ratings: one an answer, and how they go with what was measured of the answers.

// Rate implements api.History.
func (h *history) Rate(ctx context.Context, id api.AnswerID, a api.Asker, rating int, correction string) (kept bool, err error) {
	h.rating.Lock()
	defer h.rating.Unlock()
	ctx, cancel, err := h.written(ctx) // or an answer could be rated twice in the second that a row waits
	defer cancel()
	if err != nil {
		return false, err
	}
	r, err := h.find(ctx, id, a)
	if err != nil {
		return false, err
	}
	for _, err := range h.store.RatingsOf(ctx, store.ID(id)) {
		if err == nil {
			err = api.ErrRated
		}
		return false, err
	}
	row := store.Rating{Time: time.Now(), Answer: store.ID(id), Tenant: r.Tenant, Rating: int64(rating)}
	if correction != "" {
		row.Correction = &correction
	}
	return correction != "" && h.privacy != store.None, h.store.AddRating(row)
}

// leastRatings is how many answers a correlation takes: of 30 pairs without any connection one in twenty has a coefficient beyond 0.36, of ten
// one beyond 0.63, which would be taken for a finding.
const leastRatings = 30

// mostRatings bounds what a question reads: the newest tell how it is now.
const mostRatings = 10_000

// ratingsSince is how far back correlations look.
const ratingsSince = 30 * 24 * time.Hour

// measurement is a number of an answer that its rating may go with.
type measurement struct {
	name string
	of   func(*store.Receipt) (x float64, known bool)
}

var measurements = []measurement{
	{"ttft_ms", func(r *store.Receipt) (float64, bool) { return ms(r.Queue + r.Prefill), r.AnswerTokens > 0 }},
	{"ms_per_token", func(r *store.Receipt) (float64, bool) {
		return ms(r.Decode) / float64(max(1, r.AnswerTokens-r.Answers)), r.AnswerTokens > r.Answers
	}},
	{"answer_tokens", func(r *store.Receipt) (float64, bool) { return float64(r.AnswerTokens), true }},
}

// noScores is said as long as nothing scores single answers.
const noScores = "no scores yet: nothing has judged single answers"

// rated are the newest ratings that who asks may know of, with their answers' receipts.
func (h *history) rated(ctx context.Context, a api.Asker) (ratings []store.Rating, receipts []store.Receipt, err error) {
	var newest []store.Rating
	for r, err := range h.store.Ratings(ctx, store.Span{From: time.Now().Add(-ratingsSince)}) {
		if err != nil {
			return nil, nil, err
		}
		if !a.Administers && r.Tenant != h.store.Tenant(a.Tenant) {
			continue
		}
		if newest = append(newest, r); len(newest) > mostRatings {
			newest = newest[1:]
		}
	}
	for _, r := range newest {
		receipt, err := h.find(ctx, api.AnswerID(r.Answer), a)
		if err == nil {
			ratings, receipts = append(ratings, r), append(receipts, receipt)
		} else if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
	}
	return ratings, receipts, nil
}

// correlations are how each measurement goes with the ratings.
func correlations(ratings []store.Rating, receipts []store.Receipt) (list []api.QualityCorrelation) {
	for _, m := range measurements {
		x, y, _ := m.pairs(ratings, receipts)
		list = append(list, correlation(m.name, x, y))
	}
	return append(list, api.QualityCorrelation{Measure: "score", Problem: noScores})
}

// pairs are the measurement and the rating of each answer that has both, and the ratings' rows.
func (m *measurement) pairs(ratings []store.Rating, receipts []store.Receipt) (x, y []float64, rows []int64) {
	for i := range receipts {
		if value, known := m.of(&receipts[i]); known {
			x, y, rows = append(x, value), append(y, float64(ratings[i].Rating)), append(rows, ratings[i].Row)
		}
	}
	return x, y, rows
}

// correlation is the three coefficients, or why there are none.
func correlation(name string, x, y []float64) api.QualityCorrelation {
	c := api.QualityCorrelation{Measure: name, N: len(x)}
	if len(x) < leastRatings {
		c.Problem = fmt.Sprintf("%d rated answers, it takes %d", len(x), leastRatings)
		return c
	}
	for _, k := range []struct {
		to *(*float64)
		of func(x, y []float64) (float64, error)
	}{{&c.Pearson, stats.Pearson}, {&c.Spearman, stats.Spearman}, {&c.Kendall, stats.Kendall}} {
		r, err := k.of(x, y)
		if err != nil {
			c.Problem = err.Error()
			return c
		}
		*k.to = &r
	}
	return c
}
