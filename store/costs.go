package store

import (
	"context"
	"iter"
	"time"
)

// This file owns the table of costs: what serving took, summed over stretches of time.

// Cost is what one tenant's requests to one model took in a stretch of time. Rows of one stretch add up to the whole, and those of stretches
// that follow each other to a longer one.
//
// Rejected: one row a tenant and month that grows. It would be written in place every minute, and damage would lose a month.
type Cost struct {
	Numbered
	From, Until  time.Time // kept to the microsecond
	Model        string
	Tenant       Tenant
	Requests     int64
	PromptTokens int64
	AnswerTokens int64
	CoreSeconds  float64 // of CPU cores, in steps; NaN if nobody counted
	GPUSeconds   float64 // of GPUs; NaN if nobody counted
	Class        string  // of scheduling
	Tier         string  // that computed; "" where nothing was
	// OverheadSeconds are of CPU cores, too: the part of what the process took besides steps that was laid to this row; NaN if nobody
	// counted. With CoreSeconds it adds up over all rows to the process's CPU time.
	OverheadSeconds float64
	// Energy is this row's part of what the process is taken to have used; NaN if nobody could read it.
	CPUJoules float64 // of processors and their memory
	GPUJoules float64 // of graphics cards
}

func (*Cost) table() Table { return Costs }
func (*Cost) size() int    { return rowBytes }

func (r *Cost) columns() []column {
	return []column{
		{"began", &r.From}, {"ended", &r.Until}, {"model", &r.Model}, {"tenant", &r.Tenant}, {"requests", &r.Requests},
		{"prompt_tokens", &r.PromptTokens}, {"answer_tokens", &r.AnswerTokens}, {"core_seconds", &r.CoreSeconds}, {"gpu_seconds", &r.GPUSeconds},
		{"class", &r.Class}, {"tier", &r.Tier}, {"overhead_seconds", &r.OverheadSeconds},
		{"cpu_joules", &r.CPUJoules}, {"gpu_joules", &r.GPUJoules},
	}
}

// AddCost has a cost written within a second. It never waits: see [Store] for what the error means.
func (s *Store) AddCost(r Cost) error {
	if err := checkNames(Costs, "model", r.Model, "class", r.Class, "tier", r.Tier); err != nil {
		return err
	}
	return s.queue.add(&r)
}

// Costs reads the costs of stretches that ended in a span, the oldest first: see [Store] for errors.
func (s *Store) Costs(ctx context.Context, span Span) iter.Seq2[Cost, error] {
	return within[Cost](ctx, s, span)
}
