package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/scheduler"
)

// This file owns POST /v1/replay: an answer is computed again from its receipt and its prompt, and held against what it was. With the
// same numerics id the tokens are the same, on whichever machine.
//
// A receipt says how the tokens were drawn and how many there were, so nothing else of the request is needed: what stopped it, and how it
// was written, changes no token. What a receipt does not have is refused: which of several answers had how many tokens, and
// what a client's logit_bias was.

// replayRequest is the body.
type replayRequest struct {
	Answer  *string        `json:"answer"`  // one that is known here, or
	Receipt *Receipt       `json:"receipt"` // what GET /v1/receipts/{id} said, here or elsewhere
	Request jsontext.Value `json:"request"` // as it was sent, of which the prompt counts; none where the prompt was kept

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
	ids, err := r.prompt(c, then)
	if err != nil {
		return err
	}
	by, err := then.by(c)
	if err != nil {
		return err
	}
	defer by.Release()
	j, err := then.job(by.Model, ids)
	if err != nil {
		return err
	}
	c.release()
	return then.compare(c, by.Context, j)
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
	id, err := answerNamed("answer", *r.Answer)
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
	case then.Answers != 1:
		return notReplayable("the completion has several answers, whose lengths its receipt does not have: only a completion of one prompt and one choice can be computed again")
	case then.Biases != 0:
		return notReplayable("the request had a logit_bias, which receipts do not have")
	case then.AnswerTokens < 1:
		return notReplayable("the answer had no tokens")
	}
	return nil
}

// prompt is the prompt's tokens: those that came with the replay, or those that were kept.
func (r *replayRequest) prompt(c *call, then *Receipt) (ids []int32, err error) {
	switch {
	case r.Request != nil:
		ids, err = c.promptOf(r.Request)
	case len(then.Prompts) == 1:
		ids = then.Prompts[0]
	default:
		return nil, notReplayable("the prompt was not kept: send the request as it was, in the field request")
	}
	if err == nil && int64(len(ids)) != then.PromptTokens {
		err = badField("request", "its prompt has %d tokens, that of the answer had %d: it is another", len(ids), then.PromptTokens)
	}
	return ids, err
}

// promptOf is the prompt of a request to either endpoint, which is a conversation if it has messages.
func (c *call) promptOf(raw jsontext.Value) ([]int32, error) {
	var form struct {
		Messages jsontext.Value            `json:"messages"`
		Others   map[string]jsontext.Value `json:",embed"`
	}
	if err := decodeJSON(raw, &form); err != nil {
		return nil, err
	}
	if form.Messages != nil {
		return c.conversationOf(raw)
	}
	m := c.model.Model
	var text completionRequest
	if err := decodeJSON(raw, &text); err != nil {
		return nil, err
	}
	list, err := prompts(text.Prompt, m.Tokenizer.VocabSize())
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, badField("request.prompt", "%d prompts, the answer had one", len(list))
	}
	err = text.tokenise(c, m, &list[0], "request.prompt")
	return list[0].ids, err
}

func (c *call) conversationOf(raw jsontext.Value) ([]int32, error) {
	m := c.model.Model
	var chat chatRequest
	if err := decodeJSON(raw, &chat); err != nil {
		return nil, err
	}
	if err := chat.check(m); err != nil {
		return nil, err
	}
	prompt, err := chat.render(m)
	if err != nil {
		return nil, err
	}
	return c.promptIDs(m, "request.messages", prompt.Text, func() []int32 { return m.Tokenizer.EncodeRendered(prompt.Text, prompt.Literal) })
}

// job computes the answer again.
func (then *Receipt) job(m *Model, ids []int32) (*job, error) {
	if room := int64(m.MaxContext - len(ids)); then.AnswerTokens > room {
		return nil, notReplayable("the prompt and its answer are longer than the model's context is here (ctx)")
	}
	s := &then.Sampling
	sampling := scheduler.Sampling{
		Temperature: float32(s.Temperature), TopP: float32(s.TopP), MinP: float32(s.MinP), TopK: int(s.TopK), Repetition: float32(s.Repetition),
		Presence: float32(s.Presence), Frequency: float32(s.Frequency), Seed: s.Seed,
	}
	if err := then.checkSampling(m); err != nil {
		return nil, err
	}
	return &job{model: m, manyBy: "receipt", special: true, requests: []scheduler.Request{{
		Prompt: ids, MaxTokens: int(then.AnswerTokens), MinTokens: int(then.MinTokens), Sampling: sampling, Ends: m.Tokenizer.EOG(), IgnoreEnd: then.IgnoresEnd,
	}}}, nil
}

// checkSampling holds a receipt's parameters against the ranges that a request's have: who sends one may have changed it.
func (then *Receipt) checkSampling(m *Model) error {
	s := &then.Sampling
	g := generation{
		Temperature: &s.Temperature, TopP: &s.TopP, MinP: &s.MinP, TopK: &s.TopK, RepetitionPenalty: &s.Repetition,
		PresencePenalty: &s.Presence, FrequencyPenalty: &s.Frequency, MaxTokens: &then.AnswerTokens, MinTokens: &then.MinTokens,
	}
	if err := g.check(); err != nil {
		return err
	}
	return intRange{"top_k", g.TopK, 0, int64(m.Tokenizer.VocabSize())}.check()
}

// compare runs the job and holds its tokens against the receipt.
func (then *Receipt) compare(c *call, ctx context.Context, j *job) error {
	w := c.begin(j, 1)
	if err := j.run(ctx, func(p piece) error { w.note(p); return nil }); err != nil {
		return err
	}
	now := c.figures.work
	c.headComputed(j.model, j.work[0].weights)
	digest := now.TokensDigest()
	return c.reply(Replay{
		Equal: digest == then.TokensDigest, Tokens: now.Answers[0].Tokens, TokensDigest: digest, Numerics: now.Numerics, SameNumerics: now.Numerics == then.Numerics,
	})
}
