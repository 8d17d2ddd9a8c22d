package api

import (
	"encoding/json"
	"time"
)

// This file owns GET /v1/quality: what was measured of serving of late, and how people's ratings go with it.

// Quality is the answer.
type Quality struct {
	Windows      []QualityWindow      `json:"windows"` // the oldest first
	Costs        []QualityCost        `json:"costs"`   // of the same hour
	Escalation   []EscalationState    `json:"escalation"`
	Ratings      int                  `json:"ratings"` // that correlations are of
	Correlations []QualityCorrelation `json:"correlations"`
	Control      []QualityControl     `json:"control"`           // by model; for the administrator alone, as all below, since it is of all tenants
	Drift        []QualityDrift       `json:"drift"`             // by series, of what serves
	Alarms       []QualityAlarm       `json:"alarms"`            // of the last 30 days, the newest first, 100 at most
	Coverage     []QualityCoverage    `json:"coverage"`          // by model
	Headroom     []QualityHeadroom    `json:"headroom"`          // by model
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
	// What the machine was like meanwhile; null for who is no administrator, since it is of all tenants.
	DeviceBusy *float64 `json:"device_busy"` // share of the time in which steps were under way
	Crowded    *float64 `json:"crowded"`     // in which this model's left requests waiting for which there was no room
	CoresUsed  *float64 `json:"cores_used"`
	Cores      *float64 `json:"cores"` // that the process may use
}

// QualityCost is what a line's requests took. What nobody counted or could read is null.
type QualityCost struct {
	Model           string   `json:"model"`
	Tier            string   `json:"tier"`
	Tenant          string   `json:"tenant,omitempty"`
	Class           string   `json:"class"`
	Requests        int64    `json:"requests"` // completed
	PromptTokens    int64    `json:"prompt_tokens"`
	AnswerTokens    int64    `json:"answer_tokens"`
	CoreSeconds     *float64 `json:"core_seconds"` // in steps
	OverheadSeconds *float64 `json:"overhead_seconds"`
	GPUSeconds      *float64 `json:"gpu_seconds"`
	CPUJoules       *float64 `json:"cpu_joules"`
	GPUJoules       *float64 `json:"gpu_joules"`
	CoresPrice      *float64 `json:"core_seconds_per_1000_tokens"` // with overhead
	EnergyPrice     *float64 `json:"joules_per_1000_tokens"`
}

// QualityHeadroom is how far a model's load is from its knee. Rates are requests a second, background work not counted.
type QualityHeadroom struct {
	Model    string     `json:"model"`
	Tier     string     `json:"tier"`             // that serves, at which the knee was measured
	KVType   string     `json:"kv_type"`          // of its cache, likewise
	Load     *float64   `json:"load_qps"`         // of the hour, the mean of its minutes that had requests
	Busiest  *float64   `json:"busiest_qps"`      // of its minutes
	Knee     *float64   `json:"knee_qps"`         // null: nobody has measured it
	Headroom *float64   `json:"headroom"`         // 1 - load / knee
	Least    *float64   `json:"headroom_busiest"` // in the busiest minute
	Minutes  int        `json:"crowded_minutes"`  // that the knee is the median of; 0: an experiment has measured it
	Pairs    int64      `json:"experiment_pairs"`
	From     *time.Time `json:"from"` // of what the knee was measured by
	Until    *time.Time `json:"until"`
	Problem  string     `json:"problem,omitempty"`
}

// EscalationState is how a model's answers are escalated, since the start of the server.
type EscalationState struct {
	Model           string           `json:"model"`
	Tier            string           `json:"tier"`             // that serves
	Budget          float64          `json:"budget"`           // share of all tokens
	Tokens          int64            `json:"tokens"`           // that clients were answered for while a tier below the source served, prompts and answers
	Extra           int64            `json:"extra_tokens"`     // that were computed besides
	Threshold       *float64         `json:"threshold"`        // mean log-probability of an answer, in nats a token; null: not known yet
	StreamThreshold *float64         `json:"stream_threshold"` // log-probability of a stream's first token
	Escalated       int64            `json:"escalated"`
	FellBack        map[string]int64 `json:"fallen_back"` // by reason: budget, deadline, control or failed
	Control         bool             `json:"control"`     // whether the source is loaded beside the tier
	Problem         string           `json:"problem,omitempty"`
}

// QualityLatency is in milliseconds.
type QualityLatency struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
}

// QualityControl is how a model's answers go with the control's.
type QualityControl struct {
	Model     string            `json:"model"`
	Share     float64           `json:"share"` // of requests that are drawn now
	Requests  []QualityCount    `json:"requests"`
	Window    *QualityEstimates `json:"window"` // under way; null: nothing was scored yet
	Last      *QualityEstimates `json:"last_window"`
	Canaries  *QualityCanaries  `json:"canaries"`             // null: they have not been asked yet
	NextSuite *time.Time        `json:"next_suite,omitempty"` // when suites are asked by the timer; none where none are
}

