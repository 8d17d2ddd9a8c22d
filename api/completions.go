package api

import (
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/scheduler"
	"chimera/tokenizer"
)

// This file owns /v1/completions, with the extensions of vLLM that evaluation harnesses rely on.

// completionRequest is the endpoint's body.
type completionRequest struct {
	generation
	Prompt           jsontext.Value `json:"prompt"`
	Echo             *bool          `json:"echo"`
	Logprobs         *int64         `json:"logprobs"`
	Suffix           *string        `json:"suffix"`
	BestOf           *int64         `json:"best_of"`
	AddSpecialTokens *bool          `json:"add_special_tokens"`
}

// defaultMaxTokens is OpenAI's for this endpoint. A least length beyond it is the length then.
const defaultMaxTokens = 16

// otherwise is how long an answer may become that does not say.
func (r *completionRequest) otherwise(m *Model) int {
	return max(defaultMaxTokens, int(min(or(r.MinTokens, 0), int64(m.MaxContext))))
}

func (r *completionRequest) check(m *Model) error {
	if err := r.generation.check(); err != nil {
		return err
	}
	if err := (intRange{"logprobs", r.Logprobs, 0, int64(m.MaxLogprobs)}).check(); err != nil {
		return err
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
	if err := c.readUrgency(); err != nil {
		return err
	}
	var r completionRequest
	if err := c.decode(&r); err != nil {
		return err
	}
	m := c.model.Model
	if err := r.check(m); err != nil {
		return err
	}
	list, err := prompts("prompt", r.Prompt, m.Tokenizer.VocabSize())
	if err != nil {
		return err
	}
	if err := c.precheck(m, sizeOf(list), int(or(r.N, 1)), or(r.MaxTokens, int64(r.otherwise(m)))); err != nil {
		return err
	}
	a, err := r.plan(c, m, list)
	if err != nil {
		return err
	}
	r.forget()
	r.Prompt = nil
	c.release()
	a.consider(or(r.Stream, false))
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
	prompts []textOrIDs // with ids, and with text where it is echoed
	choices []completionChoice
	written []written // per choice
	usage   usage
	watch   watch
}

// written is how far a choice has come. Tokens are named by what they add to the text, so that the names
// join to it; the token that completes a character has the whole of it.
type written struct {
	started bool
	names   *tokenizer.Stream
	tokens  int
	offset  int // characters of the text so far
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
		job: r.generation.job(m, stops),
		r:   r, call: c, head: c.envelope(m, textPrefix, "text_completion"), prompts: list,
	}
	if len(list) > 1 {
		a.manyBy = "prompt"
	}
	for i := range list {
		field := entryOf("prompt", i, len(list))
		if err := r.tokenise(c, m, &list[i], field); err != nil {
			return nil, err
		}
		length, err := r.answerTokens(m, len(list[i].ids), r.otherwise(m), field)
		if err != nil {
			return nil, err
		}
		a.usage.PromptTokens += len(list[i].ids)
		for choice := range n {
			a.requests = append(a.requests, r.request(m, list[i].ids, length, sampling, choice))
		}
	}
	a.layOut()
	return a, nil
}

// tokenise gives a prompt its ids, and its text where that is echoed.
func (r *completionRequest) tokenise(c *call, m *Model, p *textOrIDs, field string) (err error) {
	if p.ids == nil {
		p.ids, err = c.promptIDs(m, field, p.text, func() []int32 { return m.Tokenizer.Encode(p.text, bare, readSpecial) })
		if err != nil {
			return err
		}
		if or(r.AddSpecialTokens, true) {
			p.ids = m.Tokenizer.Around(p.ids)
		}
	} else if or(r.Echo, false) {
		p.text = m.Tokenizer.Decode(p.ids, showSpecial)
	}
	if !or(r.Echo, false) {
		p.text = ""
	}
	if len(p.ids) == 0 {
		if m.Tokenizer.BOS() < 0 {
			return badField(field, "it has no tokens, and the model has no token to begin with")
		}
		p.ids = []int32{m.Tokenizer.BOS()}
	}
	return nil
}

func (r *completionRequest) request(m *Model, ids []int32, length int, sampling scheduler.Sampling, choice int) scheduler.Request {
	return scheduler.Request{
		Prompt: ids, MaxTokens: length, MinTokens: int(or(r.MinTokens, 0)),
		Sampling: sampling, Choice: choice, Ends: m.Tokenizer.EOG(), IgnoreEnd: or(r.IgnoreEOS, false),
		Logprobs: r.Logprobs != nil, Top: int(or(r.Logprobs, 0)), ScorePrompt: or(r.Echo, false) && r.Logprobs != nil,
	}
}

