package store

import (
	"context"
	"iter"
	"time"
)

// This file owns the table of receipts: how each answer came about.

// Receipt is what was spent on an answer and what decided how it reads, so that it can be computed again and be judged. There is one an
// answer: a second one is refused when it is written.
type Receipt struct {
	Numbered
	Time          time.Time // of the answer's end, kept to the microsecond
	Answer        ID
	Tenant        Tenant
	Model         string
	Numerics      string // the numerics id
	Sampling      Sampling
	PromptTokens  int64
	CachedTokens  int64 // of the prompt's, those that a cache had
	AnswerTokens  int64
	Queue         time.Duration // from the request's arrival to its first step
	Prefill       time.Duration // to the first token
	Decode        time.Duration // to the last
	Tier          string
	EscalatedFrom string  // the tier whose answer was not good enough; empty if it was the first
	CacheLevel    string  // where the answer's beginning came from; empty if it was computed
	CoreSeconds   float64 // of CPU cores, in steps alone; NaN if nobody counted
	Sampled       bool    // it was drawn for the control group; not stored: it decides whether texts are (Samples)
	// Prompt is what was asked: a JSON list of prompts, each a list of token ids, since no text tells which of its control tokens the chat
	// template wrote. Text is what was answered: a JSON list of texts. nil where privacy forbids to keep them.
	Prompt, Text *string
	Class        string        // of scheduling
	Answers      int64         // that the client was given under this name: one for each prompt and choice. Tokens and costs are of all
	Outcome      AnswerOutcome // of the first answer that did not end well, or of the last
	MinTokens    int64         // that the answer was to have at least
	IgnoresEnd   int64         // 1: end tokens were ordinary
	Biases       int64         // tokens that the client made likelier or less likely
	// TokensDigest is SHA-256, in hexadecimal: of an answer's token ids, four bytes each, the lowest first, and of those digests one after
	// the other.
	TokensDigest string
	GPUSeconds   float64 // of a GPU, in steps alone; NaN if nobody counted
	// ExtraTokens were computed beside the answer that was given, of another that was not: the prompt's, once more, and those thrown away.
	ExtraTokens      int64
	ExtraCoreSeconds float64 // of CoreSeconds, those that they took; NaN if there were none
	// Lengths are AnswerTokens by answer, prompts first: a JSON list. It is empty where there is one answer.
	Lengths string
	// LogitBias are the Biases, a JSON list of pairs of a token id and its bias, or false for a token that was kept out: what a client said of
	// words, and so kept where Prompt is.
	LogitBias *string
	// Confidence is the mean natural log-probability of the answer's tokens under what gave it, and Opening that of its first token, where the rest is not
	// known; NaN where nobody asked, as of an answer of the source.
	Confidence, Opening float64
}

// AnswerOutcome is how an answer ended.
type AnswerOutcome string

// The outcomes.
const (
	Stopped   AnswerOutcome = "stop"      // by an end token or a stop string
	Lengthy   AnswerOutcome = "length"    // it had as many tokens as were asked for, or as the context holds
	Cancelled AnswerOutcome = "cancelled" // its client went
	Failed    AnswerOutcome = "failed"    // the server could not go on
)

// Sampling is how tokens were drawn, as the client asked for it.
type Sampling struct {
	Temperature, TopP, MinP                              float64
	TopK                                                 int64
	PresencePenalty, FrequencyPenalty, RepetitionPenalty float64
	Seed                                                 uint64
}

func (*Receipt) table() Table { return Receipts }
func (r *Receipt) size() int {
	return rowBytes + lengthOf(r.Prompt) + lengthOf(r.Text) + len(r.Lengths) + lengthOf(r.LogitBias)
}

func (r *Receipt) columns() []column {
	return []column{
		{"time", &r.Time}, {"answer", &r.Answer}, {"tenant", &r.Tenant}, {"model", &r.Model}, {"numerics", &r.Numerics},
		{"temperature", &r.Sampling.Temperature}, {"top_p", &r.Sampling.TopP}, {"min_p", &r.Sampling.MinP}, {"top_k", &r.Sampling.TopK},
		{"presence_penalty", &r.Sampling.PresencePenalty}, {"frequency_penalty", &r.Sampling.FrequencyPenalty},
		{"repetition_penalty", &r.Sampling.RepetitionPenalty}, {"seed", &r.Sampling.Seed},
		{"prompt_tokens", &r.PromptTokens}, {"cached_tokens", &r.CachedTokens}, {"answer_tokens", &r.AnswerTokens},
		{"queue", &r.Queue}, {"prefill", &r.Prefill}, {"decode", &r.Decode},
		{"tier", &r.Tier}, {"escalated_from", &r.EscalatedFrom}, {"cache_level", &r.CacheLevel}, {"core_seconds", &r.CoreSeconds},
		{"prompt_text", &r.Prompt}, {"answer_text", &r.Text},
		{"class", &r.Class}, {"answers", &r.Answers}, {"outcome", (*string)(&r.Outcome)}, {"min_tokens", &r.MinTokens}, {"ignores_end", &r.IgnoresEnd},
		{"biases", &r.Biases}, {"tokens_digest", &r.TokensDigest}, {"gpu_seconds", &r.GPUSeconds},
		{"extra_tokens", &r.ExtraTokens}, {"extra_core_seconds", &r.ExtraCoreSeconds},
		{"lengths", &r.Lengths}, {"logit_bias", &r.LogitBias},
		{"confidence", &r.Confidence}, {"opening", &r.Opening},
	}
}

// AddReceipt has a receipt written within a second. It never waits: see [Store] for what the error means.
func (s *Store) AddReceipt(r Receipt) error {
	if err := checkAnswer(Receipts, r.Answer); err != nil {
		return err
	}
	err := checkNames(Receipts, "model", r.Model, "numerics", r.Numerics, "tier", r.Tier, "escalated_from", r.EscalatedFrom, "cache_level", r.CacheLevel,
		"class", r.Class, "outcome", string(r.Outcome), "tokens_digest", r.TokensDigest)
	if err != nil {
		return err
	}
	if !s.privacy.keepsTexts(r.Sampled) {
		r.Prompt, r.Text, r.LogitBias = nil, nil, nil
	}
	if err := r.checkLengths(); err != nil {
		return err
	}
	return s.queue.add(&r)
}

// checkLengths refuses what a row has no room for.
func (r *Receipt) checkLengths() error {
	for _, c := range []struct {
		field      string
		have, most int
	}{
		{"prompt_text", lengthOf(r.Prompt), maxText}, {"answer_text", lengthOf(r.Text), maxText}, {"logit_bias", lengthOf(r.LogitBias), maxText},
		{"lengths", len(r.Lengths), maxLengths},
	} {
		if err := checkLength(Receipts, c.field, c.have, c.most); err != nil {
			return err
		}
	}
	return nil
}

// Receipts reads the receipts of a span, the oldest first: see [Store] for errors.
func (s *Store) Receipts(ctx context.Context, span Span) iter.Seq2[Receipt, error] {
	return within[Receipt](ctx, s, span)
}

// Receipt reads that of one answer. The error is [ErrNone] if there is none.
func (s *Store) Receipt(ctx context.Context, answer ID) (Receipt, error) {
	for r, err := range selected[Receipt](ctx, s, "WHERE answer = ?", answer[:]) {
		return r, err
	}
	return Receipt{}, ErrNone
}
