package client

import (
	"context"
	"fmt"
	"io"
)

// This file owns asking a server what it makes of a text as a whole.

type embedBody struct {
	Model string `json:"model,omitempty"`
	Input string `json:"input"`
}

type embedAnswer struct {
	Data []struct {
		Embedding []float32 `json:"embedding"`
	} `json:"data"`
	Model       string `json:"model"`
	Fingerprint string `json:"system_fingerprint"`
}

// Embedding is what a server makes of a text.
type Embedding struct {
	State       []float32 // as wide as the server has it
	Model       string
	Fingerprint string // of the weights that made it: of a Chimera its numerics id; empty where a server tells none
}

// Embed is the embedding of a text, by the endpoint /v1/embeddings.
func (c *Client) Embed(ctx context.Context, text string, o Options) (e Embedding, err error) {
	body, err := c.whenLoaded(ctx, func() (io.ReadCloser, error) { return c.post(ctx, "/v1/embeddings", embedBody{o.Model, text}) })
	if err != nil {
		return e, err
	}
	var answer embedAnswer
	if _, err := readWhole(c, body, func(text []byte) (embedAnswer, error) {
		answer, err = parseAnswer[embedAnswer](text, "data", '[')
		return answer, err
	}); err != nil {
		return e, err
	}
	if len(answer.Data) != 1 || len(answer.Data[0].Embedding) == 0 {
		return e, fmt.Errorf("the server's answer has %d embeddings of one text", len(answer.Data))
	}
	return Embedding{answer.Data[0].Embedding, answer.Model, answer.Fingerprint}, nil
}
