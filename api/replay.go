package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/engine"
	"chimera/scheduler"
)

// This file owns POST /v1/replay: an answer is computed again from its receipt and its prompt, and held against what it was. With the
// same numerics id the tokens are the same, on whichever machine.
//
// A receipt says how the tokens were drawn and how many there were in each answer, so nothing of the request is needed but its prompts and its
// logit_bias, which a receipt has where texts are kept: what stopped it, and how it was written, changes no token.

// replayRequest is the body.
type replayRequest struct {
	Answer  *string        `json:"answer"`  // one that is known here, or
	Receipt *Receipt       `json:"receipt"` // what GET /v1/receipts/{id} said, here or elsewhere
	Request jsontext.Value `json:"request"` // as it was sent, of which prompts and logit_bias count; none where they were kept

	Others map[string]jsontext.Value `json:",embed"`
}

// Replay is the answer.
type Replay struct {
	Equal        bool   `json:"equal"` // the tokens are those of then
	Tokens       int    `json:"tokens"`
	TokensDigest string `json:"tokens_digest"`
	Numerics     string `json:"numerics"`
	SameNumerics bool   `json:"same_numerics"` // else nothing promises that they are
}

func (s *Server) replay(c *call) error {
	if err := c.readUrgency(); err != nil {
		return err
	}
	var r replayRequest
	if err := c.decodeAlone(&r); err != nil {
		return err
	}
	for name := range r.Others {
		return badField(name, "there is no such field: a replay has answer or receipt, and request")
	}
	then, err := s.receiptOf(c, &r)
	if err != nil {
		return err
	}
	if err := then.checkReplayable(); err != nil {
		return err
	}
	if err := c.holdModel(then.Model, len(r.Request)); err != nil {
		return err
	}
	asked, err := r.asked(c, then)
	if err != nil {
		return err
	}
	by, err := then.by(c)
	if err != nil {
		return err
	}
	defer by.Release()
	j, err := then.job(by.Model, asked)
	if err != nil {
		return err
	}
	c.release()
	return then.compare(c, by.Context, j, asked.choices)
}

// by is the model at the tier that has answered, if it is one that can be had: the source, for an answer that was escalated or
// came before the tier was changed; others are loaded for this alone, which is for the administrator to ask.
func (then *Receipt) by(c *call) (Held, error) {
	m := c.model.Model
	own := Held{Model: m, Context: c.context(), Release: func() {}}
	if m.At == nil || then.Numerics == m.Numerics("") || then.Tier == m.Tier("") || then.Tier != SourceTier && !c.peer.Administers || !slices.Contains(m.Tiers, then.Tier) {
		return own, nil
	}
	return m.At(c.context(), then.Tier, c.urgency.class)
}

// receiptOf is the receipt that is meant.
func (s *Server) receiptOf(c *call, r *replayRequest) (*Receipt, error) {
	if (r.Answer == nil) == (r.Receipt == nil) {
		return nil, badField("answer", "name an answer or give its receipt, and not both")
	}
	if r.Receipt != nil {
		return r.Receipt, nil
	}
	id, err := c.answerNamed("answer", *r.Answer)
	if err != nil {
		return nil, err
	}
	if s.History == nil {
		return nil, refusedByHistory(ErrNoAnswer)
	}
	then, err := s.History.Receipt(c.context(), id, c.asker())
	return &then, refusedByHistory(err)
}

// notReplayable refuses an answer that can't be computed again.
func notReplayable(message string) error {
	return &HTTPError{Status: http.StatusConflict, Type: "invalid_request_error", Code: "not_replayable", Message: message}
}

func (then *Receipt) checkReplayable() error {
	switch {
	case then.AnswerTokens < 1:
		return notReplayable("the answer had no tokens")
	case then.Answers < 1 || then.Answers > maxSequences:
		return badField("receipt.answers", "%d, it must lie between 1 and %d", then.Answers, maxSequences)
	case then.Answers > 1 && len(then.Lengths) == 0:
		return notReplayable("the completion has several answers, and its receipt is from a time when their lengths were not kept")
	case then.Answers > 1 && !then.lengthsAddUp():
		return badField("receipt.answer_lengths", "they must be the tokens of %d answers, which are %d together", then.Answers, then.AnswerTokens)
	}
	return nil
}

// lengthsAddUp holds the answers' lengths against the sums, without one that would not end.
func (then *Receipt) lengthsAddUp() bool {
	left := then.AnswerTokens
	for _, n := range then.Lengths {
		if n < 0 || n > left {
			return false
		}
		left -= n
	}
	return left == 0 && int64(len(then.Lengths)) == then.Answers
}

// length is that of an answer.
func (then *Receipt) length(answer int) int64 {
	if then.Answers == 1 {
		return then.AnswerTokens
	}
	return then.Lengths[answer]
}

// question is what counts of a request.
type question struct {
	prompts [][]int32
	choices int // of each
	biases  []engine.Bias
}

// asked is what was asked: as it came with the replay, or as it was kept.
func (r *replayRequest) asked(c *call, then *Receipt) (q question, err error) {
	switch {
	case r.Request != nil:
		q, err = c.askedBy(r.Request)
	case len(then.Prompts) > 0:
		q.prompts = then.Prompts
		q.biases, err = logitBias(then.LogitBias, c.model.Model.Tokenizer.VocabSize())
	default:
		return q, notReplayable("the prompt was not kept: send the request as it was, in the field request")
	}
	if err != nil {
		return q, err
	}
	return q, q.check(then)
}

