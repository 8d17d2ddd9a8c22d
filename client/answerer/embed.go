package answerer

import (
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
func (s *Server) Embed(ctx context.Context, text string) (state []float32, err error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	err = persist(ctx, func() (err error) {
		state, err = s.Client.Embed(ctx, text, client.Options{Model: s.Model})
		return err
	})
	if has(err, noEmbeddings) {
		return nil, fmt.Errorf("%w: %w", eval.ErrNoStates, err)
	}
	return state, refused(err)
}
