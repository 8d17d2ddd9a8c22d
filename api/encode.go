package api

import (
	"crypto/rand"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// This file owns what answers share: ids, usage, and JSON.

// usage counts tokens as OpenAI does.
type usage struct {
	PromptTokens     int           `json:"prompt_tokens"`
	CompletionTokens int           `json:"completion_tokens"`
	TotalTokens      int           `json:"total_tokens"`
	Details          promptDetails `json:"prompt_tokens_details"`
}

type promptDetails struct {
	CachedTokens int `json:"cached_tokens"`
}

// add counts a piece of a request with so many choices to a prompt. The later choices find the pages of
// the first one, which were paid for: they do not count as cached.
func (u *usage) add(p piece, choices int) {
	u.CompletionTokens += len(p.tokens)
	if p.finish != "" && p.choice%choices == 0 {
		u.Details.CachedTokens += p.cached
	}
}

func (u *usage) total() *usage {
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
	return u
}

// envelope is what every answer begins with.
type envelope struct {
	ID          string `json:"id"`
	Object      string `json:"object"`
	Created     int64  `json:"created"`
	Model       string `json:"model"`
	Fingerprint string `json:"system_fingerprint"` // the numerics id of the weights that have computed it, which may be others than those that answer now
}

// envelope is that of an answer of which nothing is there yet.
func (c *call) envelope(m *Model, prefix, object string) envelope {
	rand.Read(c.answer[:]) // never fails
	c.server.ending.begin(c.answer)
	return envelope{prefix + c.answer.String(), object, c.started.Unix(), m.Name, m.Numerics("")}
}

func validUTF8(s string) string { return strings.ToValidUTF8(s, string(utf8.RuneError)) }

// marshal encodes an answer; map keys are sorted so that equal answers have equal bytes.
func marshal(v any) ([]byte, error) {
	return json.Marshal(v, json.Deterministic(true), json.FormatNilSliceAsNull(true), json.FormatNilMapAsNull(true), jsontext.AllowInvalidUTF8(true))
}

func (c *call) reply(v any) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	c.SetContentType("application/json")
	c.SetBody(b)
	return nil
}
