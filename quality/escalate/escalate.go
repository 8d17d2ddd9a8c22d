// Package escalate is the rule by which answers of little confidence are computed again by a better tier, at the cost of a share of all tokens that is
// bounded. It has no clock and does no I/O: answers in, decisions out.
//
// This file owns the decision. calibration.go finds the confidence below which an answer is worth it, purse.go keeps to the budget whatever traffic
// does.
//
// A confidence is a mean log-probability, in nats: of all tokens of an answer that is whole, or of the first token of one that is to be streamed, which
// is all that is known before its client has it. That the log-probability of what a model says tells what it gets wrong, and that means by token
// compare answers of different lengths, is the finding of Malinin and Gales (2021, https://arxiv.org/abs/2002.07650, sequence-level uncertainty);
// to answer by a better model where a worse one is unsure is a cascade (Chen et al. 2023, https://arxiv.org/abs/2305.05176).
package escalate

import (
	"math"
	"sync"
)

// Kind is what an answer's confidence is of. The two do not compare, so each has a threshold of its own.
type Kind int

// The kinds.
const (
	None    Kind = iota // an answer that can't be escalated: its tokens count, and it has no confidence
	Whole               // the mean log-probability of all tokens
	Opening             // the log-probability of the first
)

// Answer is one as the tier that serves has computed it, or as far as it has.
type Answer struct {
	Tier       string
	Kind       Kind
	Confidence float64 // in nats; not of None
	Prompt     int     // tokens
	Tokens     int     // of the answer
}

// cost is what is computed for nothing if another tier answers instead: the prompt, once more, and what is thrown away.
func (a *Answer) cost() int {
	if a.Kind == Opening {
		return a.Prompt + 1
	}
	return a.Prompt + a.Tokens
}

// Reason is why an answer of little confidence is given all the same.
type Reason string

// The reasons.
const (
	OverBudget Reason = "budget"   // what it would cost was not left
	Late       Reason = "deadline" // its first token would be due before
	NoControl  Reason = "control"  // the better tier is not loaded, or had to go
	Failed     Reason = "failed"   // it could not answer
)

// Reasons are all of them.
var Reasons = []Reason{OverBudget, Late, NoControl, Failed}

// Rule decides for one model. Its methods may be called by any goroutine.
type Rule struct {
	mu         sync.Mutex
	purse      *purse
	tiers      map[string]*calibration // by the tier that serves: another is sure of other answers
	escalated  int64
	fellBack   map[Reason]int64
	total      int64 // tokens that clients were answered for
	extraTotal int64
}

// New is a rule that lets so large a share of all tokens be extra; 0: nothing is escalated.
func New(budget float64) *Rule {
	return &Rule{purse: &purse{budget: budget}, tiers: map[string]*calibration{}, fellBack: map[Reason]int64{}}
}

// SetBudget changes it. What was saved under the other is gone: it was a share of the same tokens.
func (r *Rule) SetBudget(budget float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if budget == r.purse.budget {
		return
	}
	r.purse = &purse{budget: budget}
	for _, c := range r.tiers {
		c.calibrate(budget)
	}
}

// On tells whether answers may be escalated at all.
func (r *Rule) On() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.purse.budget > 0
}

// Claim asks whether an answer is to be computed again. It is nil if not: the answer is as sure as others, or the rule does not know yet, or, which
// counts as fallen back, the budget does not allow it. A claim is to be settled, once.
func (r *Rule) Claim(a Answer) *Claim {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.tiers[a.Tier]; c == nil || !(a.Confidence < c.threshold(a.Kind)) {
		return nil
	}
	if !r.purse.take(a.cost()) {
		r.fellBack[OverBudget]++
		return nil
	}
	return &Claim{r, r.purse, a.cost()}
}

// Answered takes note of an answer that a client was given: what its tier was sure of, and, in tokens, what the client was given instead, if so. From
// both the budget and what is told apart from now on follow.
func (r *Rule) Answered(a Answer, given int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total += int64(a.Prompt + given)
	r.purse.earn(a.Prompt + given)
	if math.IsNaN(a.Confidence) {
		a.Kind = None
	}
	c := r.tiers[a.Tier]
	if c == nil {
		c = newCalibration()
		r.tiers[a.Tier] = c
	}
	c.add(a, r.purse.budget)
}

// Claim is an answer that is being computed again, and what is put by for it.
type Claim struct {
	rule  *Rule
	purse *purse // of the budget that there was
	held  int    // tokens
}

// Needs puts so many tokens by in all, and tells whether they were left: if not the claim is to be given up, since one that fails later would cost
// more than there is.
func (c *Claim) Needs(extra int) bool {
	c.rule.mu.Lock()
	defer c.rule.mu.Unlock()
	if more := extra - c.held; more > 0 {
		if !c.purse.take(more) {
			return false
		}
		c.held = extra
	}
	return true
}

// Escalated settles a claim whose answer was given by the better tier; so many tokens were extra.
func (c *Claim) Escalated(extra int) { c.settle(extra, func(r *Rule) { r.escalated++ }) }

// FellBack settles one whose answer was given as it was.
func (c *Claim) FellBack(extra int, why Reason) { c.settle(extra, func(r *Rule) { r.fellBack[why]++ }) }

// Left settles one whose client went before it was given either.
func (c *Claim) Left(extra int) { c.settle(extra, func(*Rule) {}) }

func (c *Claim) settle(extra int, count func(*Rule)) {
	r := c.rule
	r.mu.Lock()
	defer r.mu.Unlock()
	c.purse.giveBack(c.held - extra)
	r.extraTotal += int64(extra)
	count(r)
}
