package daemon

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"chimera/api"
	"chimera/scheduler"
	"chimera/store"
)

// This file owns receipts: what is written of an answer when it has ended, what is told of it later, and how it is forgotten.

// addReceipt has a receipt written. gpu tells that its steps were computed on a GPU. A row that is not taken is counted, which the store's state shows; nobody waits.
func (h *history) addReceipt(a api.Answered, gpu bool) {
	if h.store == nil || a.Work == nil || a.Work.ID == (api.AnswerID{}) {
		return
	}
	r := receiptOf(a, gpu)
	r.Tenant = h.store.Tenant(a.Tenant)
	if r.Sampled = a.Work.Drawn != nil; h.keepsTexts || r.Sampled && h.privacy == store.Samples {
		r.Prompt, r.Text = textsOf(a.Work)
		r.LogitBias = biasesOf(&a.Work.Requests[0].Sampling)
	}
	err := h.store.AddReceipt(r)
	var long *store.FieldError
	if errors.As(err, &long) && r.Prompt != nil { // a text that is too long costs the text, not the receipt
		slog.Warn("the texts of an answer are not kept", "cause", long)
		r.Prompt, r.Text, r.LogitBias = nil, nil, nil
		err = h.store.AddReceipt(r)
	}
	if errors.As(err, &long) {
		slog.Warn("an answer has no receipt", "cause", long)
	}
}

// receiptOf is what is known of an answer, but for its tenant and texts.
func receiptOf(a api.Answered, gpu bool) store.Receipt {
	w := a.Work
	first := &w.Requests[0]
	p := &first.Sampling
	r := store.Receipt{
		Time: a.Ended, Answer: store.ID(w.ID), Model: a.Model, Numerics: w.Numerics, Tier: w.Tier, Class: a.Class.String(), Answers: int64(len(w.Answers)),
		Sampling: store.Sampling{
			Temperature: written(p.Temperature), TopP: written(p.TopP), MinP: written(p.MinP), TopK: int64(p.TopK), PresencePenalty: written(p.Presence),
			FrequencyPenalty: written(p.Frequency), RepetitionPenalty: written(p.Repetition), Seed: p.Seed,
		},
		PromptTokens: int64(a.PromptTokens), MinTokens: int64(first.MinTokens), Biases: int64(len(p.Biases)), TokensDigest: w.TokensDigest(),
		Lengths: lengthsOf(w), Outcome: outcomeOf(a), GPUSeconds: math.NaN(), ExtraCoreSeconds: math.NaN(),
		Confidence: orUnknown(w.Confidence), Opening: orUnknown(w.Opening),
	}
	if first.IgnoreEnd {
		r.IgnoresEnd = 1
	}
	cpu, device := addTimes(&r, w)
	if e := w.Extra; e != nil {
		r.EscalatedFrom, r.ExtraTokens, r.ExtraCoreSeconds = e.From, int64(e.Tokens), e.CPU.Seconds()
		cpu, device = cpu+e.CPU, device+e.Device
	}
	r.CoreSeconds = cpu.Seconds()
	if gpu {
		r.GPUSeconds = device.Seconds()
	}
	return r
}

// written is a parameter as its client wrote it, 0.9 and not 0.8999999761581421: the same number when it is rounded again.
func written(x float32) float64 {
	y, err := strconv.ParseFloat(strconv.FormatFloat(float64(x), 'g', -1, 32), 64)
	if err != nil {
		return float64(x)
	}
	return y
}

// addTimes fills in tokens and times, from the first place of an answer of the request to the last token of one, and returns what steps took.
// Later choices find the pages of the first, which were paid for: they do not count as cached.
func addTimes(r *store.Receipt, w *api.Work) (cpu, device time.Duration) {
	var first, last time.Time
	for i := range w.Answers {
		a := &w.Answers[i]
		r.AnswerTokens += int64(a.Tokens)
		if w.Requests[i].Choice == 0 {
			r.CachedTokens += int64(a.Cached)
		}
		cpu, device = cpu+a.CPU, device+a.Device
		if a.Queued > 0 && (r.Queue == 0 || a.Queued < r.Queue) {
			r.Queue = a.Queued
		}
		if !a.First.IsZero() && (first.IsZero() || a.First.Before(first)) {
			first = a.First
		}
		if a.Last.After(last) {
			last = a.Last
		}
	}
	if !first.IsZero() {
		r.Prefill, r.Decode = max(0, first.Sub(w.Came)-r.Queue), last.Sub(first)
	}
	if r.CachedTokens > 0 {
		r.CacheLevel = prefixCache
	}
	return cpu, device
}

// prefixCache is the level of what the pages of other requests had.
const prefixCache = "prefix"

// outcomeOf is how the request ended: of several answers the first that did not come to its end tells.
func outcomeOf(a api.Answered) store.AnswerOutcome {
	switch {
	case a.Status == api.StatusClientGone:
		return store.Cancelled
	case a.Status >= http.StatusBadRequest:
		return store.Failed
	}
	outcome := store.Stopped
	for _, w := range a.Work.Answers {
		if w.Finish != string(store.Stopped) {
			outcome = store.AnswerOutcome(w.Finish)
		}
	}
	return outcome
}

// textsOf are prompts and answers as a receipt has them.
func textsOf(w *api.Work) (prompt, text *string) {
	var prompts [][]int32
	var texts []string
	for i := range w.Answers {
		if w.Requests[i].Choice == 0 {
			prompts = append(prompts, w.Requests[i].Prompt)
		}
		texts = append(texts, w.Answers[i].Text)
	}
	asked, err := json.Marshal(prompts)
	if err != nil {
		return nil, nil
	}
	answered, err := json.Marshal(texts)
	if err != nil { // such as a character that is cut off in the middle
		return new(string(asked)), nil
	}
	return new(string(asked)), new(string(answered))
}