// check holds a request against what a receipt knows of it.
func (q *question) check(then *Receipt) error {
	tokens := int64(0)
	for _, ids := range q.prompts {
		tokens += int64(len(ids))
	}
	n := int64(len(q.prompts))
	q.choices = int(then.Answers / n)
	switch {
	case then.Answers%n != 0:
		return badField("request", "it has %d prompts, and there were %d answers, as many to each: it is another", n, then.Answers)
	case tokens != then.PromptTokens:
		return badField("request", "its prompt has %d tokens, that of the answer had %d: it is another", tokens, then.PromptTokens)
	case int64(len(q.biases)) != then.Biases:
		return badField("request", "its logit_bias has %d entries, that of the answer had %d: it is another", len(q.biases), then.Biases)
	}
	return nil
}

// askedBy is what a request to either endpoint asks, which is a conversation if it has messages.
func (c *call) askedBy(raw jsontext.Value) (q question, err error) {
	var form struct {
		Messages jsontext.Value            `json:"messages"`
		Others   map[string]jsontext.Value `json:",embed"`
	}
	if err := decodeJSON(raw, &form); err != nil {
		return q, err
	}
	if form.Messages != nil {
		return c.conversationOf(raw)
	}
	m := c.model.Model
	var text completionRequest
	if err := decodeJSON(raw, &text); err != nil {
		return q, err
	}
	list, err := prompts("prompt", text.Prompt, m.Tokenizer.VocabSize())
	if err != nil {
		return q, err
	}
	for i := range list {
		if err := text.tokenise(c, m, &list[i], "request.prompt"); err != nil {
			return q, err
		}
		q.prompts = append(q.prompts, list[i].ids)
	}
	q.biases, err = logitBias(text.LogitBias, m.Tokenizer.VocabSize())
	return q, err
}

func (c *call) conversationOf(raw jsontext.Value) (q question, err error) {
	m := c.model.Model
	var chat chatRequest
	if err := decodeJSON(raw, &chat); err != nil {
		return q, err
	}
	if err := chat.check(m); err != nil {
		return q, err
	}
	prompt, err := chat.render(m)
	if err != nil {
		return q, err
	}
	ids, err := c.promptIDs(m, "request.messages", prompt.Text, func() []int32 { return m.Tokenizer.EncodeRendered(prompt.Text, prompt.Literal) })
	if err != nil {
		return q, err
	}
	q.prompts = [][]int32{ids}
	q.biases, err = logitBias(chat.LogitBias, m.Tokenizer.VocabSize())
	return q, err
}

// job computes the answers again, in the order in which they were: the choices of each prompt.
func (then *Receipt) job(m *Model, q question) (*job, error) {
	s := &then.Sampling
	sampling := scheduler.Sampling{
		Temperature: float32(s.Temperature), TopP: float32(s.TopP), MinP: float32(s.MinP), TopK: int(s.TopK), Repetition: float32(s.Repetition),
		Presence: float32(s.Presence), Frequency: float32(s.Frequency), Seed: s.Seed,
		Biases: q.biases,
	}
	if err := then.checkSampling(m); err != nil {
		return nil, err
	}
	j := &job{model: m, manyBy: "receipt", special: true}
	for i := range int(then.Answers) {
		ids, length := q.prompts[i/q.choices], then.length(i)
		if length > int64(m.MaxContext-len(ids)) {
			return nil, notReplayable("a prompt and its answer are longer than the model's context is here (ctx)")
		}
		j.requests = append(j.requests, scheduler.Request{
			Prompt: ids, MaxTokens: int(length), MinTokens: int(min(then.MinTokens, length)), Sampling: sampling, Choice: i % q.choices,
			Ends: m.Tokenizer.EOG(), IgnoreEnd: then.IgnoresEnd,
		})
	}
	return j, nil
}

// checkSampling holds a receipt's parameters against the ranges that a request's have: who sends one may have changed it.
func (then *Receipt) checkSampling(m *Model) error {
	s, least := &then.Sampling, min(then.MinTokens, then.AnswerTokens) // one that was cut off may have had fewer
	g := generation{
		Temperature: &s.Temperature, TopP: &s.TopP, MinP: &s.MinP, TopK: &s.TopK, RepetitionPenalty: &s.Repetition,
		PresencePenalty: &s.Presence, FrequencyPenalty: &s.Frequency, MaxTokens: &then.AnswerTokens, MinTokens: &least,
	}
	if err := g.check(); err != nil {
		return err
	}
	return intRange{"top_k", g.TopK, 0, int64(m.Tokenizer.VocabSize())}.check()
}

// compare runs the job and holds its tokens against the receipt.
func (then *Receipt) compare(c *call, ctx context.Context, j *job, choices int) error {
	w := c.begin(j, choices)
	if err := j.run(ctx, func(p piece) error { w.note(p); return nil }); err != nil {
		return err
	}
	now := c.figures.work
	c.headComputed(j.model, j.work[0].weights)
	digest, tokens := now.TokensDigest(), 0
	for i := range now.Answers {
		tokens += now.Answers[i].Tokens
	}
	return c.reply(Replay{
		Equal: digest == then.TokensDigest, Tokens: tokens, TokensDigest: digest, Numerics: now.Numerics, SameNumerics: now.Numerics == then.Numerics,
	})
}
