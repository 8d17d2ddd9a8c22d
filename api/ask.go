package api

import (
	"cmp"
	"context"
	"time"

	"chimera/scheduler"
)

// This file owns questions of the daemon's own, for which it measures how good its models are. They go the way of a client's conversation, from
// template to text, in class background.

// Turn is one turn of a conversation.
type Turn struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Asked is a greedy answer.
type Asked struct {
	Prompt, Tokens []int32 // the answer's with the one that ended it, if one did
	Text, Finish   string
	Weights        string        // digest of those that computed it
	Device         time.Duration // see scheduler.Spent
}

// askSalt keeps what is asked here apart from the cached prompts of clients: they find out nothing of one another, and no client's prompt saves
// what is to be measured.
const askSalt = "suites"

// Ask has the model answer a conversation greedily, in so many tokens at most or what the context has left. An error of the conversation itself, as one that
// is too long, is an *HTTPError with a status of 400.
func (m *Model) Ask(ctx context.Context, turns []Turn, maxTokens int) (a Asked, err error) {
	var r chatRequest
	if r.Messages, err = marshal(turns); err != nil {
		return a, err
	}
	r.MaxTokens, r.Temperature = new(int64(maxTokens)), new(float64)
	if err := r.check(m); err != nil {
		return a, err
	}
	prompt, err := r.render(m)
	if err != nil {
		return a, err
	}
	a.Prompt = m.Tokenizer.EncodeRendered(prompt.Text, prompt.Literal)
	j, err := r.job(m, a.Prompt)
	if err != nil {
		return a, err
	}
	j.requests[0].Class, j.requests[0].Priority, j.requests[0].Salt = scheduler.Background, scheduler.DefaultPriority, askSalt
	err = j.run(ctx, func(p piece) error {
		a.Text, a.Finish, a.Weights = a.Text+p.text, p.finish, p.weights
		for _, t := range p.tokens {
			a.Tokens = append(a.Tokens, t.id)
		}
		return nil
	})
	a.Device = j.work[0].Device
	return a, err
}

// Agrees tells of how many tokens of an answer the model would have chosen the same, each behind those before it.
func (m *Model) Agrees(ctx context.Context, prompt, answer []int32) (same int, err error) {
	ids := append(append(make([]int32, 0, len(prompt)+len(answer)), prompt...), answer...)
	all, err := m.Engine.SubmitGroup(ctx, []scheduler.Request{{
		Prompt: ids, ScorePrompt: true, Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}, Class: scheduler.Background, Priority: scheduler.DefaultPriority, Salt: askSalt,
	}})
	if err != nil {
		return 0, err
	}
	defer all[0].Stop()
	for at := 1; ; { // the first token has no place before it
		e, err := all[0].Next(ctx)
		if err != nil || e.Err != nil {
			return 0, cmp.Or(err, e.Err)
		}
		if e.HasToken && e.Prompt {
			if at >= len(prompt) && e.Rank == 0 {
				same++
			}
			at++
		}
		if e.Finish != scheduler.Running {
			return same, nil
		}
	}
}
