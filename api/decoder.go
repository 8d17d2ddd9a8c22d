package api

import (
	"context"
	"slices"
	"strconv"

	"chimera/scheduler"
	"chimera/tokenizer"
)

// This file owns turning the events of a sequence into text: what is shown of its tokens, and what ends it.

// decoder turns the events of one sequence into text.
type decoder struct {
	job    *job
	stream *tokenizer.Stream
	stop   stopMatcher
	least  int // stop strings wait for so many tokens, as end tokens do
	tokens int
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
	stopped := stopNone
	if e.HasToken {
		p, stopped = d.token(e)
	}
	switch {
	case stopped != stopNone || e.Finish == scheduler.EndToken:
		p.finish = "stop"
	case e.Finish == scheduler.Length:
		p.finish = "length"
	}
	for i := range p.tokens {
		p.tokens[i].last = p.finish != ""
	}
	if p.finish != "" && stopped != stopInText {
		d.end(&p)
	}
	return p
}

// stopped says what a token's text has done.
type stopped int

const (
	stopNone   stopped = iota
	stopInText         // a stop string is complete: nothing may follow
	stopToken          // the token is a stop string itself, which the text need not show
)

// token adds a token of the answer.
func (d *decoder) token(e scheduler.Event) (p piece, by stopped) {
	d.tokens++
	t, text := newToken(e), ""
	isEnd := e.Finish == scheduler.EndToken // not part of the answer, be it a special token or not
	isStop := d.tokens > d.least && d.hides(e.Token) && slices.Contains(d.job.stops, d.job.model.Tokenizer.Piece(e.Token, true))
	t.unlisted = (isEnd || isStop) && !d.job.stopInAnswer
	if !isEnd && !isStop || d.job.stopInAnswer {
		text = d.stream.Push(e.Token)
	}
	p.tokens = []token{t}
	switch {
	case d.tokens <= d.least:
		p.text = d.stop.pass(text)
		return p, stopNone
	case isStop:
		p.text, _ = d.stop.push(text)
		return p, stopToken
	}
	matched := false
	if p.text, matched = d.stop.push(text); matched {
		by = stopInText
	}
	return p, by
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
	return validUTF8(j.model.Tokenizer.Piece(id, true))
}
