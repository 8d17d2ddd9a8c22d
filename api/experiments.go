package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// This file owns /v1/experiments: what changes were measured to do on this machine, and how the administrator has them measured.

// Experiments measures changes and causes.
type Experiments interface {
	// Experiments tells what can be measured, what is being, and what was.
	Experiments(ctx context.Context) (ExperimentState, error)
	// RunExperiments measures, and returns when all is done, or why it is not. Its context's end ends it; what was measured by then is kept.
	RunExperiments(ctx context.Context, ask ExperimentAsk) (ExperimentState, error)
}

// ExperimentAsk is what is to be measured.
type ExperimentAsk struct {
	Model   string        // "": the first
	Factors []string      // none: all
	For     time.Duration // that it may take, of time without clients
	Now     bool          // beside clients, who wait longer then
}

// ExperimentState is the answer of GET /v1/experiments.
type ExperimentState struct {
	Running     *ExperimentRun     `json:"running,omitempty"`
	Factors     []ExperimentFactor `json:"factors"`     // that can be asked for
	Problems    []ExperimentFailed `json:"problems"`    // of the last run, or the one under way: what was not measured, and why
	Experiments []Experiment       `json:"experiments"` // the newest of each change, the oldest first
}

// ExperimentRun is one under way.
type ExperimentRun struct {
	Model   string    `json:"model"`
	Factor  string    `json:"factor"` // that is being measured
	Done    int       `json:"done"`   // factors
	Of      int       `json:"of"`
	Since   time.Time `json:"since"`
	Waiting bool      `json:"waiting"` // for clients to leave
	Now     bool      `json:"now"`     // beside clients
}

// ExperimentFactor is one that can be asked for.
type ExperimentFactor struct {
	Name    string `json:"name"`
	Meaning string `json:"meaning"`
}

// ExperimentFailed is a factor that was not measured.
type ExperimentFailed struct {
	Model   string `json:"model"`
	Factor  string `json:"factor"`
	Problem string `json:"problem"`
}

// Experiment is one comparison.
type Experiment struct {
	Time     time.Time           `json:"time"`
	Model    string              `json:"model"`
	Kind     string              `json:"kind"` // setting, or cause: what of a loss comes back
	Factor   string              `json:"factor"`
	Off      string              `json:"off"` // as it was
	On       string              `json:"on"`  // as it could be; of a cause: as for the control
	N        int64               `json:"n"`   // pairs
	Method   string              `json:"method"`
	Tier     string              `json:"tier"`    // that served
	KVType   string              `json:"kv_type"` // of its cache
	Seed     uint64              `json:"seed"`    // by which questions and stretches of the load were drawn
	Measures []ExperimentMeasure `json:"measures"`
}

// ExperimentMeasure is what it did to one measure: qps, ttft_ms or a metric of scores.
type ExperimentMeasure struct {
	Measure string   `json:"measure"`
	Before  float64  `json:"before"`
	After   float64  `json:"after"`
	Low     *float64 `json:"low"` // of the 95 % interval of after - before
	High    *float64 `json:"high"`
}

// The times that a run may be given: a few blocks, and what somebody waits for at most.
const (
	defaultExperiment  = 10 * time.Minute
	shortestExperiment = time.Second
	longestExperiment  = 12 * time.Hour
)

// mostFactors is how many one request may name: each is one of a few.
const mostFactors = 64

// experimentRequest is the body of POST /v1/experiments.
type experimentRequest struct {
	Model   *string  `json:"model"` // without it the first
	Factors []string `json:"factors"`
	For     *string  `json:"for"` // such as 10m
	Now     *bool    `json:"now"`

	Others map[string]jsontext.Value `json:",embed"`
}

func (r *experimentRequest) ask() (ExperimentAsk, error) {
	a := ExperimentAsk{Model: or(r.Model, ""), Factors: r.Factors, For: defaultExperiment, Now: or(r.Now, false)}
	for name := range r.Others {
		return a, badField(name, "there is no such field: give model, factors, for and now, all of which may be left out")
	}
	if len(r.Factors) > mostFactors {
		return a, badField("factors", "there are %d, more than %d", len(r.Factors), mostFactors)
	}
	if r.For != nil {
		d, err := time.ParseDuration(*r.For)
		if err != nil || d < shortestExperiment || d > longestExperiment {
			return a, badField("for", "%q, it must be a time from 1s to 12h, such as 10m", clip(validUTF8(*r.For), maxParam))
		}
		a.For = d
	}
	return a, nil
}

func (s *Server) experiments(c *call) error {
	if err := c.checkAdministers(); err != nil {
		return err
	}
	state, err := s.Experiments.Experiments(c.context())
	if err != nil {
		return refusedByHistory(err)
	}
	return c.reply(state.filled())
}

func (s *Server) runExperiments(c *call) error {
	if err := c.checkAdministers(); err != nil {
		return err
	}
	var r experimentRequest
	if err := c.decodeAlone(&r); err != nil {
		return err
	}
	ask, err := r.ask()
	if err != nil {
		return err
	}
	if _, known := s.Registry.Lookup(ask.Model); !known {
		return s.noModel(ask.Model)
	}
	state, err := s.Experiments.RunExperiments(c.context(), ask)
	if err != nil {
		return c.toHTTP(err)
	}
	return c.reply(state.filled())
}

// filled gives lists that are empty their form.
func (s ExperimentState) filled() ExperimentState {
	s.Factors, s.Problems, s.Experiments = noNull(s.Factors), noNull(s.Problems), noNull(s.Experiments)
	for i := range s.Experiments {
		s.Experiments[i].Measures = noNull(s.Experiments[i].Measures)
	}
	return s
}

// NoFactor refuses a factor that there is not.
func NoFactor(name, known string) *HTTPError {
	return badField("factors", "there is no factor %q: choose among %s", clip(validUTF8(name), maxParam), known)
}

// Experimenting refuses a run beside another.
func Experimenting() *HTTPError {
	return &HTTPError{Status: http.StatusConflict, Type: "invalid_request_error", Code: "experiment_running",
		Message: "an experiment is under way: two would be in each other's way. Ask again when it has ended"}
}

// CannotExperiment is a run that has no model, no history or no load.
func CannotExperiment(format string, a ...any) *HTTPError {
	return &HTTPError{Status: http.StatusConflict, Type: "invalid_request_error", Code: "cannot_experiment", Message: fmt.Sprintf(format, a...)}
}