// The answer's shapes.
type (
	completionAnswer struct {
		envelope
		Choices []completionChoice `json:"choices"`
		Usage   any                `json:"usage,omitzero"` // see withUsage
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

// layOut makes the choices, empty; with echo each begins with its prompt, whose first token has no
// probability.
func (a *completion) layOut() {
	a.watch = a.call.begin(a.job, int(or(a.r.N, 1)))
	for i := range a.requests {
		w := written{names: a.model.Tokenizer.NewContinuation(showSpecial)}
		if or(a.r.Echo, false) {
			w.names = a.model.Tokenizer.NewStream(showSpecial)
		}
		a.written = append(a.written, w)
		a.choices = append(a.choices, completionChoice{Index: i})
	}
}

// add applies a piece to a choice that is empty (a stream's chunk) or grows (a whole answer).
func (a *completion) add(choice *completionChoice, p piece) {
	a.head.Fingerprint = a.model.Numerics(p.weights)
	if a.r.Logprobs != nil && choice.Logprobs == nil {
		choice.Logprobs = newLogprobs()
	}
	if w := &a.written[p.choice]; !w.started && or(a.r.Echo, false) {
		choice.Text = a.prompt(p.choice).text
		if choice.Logprobs != nil {
			a.entry(choice, token{id: a.prompt(p.choice).ids[0], first: true})
		}
	}
	a.written[p.choice].started = true
	for i := range p.prompt {
		a.entry(choice, p.prompt[i])
	}
	for i := range p.tokens {
		a.entry(choice, p.tokens[i])
	}
	choice.Text += p.text
	choice.FinishReason = orNull(p.finish)
	a.usage.add(p, int(or(a.r.N, 1)))
}

func (a *completion) prompt(choice int) textOrIDs { return a.prompts[choice/int(or(a.r.N, 1))] }

// entry adds a token to the log-probabilities; the first of an echoed prompt has none.
func (a *completion) entry(choice *completionChoice, t token) {
	l := choice.Logprobs
	if l == nil || t.unlisted {
		return
	}
	l.TextOffset = append(l.TextOffset, a.written[choice.Index].offset)
	name := a.name(choice.Index, t)
	l.Tokens = append(l.Tokens, name)
	if t.first {
		l.TokenLogprobs, l.TopLogprobs = append(l.TokenLogprobs, nil), append(l.TopLogprobs, nil)
		return
	}
	l.TokenLogprobs = append(l.TokenLogprobs, &t.logprob)
	l.TopLogprobs = append(l.TopLogprobs, a.top(t, name))
}

// top are the likeliest tokens and t. Where two are written alike, the likelier one keeps the key.
func (a *completion) top(t token, name string) map[string]float32 {
	top := map[string]float32{}
	for _, alternative := range t.top {
		key := name
		if alternative.Token != t.id {
			key = a.text(alternative.Token)
		}
		if _, taken := top[key]; !taken {
			top[key] = alternative.Logprob
		}
	}
	if _, listed := top[name]; !listed {
		top[name] = t.logprob
	}
	return top
}

// name writes the next token of a choice and moves its offset on. Prompt and answer are decoded each by
// itself, as their texts are.
func (a *completion) name(choice int, t token) string {
	w, p := &a.written[choice], a.prompt(choice)
	name := w.names.Push(t.id)
	endOfPrompt := or(a.r.Echo, false) && w.tokens == len(p.ids)-1
	if t.last || endOfPrompt {
		name += w.names.Flush()
	}
	if endOfPrompt {
		w.names = a.model.Tokenizer.NewContinuation(showSpecial)
	}
	if a.shows(p, w.tokens, t.id, name) {
		w.offset += utf8.RuneCountInString(name)
	}
	w.tokens++
	if a.tokenIDs {
		return a.text(t.id)
	}
	return name
}

// shows tells whether a token is part of the text. Special tokens of an answer are not, unless they were
// asked for; those of a prompt are, but for what was put around it.
func (a *completion) shows(p textOrIDs, at int, id int32, name string) bool {
	switch {
	case !a.model.Tokenizer.IsSpecial(id):
		return true
	case !or(a.r.Echo, false) || at >= len(p.ids):
		return a.special
	case at == 0:
		return strings.HasPrefix(p.text, name)
	case at == len(p.ids)-1:
		return strings.HasSuffix(p.text, name)
	}
	return true
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
	a.call.headComputed(a.model, a.work[0].weights)
	return a.call.reply(completionAnswer{envelope: a.head, Choices: a.choices, Usage: a.usage.total()})
}

func (a *completion) stream() error {
	withUsage, none := a.r.withUsage()
	return a.call.start(a.job, func(s sse, _ piece, pieces func(func(piece) error) error) error {
		err := pieces(func(p piece) error {
			chunk := completionChoice{Index: p.choice}
			a.add(&chunk, p)
			var err error
			if chunk.Text != "" || chunk.FinishReason != nil || chunk.Logprobs != nil {
				err = s.send(completionAnswer{envelope: a.head, Choices: []completionChoice{chunk}, Usage: none})
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
