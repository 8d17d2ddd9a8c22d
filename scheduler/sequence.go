package scheduler

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"chimera/engine"
)

// This file owns Sequence: one request's state. What the loop owns and what its client may touch are
// kept apart by fields.

// Sequence is a submitted request. Its methods may be called by any goroutine.
type Sequence struct {
	// The loop's own, which it looks at in each step: together, since with hundreds of sequences its time is that of reaching them.
	// A chunk, a preemption and a prefix hit are all the same subtraction: what is left to plan is tokens[planned:].
	tokens     []int32    // prompt, then answer; behind what is known, engine.PreviousRow for what steps under way sample
	planned    int        // positions that are computed or in steps under way
	computed   int        // positions whose K and V are in pages
	plan       uint64     // the last that it was in
	turn       uint64     // grows with each step that it is in: the least has waited longest for rows
	releases   int        // how often the pages have been returned: a chunk that was planned before the last time is void
	tables     []table    // one in each group, while it runs
	generated  int        // tokens
	most       int        // positions that were computed or found, before it was sent back the last time or since
	generation generation // whose weights compute it: the newest until it begins
	tenant     *tenant    // whose counter it is charged to
	account    *account   // what it takes of the device goes there
	loan       loan
	asks       engine.Asked // of a sampled row
	seen       *occurrences // of tokens; nil: it has no penalties
	request    Request

	// Its client's and the loop's.
	mu      sync.Mutex
	events  []Event
	taken   int // of events
	ready   chan struct{}
	detach  func() bool // ends the watch on the client's context
	wake    func()      // the loop, to take note of a stop
	now     func() time.Time
	arrived time.Time
	stopped atomic.Bool
	cached  atomic.Int32 // prompt tokens taken from the prefix cache
	waited  atomic.Int64 // nanoseconds until it was first admitted; 0: it was not yet
	weights atomic.Pointer[string]
	spent   account // its part of what its payer's has

	// The loop's own, looked at now and then.
	keys     []pageKey // of the full pages of tokens, as far as needed
	offers   *offers   // that its trunk was chosen of
	trunk    trunk     // of its keys
	found    int       // pages of its prefix that were ready when it was looked for last
	follows  following // while it waits
	scored   int       // prompt tokens reported
	pooled   pooling
	pin      *pin          // that it computes
	unending []engine.Bias // see biases

	// What the policy knows of it.
	guest     *guest    // what the lane counts of its tenant
	payments  []payment // of others, for what it computes; by position
	looked    bool      // for its prefix, once
	ended     bool
	number    uint64   // the order in which sequences came to the lane
	ticket    uint64   // how many would have left the queue before it, had it been first come
	skipped   int      // steps in a row in which other prompts had rows
	toCompute int      // tokens of its prompt that the cache did not have when it was given a place
	charged   int      // positions that the tenant was charged for as a prompt's, or had from the cache
	demand    demand   // what it counts among those that wait
	standing  standing // when it was last told
}

func newSequence(r Request, wake func(), now func() time.Time) *Sequence {
	s := &Sequence{
		scored:  max(0, r.ScoreFrom-1), // the loop scores what follows
		pooled:  pooling{next: r.PoolFrom},
		request: r, asks: engine.Ask(r.output()), wake: wake, now: now, arrived: now(), ready: make(chan struct{}, 1),
		tokens: append(make([]int32, 0, len(r.Prompt)+min(r.MaxTokens, answerRoom)), r.Prompt...),
	}
	if r.Sampling.penalises() {
		s.seen = occurrencesIn(r.Prompt)
	}
	return s
}

// answerRoom is for how many tokens of an answer there is room from the start, so that the loop allocates nothing for most; a longer one
// grows. It is no more, since a request that asks for as many as the context holds may end soon.
const answerRoom = 1024

