package api

import (
	"context"
	"strconv"
	"sync"
	"time"

	"chimera/scheduler"
	"chimera/tokenizer"
)

// This file owns running the sequences of one request and turning their events into text.

// job is what an endpoint wants generated: one request per choice.
type job struct {
	model    *Model
	requests []scheduler.Request
	stops    []string
	tokenIDs bool // tokens are written as token_id:N
	special  bool // special tokens are written out
}

// token is one token with its probabilities, as both endpoints report it.
type token struct {
	id      int32
	logprob float32
	top     []scheduler.Alternative
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
	err    error
}

// flight is a job under way. pieces come in order within a choice.
type flight struct {
	job     *job
	ctx     context.Context
	cancel  context.CancelFunc
	pieces  chan piece
	follows sync.WaitGroup
}

// launch submits all requests, or none: what is refused is refused before the first byte of an
// answer. The flight must be landed.
func (j *job) launch(ctx context.Context) (*flight, error) {
	f := &flight{job: j, pieces: make(chan piece)}
	f.ctx, f.cancel = context.WithCancel(ctx)
	for i, r := range j.requests {
		seq, err := j.model.Engine.Submit(f.ctx, r)
		if err != nil {
			f.land()
			return nil, err
		}
		f.follows.Go(func() { f.follow(i, seq) })
	}
	return f, nil
}

// follow passes on what becomes of a sequence. A panic on the way is an error of this request alone.
func (f *flight) follow(choice int, seq *scheduler.Sequence) {
	err := protect(func() error {
		f.job.follow(f.ctx, choice, seq, f.pieces)
		return nil
	})
	if err == nil {
		return
	}
	select {
	case f.pieces <- piece{choice: choice, err: err}:
	case <-f.ctx.Done():
	}
}

// land stops what still runs: the sequences' context is done.
func (f *flight) land() {
	f.cancel()
	f.follows.Wait()
}

// each calls yield with every piece, on the caller's goroutine, until all choices have ended or an
// error comes. The client's hanging up is an error that is context.Canceled.
func (f *flight) each(yield func(piece) error) error {
	for left := len(f.job.requests); left > 0; {
		select {
		case p := <-f.pieces:
			if p.err != nil {
				return p.err
			}
			if err := yield(p); err != nil {
				return err
			}
			if p.finish != "" {
				left--
			}
		case <-f.ctx.Done():
			return f.ctx.Err()
		}
	}
	return nil
}

// run is a whole flight.
func (j *job) run(ctx context.Context, yield func(piece) error) error {
	f, err := j.launch(ctx)
	if err != nil {
		return err
	}
	defer f.land()
	return f.each(yield)
}

// start answers with a stream of the job's pieces.
func (c *call) start(j *job, produce func(s sse, pieces func(func(piece) error) error) error) error {
	f, err := j.launch(c.context())
	if err != nil {
		return err
	}
	c.stream(func(s sse) error {
		defer f.land()
		return produce(s, f.each)
	})
	return nil
}

// follow turns one sequence's events into pieces until it ends or the request is over.
func (j *job) follow(ctx context.Context, choice int, seq *scheduler.Sequence, pieces chan<- piece) {
	d := decoder{job: j, stream: j.model.Tokenizer.NewContinuation(j.special), stop: stopMatcher{stops: j.stops}}
	for {
		e, err := seq.Next(ctx)
		if err != nil {
			return
		}
		p := d.piece(e)
		p.choice, p.cached, p.queued = choice, seq.Cached(), seq.Waited()
		if p.empty() {
			continue
		}
		select {
		case pieces <- p:
		case <-ctx.Done():
			return
		}
		if p.finish != "" || p.err != nil {
			seq.Stop() // after a stop string the engine would go on
			return
		}
	}
}

func (p piece) empty() bool {
	return p.text == "" && p.finish == "" && p.err == nil && len(p.tokens) == 0 && len(p.prompt) == 0
}

// decoder turns the events of one sequence into text.
type decoder struct {
	job    *job
	stream *tokenizer.Stream
	stop   stopMatcher
}

func (d *decoder) piece(e scheduler.Event) (p piece) {
	switch {
	case e.Finish == scheduler.Failed:
		return piece{err: e.Err}
	case e.Finish == scheduler.Cancelled:
		if e.Err != nil {
			return piece{err: e.Err}
		}
		return piece{err: context.Canceled}
	case e.Prompt:
		return piece{prompt: []token{newToken(e)}}
	}
	matched := false
	if e.HasToken {
		p.tokens = []token{newToken(e)}
		if e.Finish != scheduler.EndToken { // which is not part of the answer, be it a special token or not
			p.text, matched = d.stop.push(d.stream.Push(e.Token))
		}
	}
	switch {
	case matched || e.Finish == scheduler.EndToken:
		p.finish = "stop"
	case e.Finish == scheduler.Length:
		p.finish = "length"
	}
	if p.finish != "" && !matched {
		d.end(&p)
	}
	return p
}

// end lets out what was held back.
func (d *decoder) end(p *piece) {
	text, matched := d.stop.push(d.stream.Flush())
	p.text += text
	if !matched {
		text, matched = d.stop.flush()
		p.text += text
	}
	if matched {
		p.finish = "stop"
	}
}

// leastLogprob stands for what JSON can't say: minus infinity, or no number at all (the value is vLLM's).
const leastLogprob = -9999

func finite(logprob float32) float32 {
	if logprob >= leastLogprob {
		return logprob
	}
	return leastLogprob
}

func newToken(e scheduler.Event) token {
	for i := range e.Top {
		e.Top[i].Logprob = finite(e.Top[i].Logprob)
	}
	return token{id: e.Token, logprob: finite(e.Logprob), top: e.Top}
}

// text is how a token is written in logprobs.
func (j *job) text(id int32) string {
	if j.tokenIDs {
		return "token_id:" + strconv.Itoa(int(id))
	}
	return validUTF8(j.model.Tokenizer.Piece(id, true))
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
	for i := range j.requests {
		j.requests[i].Tenant = c.tenant()
	}
	for i := 0; i < len(j.requests); i += choices {
		c.figures.promptTokens += len(j.requests[i].Prompt)
	}
	return watch{c, choices, make([]time.Time, len(j.requests))}
}

// note observes a piece that has been written.
func (w *watch) note(p piece) {
	f := &w.call.figures
	f.queued = max(f.queued, p.queued)
	if p.finish != "" && p.choice%w.choices == 0 { // see usage.add
		f.cachedTokens += p.cached
	}
	if len(p.tokens) == 0 {
		return
	}
	now := time.Now()
	if f.tokens == 0 {
		f.ttft = now.Sub(w.call.started)
		w.call.server.Metrics.ttft.Observe(f.ttft.Seconds())
	}
	if last := w.last[p.choice]; !last.IsZero() {
		w.call.server.Metrics.itl.Observe(now.Sub(last).Seconds())
	}
	w.last[p.choice] = now
	f.tokens += len(p.tokens)
}
