package api

import (
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/scheduler"
)

// This file owns /v1/completions, with the extensions of vLLM that evaluation harnesses rely on.

// completionRequest is the endpoint's body.
type completionRequest struct {
	generation       `json:",inline"`
	Prompt           jsontext.Value `json:"prompt"`
	Echo             *bool          `json:"echo"`
	Logprobs         *int64         `json:"logprobs"`
	Suffix           *string        `json:"suffix"`
	BestOf           *int64         `json:"best_of"`
	AddSpecialTokens *bool          `json:"add_special_tokens"`
}

// defaultMaxTokens is OpenAI's for this endpoint.
const defaultMaxTokens = 16

func (r *completionRequest) check(m *Model) error {
	if err := r.generation.check(); err != nil {
		return err
	}
	if n := or(r.Logprobs, 0); n < 0 || n > int64(m.MaxLogprobs) {
		return badField("logprobs", "%d, it must lie between 0 and %d", n, m.MaxLogprobs)
	}
	if or(r.Suffix, "") != "" {
		return badField("suffix", "it is not supported")
	}
	if r.BestOf != nil && *r.BestOf != or(r.N, 1) {
		return badField("best_of", "it is only supported equal to n")
	}
	return nil
}

func (s *Server) completions(c *call) error {
	var r completionRequest
	if err := c.decode(&r); err != nil {
		return err
	}
	m, err := s.lookup(or(r.Model, ""))
	if err != nil {
		return err
	}
	if err := r.check(m); err != nil {
		return err
	}
	list, err := prompts(r.Prompt, m.Tokenizer.VocabSize())
	if err != nil {
		return err
	}
	a, err := r.plan(c, m, list)
	if err != nil {
		return err
	}
	if or(r.Stream, false) {
		return a.stream()
	}
	return a.answer()
}

// completion is one request being answered.
type completion struct {
	*job
	r       *completionRequest
	call    *call
	head    envelope
	prompts []textOrIDs // with ids and text both
	choices []completionChoice
	offsets []int // per choice: characters of text so far, for text_offset
	started []bool
	usage   usage
	watch   watch
}

// plan makes a sequence of every prompt and choice, prompts first.
func (r *completionRequest) plan(c *call, m *Model, list []textOrIDs) (*completion, error) {
	sampling, err := r.sampling(m.Tokenizer.VocabSize())
	if err != nil {
		return nil, err
	}
	stops, err := r.stops()
	if err != nil {
		return nil, err
	}
	n := int(or(r.N, 1))
	if len(list)*n > maxSequences {
		return nil, badField("n", "%d prompts with %d choices each, at most %d answers are allowed", len(list), n, maxSequences)
	}
	a := &completion{
		job: &job{model: m, stops: stops, tokenIDs: or(r.TokensAsIDs, false), special: !or(r.SkipSpecialTokens, true)},
		r:   r, call: c, head: c.envelope(m, "cmpl-", "text_completion"), prompts: list,
	}
	for i := range list {
		if err := r.tokenise(m, &list[i]); err != nil {
			return nil, err
		}
		a.usage.PromptTokens += len(list[i].ids)
		for choice := range n {
			a.requests = append(a.requests, r.request(m, list[i].ids, sampling, choice))
		}
	}
	a.start()
	return a, nil
}

// tokenise gives a prompt both forms.
func (r *completionRequest) tokenise(m *Model, p *textOrIDs) error {
	if p.ids == nil {
		p.ids = m.Tokenizer.Encode(p.text, or(r.AddSpecialTokens, true), true)
	} else if or(r.Echo, false) {
		p.text = m.Tokenizer.Decode(p.ids, true)
	}
	if len(p.ids) == 0 {
		if m.Tokenizer.BOS() < 0 {
			return badField("prompt", "it has no tokens, and the model has no token to begin with")
		}
		p.ids = []int32{m.Tokenizer.BOS()}
	}
	return nil
}

func (r *completionRequest) request(m *Model, ids []int32, sampling scheduler.Sampling, choice int) scheduler.Request {
	return scheduler.Request{
		Prompt: ids, MaxTokens: int(or(r.MaxTokens, defaultMaxTokens)), MinTokens: int(or(r.MinTokens, 0)),
		Sampling: sampling, Choice: choice, Ends: m.Tokenizer.EOG(), IgnoreEnd: or(r.IgnoreEOS, false),
		Top: int(or(r.Logprobs, 0)), ScorePrompt: or(r.Echo, false) && r.Logprobs != nil,
	}
}

