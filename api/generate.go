package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"chimera/engine"
	"chimera/quality/escalate"
	"chimera/scheduler"
)

// This file owns running the sequences of one request: all or none are taken, and none outlives the request.

// job is what an endpoint wants generated: one request per choice.
type job struct {
	model        *Model
	requests     []scheduler.Request
	manyBy       string // the field that asks for several answers
	stops        []string
	stopInAnswer bool // what ended the answer is a part of it: the stop string, and the end token in log-probabilities
	tokenIDs     bool // tokens are written as token_id:N
	special      bool // special tokens are written out
	id           AnswerID
	work         []work // what becomes of each request
	done         func(*Work)
	keepsTexts   bool
	drawn        *Drawn // see Config.Draw
	edge         *edge  // nil: it is no client's, or answers are not escalated
}

// job is one without requests, as the fields that both endpoints have say.
func (g *generation) job(m *Model, stops []string) *job {
	return &job{
		model: m, manyBy: "n", stops: stops, stopInAnswer: or(g.StopInAnswer, false), tokenIDs: or(g.TokensAsIDs, false),
		special: !or(g.SkipSpecialTokens, true),
	}
}

// token is one token with its probabilities, as both endpoints report it.
type token struct {
	id       int32
	logprob  float32
	top      []scheduler.Alternative
	first    bool // of an echoed prompt: it has no probability
	last     bool // of the answer
	unlisted bool // it ended the answer, and is not a part of it: it counts, and no log-probability is told
}

// piece is what one event adds to a choice.
type piece struct {
	choice int
	text   string
	prompt []token // scored tokens of the prompt
	tokens []token
	finish string // "stop" or "length" with the last piece
	cached int
	queued time.Duration
	// weights are the digest of those that have computed it.
	weights string
	err     error
	at      time.Time // when it came
}

// runningJob is a job under way. pieces come in order within a choice.
type runningJob struct {
	job     *job
	arrived time.Time
	ctx     context.Context
	cancel  context.CancelFunc
	pieces  chan piece
	kept    []piece // that came before each was called
	release func()  // of what it was computed by; nil: that is held elsewhere
	follows sync.WaitGroup
}

// start submits all requests, or none: what is refused is refused before the first byte of an answer. What was started
// must be stopped.
func (j *job) start(ctx context.Context) (*runningJob, error) {
	r := &runningJob{job: j, arrived: time.Now(), pieces: make(chan piece)}
	j.work = make([]work, len(j.requests))
	for i := range j.work {
		j.work[i] = work{digest: sha256.New(), keepsText: j.keepsTexts, keepsIDs: j.id != (AnswerID{})}
	}
	r.ctx, r.cancel = context.WithCancel(ctx)
	sequences, err := j.model.Engine.SubmitGroup(r.ctx, j.requests)
	if err != nil {
		r.cancel()
		for i := range j.requests {
			r.ended(i, Ended{Answer: j.requests[i].MaxTokens, Refused: err})
		}
		return nil, j.refused(err)
	}
	for i, seq := range sequences {
		r.follows.Go(func() { r.follow(i, seq) })
	}
	return r, nil
}

// refused says of a group that no queue could take which field has made it so large, and of what no step could compute that
// it is the request's fault. What a step refused, for which the loop has ended, is wrapped, and not.
func (j *job) refused(err error) error {
	if one := (*scheduler.RequestError)(nil); errors.As(err, &one) {
		err = one.Err
	}
	if notComputable, bare := err.(*engine.BatchError); bare {
		return &HTTPError{Status: 400, Type: "invalid_request_error", Code: "invalid_value", Message: notComputable.Error()}
	}
	var tooLarge *scheduler.GroupTooLargeError
	if !errors.As(err, &tooLarge) {
		return err
	}
	h := badField(j.manyBy, "%s", tooLarge.Error())
	h.Code = "too_many_answers"
	return h
}

// follow passes on what becomes of a sequence. A panic on the way is an error of this request alone.
func (r *runningJob) follow(choice int, seq *scheduler.Sequence) {
	err := protect(func() error {
		answer, err := r.job.follow(r.ctx, choice, seq, r.pieces)
		r.ended(choice, Ended{Answer: answer, Err: err})
		return nil
	})
	if err == nil {
		return
	}
	select {
	case r.pieces <- piece{choice: choice, err: err}:
	case <-r.ctx.Done():
	}
}

// ended tells whoever asks what became of a choice.
func (r *runningJob) ended(choice int, e Ended) {
	if tell := r.job.model.Ended; tell != nil {
		e.Request, e.Arrived = r.job.requests[choice], r.arrived
		tell(e)
	}
}

