package answerer

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"chimera/client"
	"chimera/quality/eval"
)

// This file owns relevance: what a server makes of a text as a whole.

// noEmbeddings are what servers say that have no such endpoint, or none of this model: OpenAI's 403, Ollama's 500.
var noEmbeddings = append([]int{http.StatusForbidden, http.StatusInternalServerError}, notThere...)

var _ eval.Embedder = (*Server)(nil)

// Embed implements eval.Embedder. A text of blanks alone has nothing.
func (s *Server) Embed(ctx context.Context, text string) (state eval.State, err error) {
	if strings.TrimSpace(text) == "" {
		return state, nil
	}
	var e client.Embedding
	err = persist(ctx, func() (err error) {
		e, err = s.Client.Embed(ctx, text, client.Options{Model: s.Model})
		return err
	})
	if has(err, noEmbeddings) {
		return state, fmt.Errorf("%w: %w", eval.ErrNoStates, err)
	}
	return eval.State{Mean: e.State, By: cmp.Or(e.Fingerprint, e.Model, s.Model)}, refused(err)
}
