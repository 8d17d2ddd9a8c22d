package daemon

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"time"

	"chimera/api"
	"chimera/quality/report"
	"chimera/quality/stats"
	"chimera/store"
)

// This file owns how people's ratings go with what is known of the answers: computed once, for GET /v1/quality and for reports alike.

// leastRatings is how many answers a correlation takes: of 30 pairs without any connection one in twenty has a coefficient beyond 0.36, of ten
// one beyond 0.63, which would be taken for a finding.
const leastRatings = 30

// measurement is a number of an answer that its rating may go with; NaN where nobody has measured it.
type measurement struct {
	name string
	from store.Table // beside the ratings
	of   func(*ratedAnswer) float64
}

var measurements = []measurement{
	{"ttft_ms", store.Receipts, func(a *ratedAnswer) float64 {
		return where(a.receipt.AnswerTokens > 0, ms(a.receipt.Queue+a.receipt.Prefill))
	}},
	{"ms_per_token", store.Receipts, func(a *ratedAnswer) float64 {
		r := &a.receipt
		return where(r.AnswerTokens > r.Answers, ms(r.Decode)/float64(max(1, r.AnswerTokens-r.Answers)))
	}},
	{"answer_tokens", store.Receipts, func(a *ratedAnswer) float64 { return float64(a.receipt.AnswerTokens) }},
	{"confidence", store.Receipts, func(a *ratedAnswer) float64 { return a.receipt.Confidence }},
	{"opening", store.Receipts, func(a *ratedAnswer) float64 { return a.receipt.Opening }},
	{"agreement", store.Judgements, func(a *ratedAnswer) float64 { return a.judgement.Agreement }},
	{"kl", store.Judgements, func(a *ratedAnswer) float64 { return a.judgement.KL }},
	{"chrf", store.Judgements, func(a *ratedAnswer) float64 { return a.judgement.ChrF }},
	{"fluency", store.Judgements, func(a *ratedAnswer) float64 { return a.judgement.Fluency }},
	{"relevance", store.Judgements, func(a *ratedAnswer) float64 { return a.judgement.Relevance }},
	{"correction_chrf", store.Judgements, func(a *ratedAnswer) float64 { return a.judgement.CorrectionChrF }},
	{"correction_f1", store.Judgements, func(a *ratedAnswer) float64 { return a.judgement.CorrectionF1 }},
	{"correction_relevance", store.Judgements, func(a *ratedAnswer) float64 { return a.judgement.CorrectionRelevance }},
}

func where(known bool, x float64) float64 {
	if !known {
		return math.NaN()
	}
	return x
}

// correlation is how a measurement goes with ratings: coefficients with intervals, or why there are none.
type correlation struct {
	*measurement
	n       int
	problem string // empty: there are coefficients
	stats.Correlations
	ratings, rows []int64 // that they are of: of ratings, and of the measurement's table
}

// correlations are those of the newest ratings that who asks may know of, and how many these are.
func (h *history) correlations(ctx context.Context, a api.Asker) (list []correlation, ratings int, err error) {
	answers, err := h.rated(ctx, a)
	if err != nil {
		return nil, 0, err
	}
	return h.correlated.of(answers), len(answers), nil
}

// correlating computes correlations, for one asker at a time, since serving needs the cores, and not again where nothing has come. Its zero value has none.
type correlating struct {
	mu   sync.Mutex
	rows string // that the last ones are of
	last []correlation
}

func (c *correlating) of(answers []ratedAnswer) []correlation {
	rows := rowsOf(answers)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil && c.rows == rows {
		return c.last
	}
	c.rows, c.last = rows, nil
	for i := range measurements {
		c.last = append(c.last, measurements[i].correlate(answers))
	}
	return c.last
}

// rowsOf names all rows that answers are of: no number is given twice, and no row changes.
func rowsOf(answers []ratedAnswer) string {
	var list []byte
	for i := range answers {
		a := &answers[i]
		list = binary.AppendVarint(binary.AppendVarint(list, a.rating.Row), int64(len(a.judgements)))
		for _, row := range a.judgements {
			list = binary.AppendVarint(list, row)
		}
	}
	return string(list)
}

// correlate computes one measurement's, of the answers that have it.
func (m *measurement) correlate(answers []ratedAnswer) correlation {
	c := correlation{measurement: m}
	var x, y []float64
	var requests []store.ID
	for i := range answers {
		a := &answers[i]
		value := m.of(a)
		if math.IsNaN(value) || math.IsInf(value, 0) {
			continue
		}
		x, y, requests = append(x, value), append(y, float64(a.rating.Rating)), append(requests, a.rating.Answer)
		c.ratings = append(c.ratings, a.rating.Row)
		if m.from == store.Judgements {
			c.rows = append(c.rows, a.judgements...)
		} else {
			c.rows = append(c.rows, a.receipt.Row)
		}
	}
	if c.n = len(x); c.n < leastRatings {
		c.problem = fmt.Sprintf("%d rated answers, it takes %d", c.n, leastRatings)
		return c
	}
	var err error
	if c.Correlations, err = stats.Correlate(x, y, requests, stats.Resampling{Seed: 1}); err != nil {
		c.problem = err.Error()
	}
	return c
}

// shown is a correlation as clients see it.
func (c correlation) shown() api.QualityCorrelation {
	q := api.QualityCorrelation{Measure: c.name, N: c.n, Problem: c.problem}
	if c.problem == "" {
		q.Pearson, q.PearsonLow, q.PearsonHigh = &c.Pearson.Estimate, &c.Pearson.Low, &c.Pearson.High
		q.Spearman, q.SpearmanLow, q.SpearmanHigh = &c.Spearman.Estimate, &c.Spearman.Low, &c.Spearman.High
		q.Kendall, q.KendallLow, q.KendallHigh = &c.Kendall.Estimate, &c.Kendall.Low, &c.Kendall.High
	}
	return q
}

// reported is a correlation as a report has it.
func (c correlation) reported(now time.Time) report.Correlation {
	of := func(i stats.Interval) report.Coefficient {
		return report.Coefficient{Value: i.Estimate, Low: i.Low, High: i.High}
	}
	return report.Correlation{
		Measure: c.name, N: c.n, Problem: c.problem, Pearson: of(c.Pearson), Spearman: of(c.Spearman), Kendall: of(c.Kendall),
		Since: now.Add(-ratingsSince), Ratings: c.ratings, From: c.from, Rows: c.rows,
	}
}