// Next returns the next event, in order. After the event whose Finish is not Running there is none.
// An error is the context's.
func (s *Sequence) Next(ctx context.Context) (Event, error) {
	for {
		s.mu.Lock()
		e, there := s.takeEvent()
		s.mu.Unlock()
		if there {
			return e, nil
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return Event{}, ctx.Err()
		}
	}
}

// takeEvent takes the oldest event, if there is one. s.mu is held.
func (s *Sequence) takeEvent() (e Event, there bool) {
	if s.taken == len(s.events) {
		return Event{}, false
	}
	e, s.events[s.taken] = s.events[s.taken], Event{}
	if s.taken++; s.taken == len(s.events) {
		s.events, s.taken = s.events[:0], 0 // for those to come: who keeps up costs no memory
	}
	return e, true
}

// addEvent adds one, and tells whether all before it were taken. s.mu is held.
func (s *Sequence) addEvent(e *Event) (first bool) {
	if len(s.events) == cap(s.events) && s.taken > len(s.events)/2 {
		s.events, s.taken = s.events[:copy(s.events, s.events[s.taken:])], 0
	}
	s.events = append(s.events, *e)
	return len(s.events) == s.taken+1
}

// Stop ends the sequence at the next plan; its pages are free then. It may be called at any time.
func (s *Sequence) Stop() {
	if !s.stopped.Swap(true) {
		s.wake()
	}
}

// Cached is how many tokens of the prompt were taken from the prefix cache.
func (s *Sequence) Cached() int { return int(s.cached.Load()) }

// Waited is how long the sequence was in the queue before it was first given a place; 0 if it was not yet.
func (s *Sequence) Waited() time.Duration { return time.Duration(s.waited.Load()) }

// Weights is the digest of the weights that compute the sequence; "" as long as it has not begun.
func (s *Sequence) Weights() string {
	if digest := s.weights.Load(); digest != nil {
		return *digest
	}
	return ""
}

// deliver hands an event over; it never blocks, since a sequence has at most MaxTokens of them.
func (s *Sequence) deliver(e *Event) {
	if e.At.IsZero() {
		e.At = s.now()
	}
	s.mu.Lock()
	first := s.addEvent(e)
	s.mu.Unlock()
	if first { // else whoever takes those before finds it behind them
		select {
		case s.ready <- struct{}{}:
		default:
		}
	}
	if e.Finish != Running && s.detach != nil {
		s.detach()
	}
}

// background tells whether its steps give way: not while somebody else waits for what it computes. It does not change while a
// step with the sequence is planned.
func (s *Sequence) background() bool { return s.request.Class == Background && !s.borrows() }

func (s *Sequence) pending() int { return len(s.tokens) - s.planned }

// known is how many tokens are known; commit has seen them.
func (s *Sequence) known() int { return len(s.request.Prompt) + s.generated }

// runs tells whether the sequence has a place.
func (s *Sequence) runs() bool { return s.tables != nil }

// begun tells whether the sequence runs, or ran and was preempted.
func (s *Sequence) begun() bool { return s.runs() || s.releases > 0 }

// leave forgets the pages, and with them what steps under way would find out.
func (s *Sequence) leave() {
	s.tables, s.planned, s.computed, s.loan = nil, 0, 0, loan{}
	s.tokens = s.tokens[:s.known()]
	s.releases++
}

// sampling tells whether the last pending token's row is to be sampled.
func (s *Sequence) sampling() bool { return s.request.MaxTokens > 0 }

// key returns the key of full page i, computing as many as needed.
func (s *Sequence) key(i int) pageKey {
	for len(s.keys) <= i {
		n := len(s.keys)
		s.keys = append(s.keys, keyOf(s.keyBefore(n), s.tokens[n*engine.PageTokens:][:engine.PageTokens]))
	}
	return s.keys[i]
}

// keyBefore is the key of all that is before page i, and of whom it may be shared with.
func (s *Sequence) keyBefore(i int) pageKey {
	switch t := &s.trunk; {
	case i == 0 && t.pages > 0:
		return s.generation.root.of(t.salt)
	case i == 0:
		return s.generation.root.of(s.request.Salt)
	case i == t.pages:
		return s.key(i - 1).of(s.request.Salt)
	}
	return s.key(i - 1)
}

