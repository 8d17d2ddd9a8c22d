package api

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// This file owns GET /v1/receipts/{id}, how an answer came about, and POST /v1/forget, which deletes what is known of an answer or a tenant.

// receiptsPrefix begins the path of an answer's receipt.
const receiptsPrefix = "/v1/receipts/"

// receiptRoute is the route of a path behind it.
func (s *Server) receiptRoute(id string) route {
	return route{method: "GET", handler: func(c *call) error { return s.receipt(c, id) }}
}

// answerNamed reads an answer's name. One that can't be any answer's is told apart from one that is not known: it is a slip. Of one that has just been given
// all is known when it returns.
func (c *call) answerNamed(field, text string) (AnswerID, error) {
	id, ok := ParseAnswerID(text)
	if !ok {
		return id, badField(field, "%q names no answer: write the id of a completion, such as cmpl- and 32 hexadecimal digits", clip(validUTF8(text), maxParam))
	}
	c.server.ending.wait(c.context(), id)
	return id, nil
}

func (s *Server) receipt(c *call, text string) error {
	id, err := c.answerNamed("id", text)
	if err != nil {
		return err
	}
	r, err := s.History.Receipt(c.context(), id, c.asker())
	if err != nil {
		return refusedByHistory(err)
	}
	return c.reply(r)
}

// forgetRequest is the body of POST /v1/forget: one of the two.
type forgetRequest struct {
	Answer *string `json:"answer"`
	Tenant *string `json:"tenant"`

	Others map[string]jsontext.Value `json:",embed"`
}

func (s *Server) forget(c *call) error {
	var r forgetRequest
	if err := c.decodeAlone(&r); err != nil {
		return err
	}
	for name := range r.Others {
		return badField(name, "there is no such field: name an answer or a tenant")
	}
	rows, err := s.forgetNamed(c, &r)
	if err != nil {
		return refusedByHistory(err)
	}
	return c.reply(map[string]int64{"rows": rows})
}

func (s *Server) forgetNamed(c *call, r *forgetRequest) (rows int64, err error) {
	who := c.asker()
	switch {
	case (r.Answer == nil) == (r.Tenant == nil):
		return 0, badField("answer", "name an answer or a tenant, and not both")
	case r.Answer != nil:
		id, err := c.answerNamed("answer", *r.Answer)
		if err != nil {
			return 0, err
		}
		return s.History.ForgetAnswer(c.context(), id, who)
	case strings.TrimSpace(*r.Tenant) == "":
		return 0, badField("tenant", "it is empty: name a [[tenant]] of the settings, or one that there was")
	case *r.Tenant != who.Tenant && !who.Administers:
		return 0, c.checkAdministers()
	}
	return s.History.ForgetTenant(c.context(), *r.Tenant)
}

// decodeAlone is decode for a body that no model is needed for.
func (c *call) decodeAlone(v any) error {
	raw, err := c.read()
	if err != nil {
		return err
	}
	return decodeJSON(raw, v)
}