// lengthsOf are the tokens of each of several answers, as a receipt has them; of one its sum tells.
func lengthsOf(w *api.Work) string {
	if len(w.Answers) < 2 {
		return ""
	}
	lengths := make([]int64, len(w.Answers))
	for i := range w.Answers {
		lengths[i] = int64(w.Answers[i].Tokens)
	}
	list, err := json.Marshal(lengths)
	if err != nil {
		return ""
	}
	return string(list)
}

// biasesOf are a request's biases as a receipt has them, in a form that a request may have them in: JSON has no infinity, and false stands for it.
func biasesOf(p *scheduler.Sampling) *string {
	if len(p.Biases) == 0 {
		return nil
	}
	list := make([][2]any, len(p.Biases))
	for i, b := range p.Biases {
		list[i] = [2]any{b.Token, false}
		if !math.IsInf(float64(b.Value), -1) {
			list[i][1] = written(b.Value)
		}
	}
	text, err := json.Marshal(list)
	if err != nil {
		return nil
	}
	return new(string(text))
}

// find is the receipt of an answer that who asks may know of.
func (h *history) find(ctx context.Context, id api.AnswerID, a api.Asker) (store.Receipt, error) {
	r, err := h.store.Receipt(ctx, store.ID(id))
	if errors.Is(err, store.ErrNone) || err == nil && !a.Administers && r.Tenant != h.store.Tenant(a.Tenant) {
		return store.Receipt{}, api.ErrNoAnswer
	}
	return r, err
}

// Receipt implements api.History.
func (h *history) Receipt(ctx context.Context, id api.AnswerID, a api.Asker) (api.Receipt, error) {
	ctx, cancel, err := h.written(ctx)
	defer cancel()
	if errors.Is(err, errNoHistory) {
		return api.Receipt{}, err
	}
	r, err := h.find(ctx, id, a) // what was written before is there even where the disk takes nothing now
	if err != nil {
		return api.Receipt{}, err
	}
	shown := h.shown(r)
	for rating, err := range h.store.RatingsOf(ctx, store.ID(id)) {
		if err != nil {
			return api.Receipt{}, err
		}
		shown.Ratings = append(shown.Ratings, rating.Rating)
	}
	return shown, nil
}

// shown is a receipt as clients see it.
func (h *history) shown(r store.Receipt) api.Receipt {
	s := r.Sampling
	a := api.Receipt{
		ID: hex.EncodeToString(r.Answer[:]), Time: r.Time, Model: r.Model, Tenant: h.named(r.Tenant), Class: r.Class, Numerics: r.Numerics,
		Answers: r.Answers, Outcome: string(r.Outcome), MinTokens: r.MinTokens, IgnoresEnd: r.IgnoresEnd != 0, Biases: r.Biases,
		Sampling:     api.ReceiptSampling{Temperature: s.Temperature, TopP: s.TopP, MinP: s.MinP, TopK: s.TopK, Presence: s.PresencePenalty, Frequency: s.FrequencyPenalty, Repetition: s.RepetitionPenalty, Seed: s.Seed},
		PromptTokens: r.PromptTokens, CachedTokens: r.CachedTokens, AnswerTokens: r.AnswerTokens, TokensDigest: r.TokensDigest,
		Queue: ms(r.Queue), Prefill: ms(r.Prefill), Decode: ms(r.Decode), Tier: r.Tier, Escalated: r.EscalatedFrom, ExtraTokens: r.ExtraTokens, ExtraCoreSeconds: known(r.ExtraCoreSeconds), CacheLevel: r.CacheLevel,
		CoreSeconds: known(r.CoreSeconds), GPUSeconds: known(r.GPUSeconds),
	}
	if r.Prompt != nil && json.Unmarshal([]byte(*r.Prompt), &a.Prompts) == nil {
		a.PromptKept = true
	}
	if r.LogitBias != nil {
		a.LogitBias = jsontext.Value(*r.LogitBias)
	}
	if r.Lengths != "" && json.Unmarshal([]byte(r.Lengths), &a.Lengths) != nil {
		a.Lengths = nil // such an answer can't be computed again, which is then said
	}
	return a
}

// ms is a time in milliseconds.
func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// known is nil for what nobody knows.
func known(x float64) *float64 {
	if math.IsNaN(x) {
		return nil
	}
	return &x
}

// orUnknown is the other way round.
func orUnknown(x *float64) float64 {
	if x == nil {
		return math.NaN()
	}
	return *x
}

// formerTenant names a tenant that is in the settings no more.
func formerTenant(t store.Tenant) string { return "former-" + hex.EncodeToString(t[:4]) }

// ForgetAnswer implements api.History.
func (h *history) ForgetAnswer(ctx context.Context, id api.AnswerID, a api.Asker) (rows int64, err error) {
	if h.store == nil {
		return 0, errNoHistory
	}
	if err := h.store.Flush(ctx); err != nil {
		return 0, err
	}
	if _, err := h.find(ctx, id, a); err != nil && !(errors.Is(err, api.ErrNoAnswer) && a.Administers) {
		return 0, err
	}
	h.watched.forgetSamples(func(s *sample) bool { return s.id == id })
	rows, err = h.store.ForgetAnswer(ctx, store.ID(id))
	if err == nil && rows == 0 {
		err = api.ErrNoAnswer
	}
	return rows, err
}

// ForgetTenant implements api.History.
func (h *history) ForgetTenant(ctx context.Context, name string) (rows int64, err error) {
	if h.store == nil {
		return 0, errNoHistory
	}
	h.watched.forgetSamples(func(s *sample) bool { return s.tenant == name })
	return h.store.ForgetTenant(ctx, name)
}
