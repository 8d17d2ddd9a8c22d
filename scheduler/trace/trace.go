// Package trace is what requests have asked of a scheduler, without a word of what they said: when each came, how long
// prompt and answer were, and which of the prompts began alike. A trace is recorded by a daemon, published by others, or made up.
//
// This file owns Trace, and the form of our own files.
package trace

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"chimera/engine"
	"chimera/scheduler"
)

// Request is one request of a trace.
type Request struct {
	At     time.Duration // since the trace began
	Prompt int           // tokens
	// Blocks name what the prompt's first blocks hold, each with all before it: prompts that share n names share so many
	// blocks. What lies behind them is nobody else's.
	Blocks   []uint64
	Answer   int // tokens
	Class    scheduler.Class
	Tenant   string // a name that stands for it, in this trace alone
	Priority int
	Deadline time.Duration // since At; 0: none
	Refused  bool          // when it was recorded
}

// Trace is requests in the order of their arrival.
type Trace struct {
	BlockTokens int // positions of a block
	Requests    []Request
}

// sort orders by arrival; what came at the same time stays as it was.
func (t *Trace) sort() {
	slices.SortStableFunc(t.Requests, func(a, b Request) int { return cmp.Compare(a.At, b.At) })
}

// Length is the time of the last arrival.
func (t *Trace) Length() time.Duration {
	if len(t.Requests) == 0 {
		return 0
	}
	return t.Requests[len(t.Requests)-1].At
}

// guessRefused gives requests that were refused an answer of the mean length of those that had one, where they asked for more: most ask for
// as much as the context holds.
func (t *Trace) guessRefused() {
	sum, n := 0, 0
	for i := range t.Requests {
		if r := &t.Requests[i]; !r.Refused {
			sum, n = sum+r.Answer, n+1
		}
	}
	for i := range t.Requests {
		if r := &t.Requests[i]; r.Refused && n > 0 {
			r.Answer = min(r.Answer, sum/n)
		}
	}
}

// Limit keeps what has at most so many tokens, prompt and answer, and tells how many had more: a model with a shorter
// context than the trace's would have refused them.
func (t *Trace) Limit(tokens int) (left int) {
	n := len(t.Requests)
	t.Requests = slices.DeleteFunc(t.Requests, func(r Request) bool { return r.Prompt+r.Answer > tokens })
	return n - len(t.Requests)
}

// Speed has the requests come so many times as fast.
func (t *Trace) Speed(factor float64) {
	for i := range t.Requests {
		t.Requests[i].At = time.Duration(float64(t.Requests[i].At) / factor)
	}
}

// First keeps the first n requests.
func (t *Trace) First(n int) { t.Requests = t.Requests[:min(n, len(t.Requests))] }

// ---- our own form: lines of JSON, a header and then one line a request, in the order of their ends ----

// version of the form. Another one is refused.
const version = 1

// header begins a recording. A file that was recorded to several times has several: names of blocks and tenants mean nothing
// across them, since each has a secret of its own.
type header struct {
	Version     int       `json:"chimera_trace"`
	BlockTokens int       `json:"block_tokens"`
	Started     time.Time `json:"started"`
}

// headerBegins is how the first one is written.
const headerBegins = `{"chimera_trace":`

// line is a request as a file has it. The names of blocks are 12 hexadecimal digits each.
type line struct {
	AtMS       float64  `json:"at_ms"` // behind the header's time
	Prompt     int      `json:"prompt"`
	Answer     int      `json:"answer"`
	Class      string   `json:"class,omitzero"` // interactive if it is not there
	Tenant     string   `json:"tenant,omitzero"`
	Priority   *int     `json:"priority,omitzero"`
	DeadlineMS float64  `json:"deadline_ms,omitzero"`
	End        End      `json:"end,omitzero"`
	Blocks     []string `json:"blocks,omitzero"`
}

// End is how a request ended. Of one that was refused the answer is as long as was asked for.
type End string

// The ends of requests.
const (
	Done      End = "" // with its answer
	Cancelled End = "cancelled"
	Failed    End = "failed"
	Refused   End = "refused"
)

// blockDigits are those of a block's name: 48 bits, so that of a million blocks two share a name by accident once in 500
// recordings.
const blockDigits = 12

// classes by the name that a trace has of them, as the header x-chimera-class has.
var classes = []string{scheduler.Interactive: "interactive", scheduler.Batch: "batch", scheduler.Background: "background"}

// Class finds a class by name.
func Class(name string) (scheduler.Class, error) {
	i := slices.Index(classes, name)
	if i < 0 {
		return 0, fmt.Errorf("%q is none of interactive, batch and background", name)
	}
	return scheduler.Class(i), nil
}

// ClassName is the name of a class.
func ClassName(c scheduler.Class) string { return classes[c] }

// mostTokens of a prompt or an answer: no model has such a context.
const mostTokens = 1 << 24

// mostMS is far beyond any recording (30 years), and its nanoseconds are a number of 64 bits.
const mostMS = 1e12

// request checks a line.
func (l *line) request(blockTokens int, began time.Duration) (r Request, err error) {
	r = Request{
		Prompt: l.Prompt, Answer: l.Answer, Tenant: l.Tenant, Priority: scheduler.DefaultPriority,
		At: began + milliseconds(l.AtMS), Deadline: milliseconds(l.DeadlineMS), Refused: l.End == Refused,
	}
	if l.Priority != nil {
		r.Priority = *l.Priority
	}
	if l.Class != "" {
		if r.Class, err = Class(l.Class); err != nil {
			return r, fmt.Errorf("class: %w", err)
		}
	}
	switch {
	case !(l.AtMS >= 0 && l.AtMS <= mostMS):
		return r, fmt.Errorf("at_ms: %g is no time behind the start", l.AtMS)
	case !(l.DeadlineMS >= 0 && l.DeadlineMS <= mostMS):
		return r, fmt.Errorf("deadline_ms: %g is no time", l.DeadlineMS)
	case !slices.Contains([]End{Done, Cancelled, Failed, Refused}, l.End):
		return r, fmt.Errorf("end: %q is none of cancelled, failed and refused", l.End)
	case r.Priority < 0 || r.Priority > 9:
		return r, fmt.Errorf("priority: %d is not between 0 and 9", r.Priority)
	}
	for _, name := range l.Blocks {
		b, err := strconv.ParseUint(name, 16, 64)
		if err != nil || len(name) != blockDigits {
			return r, fmt.Errorf("blocks: %q is not %d hexadecimal digits", name, blockDigits)
		}
		r.Blocks = append(r.Blocks, b)
	}
	return r, r.check(blockTokens)
}

// check holds for requests of all forms.
func (r *Request) check(blockTokens int) error {
	switch {
	case r.Prompt < 1 || r.Prompt > mostTokens:
		return fmt.Errorf("a prompt of %d tokens: use 1 to %d", r.Prompt, mostTokens)
	case r.Answer < 0 || r.Answer > mostTokens:
		return fmt.Errorf("an answer of %d tokens: use 0 to %d", r.Answer, mostTokens)
	case len(r.Blocks) > (r.Prompt+blockTokens-1)/blockTokens:
		return fmt.Errorf("%d blocks of %d tokens are more than a prompt of %d has", len(r.Blocks), blockTokens, r.Prompt)
	}
	return nil
}

func milliseconds(ms float64) time.Duration {
	return time.Duration(math.Max(-mostMS, math.Min(ms, mostMS)) * float64(time.Millisecond))
}

// ownBlock is the block of our own form: a page, the least that prompts share.
const ownBlock = engine.PageTokens
