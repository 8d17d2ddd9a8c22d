package client

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// This file owns asking for an answer and reading it as it comes.

// Message is one turn of a conversation.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Options are what the user may choose; nil leaves it to the server.
type Options struct {
	Model       string
	MaxTokens   *int
	Temperature *float64
	Seed        jsontext.Value // a whole number, in JSON
}

type chatBody struct {
	Model         string         `json:"model,omitempty"`
	Messages      []Message      `json:"messages"`
	MaxTokens     *int           `json:"max_tokens,omitempty"`
	Temperature   *float64       `json:"temperature,omitempty"`
	Seed          jsontext.Value `json:"seed,omitempty"`
	Stream        bool           `json:"stream"`
	StreamOptions streamOptions  `json:"stream_options"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// Stats are an answer's figures as the client sees them.
type Stats struct {
	TTFT         time.Duration
	Total        time.Duration
	PromptTokens int // by the server's count, 0 where it sends none
	Tokens       int // of the answer: by the server's count, or pieces of text where it sends none
	Finish       string
	ID           string // the answer's name
	Model        string // as the server calls it
	Fingerprint  string // what it says of how it computes: a Chimera's numerics id
}

// TokensPerSecond is the speed after the first token.
func (s Stats) TokensPerSecond() float64 {
	if s.Tokens < 2 || s.Total <= s.TTFT {
		return 0
	}
	return float64(s.Tokens-1) / (s.Total - s.TTFT).Seconds()
}

// String is the line that run and chat print.
func (s Stats) String() string {
	return fmt.Sprintf("time to first token %d ms, %d tokens, %.1f tokens/s", s.TTFT.Milliseconds(), s.Tokens, s.TokensPerSecond())
}

type chunk struct {
	ID          string `json:"id"`
	Model       string `json:"model"`
	Fingerprint string `json:"system_fingerprint"`
	Choices     []struct {
		Delta struct {
			Content string `json:"content"`
		} `json:"delta"`
		Text         string  `json:"text"`
		FinishReason *string `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
	} `json:"usage"`
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// Chat asks for the next turn and calls yield with each piece of text.
func (c *Client) Chat(ctx context.Context, messages []Message, o Options, yield func(string)) (Stats, error) {
	return c.stream(ctx, "/v1/chat/completions", chatBody{
		Model: o.Model, Messages: messages, MaxTokens: o.MaxTokens, Temperature: o.Temperature, Seed: o.Seed,
		Stream: true, StreamOptions: streamOptions{true},
	}, yield)
}

// stream reads an answer. One with a finish_reason is whole, with or without [DONE], which not every server sends; one
// without is not, whatever the server says behind it.
func (c *Client) stream(ctx context.Context, path string, request any, yield func(string)) (s Stats, err error) {
	began := time.Now()
	body, err := c.whenLoaded(ctx, func() (io.ReadCloser, error) {
		began = time.Now() // loading is no part of an answer's time
		return c.post(ctx, path, request)
	})
	if err != nil {
		return s, err
	}
	defer body.Close()
	pieces := 0
	err = events(body, func(data []byte) error {
		var k chunk
		if err := decode(data, &k); err != nil {
			return c.notChimera(fmt.Errorf("of an event, %w", err))
		}
		if k.Error != nil {
			return errors.New(k.Error.Message)
		}
		for _, choice := range k.Choices {
			text := choice.Delta.Content + choice.Text
			if text != "" && s.TTFT == 0 {
				s.TTFT = time.Since(began)
			}
			if text != "" {
				pieces++
				yield(text)
			}
			if choice.FinishReason != nil {
				s.Finish = *choice.FinishReason
			}
		}
		s.ID, s.Model, s.Fingerprint = cmp.Or(k.ID, s.ID), cmp.Or(k.Model, s.Model), cmp.Or(k.Fingerprint, s.Fingerprint)
		if k.Usage != nil {
			s.PromptTokens, s.Tokens = k.Usage.PromptTokens, k.Usage.CompletionTokens
		}
		return nil
	})
	s.Total = time.Since(began)
	if s.Tokens == 0 {
		s.Tokens = pieces
	}
	switch {
	case errors.Is(err, errBrokeOff) && s.Finish != "":
		err = nil
	case err == nil && s.Finish == "":
		err = errUnfinished
	}
	return s, err
}

// maxEvent bounds one event's line.
const maxEvent = 16 << 20

// errBrokeOff ends an answer that the server did not.
var errBrokeOff = errors.New("the answer broke off: the server closed the connection")

// errUnfinished is an answer of which [DONE] says that it is the end, and nothing says why.
var errUnfinished = errors.New("the answer broke off: the server says [DONE], but sent no finish_reason")

// events calls f with the data of each server-sent event up to [DONE]. Lines may end in LF or CR LF, an
// event's data may have several lines; comments and other fields say nothing to us.
func events(r io.Reader, f func([]byte) error) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxEvent)
	var data []byte
	for more := true; more; {
		more = scanner.Scan()
		line := scanner.Text()
		if value, ok := strings.CutPrefix(line, "data:"); ok && more {
			if data != nil {
				data = append(data, '\n')
			}
			data = append(data, strings.TrimPrefix(value, " ")...)
		}
		if len(data) == 0 || (more && line != "") {
			continue
		}
		if string(data) == "[DONE]" {
			return nil
		}
		if !more { // cut off within an event
			break
		}
		if err := f(data); err != nil {
			return err
		}
		data = nil
	}
	if err := scanner.Err(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	return errBrokeOff
}

type completeBody struct {
	Model         string         `json:"model,omitempty"`
	Prompt        string         `json:"prompt"`
	MaxTokens     *int           `json:"max_tokens,omitempty"`
	Temperature   *float64       `json:"temperature,omitempty"`
	Seed          jsontext.Value `json:"seed,omitempty"`
	IgnoreEOS     bool           `json:"ignore_eos"`
	Stream        bool           `json:"stream"`
	StreamOptions streamOptions  `json:"stream_options"`
}

// Complete continues a text to the full number of tokens, whatever the model thinks of it: what a load
// generator wants.
func (c *Client) Complete(ctx context.Context, prompt string, o Options, yield func(string)) (Stats, error) {
	return c.stream(ctx, "/v1/completions", completeBody{
		Model: o.Model, Prompt: prompt, MaxTokens: o.MaxTokens, Temperature: o.Temperature, Seed: o.Seed,
		IgnoreEOS: true, Stream: true, StreamOptions: streamOptions{true},
	}, yield)
}
