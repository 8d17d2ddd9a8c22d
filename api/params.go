package api

import (
	"fmt"
	"math"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/scheduler"
)

// This file owns the parameters that chat and completions share, and their ranges.

// generation are the fields of both endpoints. Pointers tell "absent" from zero; null counts as absent.
type generation struct {
	Model             *string        `json:"model"`
	MaxTokens         *int64         `json:"max_tokens"`
	MinTokens         *int64         `json:"min_tokens"`
	Temperature       *float64       `json:"temperature"`
	TopP              *float64       `json:"top_p"`
	TopK              *int64         `json:"top_k"`
	MinP              *float64       `json:"min_p"`
	RepetitionPenalty *float64       `json:"repetition_penalty"`
	PresencePenalty   *float64       `json:"presence_penalty"`
	FrequencyPenalty  *float64       `json:"frequency_penalty"`
	LogitBias         jsontext.Value `json:"logit_bias"`
	Seed              jsontext.Value `json:"seed"`
	Stop              jsontext.Value `json:"stop"`
	StopInAnswer      *bool          `json:"include_stop_str_in_output"`
	N                 *int64         `json:"n"`
	Stream            *bool          `json:"stream"`
	StreamOptions     *streamOptions `json:"stream_options"`
	IgnoreEOS         *bool          `json:"ignore_eos"`
	TokensAsIDs       *bool          `json:"return_tokens_as_token_ids"`
	SkipSpecialTokens *bool          `json:"skip_special_tokens"`

	Others map[string]jsontext.Value `json:",embed"` // see foreignFields
}

type streamOptions struct {
	IncludeUsage *bool                     `json:"include_usage"`
	Others       map[string]jsontext.Value `json:",embed"` // see streamFields
}

// Caps of what one request may ask for; each bounds memory or time that a client could otherwise take.
const (
	maxChoices    = 128
	maxStops      = 256
	maxStopBytes  = 1024
	maxStopsBytes = 16 << 10 // together: each token's text is held against all
	maxBiases     = 1024
	maxPrompts    = 1024
	maxContent    = 1 << 18 // texts and ids of one content
	maxSequences  = 4096    // prompts x choices
	maxPenaltyAbs = 2
)

// forget drops the parts of the body that have been understood: an answer takes its time, and its body is not counted
// meanwhile.
func (g *generation) forget() { g.LogitBias, g.Seed, g.Stop, g.Others = nil, nil, nil, nil }

// floatRange is a parameter's range, ends included unless open.
type floatRange struct {
	field     string
	value     *float64
	low, high float64
	openLow   bool
}

func (g *generation) check() error {
	g.MaxTokens = unlimited(g.MaxTokens)
	for _, r := range []floatRange{
		{field: "temperature", value: g.Temperature, high: 100},
		{field: "top_p", value: g.TopP, high: 1, openLow: true},
		{field: "min_p", value: g.MinP, high: 1},
		{field: "repetition_penalty", value: g.RepetitionPenalty, high: 100, openLow: true},
		{field: "presence_penalty", value: g.PresencePenalty, low: -maxPenaltyAbs, high: maxPenaltyAbs},
		{field: "frequency_penalty", value: g.FrequencyPenalty, low: -maxPenaltyAbs, high: maxPenaltyAbs},
	} {
		if err := r.check(); err != nil {
			return err
		}
	}
	for _, r := range []intRange{
		{"max_tokens", g.MaxTokens, 0, math.MaxInt64}, {"min_tokens", g.MinTokens, 0, math.MaxInt64},
		{"top_k", g.TopK, -1, math.MaxInt64}, {"n", g.N, 1, maxChoices},
	} {
		if err := r.check(); err != nil {
			return err
		}
	}
	if g.MinTokens != nil && g.MaxTokens != nil && *g.MinTokens > *g.MaxTokens {
		return badField("min_tokens", "%s, it must not be above max_tokens, %s", shown(*g.MinTokens), shown(*g.MaxTokens))
	}
	if g.StreamOptions != nil && or(g.StreamOptions.IncludeUsage, false) && !or(g.Stream, false) {
		return badField("stream_options", "it needs stream to be true")
	}
	if g.StreamOptions != nil {
		if err := checkForeign("stream_options.", g.StreamOptions.Others, streamFields); err != nil {
			return err
		}
	}
	return checkForeign("", g.Others, foreignFields)
}

