// Package enginetest is an engine without a model, for tests of what stands above the engine. Its next
// token is a hash of the whole sequence as seen through the page table, so that a wrong page, a wrong
// position or a lost prefix gives another answer; and it refuses batches that break a rule.
//
// This file owns the instance: what it stores in pages, and the rules that a step keeps.
package enginetest

import (
	"errors"
	"fmt"
	"sync"

	"chimera/engine"
)

// slot is one position of a page: the state of the sequence up to it. Zero is empty.
type slot struct{ state uint64 }

// Step is what one step held.
type Step struct {
	Tokens, Outputs int
	Rows            []int // tokens of each sequence
	Ahead           int   // tokens that were engine.PreviousRow
}

// Instance implements engine.Instance. Its fields must be set before the first Submit.
type Instance struct {
	// Gate, if not nil, lets one step end per value received.
	Gate chan struct{}
	// Fail, if not nil, is asked for every step's error, the first being 0. An error poisons the instance.
	Fail func(step int) error
	// Refuse, if not nil, is asked at every Submit, which returns its error and takes no step. An error that
	// wraps engine.ErrPoisoned poisons the instance.
	Refuse func(step int) error

	limits  engine.Limits
	pages   [][engine.PageTokens]slot
	flights []flight // submitted, oldest first
	sampled []int32  // by each output of the last computed step; -1: none
	poison  error    // what ended the instance

	mu        sync.Mutex
	steps     []Step
	submitted int
}

var _ engine.Instance = (*Instance)(nil)

// New makes an instance of these sizes. Depth 0 is 1.
func New(l engine.Limits) *Instance {
	l.PageTokens, l.Depth = engine.PageTokens, max(l.Depth, 1)
	return &Instance{limits: l, pages: make([][engine.PageTokens]slot, l.Pages)}
}

// Limits returns the sizes.
func (in *Instance) Limits() engine.Limits { return in.limits }

// Plan returns an empty plan.
func (in *Instance) Plan() *engine.Plan { return &engine.Plan{Backend: "test"} }

// NewBatch returns a batch of the limits' capacities.
func (in *Instance) NewBatch() (*engine.Batch, error) {
	l := in.limits
	tables := l.MaxSequences * (l.MaxContext/engine.PageTokens + 1)
	return engine.NewBatch(l, engine.BatchArrays{
		Tokens: make([]int32, l.MaxTokens), Positions: make([]int32, l.MaxTokens), Pages: make([]int32, tables),
		Sequences: make([]engine.SequenceRows, l.MaxSequences), Outputs: make([]engine.Output, l.MaxOutputs),
		Penalties: make([]engine.Penalty, l.MaxSequences*l.MaxContext), Biases: make([]engine.Bias, l.MaxSequences*8),
		Results: make([]engine.Result, l.MaxOutputs), Top: make([]engine.TopToken, l.MaxOutputs*l.MaxTop),
		Logits: make([]float32, l.MaxRows*l.Vocab),
	}), nil
}

// Submit takes the step. Its results are senseless until Wait.
func (in *Instance) Submit(b *engine.Batch) error {
	step := in.submitted
	switch {
	case in.poison != nil:
		return in.poison
	case len(in.flights) == in.limits.Depth:
		return in.poisoned(step, errors.New("more steps under way than the depth"))
	}
	for _, f := range in.flights {
		if f.batch == b {
			return in.poisoned(step, errors.New("the batch is under way already"))
		}
	}
	if err := in.refusal(step); err != nil {
		return err
	}
	in.flights = append(in.flights, launch(b))
	in.mu.Lock()
	in.submitted++
	in.mu.Unlock()
	return nil
}

func (in *Instance) refusal(step int) error {
	if in.Refuse == nil {
		return nil
	}
	err := in.Refuse(step)
	if errors.Is(err, engine.ErrPoisoned) {
		return in.poisoned(step, err)
	}
	return err
}

// poisoned ends the instance. What is under way is lost.
func (in *Instance) poisoned(step int, err error) error {
	in.poison, in.flights = fmt.Errorf("step %d: %w: %w", step, err, engine.ErrPoisoned), nil
	return in.poison
}

// Wait computes the oldest step. Whatever breaks a rule poisons the instance.
func (in *Instance) Wait() error {
	switch {
	case in.poison != nil:
		return in.poison
	case len(in.flights) == 0:
		return in.poisoned(len(in.steps), errors.New("nothing is under way"))
	}
	if in.Gate != nil {
		<-in.Gate
	}
	f := in.flights[0]
	in.flights = in.flights[1:]
	step, err := in.run(&f)
	if err != nil {
		return in.poisoned(step, err)
	}
	return nil
}