// The answer's shapes.
type (
	completionAnswer struct {
		envelope
		Choices []completionChoice `json:"choices"`
		Usage   *usage             `json:"usage,omitempty"`
	}
	completionChoice struct {
		Index        int                 `json:"index"`
		Text         string              `json:"text"`
		Logprobs     *completionLogprobs `json:"logprobs"`
		FinishReason *string             `json:"finish_reason"`
	}
	completionLogprobs struct {
		Tokens        []string             `json:"tokens"`
		TokenLogprobs []*float32           `json:"token_logprobs"`
		TopLogprobs   []map[string]float32 `json:"top_logprobs"`
		TextOffset    []int                `json:"text_offset"`
	}
)

func newLogprobs() *completionLogprobs {
	return &completionLogprobs{[]string{}, []*float32{}, []map[string]float32{}, []int{}}
}

// start lays out the choices; with echo each begins with its prompt, whose first token has no
// probability.
func (a *completion) start() {
	a.watch = watch{a.call, make([]time.Time, len(a.requests))}
	a.offsets, a.started = make([]int, len(a.requests)), make([]bool, len(a.requests))
	for i := range a.requests {
		a.choices = append(a.choices, completionChoice{Index: i})
	}
}

// add applies a piece to a choice that is empty (a stream's chunk) or grows (a whole answer).
func (a *completion) add(choice *completionChoice, p piece) {
	first := !a.started[p.choice]
	a.started[p.choice] = true
	if a.r.Logprobs != nil && choice.Logprobs == nil {
		choice.Logprobs = newLogprobs()
	}
	if first && or(a.r.Echo, false) {
		a.echo(choice)
	}
	for _, t := range append(p.prompt, p.tokens...) {
		if choice.Logprobs != nil {
			a.logprob(choice, t)
		}
	}
	choice.Text += p.text
	choice.FinishReason = orNull(p.finish)
	a.usage.CompletionTokens += len(p.tokens)
	a.usage.Details.CachedTokens = max(a.usage.Details.CachedTokens, p.cached)
}

func (a *completion) echo(choice *completionChoice) {
	p := a.prompts[choice.Index/int(or(a.r.N, 1))]
	choice.Text = p.text
	if choice.Logprobs == nil {
		return
	}
	l, text := choice.Logprobs, a.text(p.ids[0])
	l.Tokens = append(l.Tokens, text)
	l.TokenLogprobs = append(l.TokenLogprobs, nil)
	l.TopLogprobs = append(l.TopLogprobs, nil)
	l.TextOffset = append(l.TextOffset, 0)
	a.offsets[choice.Index] += a.characters(p.ids[0])
}

func (a *completion) characters(id int32) int {
	return utf8.RuneCountInString(a.model.Tokenizer.Piece(id, true))
}

// logprob adds a token's entry. Where two tokens are written alike, the likelier one keeps the key.
func (a *completion) logprob(choice *completionChoice, t token) {
	l := choice.Logprobs
	top := map[string]float32{}
	for _, alternative := range t.top {
		key := a.text(alternative.Token)
		if _, taken := top[key]; !taken {
			top[key] = alternative.Logprob
		}
	}
	if _, listed := top[t.text]; !listed {
		top[t.text] = t.logprob
	}
	l.Tokens = append(l.Tokens, t.text)
	l.TokenLogprobs = append(l.TokenLogprobs, &t.logprob)
	l.TopLogprobs = append(l.TopLogprobs, top)
	l.TextOffset = append(l.TextOffset, a.offsets[choice.Index])
	a.offsets[choice.Index] += a.characters(t.id)
}

func (a *completion) answer() error {
	err := a.run(a.call.context(), func(p piece) error {
		a.add(&a.choices[p.choice], p)
		a.watch.note(p)
		return nil
	})
	if err != nil {
		return err
	}
	return a.call.reply(completionAnswer{envelope: a.head, Choices: a.choices, Usage: a.usage.total()})
}

func (a *completion) stream() error {
	withUsage := a.r.StreamOptions != nil && or(a.r.StreamOptions.IncludeUsage, false)
	return a.call.start(a.job, func(s sse, pieces func(func(piece) error) error) error {
		err := pieces(func(p piece) error {
			chunk := completionChoice{Index: p.choice}
			a.add(&chunk, p)
			var err error
			if chunk.Text != "" || chunk.FinishReason != nil || chunk.Logprobs != nil {
				err = s.send(completionAnswer{envelope: a.head, Choices: []completionChoice{chunk}})
			}
			a.watch.note(p)
			return err
		})
		if err == nil && withUsage {
			err = s.send(completionAnswer{envelope: a.head, Choices: []completionChoice{}, Usage: a.usage.total()})
		}
		return err
	})
}