// await waits for the first piece, which each will yield again: what fails before it is an error of the whole answer.
func (r *runningJob) await() error {
	select {
	case p := <-r.pieces:
		p.at = time.Now()
		r.kept = append(r.kept, p)
		return p.err
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// stop ends what still runs: the sequences' context is done. It tells whoever began the job what was computed.
func (r *runningJob) stop() {
	r.cancel()
	r.follows.Wait()
	if r.release != nil {
		r.release()
	}
	if r.job.done != nil {
		r.job.done(r.finished())
	}
}

// each calls yield with every piece, on the caller's goroutine, until all choices have ended or an
// error comes. The client's hanging up is an error that is context.Canceled.
func (r *runningJob) each(yield func(piece) error) error {
	for left := len(r.job.requests); left > 0; {
		if len(r.kept) == 0 {
			if err := r.await(); err != nil {
				return err
			}
		}
		p := r.kept[0]
		r.kept = r.kept[1:]
		if p.err != nil {
			return p.err
		}
		if err := yield(p); err != nil {
			return err
		}
		if p.finish != "" {
			left--
		}
	}
	r.job.answered()
	return nil
}

// run is a job from start to end.
func (j *job) run(ctx context.Context, yield func(piece) error) error {
	if j.edge != nil && j.edge.answer.Kind == escalate.Whole {
		return j.runSurely(ctx, yield)
	}
	r, err := j.start(ctx)
	if err != nil {
		return err
	}
	defer r.stop()
	return r.each(yield)
}

// start answers with a stream of the job's pieces. It begins with the first: what is refused in the queue has a status.
// produce is given the first piece, and all of them.
func (c *call) start(j *job, produce func(s sse, first piece, pieces func(func(piece) error) error) error) error {
	r, err := j.start(c.context())
	if err != nil {
		return err
	}
	if err := r.await(); err != nil {
		r.stop()
		return err
	}
	r = j.reconsider(c.context(), r)
	if err := c.context().Err(); err != nil {
		r.stop()
		return err
	}
	c.headComputed(j.model, r.kept[0].weights)
	return c.stream(func(s sse) error {
		defer r.stop()
		return produce(s, r.kept[0], r.each)
	})
}

// follow turns one sequence's events into pieces until it ends or the request is over. It tells how many tokens the answer had, and
// why it has no more, if not because it is whole.
func (j *job) follow(ctx context.Context, choice int, seq *scheduler.Sequence, pieces chan<- piece) (answer int, err error) {
	w := &j.work[choice]
	defer func() { w.CPU, w.Device = seq.Spent() }()
	d := decoder{job: j, least: j.requests[choice].MinTokens, stream: j.model.Tokenizer.NewContinuation(j.special), stop: stopMatcher{stops: j.stops, include: j.stopInAnswer}}
	for {
		e, err := seq.Next(ctx)
		if err != nil {
			return answer, err
		}
		p := d.piece(e)
		w.note(&e, &p, seq)
		answer = w.Tokens
		p.choice, p.cached, p.queued, p.weights = choice, seq.Cached(), seq.Waited(), seq.Weights()
		if p.empty() {
			continue
		}
		select {
		case pieces <- p:
		case <-ctx.Done():
			return answer, ctx.Err()
		}
		if p.finish != "" || p.err != nil {
			seq.Stop() // after a stop string the engine would go on
			return answer, p.err
		}
	}
}

func (p piece) empty() bool {
	return p.text == "" && p.finish == "" && p.err == nil && len(p.tokens) == 0 && len(p.prompt) == 0
}

// watch notes what metrics and log want. It belongs to one request.
type watch struct {
	call    *call
	choices int         // of a prompt
	last    []time.Time // per sequence: its last token
}

// begin says in whose name a job is computed, and what the log is to say of it. choices are those of a prompt.
func (c *call) begin(j *job, choices int) watch {
	c.figures.model = j.model.Name
	j.id, j.keepsTexts = c.answer, c.server.KeepsTexts
	if draw := c.server.Draw; draw != nil && j.id != (AnswerID{}) {
		if j.drawn = draw(j.id, j.model.Name, c.urgency.class); j.drawn != nil {
			j.keepsTexts = j.keepsTexts || j.drawn.KeepsText
		}
	}
	j.done = func(w *Work) { c.figures.work = w }
	for i := range j.requests {
		r := &j.requests[i]
		r.Salt, r.Tenant = c.salt(), c.urgency.tenant
		r.Class, r.Priority, r.Deadline = c.urgency.class, c.urgency.priority, c.urgency.deadline(c.started)
	}
	for i := 0; i < len(j.requests); i += choices {
		c.figures.promptTokens += len(j.requests[i].Prompt)
	}
	return watch{c, choices, make([]time.Time, len(j.requests))}
}

// note observes a piece of the answer, by when it came.
func (w *watch) note(p piece) {
	f := &w.call.figures
	f.queued = max(f.queued, p.queued)
	if p.finish != "" && p.choice%w.choices == 0 { // see usage.add
		f.cachedTokens += p.cached
	}
	if len(p.tokens) == 0 {
		return
	}
	if f.tokens == 0 {
		f.ttft = p.at.Sub(w.call.started)
		w.call.server.Metrics.ttft.WithLabelValues(f.model).Observe(f.ttft.Seconds())
	}
	if last := w.last[p.choice]; !last.IsZero() {
		f.itl = append(f.itl, p.at.Sub(last))
		w.call.server.Metrics.itl.WithLabelValues(f.model).Observe(p.at.Sub(last).Seconds())
	}
	w.last[p.choice] = p.at
	f.tokens += len(p.tokens)
}
