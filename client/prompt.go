package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// This file owns asking how likely a text is behind another: /v1/completions with echo and logprobs, as evaluation harnesses ask.

// ErrNoEcho is in the chain of errors of a server that does not give a prompt's log-probabilities.
var ErrNoEcho = errors.New("the server gives no log-probabilities of a prompt's tokens")

type echoBody struct {
	Model       string  `json:"model,omitempty"`
	Prompt      string  `json:"prompt"`
	MaxTokens   int     `json:"max_tokens"`
	Temperature float64 `json:"temperature"`
	Echo        bool    `json:"echo"`
	Logprobs    int     `json:"logprobs"`
}

type echoAnswer struct {
	Choices []struct {
		Text     string `json:"text"`
		Logprobs *struct {
			TokenLogprobs []*float64 `json:"token_logprobs"`
			TextOffset    []int      `json:"text_offset"`
		} `json:"logprobs"`
	} `json:"choices"`
}

// LogLikelihood is the natural log-probability of text behind another: the sum over its tokens, the one that both have a part in counted
// with them.
func (c *Client) LogLikelihood(ctx context.Context, behind, text string, o Options) (float64, error) {
	// One token more is asked for, since some servers refuse none, and is not counted.
	request := echoBody{Model: o.Model, Prompt: behind + text, MaxTokens: 1, Echo: true, Logprobs: 1}
	body, err := c.whenLoaded(ctx, func() (io.ReadCloser, error) { return c.post(ctx, "/v1/completions", request) })
	if err != nil {
		return 0, err
	}
	var answer echoAnswer
	if _, err := readWhole(c, body, func(text []byte) (echoAnswer, error) {
		answer, err = parseAnswer[echoAnswer](text, "choices", '[')
		return answer, err
	}); err != nil {
		return 0, err
	}
	return answer.sum(behind, text)
}

// sum adds up what lies between two places of the text. Offsets are in characters. A token that has a part of a character alone has
// no width: it stands where the character does.
func (a *echoAnswer) sum(behind, text string) (sum float64, err error) {
	if len(a.Choices) != 1 || a.Choices[0].Logprobs == nil || !strings.HasPrefix(a.Choices[0].Text, behind+text) {
		return 0, ErrNoEcho
	}
	l := a.Choices[0].Logprobs
	if len(l.TokenLogprobs) != len(l.TextOffset) || len(l.TextOffset) == 0 {
		return 0, fmt.Errorf("%w: it has %d of them and %d text_offsets", ErrNoEcho, len(l.TokenLogprobs), len(l.TextOffset))
	}
	first := utf8.RuneCountInString(behind)
	last := first + utf8.RuneCountInString(text)
	for i, offset := range l.TextOffset {
		end := last
		if i+1 < len(l.TextOffset) {
			end = l.TextOffset[i+1]
		}
		if offset >= last || offset < first && end <= first {
			continue
		}
		if l.TokenLogprobs[i] == nil {
			return 0, fmt.Errorf("%w: token %d has none", ErrNoEcho, i)
		}
		sum += *l.TokenLogprobs[i]
	}
	return min(sum, 0), nil
}
