package api

import (
	"cmp"
	"context"
	"strconv"

	"chimera/scheduler"
	"chimera/tokenizer"
)

// This file owns turning the events of a sequence into text: what is shown of its tokens, and what ends it.

// What the tokenizer is told.
const (
	showSpecial = true  // control tokens are written out
	readSpecial = true  // the texts of control tokens are those tokens
	bare        = false // nothing is put around a text: Around does that to the whole
)

// decoder turns the events of one sequence into text.
type decoder struct {
	job    *job
	stream *tokenizer.Stream
	stop   stopMatcher
	least  int // stop strings wait for so many tokens, as end tokens do
	tokens int
}

func (d *decoder) piece(e scheduler.Event) (p piece) {
	if err := cutOff(&e); err != nil {
		return piece{err: err}
	}
	if e.Prompt {
		return piece{prompt: []token{newToken(e)}}
	}
	stopped := false
	if e.HasToken {
		p, stopped = d.token(e)
	}
	switch {
	case stopped || e.Finish == scheduler.EndToken:
		p.finish = "stop"
	case e.Finish == scheduler.Length:
		p.finish = "length"
	}
	for i := range p.tokens {
		p.tokens[i].last = p.finish != ""
	}
	if p.finish != "" && !stopped {
		d.end(&p)
	}
	return p
}

// cutOff is why an event ends a sequence that has not come to its end; nil: it has, or goes on.
func cutOff(e *scheduler.Event) error {
	if e.Finish == scheduler.Cancelled {
		return cmp.Or(e.Err, context.Canceled)
	}
	return e.Err
}

// token adds a token of the answer. stopped: a stop string is complete, and nothing may follow.
func (d *decoder) token(e scheduler.Event) (p piece, stopped bool) {
	d.tokens++
	text, isEnd := "", e.Finish == scheduler.EndToken // not part of the answer, be it a special token or not
	hidden := d.hides(e.Token)
	if isEnd && !d.job.stopInAnswer {
		hidden = true
	} else {
		text = d.stream.Push(e.Token)
	}
	if hidden {
		d.stop.hide(d.job.model.Tokenizer.Piece(e.Token, showSpecial))
	}
	if d.tokens <= d.least {
		p.text = d.stop.pass(text)
	} else {
		p.text, stopped = d.stop.push(text)
	}
	if stopped && hidden {
		p.text += d.stream.Flush() // half a character may stand before the token
	}
	t := newToken(e)
	t.unlisted = (isEnd || stopped && hidden) && !d.job.stopInAnswer
	p.tokens = []token{t}
	return p, stopped
}

// hides tells whether the text does not show the token, although it has one of its own.
func (d *decoder) hides(id int32) bool { return !d.job.special && d.job.model.Tokenizer.IsSpecial(id) }

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
	return validUTF8(j.model.Tokenizer.Piece(id, showSpecial))
}
