package api

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/scheduler"
)

// This file owns /v1/chat/completions.

// chatRequest is the endpoint's body.
type chatRequest struct {
	generation
	Messages             jsontext.Value  `json:"messages"`
	MaxCompletionTokens  *int64          `json:"max_completion_tokens"`
	Logprobs             *bool           `json:"logprobs"`
	TopLogprobs          *int64          `json:"top_logprobs"`
	Tools                jsontext.Value  `json:"tools"`
	ToolChoice           jsontext.Value  `json:"tool_choice"`
	ResponseFormat       *responseFormat `json:"response_format"`
	ReasoningEffort      *string         `json:"reasoning_effort"`
	AddGenerationPrompt  *bool           `json:"add_generation_prompt"`
	ContinueFinalMessage *bool           `json:"continue_final_message"`
	TemplateKwargs       templateFields  `json:"chat_template_kwargs"`
}

// templateFields are passed on to the chat template.
type templateFields map[string]jsontext.Value

func (r *chatRequest) check(m *Model) error {
	r.MaxCompletionTokens = unlimited(r.MaxCompletionTokens)
	if err := (intRange{"max_completion_tokens", r.MaxCompletionTokens, 1, math.MaxInt64}).check(); err != nil {
		return err
	}
	if r.MaxCompletionTokens != nil {
		r.MaxTokens = r.MaxCompletionTokens
	}
	if err := r.generation.check(); err != nil {
		return err
	}
	if r.MaxTokens != nil && *r.MaxTokens == 0 {
		return badField("max_tokens", "0, it must be at least 1: a chat answer has at least 1 token")
	}
	if err := (intRange{"top_logprobs", r.TopLogprobs, 0, int64(m.MaxLogprobs)}).check(); err != nil {
		return err
	}
	if or(r.TopLogprobs, 0) > 0 && !or(r.Logprobs, false) {
		return badField("top_logprobs", "it needs logprobs to be true")
	}
	if err := cmp.Or(r.ResponseFormat.check(), r.checkToolChoice(), r.checkTools()); err != nil {
		return err
	}
	return r.checkConversation(m)
}

// responseFormat is the form of the answer, which is text.
type responseFormat struct {
	Type   string                    `json:"type"`
	Others map[string]jsontext.Value `json:",embed"` // a schema, whatever the type says
}

func (f *responseFormat) check() error {
	if f == nil {
		return nil
	}
	if f.Type != "" && f.Type != "text" {
		return badField("response_format", "%q is not supported, only \"text\"", f.Type)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Others)) {
		if f.Others[name].Kind() != 'n' {
			return badField("response_format."+name, "it is not supported; the answer is text")
		}
	}
	return nil
}

// checkToolChoice also drops the tools that the model is not told of.
func (r *chatRequest) checkToolChoice() error {
	switch {
	case r.ToolChoice.Kind() == 0 || asksNothing(r.ToolChoice, []string{`"auto"`}):
		return nil
	case canonical(r.ToolChoice) != `"none"`:
		return badField("tool_choice", "only \"auto\" and \"none\" are supported")
	case r.Tools.Kind() == '[':
		r.Tools = nil
	}
	return nil
}

// checkTools refuses tools that the model may call: its calls would come back as text, not as tool_calls.
// With tool_choice "none" the model is not told of them.
func (r *chatRequest) checkTools() error {
	if r.Tools.Kind() == '[' && !asksNothing(r.Tools, nil) {
		return badField("tools", "tool calls are not supported; with tool_choice \"none\" the tools are passed over")
	}
	return nil
}

func (s *Server) chatCompletions(c *call) error {
	if err := c.readUrgency(); err != nil {
		return err
	}
	var r chatRequest
	if err := c.decode(&r); err != nil {
		return err
	}
	m := c.model.Model
	if err := r.check(m); err != nil {
		return err
	}
	if err := c.precheck(m, promptSize{prompts: 1, bytes: textBytes(r.Messages)}, int(or(r.N, 1)), or(r.MaxTokens, int64(m.MaxContext))); err != nil {
		return err
	}
	prompt, err := r.render(m)
	if err != nil {
		return err
	}
	ids, err := c.promptIDs(m, "messages", prompt.Text, func() []int32 { return m.Tokenizer.EncodeRendered(prompt.Text, prompt.Literal) })
	if err != nil {
		return err
	}
	j, err := r.job(m, ids)
	if err != nil {
		return err
	}
	for i := range j.requests {
		j.requests[i].PromptBytes = len(prompt.Text)
	}
	r.forget()
	r.Messages, r.Tools, r.TemplateKwargs = nil, nil, nil
	c.release()
	j.consider(or(r.Stream, false))
	if or(r.Stream, false) {
		return r.answerStream(c, j, len(ids))
	}
	return r.answer(c, j, len(ids))
}

func (r *chatRequest) job(m *Model, ids []int32) (*job, error) {
	sampling, err := r.sampling(m.Tokenizer.VocabSize())
	if err != nil {
		return nil, err
	}
	stops, err := r.stops()
	if err != nil {
		return nil, err
	}
	length, err := r.answerTokens(m, len(ids), m.MaxContext, "messages")
	if err != nil {
		return nil, err
	}
	j := r.generation.job(m, stops)
	for i := range or(r.N, 1) {
		j.requests = append(j.requests, scheduler.Request{
			Prompt: ids, MaxTokens: length, MinTokens: int(or(r.MinTokens, 0)),
			Sampling: sampling, Choice: int(i), Ends: m.Tokenizer.EOG(), IgnoreEnd: or(r.IgnoreEOS, false),
			Logprobs: or(r.Logprobs, false), Top: int(or(r.TopLogprobs, 0)),
		})
	}
	return j, nil
}

