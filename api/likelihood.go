package api

import (
	"context"
	"fmt"
	"unicode/utf8"
)

// This file owns how likely a model holds a text behind another, as the daemon asks it of choices. Tokens and their places in the text are those of
// /v1/completions with echo and logprobs, so a client who asks there finds the same.

// Continuation is a text behind another, as the model reads both.
type Continuation struct {
	Before []int32 // tokens that end before the text begins
	Tokens []int32 // those of the text; the first may have the end of what is before it as well
}

// Continuation is how the model reads a text behind another. Its error, an *HTTPError with a status of 400, is of one that is too long, or that nothing is
// before.
func (m *Model) Continuation(behind, text string) (c Continuation, err error) {
	whole := textOrIDs{text: behind + text}
	whole.ids = m.Tokenizer.Around(m.Tokenizer.Encode(whole.text, bare, readSpecial))
	if len(whole.ids) >= m.MaxContext { // clients ask for a token more
		return c, m.tooLong("prompt", fmt.Sprintf("%d tokens", len(whole.ids)), 1)
	}
	places := m.placesOf(whole)
	first := utf8.RuneCountInString(behind)
	last := first + utf8.RuneCountInString(text)
	from, to := len(places), 0
	for i, place := range places {
		end := last
		if i+1 < len(places) {
			end = places[i+1]
		}
		if place < last && (place >= first || end > first) {
			from, to = min(from, i), i+1
		}
	}
	if from == 0 || from >= to {
		return c, badField("prompt", "there is no token before its end whose likelihood is asked for")
	}
	return Continuation{whole.ids[:from], whole.ids[from:to]}, nil
}

// placesOf is where each token begins in an echoed prompt, in characters, as text_offset has it.
func (m *Model) placesOf(p textOrIDs) (places []int) {
	echo := true
	a := &completion{
		job: &job{model: m}, r: &completionRequest{Echo: &echo}, prompts: []textOrIDs{p}, written: []written{{names: m.Tokenizer.NewStream(showSpecial)}},
	}
	for _, id := range p.ids {
		places = append(places, a.written[0].offset)
		a.name(0, token{id: id})
	}
	return places
}

// Likely has the model read a continuation: its tokens, each with the likeliest there.
func (m *Model) Likely(ctx context.Context, c Continuation) (Read, error) {
	return m.Expect(ctx, c.Before, c.Tokens, 1, askSalt)
}
