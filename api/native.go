package api

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"chimera/scheduler"
	"chimera/tokenizer"
)

// This file owns /v1/models, the tokenizer endpoints in llama-server's form, and health.

type modelObject struct {
	ID         string `json:"id"`
	Object     string `json:"object"`
	Created    int64  `json:"created"`
	OwnedBy    string `json:"owned_by"`
	MaxContext int    `json:"max_model_len,omitempty"`
	Loaded     bool   `json:"loaded"`
}

func (s *Server) modelObject(name string) modelObject {
	o := modelObject{ID: name, Object: "model", OwnedBy: "chimera"}
	if m, _ := s.Registry.Lookup(name); m != nil {
		o.Created, o.MaxContext, o.Loaded = m.Created.Unix(), m.MaxContext, true
	}
	return o
}

func (s *Server) models(c *call) error {
	list := struct {
		Object string        `json:"object"`
		Data   []modelObject `json:"data"`
	}{Object: "list", Data: s.modelObjects()}
	return c.reply(list)
}

func (s *Server) modelObjects() []modelObject {
	list := []modelObject{}
	for _, name := range s.Registry.Names() {
		list = append(list, s.modelObject(name))
	}
	return list
}

func (s *Server) model(c *call, name string) error {
	if _, known := s.Registry.Lookup(name); !known {
		return s.noModel(name)
	}
	return c.reply(s.modelObject(name))
}

func (s *Server) tokenize(c *call) error {
	var r struct {
		Model        *string        `json:"model"`
		Content      jsontext.Value `json:"content"`
		AddSpecial   bool           `json:"add_special"`
		ParseSpecial *bool          `json:"parse_special"`
		WithPieces   bool           `json:"with_pieces"`

		Others map[string]jsontext.Value `json:",embed"` // see tokenizeFields
	}
	if err := c.decode(&r); err != nil {
		return err
	}
	if err := checkForeign("", r.Others, tokenizeFields); err != nil {
		return err
	}
	m := c.model.Model
	var bad error
	ids, err := c.tokenise(len(r.Content), func() (ids []int32) {
		ids, bad = contentIDs(m.Tokenizer, r.Content, r.AddSpecial, or(r.ParseSpecial, true))
		return ids
	})
	if err := errors.Join(err, bad); err != nil {
		return err
	}
	if !r.WithPieces {
		return c.reply(map[string]any{"tokens": ids})
	}
	type withPiece struct {
		ID    int32 `json:"id"`
		Piece any   `json:"piece"`
	}
	list := []withPiece{}
	for _, id := range ids {
		list = append(list, withPiece{id, pieceValue(m.Tokenizer.Piece(id, showSpecial))})
	}
	return c.reply(map[string]any{"tokens": list})
}

// contentIDs reads the field content: a text, or a list of texts and token ids, which are kept as they are.
// Special tokens go around what begins with a text, as around a prompt.
func contentIDs(t *tokenizer.Tokenizer, raw jsontext.Value, addSpecial, parseSpecial bool) ([]int32, error) {
	const field = "content"
	items, ids := []jsontext.Value{raw}, []int32{}
	if raw.Kind() == '[' {
		var err error
		if items, err = elements(field, raw, maxContent); err != nil {
			return nil, err
		}
	}
	for _, item := range items {
		switch {
		case item.Kind() == '"':
			var text string
			if err := json.Unmarshal(item, &text); err != nil {
				return nil, err
			}
			ids = append(ids, t.Encode(text, bare, parseSpecial)...)
		case item.Kind() == '0' && raw.Kind() == '[':
			id, err := tokenID(field, item, t.VocabSize())
			if err != nil {
				return nil, err
			}
			ids = append(ids, id)
		default:
			return nil, badField(field, "it must be a string, or a list of strings and token ids")
		}
	}
	if addSpecial && len(items) > 0 && items[0].Kind() == '"' {
		ids = t.Around(ids)
	}
	return ids, nil
}

// pieceValue is a string, or the bytes where they are no text.
func pieceValue(piece string) any {
	if piece == validUTF8(piece) {
		return piece
	}
	return byteValues(piece)
}

func (s *Server) detokenize(c *call) error {
	var r struct {
		Model             *string        `json:"model"`
		Tokens            jsontext.Value `json:"tokens"`
		SkipSpecialTokens bool           `json:"skip_special_tokens"`

		Others map[string]jsontext.Value `json:",embed"` // see detokenizeFields
	}
	if err := c.decode(&r); err != nil {
		return err
	}
	if err := checkForeign("", r.Others, detokenizeFields); err != nil {
		return err
	}
	m := c.model.Model
	if r.Tokens.Kind() != '[' {
		return badField("tokens", "it must be a list of token ids")
	}
	ids, err := tokenIDs("tokens", r.Tokens, m.Tokenizer.VocabSize())
	if err != nil {
		return err
	}
	return c.reply(map[string]string{"content": validUTF8(m.Tokenizer.Decode(ids, !r.SkipSpecialTokens))})
}

// live says that the process answers.
func (s *Server) live(c *call) error { return c.reply(map[string]string{"status": "ok"}) }

// ready says that the models answer, or how far they are loaded.
func (s *Server) ready(c *call) error {
	err := s.Ready(c.context())
	if isLoading(err) || errors.Is(err, scheduler.ErrDraining) {
		return err
	}
	if err != nil {
		return &HTTPError{Status: 503, Type: "server_error", Code: "not_ready", Message: fmt.Sprintf("not ready: %v", err), Cause: err}
	}
	return c.reply(map[string]string{"status": "ok"})
}
