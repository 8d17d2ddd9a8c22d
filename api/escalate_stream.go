package api

import (
	"context"
	"time"

	"chimera/quality/escalate"
)

// This file owns answers that are streamed and may be the source's: what a prompt's end knows decides, before the client has a byte.
//
// The draft goes on while the source computes the prompt, and its pieces are kept: if the source can't answer, its client has lost time and nothing
// else. From its first piece on the answer is the source's, and ends as any does.

// reconsider decides by the draft's first piece who answers: what it returns has been begun, and is the job's from here on.
func (j *job) reconsider(ctx context.Context, draft *runningJob) *runningJob {
	first := &draft.kept[0]
	if j.edge == nil || j.edge.answer.Kind != escalate.Opening || len(first.tokens) == 0 {
		return draft
	}
	a := &j.edge.answer
	a.Tier, a.Confidence, a.Tokens = j.model.Tier(first.weights), float64(first.tokens[0].logprob), 1
	claim, held := j.claim(ctx)
	if claim == nil {
		return draft
	}
	better := j.again(held.Model)
	r, tokens, err := better.overtake(ctx, draft, claim, held)
	if err != nil {
		j.fellBack(ctx, claim, held, better, 0, err)
		held.Release()
		return draft
	}
	j.change(draft, r, tokens)
	claim.Escalated(j.edge.extra.Tokens)
	return r
}

// overtake begins a job by the source and waits for its first piece, before which the draft had so many tokens. Up to there the source may be taken
// away; afterwards its memory waits for the answer's end, as it does for those of a model that is unloaded.
func (j *job) overtake(ctx context.Context, draft *runningJob, claim *escalate.Claim, held Held) (r *runningJob, tokens int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stays := context.AfterFunc(held.Context, func() { cancel(context.Cause(held.Context)) })
	if r, err = j.start(ctx); err != nil {
		cancel(nil)
		return nil, 0, err
	}
	tokens, err = race(draft, r, claim, len(j.requests[0].Prompt))
	if err == nil && !stays() {
		err = context.Cause(held.Context)
	}
	if err != nil {
		r.stop()
		cancel(nil)
		return nil, 0, err
	}
	r.release = func() {
		cancel(nil)
		held.Release()
	}
	return r, tokens, nil
}

// change gives a stream to the source.
func (j *job) change(draft, r *runningJob, tokens int) {
	told := j.done
	j.done = nil
	draft.stop()
	j.edge.extra = extraOf(j.edge.answer.Tier, j.edge.answer.Prompt+tokens, j)
	j.model, j.work = r.job.model, r.job.work
	r.arrived, r.job.edge, r.job.done = draft.arrived, j.edge, told
}

// race waits for the source's first piece. Meanwhile it keeps what comes of the draft: so many tokens.
func race(draft, better *runningJob, claim *escalate.Claim, prompt int) (tokens int, err error) {
	tokens = 1
	from := draft.pieces
	if draft.kept[0].finish != "" {
		from = nil
	}
	for {
		select {
		case p := <-better.pieces:
			p.at = time.Now()
			better.kept = append(better.kept, p)
			return tokens, p.err
		case p := <-from:
			p.at = time.Now()
			draft.kept = append(draft.kept, p)
			tokens += len(p.tokens)
			if err := needs(claim, prompt+tokens); err != nil {
				return tokens, err
			}
			if p.finish != "" || p.err != nil {
				from = nil
			}
		case <-better.ctx.Done():
			return tokens, context.Cause(better.ctx)
		}
	}
}