// The answer's shapes.
type (
	chatAnswer struct {
		envelope
		Choices []chatChoice `json:"choices"`
		Usage   *usage       `json:"usage"`
	}
	chatChoice struct {
		Index        int           `json:"index"`
		Message      chatMessage   `json:"message"`
		Logprobs     *chatLogprobs `json:"logprobs"`
		FinishReason string        `json:"finish_reason"`
	}
	chatMessage struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	chatChunk struct {
		envelope
		Choices []chunkChoice `json:"choices"`
		Usage   any           `json:"usage,omitzero"` // see withUsage
	}
	chunkChoice struct {
		Index        int           `json:"index"`
		Delta        chatDelta     `json:"delta"`
		Logprobs     *chatLogprobs `json:"logprobs"`
		FinishReason *string       `json:"finish_reason"`
	}
	chatDelta struct {
		Role    string  `json:"role,omitempty"`
		Content *string `json:"content,omitzero"` // "" in the first chunk
	}
	chatLogprobs struct {
		Content []chatToken `json:"content"`
	}
	chatToken struct {
		Token   string    `json:"token"`
		Logprob float32   `json:"logprob"`
		Bytes   []int     `json:"bytes"`
		Top     []chatTop `json:"top_logprobs"`
	}
	chatTop struct {
		Token   string  `json:"token"`
		Logprob float32 `json:"logprob"`
		Bytes   []int   `json:"bytes"`
	}
)

func byteValues(s string) []int {
	out := make([]int, len(s))
	for i := range len(s) {
		out[i] = int(s[i])
	}
	return out
}

func (j *job) chatTokens(tokens []token) []chatToken {
	out := make([]chatToken, 0, len(tokens))
	for _, t := range tokens {
		if t.unlisted {
			continue
		}
		ct := chatToken{Token: j.text(t.id), Logprob: t.logprob, Bytes: byteValues(j.model.Tokenizer.Piece(t.id, showSpecial)), Top: []chatTop{}}
		for _, a := range t.top {
			ct.Top = append(ct.Top, chatTop{j.text(a.Token), a.Logprob, byteValues(j.model.Tokenizer.Piece(a.Token, showSpecial))})
		}
		out = append(out, ct)
	}
	return out
}

func (r *chatRequest) answer(c *call, j *job, promptTokens int) error {
	a := chatAnswer{envelope: c.envelope(j.model, chatPrefix, "chat.completion"), Choices: make([]chatChoice, len(j.requests))}
	u := usage{PromptTokens: promptTokens}
	for i := range a.Choices {
		a.Choices[i] = chatChoice{Index: i, Message: chatMessage{Role: "assistant"}}
		if or(r.Logprobs, false) {
			a.Choices[i].Logprobs = &chatLogprobs{Content: []chatToken{}}
		}
	}
	w := c.begin(j, len(j.requests))
	texts := make([][]byte, len(j.requests))
	err := j.run(c.context(), func(p piece) error {
		a.Fingerprint = j.model.Numerics(p.weights)
		choice := &a.Choices[p.choice]
		texts[p.choice] = append(texts[p.choice], p.text...)
		choice.FinishReason = p.finish
		if choice.Logprobs != nil {
			choice.Logprobs.Content = append(choice.Logprobs.Content, j.chatTokens(p.tokens)...)
		}
		u.add(p, len(j.requests))
		w.note(p)
		return nil
	})
	if err != nil {
		return err
	}
	for i, text := range texts {
		a.Choices[i].Message.Content = string(text)
	}
	a.Usage = u.total()
	c.headComputed(j.model, j.work[0].weights)
	return c.reply(a)
}

func (r *chatRequest) answerStream(c *call, j *job, promptTokens int) error {
	head := c.envelope(j.model, chatPrefix, "chat.completion.chunk")
	withUsage, none := r.withUsage()
	u := usage{PromptTokens: promptTokens}
	w := c.begin(j, len(j.requests))
	return c.start(j, func(s sse, first piece, pieces func(func(piece) error) error) error {
		head.Fingerprint = j.model.Numerics(first.weights)
		for i := range j.requests {
			role := chunkChoice{Index: i, Delta: chatDelta{Role: "assistant", Content: new(string)}}
			if err := s.send(chatChunk{envelope: head, Choices: []chunkChoice{role}, Usage: none}); err != nil {
				return err
			}
		}
		err := pieces(func(p piece) error {
			head.Fingerprint = j.model.Numerics(p.weights)
			choice := chunkChoice{Index: p.choice, FinishReason: orNull(p.finish)}
			if p.text != "" {
				choice.Delta.Content = &p.text
			}
			if or(r.Logprobs, false) {
				choice.Logprobs = &chatLogprobs{Content: j.chatTokens(p.tokens)}
			}
			u.add(p, len(j.requests))
			if p.text == "" && p.finish == "" && choice.Logprobs == nil {
				w.note(p)
				return nil // half a character, or the beginning of a stop string
			}
			err := s.send(chatChunk{envelope: head, Choices: []chunkChoice{choice}, Usage: none})
			w.note(p)
			return err
		})
		if err == nil && withUsage {
			err = s.send(chatChunk{envelope: head, Choices: []chunkChoice{}, Usage: u.total()})
		}
		return err
	})
}
