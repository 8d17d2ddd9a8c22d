package api

import (
	"github.com/go-json-experiment/json/jsontext"
)

// This file owns POST /v1/feedback: what somebody thought of an answer that was given to him.

// feedback is the body.
type feedback struct {
	CompletionID *string `json:"completion_id"`
	Rating       *int64  `json:"rating"`     // 1 (bad) to 5 (good), or
	Thumb        *string `json:"thumb"`      // "up" or "down"
	Correction   *string `json:"correction"` // what the answer should have been

	Others map[string]jsontext.Value `json:",embed"`
}

// maxCorrection bounds a correction, in bytes: an answer that somebody has written anew by hand.
const maxCorrection = 256 << 10

// The ends of the scale, which a thumb points to.
const worst, best = 1, 5

// rating is what the body says, on the scale.
func (f *feedback) rating() (int, error) {
	switch {
	case (f.Rating == nil) == (f.Thumb == nil):
		return 0, badField("rating", "give a rating or a thumb, and not both")
	case f.Rating != nil:
		return int(or(f.Rating, 0)), intRange{"rating", f.Rating, worst, best}.check()
	case *f.Thumb == "up":
		return best, nil
	case *f.Thumb == "down":
		return worst, nil
	}
	return 0, badField("thumb", "%q, it must be up or down", clip(validUTF8(*f.Thumb), maxParam))
}

func (s *Server) feedback(c *call) error {
	var f feedback
	if err := c.decodeAlone(&f); err != nil {
		return err
	}
	for name := range f.Others {
		return badField(name, "there is no such field: feedback has completion_id, rating or thumb, and correction")
	}
	id, err := c.answerNamed("completion_id", or(f.CompletionID, ""))
	if err != nil {
		return err
	}
	rating, err := f.rating()
	if err != nil {
		return err
	}
	if n := len(or(f.Correction, "")); n > maxCorrection {
		return badField("correction", "it has %d bytes, at most %d are taken", n, maxCorrection)
	}
	kept, err := s.History.Rate(c.context(), id, c.asker(), rating, or(f.Correction, ""))
	if err != nil {
		return refusedByHistory(err)
	}
	return c.reply(map[string]any{"completion_id": *f.CompletionID, "rating": rating, "correction_kept": kept})
}
