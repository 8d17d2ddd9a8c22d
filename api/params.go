package api

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/engine"
	"chimera/scheduler"
)

// This file owns the parameters that chat and completions share, and their ranges.

// generation are the fields of both endpoints. Pointers tell "absent" from zero; null counts as absent.
type generation struct {
	Model             *string            `json:"model"`
	MaxTokens         *int64             `json:"max_tokens"`
	MinTokens         *int64             `json:"min_tokens"`
	Temperature       *float64           `json:"temperature"`
	TopP              *float64           `json:"top_p"`
	TopK              *int64             `json:"top_k"`
	MinP              *float64           `json:"min_p"`
	RepetitionPenalty *float64           `json:"repetition_penalty"`
	PresencePenalty   *float64           `json:"presence_penalty"`
	FrequencyPenalty  *float64           `json:"frequency_penalty"`
	LogitBias         map[string]float64 `json:"logit_bias"`
	Seed              *int64             `json:"seed"`
	Stop              jsontext.Value     `json:"stop"`
	N                 *int64             `json:"n"`
	Stream            *bool              `json:"stream"`
	StreamOptions     *struct {
		IncludeUsage *bool `json:"include_usage"`
	} `json:"stream_options"`
	IgnoreEOS         *bool `json:"ignore_eos"`
	TokensAsIDs       *bool `json:"return_tokens_as_token_ids"`
	SkipSpecialTokens *bool `json:"skip_special_tokens"`

	Others map[string]jsontext.Value `json:",embed"` // see declined
}

// Caps of what one request may ask for; each bounds memory or time that a client could otherwise take.
const (
	maxChoices    = 128
	maxStops      = 16
	maxStopBytes  = 1024
	maxBiases     = 1024
	maxPrompts    = 1024
	maxContent    = 1 << 18 // texts and ids of one content
	maxSequences  = 4096    // prompts x choices
	maxTopK       = 1 << 20
	maxPenaltyAbs = 2
)

// floatRange is a parameter's range, ends included unless open.
type floatRange struct {
	field     string
	value     *float64
	low, high float64
	openLow   bool
}

func (g *generation) check() error {
	for _, r := range []floatRange{
		{"temperature", g.Temperature, 0, 100, false},
		{"top_p", g.TopP, 0, 1, true},
		{"min_p", g.MinP, 0, 1, false},
		{"repetition_penalty", g.RepetitionPenalty, 0, 100, true},
		{"presence_penalty", g.PresencePenalty, -maxPenaltyAbs, maxPenaltyAbs, false},
		{"frequency_penalty", g.FrequencyPenalty, -maxPenaltyAbs, maxPenaltyAbs, false},
	} {
		if err := r.check(); err != nil {
			return err
		}
	}
	for _, r := range []struct {
		field     string
		value     *int64
		low, high int64
	}{
		{"max_tokens", g.MaxTokens, 0, math.MaxInt32}, {"min_tokens", g.MinTokens, 0, math.MaxInt32},
		{"top_k", g.TopK, -1, maxTopK}, {"n", g.N, 1, maxChoices},
	} {
		if r.value != nil && (*r.value < r.low || *r.value > r.high) {
			return badField(r.field, "%d, it must lie between %d and %d", *r.value, r.low, r.high)
		}
	}
	if g.MinTokens != nil && g.MaxTokens != nil && *g.MinTokens > *g.MaxTokens {
		return badField("min_tokens", "%d, it must not be above max_tokens, %d", *g.MinTokens, *g.MaxTokens)
	}
	if g.StreamOptions != nil && (g.Stream == nil || !*g.Stream) {
		return badField("stream_options", "it needs stream to be true")
	}
	return g.checkDeclined()
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
func (g *generation) sampling(vocab int) (scheduler.Sampling, error) {
	s := scheduler.Sampling{
		Temperature: float32(or(g.Temperature, 1)), TopP: float32(or(g.TopP, 1)), MinP: float32(or(g.MinP, 0)),
		TopK: int(max(or(g.TopK, 0), 0)), Repetition: float32(or(g.RepetitionPenalty, 1)),
		Presence: float32(or(g.PresencePenalty, 0)), Frequency: float32(or(g.FrequencyPenalty, 0)),
		Seed: uint64(or(g.Seed, 0)),
	}
	if g.Seed == nil {
		var random [8]byte
		rand.Read(random[:]) // never fails
		s.Seed = binary.LittleEndian.Uint64(random[:])
	}
	if len(g.LogitBias) > maxBiases {
		return s, badField("logit_bias", "%d entries, at most %d are allowed", len(g.LogitBias), maxBiases)
	}
	for key, value := range g.LogitBias {
		id, err := strconv.ParseInt(key, 10, 32)
		if err != nil || id < 0 || id >= int64(vocab) || strconv.FormatInt(id, 10) != key { // "+5" would be a second 5
			return s, badField("logit_bias", "key %q is no token id from 0 to %d", key, vocab-1)
		}
		if math.IsNaN(value) || value < -100 || value > 100 {
			return s, badField("logit_bias", "%v for token %s, it must lie between -100 and 100", value, key)
		}
		s.Biases = append(s.Biases, engine.Bias{Token: int32(id), Value: float32(value)})
	}
	return s, nil
}

// answerTokens is how long an answer may become: what was asked for, or else otherwise and no more than
// the context has left. promptField and maxField name the fields to blame.
func (g *generation) answerTokens(m *Model, promptTokens, otherwise int, promptField, maxField string) (int, error) {
	room, least := m.MaxContext-promptTokens, 1
	if g.MaxTokens != nil {
		least = int(min(*g.MaxTokens, 1))
	}
	field, message := maxField, fmt.Sprintf("%d, but after %d tokens of the prompt the context of %d has room for %d", or(g.MaxTokens, 0), promptTokens, m.MaxContext, room)
	switch {
	case room < least:
		field, message = promptField, fmt.Sprintf("it has %d tokens, and the answer needs at least %d; the context holds %d", promptTokens, least, m.MaxContext)
	case g.MaxTokens == nil:
		return min(otherwise, room), nil
	case *g.MaxTokens <= int64(room):
		return int(*g.MaxTokens), nil
	}
	h := badField(field, "%s", message)
	h.Code = codeTooLong
	return 0, h
}

// stops reads the field stop: absent, a string, or a list of strings.
func (g *generation) stops() ([]string, error) {
	list, err := stringOrList("stop", g.Stop, maxStops)
	for _, s := range list {
		if s == "" {
			return nil, badField("stop", "a stop string must not be empty")
		}
		if len(s) > maxStopBytes {
			return nil, badField("stop", "a stop string of %d bytes, at most %d are allowed", len(s), maxStopBytes)
		}
	}
	return list, err
}
