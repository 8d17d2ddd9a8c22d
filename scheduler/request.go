// Package scheduler turns requests into steps: admission, continuous batching, KV pages with shared
// prefixes, preemption, cancellation. One goroutine, Run, owns all state; it never does I/O and never
// waits for a client.
//
// This file owns what goes in and comes out: Request, Event, and the errors.
package scheduler

import (
	"errors"
	"fmt"
	"math"
	"time"

	"chimera/engine"
)

// Errors of Submit. *GroupTooLargeError, *engine.TooLongError and errors that wrap engine.ErrPoisoned come beside them.
var (
	ErrQueueFull = errors.New("the queue is full")
	ErrDraining  = errors.New("the server is shutting down")
)

// ErrLongWait refuses who reads along, without a deadline, and would wait for a place for longer than Config.Wait. To errors.Is it is
// ErrQueueFull, too: to whom it is told there are too many before him either way.
var ErrLongWait error = longWait{}

type longWait struct{}

func (longWait) Error() string        { return "the wait for a place would be too long" }
func (longWait) Is(target error) bool { return target == ErrQueueFull }

// GroupTooLargeError refuses a group that even an empty queue could not take.
type GroupTooLargeError struct{ Requests, QueueLength int }

func (e *GroupTooLargeError) Error() string {
	return fmt.Sprintf("%d answers in one request, at most %d may wait (queue_length): send fewer at a time", e.Requests, e.QueueLength)
}

// RequestError refuses a group for one of its requests, which could never be taken. Others of it may be as bad.
type RequestError struct {
	Request int // which of the group
	Err     error
}

func (e *RequestError) Error() string { return fmt.Sprintf("request %d: %v", e.Request, e.Err) }

// Unwrap returns the cause.
func (e *RequestError) Unwrap() error { return e.Err }

// ErrDeadline ends a request that still waited when its first token was due.
var ErrDeadline = errors.New("the deadline passed while the request waited")

// OverloadError refuses what can't be taken now, or could not be answered in time. It wraps ErrQueueFull, ErrLongWait or ErrDeadline.
type OverloadError struct {
	RetryAfter time.Duration // when it could be taken, as far as is known: at least a second
	Least      time.Duration // that a first token of its prompt takes if nobody else asks, where the deadline leaves less; 0: it leaves as much
	Err        error
}

func (e *OverloadError) Error() string {
	if e.Least > 0 {
		return fmt.Sprintf("the first token takes %d ms at least, and the deadline leaves less", e.LeastMillis())
	}
	return fmt.Sprintf("%v; try again in %d s", e.Err, int(math.Ceil(e.RetryAfter.Seconds())))
}

// LeastMillis is Least in whole milliseconds, a deadline of which would be enough.
func (e *OverloadError) LeastMillis() int64 { return int64(math.Ceil(float64(e.Least) / 1e6)) }

// Unwrap returns the cause.
func (e *OverloadError) Unwrap() error { return e.Err }

// Class is who waits for an answer, and so who goes before whom.
type Class uint8

// The classes, the first served first.
const (
	Interactive Class = iota // somebody reads along
	Batch                    // somebody waits for the end
	Background               // nobody waits: its steps give way to all others, within the step
)

// String is the word for it.
func (c Class) String() string { return [...]string{"interactive", "batch", "background"}[c] }

// DefaultPriority is that of a request which says nothing.
const DefaultPriority = 5

// Sampling says how tokens are chosen; see engine.Output for the order of operations.
type Sampling struct {
	Temperature float32
	TopK        int
	TopP        float32
	MinP        float32
	Repetition  float32
	Presence    float32
	Frequency   float32
	Biases      []engine.Bias
	Seed        uint64
}

// penalises tells whether the counts of seen tokens matter.
func (s *Sampling) penalises() bool {
	return s.Repetition != 1 || s.Presence != 0 || s.Frequency != 0
}

// Request is one answer to one prompt. An API request with n answers is n of these with the same
// prompt, whose pages they share.
type Request struct {
	Prompt      []int32
	PromptBytes int // of the text that it was, if that is known: see Precheck
	MaxTokens   int // 0: compute the prompt only
	MinTokens   int // the answer has so many at least: end tokens are not sampled before
	Sampling    Sampling
	Choice      int     // which of n answers: chooses the random stream
	Ends        []int32 // tokens that end the answer
	IgnoreEnd   bool    // end tokens are ordinary, also to MinTokens
	Logprobs    bool    // report log-probability and rank of the answer's tokens
	// FirstLogprob reports the log-probability of the answer's first token alone, and costs its others nothing.
	FirstLogprob bool
	Top          int // how many of the most likely tokens to report; more than none includes Logprobs
	// ScorePrompt asks for an Event per prompt token from ScoreFrom on, with log-probability and rank, and the Top most likely. What lies before
	// may be found in the cache.
	ScorePrompt bool
	ScoreFrom   int // the first token of the prompt that is scored; before the second there is nothing to score
	// Pool asks for the mean of the final states of the prompt's tokens from PoolFrom on: Event.Pooled of the last event. There is no answer then.
	Pool     bool
	PoolFrom int
	Class    Class
	// Own is for requests that the daemon asks itself: they count apart from clients', in Snapshot.Own.
	Own bool
	// Idle is for requests of class Background that nobody is to wait a moment longer for: they have no share of the time, and are in steps only
	// while no lane of the device has anybody of another class.
	Idle     bool
	Priority int       // 0 to 9: the higher is served first within its class; the API's default is DefaultPriority
	Deadline time.Time // when the first token is due: a request that still waits then ends with ErrDeadline; zero: never
	Tenant   string    // for whose share of the device it counts. All that have none are one
	// Salt is whom the prompt's pages may be shared with: requests of the same salt alone, but for what is pinned. So nobody finds out by
	// Sequence.Cached, or by time, what others have asked. All that have none share with one another.
	Salt string
}

// reportsLogprobs tells whether the engine must make the passes over a sampled row that only they need.
func (r *Request) reportsLogprobs() bool { return r.Logprobs || r.Top > 0 }

// Finish says why a sequence ended.
type Finish int

// The reasons.
const (
	Running   Finish = iota
	EndToken         // the model ended its answer
	Length           // MaxTokens or the context is used up
	Cancelled        // the client went, or Stop was called
	Failed           // see Event.Err
)

// Alternative is one of the most likely tokens at a position.
type Alternative struct {
	Token   int32
	Logprob float32
}

// Event is one token, or the end. The last event of every sequence has Finish != Running and may
// carry a token as well.
type Event struct {
	Token    int32
	HasToken bool
	Prompt   bool    // a token of the prompt, scored
	Logprob  float32 // 0 unless the request asked, as is Rank
	Rank     int32   // how many tokens are more likely
	Top      []Alternative
	Pooled   []float32 // with Request.Pool, of the last event: as wide as the model's states
	Finish   Finish
	Err      error
	At       time.Time
}