// goOnFrom chooses the trunk. A pin has none: its own pages are what others go on from.
func (s *Sequence) goOnFrom(o *offers) {
	if s.offers, s.trunk = o, (trunk{}); s.pin == nil {
		s.trunk = o.trunkOf(&s.request)
	}
}

// content is that of the page which the position ends, or of its tail up to there. It is good as long as the tokens are.
func (s *Sequence) content(end int) content {
	i := (end - 1) / engine.PageTokens
	c := content{before: s.keyBefore(i), position: i, tokens: s.tokens[i*engine.PageTokens : end]}
	if len(c.tokens) == engine.PageTokens {
		c.key = s.key(i)
	} else {
		c.key = keyOf(c.before, c.tokens)
	}
	return c
}

// hash computes the keys of the prompt's full pages, those of another sequence's as far as it has the same prompt. There is room for
// those of the answer.
func (s *Sequence) hash(g generation, o *offers, before *Sequence) {
	s.goOnFrom(o)
	s.generation, s.keys = g, make([]pageKey, 0, (len(s.tokens)+s.request.MaxTokens)/engine.PageTokens)
	if before != nil && before.request.Salt == s.request.Salt && before.trunk == s.trunk {
		same := 0
		for same < min(len(s.tokens), len(before.tokens)) && s.tokens[same] == before.tokens[same] {
			same++
		}
		s.keys = append(s.keys, before.keys[:min(same/engine.PageTokens, len(before.keys))]...)
	}
	if full := len(s.tokens) / engine.PageTokens; full > 0 {
		s.key(full - 1)
	}
}

// isUse tells whether what the sequence finds or makes was asked for by somebody: once, however often it is preempted, and
// once for all choices of a request.
func (s *Sequence) isUse() bool { return s.releases == 0 && s.request.Choice == 0 }

// expect reserves the place of what output i of the planned step samples, so that the step after it may
// begin with it unseen, unless the token is sure to be the last. An end token is not foreseen: the row
// that follows it is discarded.
func (s *Sequence) expect(i, context int) {
	if !s.full(len(s.tokens)+1, context) {
		s.tokens = append(s.tokens, engine.PreviousRow(i))
	}
}

// full tells whether n tokens, prompt and answer, are all that the sequence may have.
func (s *Sequence) full(n, context int) bool {
	return n-len(s.request.Prompt) >= s.request.MaxTokens || n >= context
}

// append adds a sampled token, in the place reserved for it if there is one.
func (s *Sequence) append(token int32) {
	if n := s.known(); n < len(s.tokens) {
		s.tokens[n] = token
	} else {
		s.tokens = append(s.tokens, token)
	}
	s.generated++
	if s.seen != nil {
		s.seen.add(token)
	}
}

// admitted notes that the sequence has a place.
func (s *Sequence) admitted() {
	s.weights.Store(s.generation.digest)
	if s.waited.Load() == 0 {
		s.waited.Store(max(1, int64(s.now().Sub(s.arrived))))
	}
}

// biases are those of the next token to be planned. Before the answer has its least length they keep end tokens from
// being sampled; what the request says of these does not count then.
func (s *Sequence) biases() []engine.Bias {
	own := s.request.Sampling.Biases
	if s.request.IgnoreEnd || len(s.tokens)-len(s.request.Prompt) >= s.request.MinTokens {
		return own
	}
	if s.unending == nil {
		for _, b := range own {
			if !slices.Contains(s.request.Ends, b.Token) {
				s.unending = append(s.unending, b)
			}
		}
		for _, end := range s.request.Ends {
			s.unending = append(s.unending, engine.Bias{Token: end, Value: float32(math.Inf(-1))})
		}
	}
	return s.unending
}
