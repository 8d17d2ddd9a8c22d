package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"chimera/quality/escalate"
	"chimera/scheduler"
)

// This file owns answers that are computed again by the model's source, since the tier that serves is unsure of them: which may be, what is
// given where that fails, and what is told of it. quality/escalate/ is the rule; escalate_stream.go is how it goes with answers that are streamed.
//
// The draft is an answer too: whatever goes wrong behind it, it is given. Rejected: to escalate answers with log-probabilities, which a client
// would read as those of the tier that he asked for, and completions of several answers, which are one draw of one model.

// Escalation is a model's way to its source, and its rule.
type Escalation struct {
	Rule *escalate.Rule
	// Below tells whether answers that begin now are those of a tier below the source.
	Below func() bool
	// Control gives the source, if it is there: nobody waits for its load. Its context ends when its memory is needed.
	Control func(ctx context.Context, class scheduler.Class) (Held, error)
}

// Extra is what was computed of an answer beside what its client was given.
type Extra struct {
	From        string        // the tier whose answer was not given; "": that of the tier that serves was, since the other could not be had
	Numerics    string        // the numerics id of that tier
	Tokens      int           // the prompt's, once more, and those that were thrown away
	CPU, Device time.Duration // see scheduler.Spent
}

// edge is a job as the rule sees it.
type edge struct {
	*Escalation
	answer escalate.Answer
	extra  *Extra
}

// sure is what is known of how sure the answer's tier was, if its answer was given: of the source's nobody asked.
func (e *edge) sure() (whole, opening *float64) {
	a := &e.answer
	if a.Tier == "" || e.extra != nil && e.extra.From != "" { // it was not judged, or is the source's
		return nil, nil
	}
	switch a.Kind {
	case escalate.Whole:
		return new(a.Confidence), nil
	case escalate.Opening:
		return nil, new(a.Confidence)
	}
	return nil, nil
}

// consider lets the rule know of a client's answer, and of what confidence there will be in it.
func (j *job) consider(stream bool) {
	e := j.model.Escalation
	if e == nil || !e.Rule.On() || !e.Below() {
		return
	}
	j.edge = &edge{Escalation: e}
	r := &j.requests[0]
	j.edge.answer.Prompt = j.promptTokens()
	switch {
	case len(j.requests) > 1 || r.Logprobs || r.Top > 0 || r.ScorePrompt || r.MaxTokens == 0:
	case stream:
		j.edge.answer.Kind, r.FirstLogprob = escalate.Opening, true
	default:
		j.edge.answer.Kind, r.Logprobs = escalate.Whole, true
	}
}

// promptTokens are those of all prompts, each counted once.
func (j *job) promptTokens() (n int) {
	for i := range j.requests {
		if j.requests[i].Choice == 0 {
			n += len(j.requests[i].Prompt)
		}
	}
	return n
}

// answered tells the rule of an answer that has come to its end.
func (j *job) answered() {
	if j.edge == nil {
		return
	}
	given := 0
	for i := range j.work {
		given += j.work[i].Tokens
	}
	a := j.edge.answer
	if a.Kind != escalate.Whole {
		a.Tokens = given
	}
	if a.Tier == "" {
		a.Tier = j.model.Tier(j.work[0].weights)
	}
	j.edge.Rule.Answered(a, given)
}

// attempt is the job by itself: nobody is told of it.
func (j *job) attempt(by *Model) *job {
	a := *j
	a.model, a.work, a.done, a.edge = by, nil, nil, nil
	a.requests = slices.Clone(j.requests)
	return &a
}

// again is an attempt by a better tier, of which nobody asks how sure it is.
func (j *job) again(by *Model) *job {
	a := j.attempt(by)
	a.requests[0].Logprobs, a.requests[0].FirstLogprob = false, false
	return a
}

// collect runs a job and keeps its pieces: a hundred bytes a token, of which the pages have more. yield may end it. The run is nil if
// it was refused.
func (j *job) collect(ctx context.Context, yield func(piece) error) (r *runningJob, pieces []piece, err error) {
	if r, err = j.start(ctx); err != nil {
		return nil, nil, err
	}
	defer r.stop()
	err = r.each(func(p piece) error {
		pieces = append(pieces, p)
		return yield(p)
	})
	return r, pieces, err
}

