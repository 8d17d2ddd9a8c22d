package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// This file owns what the endpoints need of the history, and who may ask for what: an answer's tenant and the administrator alone.

// Asker is who asks about an answer.
type Asker struct {
	Tenant      string // "" for all clients that are no tenant's, who are one
	Administers bool
}

func (c *call) asker() Asker { return Asker{c.tenant(), c.peer.Administers} }

// ErrNoAnswer is a History's of an answer that it does not know, or of which who asks may not know.
var ErrNoAnswer = errors.New("no such answer is known: it may be too old, forgotten, or another's")

// ErrRated is Rate's of an answer that has been rated.
var ErrRated = errors.New("the answer has been rated")

// History is what is remembered of answers and of serving. An error that has no answer of its own is why the history can't be asked.
type History interface {
	// Receipt is what is known of an answer, and what was asked, if that was kept. Its error is ErrNoAnswer, as is Rate's.
	Receipt(ctx context.Context, id AnswerID, a Asker) (Receipt, error)
	// ForgetAnswer deletes all that is known of an answer, and tells of how many rows.
	ForgetAnswer(ctx context.Context, id AnswerID, a Asker) (rows int64, err error)
	ForgetTenant(ctx context.Context, name string) (rows int64, err error)
	// Rate has an opinion written, once an answer: 1 (bad) to 5 (good). kept tells whether the correction is.
	Rate(ctx context.Context, id AnswerID, a Asker, rating int, correction string) (kept bool, err error)
	// Quality is what was measured of late: of all tenants for the administrator, else of who asks.
	Quality(ctx context.Context, a Asker) (Quality, error)
	// State tells how it is doing. It asks no disk.
	State() HistoryState
}

// HistoryState is how a history is doing.
type HistoryState struct {
	State   string     `json:"state"` // on, failing (it takes no rows at the moment) or off
	Problem string     `json:"problem,omitempty"`
	Since   *time.Time `json:"since,omitempty"` // when it began to fail
	Queued  int        `json:"queued_rows"`
	Written int64      `json:"written_rows"`
	Dropped int64      `json:"dropped_rows"` // there was no room for in the queue
	Refused int64      `json:"refused_rows"` // that the database did not take
	Damaged int        `json:"damaged_rows"`
}

// The states of a history.
const (
	HistoryOn      = "on"
	HistoryFailing = "failing"
	HistoryOff     = "off"
)

// Receipt is how an answer came about. It has no texts.
type Receipt struct {
	ID           string          `json:"id"`
	Time         time.Time       `json:"time"` // of the answer's end
	Model        string          `json:"model"`
	Tenant       string          `json:"tenant,omitempty"`
	Class        string          `json:"class"`
	Numerics     string          `json:"numerics"`
	Answers      int64           `json:"answers"` // for each prompt and choice one
	Outcome      string          `json:"outcome"` // stop, length, cancelled or failed
	Sampling     ReceiptSampling `json:"sampling"`
	MinTokens    int64           `json:"min_tokens"`
	IgnoresEnd   bool            `json:"ignore_eos"`
	Biases       int64           `json:"logit_biases"`             // how many; not which
	Lengths      []int64         `json:"answer_lengths,omitempty"` // of several answers, in the order of prompts and of the choices of each: their tokens
	PromptTokens int64           `json:"prompt_tokens"`
	CachedTokens int64           `json:"cached_tokens"`
	AnswerTokens int64           `json:"answer_tokens"`
	TokensDigest string          `json:"tokens_digest"`
	Queue        float64         `json:"queue_ms"`   // to a place
	Prefill      float64         `json:"prefill_ms"` // from there to the first token
	Decode       float64         `json:"decode_ms"`  // to the last
	Tier         string          `json:"tier,omitempty"`
	Escalated    string          `json:"escalated_from,omitempty"`
	// ExtraTokens were computed of an answer that was not given, with the prompt's; ExtraCoreSeconds are those of CoreSeconds that they took.
	ExtraTokens      int64    `json:"extra_tokens,omitzero"`
	ExtraCoreSeconds *float64 `json:"extra_core_seconds,omitempty"`
	CacheLevel       string   `json:"cache_level,omitempty"`
	CoreSeconds      *float64 `json:"core_seconds,omitempty"` // none where nobody counted
	GPUSeconds       *float64 `json:"gpu_seconds,omitempty"`
	PromptKept       bool     `json:"prompt_kept"`
	Ratings          []int64  `json:"ratings,omitempty"`

	// Prompts are what was asked, if it was kept, as token ids. They are never shown.
	Prompts [][]int32 `json:"-"`
	// LogitBias is which tokens were made likelier or less likely, kept and hidden like the prompt; in a form of a request's field.
	LogitBias jsontext.Value `json:"-"`
}

// ReceiptSampling is how tokens were drawn.
type ReceiptSampling struct {
	Temperature float64 `json:"temperature"`
	TopP        float64 `json:"top_p"`
	MinP        float64 `json:"min_p"`
	TopK        int64   `json:"top_k"`
	Presence    float64 `json:"presence_penalty"`
	Frequency   float64 `json:"frequency_penalty"`
	Repetition  float64 `json:"repetition_penalty"`
	Seed        uint64  `json:"seed"`
}

// refusedByHistory gives a history's error its answer.
func refusedByHistory(err error) error {
	var own *HTTPError
	switch {
	case err == nil, errors.As(err, &own):
		return err
	case errors.Is(err, ErrNoAnswer):
		return &HTTPError{Status: http.StatusNotFound, Type: "invalid_request_error", Code: "no_such_answer", Message: err.Error()}
	case errors.Is(err, ErrRated):
		return &HTTPError{Status: http.StatusConflict, Type: "invalid_request_error", Param: "completion_id", Code: "already_rated", Message: "completion_id: " + err.Error()}
	case errors.Is(err, context.Canceled):
		return err
	}
	return &HTTPError{Status: http.StatusServiceUnavailable, Type: "server_error", Code: "history_unavailable", Message: "the history can't be asked at the moment: see history in GET /v1/status", Cause: err}
}