// run computes what was submitted, not what the batch holds now, and writes the results to the batch.
func (in *Instance) run(f *flight) (step int, err error) {
	step = in.record(&f.given)
	if in.Fail != nil {
		if err := in.Fail(step); err != nil {
			return step, err
		}
	}
	if err := f.land(); err != nil {
		return step, err
	}
	if err := in.resolve(f.given.Tokens); err != nil {
		return step, err
	}
	states, err := in.compute(&f.given)
	if err != nil {
		return step, err
	}
	for i, o := range f.batch.Outputs {
		in.result(f.batch, i, o, states[o.Row])
	}
	in.keep(f.batch)
	return step, nil
}

func (in *Instance) record(b *engine.Batch) int {
	s := Step{Tokens: len(b.Tokens), Outputs: len(b.Outputs)}
	for _, t := range b.Tokens {
		if t < 0 {
			s.Ahead++
		}
	}
	for _, seq := range b.Sequences {
		s.Rows = append(s.Rows, int(seq.TokenCount))
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.steps = append(in.steps, s)
	return len(in.steps) - 1
}

// Submitted is how many steps were taken so far.
func (in *Instance) Submitted() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.submitted
}

// UnderWay is how many steps nobody has waited for. Only the instance's owner may ask.
func (in *Instance) UnderWay() int { return len(in.flights) }

// Steps returns what was computed so far.
func (in *Instance) Steps() []Step {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]Step(nil), in.steps...)
}

// compute writes the states of all rows to the pages and returns them, one per row.
func (in *Instance) compute(b *engine.Batch) ([]uint64, error) {
	if len(b.Tokens) == 0 {
		return nil, fmt.Errorf("an empty step")
	}
	writers := map[int32]int{} // page: the sequence that writes it in this step
	for i, s := range b.Sequences {
		first := int(b.Positions[s.FirstToken])
		for at := first / engine.PageTokens; at < int(s.PageCount); at++ {
			page := b.Pages[int(s.FirstPage)+at]
			if other, taken := writers[page]; taken {
				return nil, fmt.Errorf("sequences %d and %d both write page %d", other, i, page)
			}
			writers[page] = i
		}
	}
	states := make([]uint64, len(b.Tokens))
	for i, s := range b.Sequences {
		table := b.Pages[s.FirstPage : s.FirstPage+s.PageCount]
		for _, page := range table {
			if w, written := writers[page]; written && w != i {
				return nil, fmt.Errorf("sequence %d reads page %d, which sequence %d writes", i, page, w)
			}
		}
		if err := in.extend(b, s, table, states); err != nil {
			return nil, fmt.Errorf("sequence %d: %w", i, err)
		}
	}
	return states, nil
}

// extend computes one sequence's rows behind what its pages hold.
func (in *Instance) extend(b *engine.Batch, s engine.SequenceRows, table []int32, states []uint64) error {
	for row := s.FirstToken; row < s.FirstToken+s.TokenCount; row++ {
		position := int(b.Positions[row])
		state := seedState
		if position > 0 {
			before := position - 1
			if state = in.pages[table[before/engine.PageTokens]][before%engine.PageTokens].state; state == 0 {
				return fmt.Errorf("position %d follows one that was never computed", position)
			}
		}
		page := &in.pages[table[position/engine.PageTokens]]
		if position%engine.PageTokens == 0 {
			*page = [engine.PageTokens]slot{} // the page has a new owner
		}
		states[row] = extendState(state, b.Tokens[row])
		page[position%engine.PageTokens].state = states[row]
	}
	return nil
}

// result fills in what output i asks for.
func (in *Instance) result(b *engine.Batch, i int, o engine.Output, state uint64) {
	r := &b.Results[i]
	*r = engine.Result{Logit: logit(state), Token: o.Target}
	if o.Mode&engine.Score != 0 {
		r.TargetLogit = logit(state ^ uint64(o.Target))
	}
	if o.Mode&engine.LogSumExp != 0 {
		r.LogSumExp = logSumExp
	}
	if o.Mode&engine.Rank != 0 {
		r.Rank = rank(state)
	}
	if o.Mode&engine.Sample != 0 {
		r.Token = choose(state, o, b.Penalties[o.FirstPenalty:o.FirstPenalty+o.PenaltyCount], b.Biases[o.FirstBias:o.FirstBias+o.BiasCount], in.limits.Vocab)
	}
	top := b.TopOf(i)
	for n := range top {
		top[n] = engine.TopToken{Token: int32(mix(state, uint64(n)) % uint64(in.limits.Vocab)), Logit: float32(-n)}
	}
}

// CopyPages copies pages.
func (in *Instance) CopyPages(copies []engine.PageCopy) error {
	for _, c := range copies {
		in.pages[c.To] = in.pages[c.From]
	}
	return nil
}

// ExportPage is not supported.
func (in *Instance) ExportPage(int32, []byte) error { return fmt.Errorf("not supported") }

// ImportPage is not supported.
func (in *Instance) ImportPage(int32, []byte) error { return fmt.Errorf("not supported") }

// Close does nothing.
func (in *Instance) Close() error { return nil }
