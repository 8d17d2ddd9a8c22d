package api

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/scheduler"
)

// This file owns what a model makes of a text as a whole, the mean of its final states: for the daemon itself, and as /v1/embeddings.

// Embed is the mean of the model's final states (behind the last norm, before the head) over a text's tokens, as the model reads it alone, made as long as 1,
// as a client is given it; weights are the digest of those that did. A token that the tokenizer puts before each text has no part in it: its state is much the same
// whatever follows. A text without tokens has nothing.
func (m *Model) Embed(ctx context.Context, text string) (state []float32, weights string, err error) {
	ids := m.Tokenizer.Encode(text, bare, false)
	if len(ids) == 0 {
		return nil, "", nil
	}
	r := m.pooled(ids)
	if len(r.Prompt) > m.MaxContext {
		return nil, "", badField("input", "it has %d tokens, the context %d", len(r.Prompt), m.MaxContext)
	}
	r.Salt = askSalt
	of, err := m.own(ctx, r, func(e scheduler.Event) { state = toUnit(e.Pooled) })
	if err != nil {
		return nil, "", err
	}
	return state, of.Weights(), nil
}

// pooled asks for the mean state of a text's tokens, of which there is one at least. What the tokenizer puts before a text is put before these, if it does not
// stand there, and does not count.
func (m *Model) pooled(ids []int32) scheduler.Request {
	r := scheduler.Request{Prompt: ids, Pool: true, Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}}
	if bos := m.Tokenizer.BOS(); m.Tokenizer.AddsBOS() {
		if ids[0] != bos {
			r.Prompt = append([]int32{bos}, ids...)
		}
		r.PoolFrom = min(1, len(r.Prompt)-1)
	}
	return r
}

// embeddingRequest is the endpoint's body.
type embeddingRequest struct {
	Model          *string        `json:"model"`
	Input          jsontext.Value `json:"input"`
	EncodingFormat *string        `json:"encoding_format"`

	Others map[string]jsontext.Value `json:",embed"` // see embeddingFields
}

// The answer's shapes.
type (
	embeddingAnswer struct {
		Object      string         `json:"object"`
		Data        []embedding    `json:"data"`
		Model       string         `json:"model"`
		Fingerprint string         `json:"system_fingerprint"`
		Usage       embeddingUsage `json:"usage"`
	}
	embedding struct {
		Object    string `json:"object"`
		Index     int    `json:"index"`
		Embedding any    `json:"embedding"` // (width of the model) numbers, or base64 of them as float32, little-endian
	}
	embeddingUsage struct {
		PromptTokens int `json:"prompt_tokens"`
		TotalTokens  int `json:"total_tokens"`
	}
)

func (s *Server) embeddings(c *call) error {
	if err := c.readUrgency(); err != nil {
		return err
	}
	var r embeddingRequest
	if err := c.decode(&r); err != nil {
		return err
	}
	if err := checkForeign("", r.Others, embeddingFields); err != nil {
		return err
	}
	encoding := or(r.EncodingFormat, "float")
	if _, known := numberBytes[encoding]; !known {
		return badField("encoding_format", "it must be float or base64")
	}
	m := c.model.Model
	if m.StateWidth == 0 {
		return &HTTPError{Status: 501, Type: "invalid_request_error", Code: "no_states", Message: "the device that computes the model does not tell its states: there are no embeddings"}
	}
	requests, err := r.requests(c, m, encoding)
	if err != nil {
		return err
	}
	c.release()
	list, err := c.pool(m, requests)
	if err != nil {
		return err
	}
	answer := embeddingAnswer{Object: "list", Model: m.Name, Fingerprint: m.Numerics(list[0].weights)}
	for i := range list {
		answer.Data = append(answer.Data, embedding{"embedding", i, encoded(toUnit(list[i].state), encoding)})
	}
	answer.Usage = embeddingUsage{c.figures.promptTokens, c.figures.promptTokens}
	c.headComputed(m, list[0].weights)
	return c.reply(answer)
}

// embedded is the field of the texts.
const embedded = "input"

// requests are one for each text, in the caller's name. What their vectors will take is counted before anything is made of a text.
func (r *embeddingRequest) requests(c *call, m *Model, encoding string) (list []scheduler.Request, err error) {
	texts, err := prompts(embedded, r.Input, m.Tokenizer.VocabSize())
	if err != nil {
		return nil, err
	}
	if err := c.countVectors(embedded, len(texts), m.StateWidth, encoding); err != nil {
		return nil, err
	}
	if err := c.precheck(m, sizeOf(texts), 1, 0); err != nil {
		return nil, err
	}
	for i, text := range texts {
		name := entryOf(embedded, i, len(texts))
		if text.ids == nil {
			if text.ids, err = c.promptIDs(m, name, text.text, func() []int32 { return m.Tokenizer.Encode(text.text, bare, false) }); err != nil {
				return nil, err
			}
		}
		if len(text.ids) == 0 {
			return nil, badField(name, "it has no tokens")
		}
		q := m.pooled(text.ids)
		if len(q.Prompt) > m.MaxContext {
			return nil, badField(name, "it has %d tokens, the context holds %d", len(q.Prompt), m.MaxContext)
		}
		q.Salt, q.Tenant = c.salt(), c.urgency.tenant
		q.Class, q.Priority, q.Deadline = c.urgency.class, c.urgency.priority, c.urgency.deadline(c.started)
		list = append(list, q)
	}
	return list, nil
}

// toUnit makes a state as long as 1, in place; one of zeros stays.
func toUnit(state []float32) []float32 {
	sum := 0.0
	for _, x := range state {
		sum += float64(x) * float64(x)
	}
	if sum > 0 {
		for i, x := range state {
			state[i] = float32(float64(x) / math.Sqrt(sum))
		}
	}
	return state
}

func encoded(state []float32, encoding string) any {
	if encoding == "float" {
		return state
	}
	bytes := make([]byte, 0, 4*len(state))
	for _, x := range state {
		bytes = binary.LittleEndian.AppendUint32(bytes, math.Float32bits(x))
	}
	return bytes
}
