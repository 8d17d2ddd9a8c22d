package scheduler

import (
	"sync/atomic"
	"time"
)

// This file owns fairness between tenants: virtual token counters (Sheng et al. 2024, "Fairness in serving LLMs"), which all
// lanes of a loop share.
//
// A tenant's counter grows with each token computed for it, weighed by what it is of and divided by the tenant's weight; the
// least counter is served first. One that comes back from idleness is lifted to the least of those that are there: not to have asked is
// no claim to be served more later. A prompt is charged when it is let in, or a burst would all be let in before its first token
// counts; what was not computed in the end is given back. Cached tokens are free: they cost the device nothing, and charged they
// would make a tenant pay for asking what is cheap to answer. What is computed twice, since the lane sent the sequence back, is
// charged once. What of another's prompt is hurried is charged to who hurries it (loans.go).

// tenant is one who has sequences in a lane of the loop, or had.
type tenant struct {
	name       string
	number     uint64 // the order in which they were first seen
	weight     float64
	counter    float64
	sequences  int // of all lanes, that have not ended
	places     int // that they have
	configured bool
	inLine     [classes]int    // sequences in queues
	left       [classes]uint64 // how many have left them, each once
	quiet      bool            // see noteQuiet
}

// tenants are those of a loop, and the loop's own but for weights.
type tenants struct {
	weights atomic.Pointer[map[string]float64]
	applied *map[string]float64
	all     map[string]*tenant
	active  []*tenant // that have sequences
	seen    uint64
	floor   float64   // what the least counter was last, when somebody was there
	quiet   time.Time // until when a quiet one is expected
}

// SetTenants sets tenants' weights, 1 for all that are not named: one of weight 2 has twice the tokens of one of weight 1 while
// both have requests. Weights that are not above 0 count as 1. It may be called at any time by any goroutine.
func (l *Loop) SetTenants(weights map[string]float64) {
	w := make(map[string]float64, len(weights))
	for name, weight := range weights {
		if weight > 0 {
			w[name] = weight
		}
	}
	l.tenants.weights.Store(&w)
}

// refresh applies new weights.
func (t *tenants) refresh() {
	w := t.weights.Load()
	if w == t.applied {
		return
	}
	t.applied = w
	for _, one := range t.all {
		t.weigh(one)
	}
}

func (t *tenants) weigh(one *tenant) {
	one.weight, one.configured = 1, false
	if t.applied != nil {
		if w, ok := (*t.applied)[one.name]; ok {
			one.weight, one.configured = w, true
		}
	}
}

// enter counts a sequence of a tenant.
func (t *tenants) enter(name string) *tenant {
	one := t.all[name]
	if one == nil {
		t.seen++
		one = &tenant{name: name, number: t.seen}
		if t.all == nil {
			t.all = map[string]*tenant{}
		}
		t.all[name] = one
		t.weigh(one)
	}
	if one.sequences++; one.sequences == 1 {
		one.counter = max(one.counter, t.least())
		t.active = append(t.active, one)
	}
	return one
}

// leave counts that a sequence has ended.
func (t *tenants) leave(one *tenant) {
	t.floor = t.least()
	if one.sequences--; one.sequences > 0 {
		return
	}
	for i, other := range t.active {
		if other == one {
			t.active = append(t.active[:i], t.active[i+1:]...)
			break
		}
	}
	if !one.configured && one.counter <= t.least() { // to know it makes no difference
		delete(t.all, one.name)
	}
}

// least is the least counter of those that are there, or the last that was.
func (t *tenants) least() float64 {
	if len(t.active) == 0 {
		return t.floor
	}
	least := t.active[0].counter
	for _, one := range t.active[1:] {
		least = min(least, one.counter)
	}
	return least
}

// weight is that of all that are there.
func (t *tenants) weight() (sum float64) {
	for _, one := range t.active {
		sum += one.weight
	}
	return sum
}

func (t *tenant) charge(tokens int, weight float64) { t.counter += float64(tokens) * weight / t.weight }

// chargePrompt charges what is to be computed of the prompt of a sequence that has been given a place, but for what was charged before. Of an answer
// that was sent back each token was charged when it was sampled.
func (s *Sequence) chargePrompt(r *Rules) {
	s.charged = max(s.charged, s.computed)
	s.most = max(s.most, s.computed) // what was found is not given back: it was not paid
	if n := len(s.request.Prompt) - s.charged; n > 0 {
		s.tenant.charge(n, r.InputWeight)
		s.charged += n
	}
}

// chargeAnswer charges a token that was sampled.
func (s *Sequence) chargeAnswer(r *Rules) { s.tenant.charge(1, r.OutputWeight) }

// giveBack takes back what was charged of a prompt that ends before it is computed.
func (s *Sequence) giveBack(r *Rules) {
	if n := s.charged - s.most; n > 0 && s.generated == 0 {
		s.tenant.charge(-n, r.InputWeight)
	}
}
