package store

import (
	"context"
	"iter"
	"math"
	"time"
)

// This file owns the table of judgements: how good single answers were found to be.

// Judgement is what was found of one answer, or of all answers of a completion together. What nobody has measured is NaN. An answer may have several: what the
// control says of it, and what a correction says. None has a text.
type Judgement struct {
	Numbered
	Time                time.Time // kept to the microsecond
	Answer              ID
	Tenant              Tenant
	Control             string  // the numerics id of the control that was asked; empty if none was
	Agreement           float64 // share of tokens, 0 to 1
	KL                  float64 // a lower bound of KL(control || tier), in nats a token
	ChrF                float64 // chrF2 against the control's own answer, 0 to 100
	Fluency             float64 // perplexity under the control, 1 or more
	Relevance           float64 // cosine of the answer's mean state and the prompt's, -1 to 1
	CorrectionChrF      float64 // chrF2 against what somebody said the answer should have been, 0 to 100
	CorrectionF1        float64 // token F1 against that, 0 to 1
	CorrectionRelevance float64 // cosine of the answer's mean state and the correction's, -1 to 1
}

// Unjudged is an answer of which nothing was measured yet.
func Unjudged(answer ID, tenant Tenant, now time.Time) Judgement {
	j := Judgement{Time: now, Answer: answer, Tenant: tenant}
	for _, figure := range j.figures() {
		*figure = math.NaN()
	}
	return j
}

func (r *Judgement) figures() []*float64 {
	return []*float64{&r.Agreement, &r.KL, &r.ChrF, &r.Fluency, &r.Relevance, &r.CorrectionChrF, &r.CorrectionF1, &r.CorrectionRelevance}
}

// Merge takes over what another judgement of the answer has measured.
func (r *Judgement) Merge(other Judgement) {
	from := other.figures()
	for i, to := range r.figures() {
		if !math.IsNaN(*from[i]) {
			*to = *from[i]
		}
	}
}

func (*Judgement) table() Table { return Judgements }
func (*Judgement) size() int    { return rowBytes }

func (r *Judgement) columns() []column {
	return []column{
		{"time", &r.Time}, {"answer", &r.Answer}, {"tenant", &r.Tenant}, {"control", &r.Control},
		{"agreement", &r.Agreement}, {"kl", &r.KL}, {"chrf", &r.ChrF}, {"fluency", &r.Fluency}, {"relevance", &r.Relevance},
		{"correction_chrf", &r.CorrectionChrF}, {"correction_f1", &r.CorrectionF1}, {"correction_relevance", &r.CorrectionRelevance},
	}
}

// AddJudgement has a judgement written within a second. It never waits: see [Store] for what the error means.
func (s *Store) AddJudgement(r Judgement) error {
	if err := checkAnswer(Judgements, r.Answer); err != nil {
		return err
	}
	if err := checkNames(Judgements, "control", r.Control); err != nil {
		return err
	}
	return s.queue.add(&r)
}

// JudgementsOf reads the judgements of one answer, in the order in which they were written: see [Store] for errors.
func (s *Store) JudgementsOf(ctx context.Context, answer ID) iter.Seq2[Judgement, error] {
	return selected[Judgement](ctx, s, "WHERE answer = ? ORDER BY id", answer[:])
}
