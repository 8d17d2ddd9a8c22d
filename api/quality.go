package api

import "time"

// This file owns GET /v1/quality: what was measured of serving of late, and how people's ratings go with it.

// Quality is the answer.
type Quality struct {
	Windows      []QualityWindow      `json:"windows"` // the oldest first
	Ratings      int                  `json:"ratings"` // that correlations are of
	Correlations []QualityCorrelation `json:"correlations"`
	Problem      string               `json:"problem,omitempty"` // what of it could not be read
}

// QualityWindow is a stretch of serving: of a model, a tenant and a class.
type QualityWindow struct {
	From         time.Time      `json:"from"`
	Until        time.Time      `json:"until"`
	Model        string         `json:"model"`
	Tenant       string         `json:"tenant,omitempty"`
	Class        string         `json:"class"`
	Requests     int64          `json:"requests"` // completed
	Refused      int64          `json:"refused"`
	Failed       int64          `json:"failed"`
	Cancelled    int64          `json:"cancelled"`
	QPS          float64        `json:"qps"`
	Peak         *float64       `json:"qps_peak"` // of the best ten seconds; null in a shorter window
	PromptTokens int64          `json:"prompt_tokens"`
	AnswerTokens int64          `json:"answer_tokens"`
	TTFT         QualityLatency `json:"ttft_ms"`
	ITL          QualityLatency `json:"itl_ms"`
	Queue        QualityLatency `json:"queue_ms"`
	Missed       []string       `json:"missed"` // objectives
}

// QualityLatency is in milliseconds.
type QualityLatency struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
}

// QualityCorrelation is how a measurement of answers goes with their ratings.
type QualityCorrelation struct {
	Measure  string   `json:"measure"`
	N        int      `json:"n"` // answers that have both
	Pearson  *float64 `json:"pearson"`
	Spearman *float64 `json:"spearman"`
	Kendall  *float64 `json:"kendall_tau_b"`
	Problem  string   `json:"problem,omitempty"` // why there are no coefficients
}

func (s *Server) quality(c *call) error {
	q, err := s.History.Quality(c.context(), c.asker())
	if err != nil {
		return refusedByHistory(err)
	}
	q.Windows, q.Correlations = noNull(q.Windows), noNull(q.Correlations)
	for i := range q.Windows {
		q.Windows[i].Missed = noNull(q.Windows[i].Missed)
	}
	return c.reply(q)
}