// runSurely runs a job whose answer is given when it is whole and may be another tier's then.
func (j *job) runSurely(ctx context.Context, yield func(piece) error) error {
	a, sum := &j.edge.answer, 0.0
	r, pieces, err := j.attempt(j.model).collect(ctx, func(p piece) error {
		for _, t := range p.tokens {
			sum += float64(t.logprob)
		}
		a.Tokens += len(p.tokens)
		return nil
	})
	if r == nil {
		return err
	}
	came := r.arrived
	if err == nil {
		a.Confidence, a.Tier = sum/float64(a.Tokens), j.model.Tier(r.job.work[0].weights)
		if better, others := j.escalate(ctx, r); better != nil {
			r, pieces = better, others
		}
		err = ctx.Err()
	}
	r.arrived, r.job.edge = came, j.edge
	j.model, j.work = r.job.model, r.job.work
	if j.done != nil {
		j.done(r.finished())
	}
	if err != nil {
		return err
	}
	j.answered()
	for _, p := range pieces {
		if err := yield(p); err != nil {
			return err
		}
	}
	return nil
}

// errOverBudget ends what would cost more than there is.
var errOverBudget = errors.New("the answer costs more than the budget has left")

// needs puts by what would be extra if all ended behind the next token.
func needs(claim *escalate.Claim, extra int) error {
	if !claim.Needs(extra + 1) {
		return errOverBudget
	}
	return nil
}

// escalate has the source answer where the rule asks for it. There is no run if the draft is to be given.
func (j *job) escalate(ctx context.Context, draft *runningJob) (*runningJob, []piece) {
	a := &j.edge.answer
	claim, held := j.claim(ctx)
	if claim == nil {
		return nil, nil
	}
	defer held.Release()
	better, tokens := j.again(held.Model), 0
	r, pieces, err := better.collect(held.Context, func(p piece) error {
		tokens += len(p.tokens)
		return needs(claim, a.Prompt+tokens)
	})
	if err != nil {
		j.fellBack(ctx, claim, held, better, tokens, err)
		return nil, nil
	}
	j.edge.extra = extraOf(a.Tier, a.Prompt+a.Tokens, draft.job)
	claim.Escalated(a.Prompt + a.Tokens)
	return r, pieces
}

// claim asks the rule, and then for the source. Whoever gets both settles the one and releases the other.
func (j *job) claim(ctx context.Context) (*escalate.Claim, Held) {
	claim := j.edge.Rule.Claim(j.edge.answer)
	if claim == nil {
		return nil, Held{}
	}
	r := &j.requests[0]
	if !r.Deadline.IsZero() && !time.Now().Before(r.Deadline) {
		claim.FellBack(0, escalate.Late)
		return nil, Held{}
	}
	held, err := j.edge.Control(ctx, r.Class)
	if err != nil {
		claim.FellBack(0, escalate.NoControl)
		return nil, Held{}
	}
	return claim, held
}

// fellBack settles a claim of what the source could not answer: what it has computed was for nothing, the prompt and so many tokens.
func (j *job) fellBack(ctx context.Context, claim *escalate.Claim, held Held, better *job, tokens int, err error) {
	extra := 0
	if len(better.work) > 0 && better.work[0].Device > 0 {
		extra = j.edge.answer.Prompt + tokens
		j.edge.extra = extraOf("", extra, better)
	}
	switch {
	case ctx.Err() != nil:
		claim.Left(extra)
	case errors.Is(err, errOverBudget):
		claim.FellBack(extra, escalate.OverBudget)
	case errors.Is(err, scheduler.ErrDeadline):
		claim.FellBack(extra, escalate.Late)
	case held.Context.Err() != nil:
		claim.FellBack(extra, escalate.NoControl)
	default:
		claim.FellBack(extra, escalate.Failed)
	}
}

// extraOf is what a job that has ended took for nothing; from is its tier where it is the draft.
func extraOf(from string, tokens int, j *job) *Extra {
	e := &Extra{From: from, Tokens: tokens, CPU: j.work[0].CPU, Device: j.work[0].Device}
	if from != "" {
		e.Numerics = j.model.Numerics(j.work[0].weights)
	}
	return e
}
