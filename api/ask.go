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
	Cached         int           // tokens of the prompt that the prefix cache had; known of Again and Continue
	Weights        string        // digest of those that computed it
	Device         time.Duration // see scheduler.Spent
}

// askSalt keeps what is asked here apart from the cached prompts of clients: they find out nothing of one another, and no client's prompt saves
// what is to be measured.
const askSalt = "suites"

// conversation is a greedy request of turns, and its prompt.
func (m *Model) conversation(turns []Turn, maxTokens int) (r chatRequest, ids []int32, err error) {
	if r.Messages, err = marshal(turns); err != nil {
		return r, nil, err
	}
	r.MaxTokens, r.Temperature = new(int64(maxTokens)), new(float64)
	if err := r.check(m); err != nil {
		return r, nil, err
	}
	prompt, err := r.render(m)
	if err != nil {
		return r, nil, err
	}
	return r, m.Tokenizer.EncodeRendered(prompt.Text, prompt.Literal), nil
}

// Prompt is what the model reads of a conversation. Its error is as that of Ask.
func (m *Model) Prompt(turns []Turn) ([]int32, error) {
	_, ids, err := m.conversation(turns, 1)
	return ids, err
}

// Ask has the model answer a conversation greedily, in so many tokens at most or what the context has left. An error of the conversation itself, as one that
// is too long, is an *HTTPError with a status of 400.
func (m *Model) Ask(ctx context.Context, turns []Turn, maxTokens int) (a Asked, err error) {
	r, ids, err := m.conversation(turns, maxTokens)
	if err != nil {
		return a, err
	}
	a.Prompt = ids
	j, err := r.job(m, a.Prompt)
	if err != nil {
		return a, err
	}
	own := &j.requests[0]
	own.Class, own.Own, own.Priority, own.Salt = scheduler.Background, true, scheduler.DefaultPriority, askSalt
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

// Continue has the model go on greedily behind a prompt as it stands, in so many tokens at most or what the context has left. The prefix cache has of it
// what was asked with the same salt, so nothing by one that is new, but for what is pinned.
func (m *Model) Continue(ctx context.Context, prompt []int32, maxTokens int, salt string) (Asked, error) {
	return m.Again(ctx, scheduler.Request{
		Prompt: prompt, MaxTokens: min(maxTokens, m.MaxContext-len(prompt)), Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}, Ends: m.Tokenizer.EOG(), Salt: askSalt + salt,
	})
}

// Again computes the tokens of a request as they were drawn, or would be. Its answer has no text.
func (m *Model) Again(ctx context.Context, r scheduler.Request) (Asked, error) {
	a := Asked{Prompt: r.Prompt}
	r.Logprobs, r.Top, r.ScorePrompt = false, 0, false
	of, err := m.own(ctx, r, func(e scheduler.Event) {
		if e.HasToken {
			a.Tokens = append(a.Tokens, e.Token)
		}
	})
	if err == nil {
		a.Weights, a.Cached = of.Weights(), of.Cached()
	}
	return a, err
}

// Trial is a request of an experiment.
type Trial struct {
	Prompt    []int32
	MaxTokens int  // or what the context has left
	Whole     bool // the answer has so many tokens, whatever ends others
	Salt      string
}

// Tried is its answer, which is greedy.
type Tried struct {
	Asked
	First time.Duration // from its arrival to the first token
	Tier  string        // of the weights that computed it: the source's, where it was escalated
}

// Try computes a trial as it would a client's: not in the background, and escalated where the model has a way to its source.
func (m *Model) Try(ctx context.Context, t Trial) (a Tried, err error) {
	began := time.Now()
	j := &job{model: m, requests: []scheduler.Request{{
		Prompt: t.Prompt, MaxTokens: min(t.MaxTokens, m.MaxContext-len(t.Prompt)), IgnoreEnd: t.Whole, Ends: m.Tokenizer.EOG(),
		Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}, Class: scheduler.Interactive, Priority: scheduler.DefaultPriority, Salt: t.Salt,
	}}}
	j.consider(false)
	a.Prompt = t.Prompt
	err = j.run(ctx, func(p piece) error {
		if len(a.Tokens) == 0 && len(p.tokens) > 0 {
			a.First = p.at.Sub(began)
		}
		a.Text, a.Finish, a.Weights = a.Text+p.text, p.finish, p.weights
		for _, t := range p.tokens {
			a.Tokens = append(a.Tokens, t.id)
		}
		return nil
	})
	if err == nil {
		a.Tier = j.model.Tier(a.Weights)
	}
	return a, err
}

// Expected is what a model expects of a token of an answer, having read what is before it.
type Expected struct {
	Logprob float32                 // natural, of the token that stands there
	Rank    int32                   // how many tokens are likelier than it
	Top     []scheduler.Alternative // the likeliest tokens, the first first
}

// Read is an answer as a model has read it.
type Read struct {
	Expected []Expected // of each of its tokens
	Weights  string     // digest of those that have read it
	Device   time.Duration
}

// LogProbability is the natural one of the whole answer.
func (r *Read) LogProbability() (sum float64) {
	for i := range r.Expected {
		sum += min(0, float64(r.Expected[i].Logprob))
	}
	return sum
}

// Expect has the model read an answer behind its prompt and tells of each of its tokens what it would have expected, with so many of the likeliest. Pages
// are shared with those that clients of that salt have left.
func (m *Model) Expect(ctx context.Context, prompt, answer []int32, top int, salt string) (read Read, err error) {
	ids := append(append(make([]int32, 0, len(prompt)+len(answer)), prompt...), answer...)
	of, err := m.own(ctx, scheduler.Request{
		Prompt: ids, ScorePrompt: true, ScoreFrom: len(prompt), Top: top, Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}, Salt: salt,
	}, func(e scheduler.Event) {
		if e.HasToken && e.Prompt {
			read.Expected = append(read.Expected, Expected{e.Logprob, e.Rank, e.Top})
		}
	})
	if err == nil {
		_, read.Device = of.Spent()
		read.Weights = of.Weights()
	}
	return read, err
}

// own runs a request of the daemon's own, as background work, or in idle time alone.
func (m *Model) own(ctx context.Context, r scheduler.Request, each func(scheduler.Event)) (*scheduler.Sequence, error) {
	r.Class, r.Own, r.Idle, r.Priority, r.Tenant, r.Deadline = scheduler.Background, true, m.Idle, scheduler.DefaultPriority, "", time.Time{}
	all, err := m.Engine.SubmitGroup(ctx, []scheduler.Request{r})
	if err != nil {
		return nil, err
	}
	defer all[0].Stop()
	for {
		e, err := all[0].Next(ctx)
		if err = cmp.Or(err, cutOff(&e)); err != nil {
			return nil, err
		}
		each(e)
		if e.Finish != scheduler.Running {
			return all[0], nil
		}
	}
}

// Reads has the model read an answer of its own or of another, among what else the daemon asks itself.
func (m *Model) Reads(ctx context.Context, prompt, answer []int32) (Read, error) {
	return m.Expect(ctx, prompt, answer, 0, askSalt)
}

// Agrees tells of how many tokens of an answer the model would have chosen the same, each behind those before it.
func (m *Model) Agrees(ctx context.Context, prompt, answer []int32) (same int, err error) {
	read, err := m.Reads(ctx, prompt, answer)
	for _, e := range read.Expected {
		if e.Rank == 0 {
			same++
		}
	}
	return same, err
}