// unlimited reads the -1 that front ends send for an answer as long as there is room for.
func unlimited(most *int64) *int64 {
	if most != nil && *most == -1 {
		return new(int64(math.MaxInt64))
	}
	return most
}

// intRange is a parameter's range, ends included. One without an upper end is a ceiling: more than there is means all there is.
type intRange struct {
	field     string
	value     *int64
	low, high int64
}

func (r intRange) check() error {
	switch {
	case r.value == nil || *r.value >= r.low && *r.value <= r.high:
		return nil
	case r.high == math.MaxInt64:
		return badField(r.field, "%s, it must be at least %d", shown(*r.value), r.low)
	}
	return badField(r.field, "%s, it must lie between %d and %d", shown(*r.value), r.low, r.high)
}

func (r floatRange) check() error {
	if r.value == nil {
		return nil
	}
	if v := *r.value; math.IsNaN(v) || v < r.low || v > r.high || (r.openLow && float32(v) == float32(r.low)) {
		if r.openLow {
			return badField(r.field, "%v, it must be above %v and at most %v", v, r.low, r.high)
		}
		return badField(r.field, "%v, it must lie between %v and %v", v, r.low, r.high)
	}
	return nil
}

func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// sampling translates the parameters for the scheduler; OpenAI's defaults where a field is absent.
func (g *generation) sampling(vocab int) (s scheduler.Sampling, err error) {
	s = scheduler.Sampling{
		Temperature: float32(or(g.Temperature, 1)), TopP: float32(or(g.TopP, 1)), MinP: float32(or(g.MinP, 0)),
		TopK: int(min(max(or(g.TopK, 0), 0), int64(vocab))), Repetition: float32(or(g.RepetitionPenalty, 1)),
		Presence: float32(or(g.PresencePenalty, 0)), Frequency: float32(or(g.FrequencyPenalty, 0)),
	}
	if s.Seed, err = g.seed(); err != nil {
		return s, err
	}
	s.Biases, err = logitBias(g.LogitBias, vocab)
	return s, err
}

// answerTokens is how long an answer may become: what was asked for, or else otherwise, and no more than the context has
// left, as clients give the most that any model could say. A prompt that leaves nothing is refused; promptField is its name.
func (g *generation) answerTokens(m *Model, promptTokens, otherwise int, promptField string) (int, error) {
	room := m.MaxContext - promptTokens
	asked := or(g.MaxTokens, int64(otherwise))
	if least := int(min(asked, 1)); room < least {
		return 0, m.tooLong(promptField, fmt.Sprintf("%d tokens", promptTokens), least)
	}
	return int(min(asked, int64(room))), nil
}

// tooLong refuses a prompt of such a size, after which there is no room for the least answer.
func (m *Model) tooLong(field, size string, least int) error {
	h := badField(field, "it has %s, and the answer needs at least %d; the context holds %d", size, least, m.MaxContext)
	h.Code = codeTooLong
	return h
}

// stops reads the field stop: absent, a string, or a list of strings. An empty one stops nothing.
func (g *generation) stops() ([]string, error) {
	list, err := stringOrList("stop", g.Stop, maxValues)
	list = slices.DeleteFunc(list, func(s string) bool { return s == "" })
	if len(list) > maxStops {
		return nil, badField("stop", "%d stop strings, at most %d are allowed", len(list), maxStops)
	}
	total := 0
	for _, s := range list {
		total += len(s)
		if len(s) > maxStopBytes {
			return nil, badField("stop", "a stop string of %d bytes, at most %d are allowed", len(s), maxStopBytes)
		}
	}
	if total > maxStopsBytes {
		return nil, badField("stop", "stop strings of %d bytes together, at most %d are allowed", total, maxStopsBytes)
	}
	return list, err
}