// QualityCount is what became of the requests of a part of the traffic that were drawn, since the start.
type QualityCount struct {
	Tag     string `json:"tag"` // empty: of all
	Drawn   int64  `json:"drawn"`
	Scored  int64  `json:"scored"`
	Waiting int64  `json:"waiting"`
	Lost    int64  `json:"lost"`
}

// QualityEstimates are what a window says of all the traffic of some weights.
type QualityEstimates struct {
	Until    *time.Time        `json:"until,omitempty"` // none of the one under way
	Numerics string            `json:"numerics"`
	Requests int               `json:"requests"` // that were scored
	Metrics  []QualityEstimate `json:"metrics"`  // none of fewer requests than say anything
}

// QualityEstimate is a metric with its 95 % interval.
type QualityEstimate struct {
	Metric string  `json:"metric"`
	Tag    string  `json:"tag,omitempty"`
	Value  float64 `json:"value"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	N      int     `json:"n"` // requests
}

// QualityCanaries is how the last ones were answered.
type QualityCanaries struct {
	Time    time.Time `json:"time"`
	Tier    string    `json:"tier"`
	Asked   int       `json:"asked"`
	Changed int       `json:"changed"` // answers that are not the golden ones
	// CachedTokens are those of the prompts that the prefix cache had when they were asked a second time, and ChangedByCache the answers that were others then.
	CachedTokens   int `json:"cached_tokens"`
	ChangedByCache int `json:"changed_by_cache"`
}

// QualityDrift is how a series of scores stands.
type QualityDrift struct {
	Model     string    `json:"model"`
	Suite     string    `json:"suite"` // live for clients' requests
	Metric    string    `json:"metric"`
	Tag       string    `json:"tag,omitempty"`
	Tier      string    `json:"tier"`
	State     string    `json:"state"` // learning or watching
	Value     float64   `json:"value"` // the last
	At        time.Time `json:"at"`
	Baseline  float64   `json:"baseline"`  // what it is held against
	Deviation *float64  `json:"deviation"` // of a value like the last about the baseline
	Windows   int       `json:"windows"`   // that the baseline is of
	Sum       float64   `json:"sum"`       // by how much values were worse of late, in deviations
	Threshold float64   `json:"threshold"` // of the sum, at which there is an alarm
	Alarms    int       `json:"alarms"`
}

// QualityAlarm is one that was raised.
type QualityAlarm struct {
	Time     time.Time       `json:"time"`
	Model    string          `json:"model"`
	Series   string          `json:"series"`
	Detector string          `json:"detector"`
	Evidence json.RawMessage `json:"evidence,omitempty"`
}

// QualityCoverage is what a model was asked of late, beside what suites ask.
type QualityCoverage struct {
	Model    string        `json:"model"`
	Requests int           `json:"requests"` // that were drawn and are remembered, 1000 at most
	Items    int           `json:"items"`    // of suites
	Parts    []QualityPart `json:"parts"`    // the largest first; none of fewer requests than say anything
}

// QualityPart is a part of the requests, with its share's 95 % interval.
type QualityPart struct {
	Dimension string  `json:"dimension"` // language, length or topic
	Value     string  `json:"value"`
	Share     float64 `json:"share"`
	Low       float64 `json:"low"`
	High      float64 `json:"high"`
	Requests  int     `json:"requests"`
	Items     int     `json:"items"`
	Uncovered bool    `json:"uncovered"` // surely more than a twentieth of the requests, and suites have less than a tenth of that
}

// QualityCorrelation is how a measurement of answers goes with their ratings.
type QualityCorrelation struct {
	Measure      string   `json:"measure"`
	N            int      `json:"n"` // answers that have both
	Pearson      *float64 `json:"pearson"`
	PearsonLow   *float64 `json:"pearson_low"` // the ends of its 95 % interval, as of the others
	PearsonHigh  *float64 `json:"pearson_high"`
	Spearman     *float64 `json:"spearman"`
	SpearmanLow  *float64 `json:"spearman_low"`
	SpearmanHigh *float64 `json:"spearman_high"`
	Kendall      *float64 `json:"kendall_tau_b"`
	KendallLow   *float64 `json:"kendall_tau_b_low"`
	KendallHigh  *float64 `json:"kendall_tau_b_high"`
	Problem      string   `json:"problem,omitempty"` // why there are no coefficients
}

func (s *Server) quality(c *call) error {
	q, err := s.History.Quality(c.context(), c.asker())
	if err != nil {
		return refusedByHistory(err)
	}
	if s.Escalations != nil {
		q.Escalation = s.Escalations()
	}
	q.Windows, q.Escalation, q.Correlations, q.Control = noNull(q.Windows), noNull(q.Escalation), noNull(q.Correlations), noNull(q.Control)
	q.Costs, q.Headroom = noNull(q.Costs), noNull(q.Headroom)
	for i := range q.Windows {
		q.Windows[i].Missed = noNull(q.Windows[i].Missed)
	}
	return c.reply(q)
}
