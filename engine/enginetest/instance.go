// Package enginetest is an engine without a model, for tests of what stands above the engine. Its next
// token is a hash of the whole sequence as seen through the page tables of every group, so that a wrong page, a
// wrong position, a lost prefix or a page that was given away too early gives another answer; and it refuses
// batches that break a rule.
//
// This file owns the instance: the steps it takes, and the rules that their order keeps.
package enginetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"chimera/engine"
)

// Step is what one step held.
type Step struct {
	Tokens, Outputs int
	Rows            []int // tokens of each sequence
	Ahead           int   // tokens that were engine.PreviousRow
	Generation      engine.Generation
	Background      bool
	Aborted         bool
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
	// Abort, if not nil, is asked of every background step whether it gives way.
	Abort func(step int) bool
	// Spoil, if not nil, is asked whether the logits of an output's row, behind that token, are no numbers.
	Spoil func(token int32, position int) bool
	// Transfer, if not nil, lets one page be moved per value received.
	Transfer chan struct{}

	limits   engine.Limits
	memory   [][]page        // (groups, pages)
	underWay []submittedStep // submitted, oldest first
	sampled  []int32         // by each output of the last computed step; -1: none
	poison   error           // what ended the instance

	mu          sync.Mutex
	steps       []Step
	submitted   int
	withdrawn   chan struct{}  // (1) what Withdraw asked of the step under way
	moving      map[pageOf]int // transfers under way
	generations map[engine.Generation]Weights
	newest      engine.Generation
	retired     []engine.Generation
}

var _ engine.Instance = (*Instance)(nil)

// New makes an instance of these sizes. Depth 0 is 1.
func New(l engine.Limits) *Instance {
	l.Depth, l.Groups = max(l.Depth, 1), slices.Clone(l.Groups)
	for g := range l.Groups {
		l.Groups[g].PageBytes = pageBytes
	}
	return &Instance{
		limits: l, memory: newMemory(l), moving: map[pageOf]int{}, withdrawn: make(chan struct{}, 1),
		generations: map[engine.Generation]Weights{1: {}}, newest: 1,
	}
}

// Full is a group in which a position sees all before it.
func Full(pages int) engine.GroupLimits {
	return engine.GroupLimits{Name: "full", Pages: pages, Mask: engine.Causal}
}

// Windowed is a group in which a position sees the last ones, itself among them.
func Windowed(window, pages int) engine.GroupLimits {
	return engine.GroupLimits{Name: fmt.Sprint("window ", window), Pages: pages, Mask: engine.Window, Window: window}
}

// Recurrent is a group of slots.
func Recurrent(slots int) engine.GroupLimits {
	return engine.GroupLimits{Name: "state", Pages: slots, Slots: true}
}

// Limits returns the sizes.
func (in *Instance) Limits() engine.Limits { return in.limits }

// Plan returns an empty plan.
func (in *Instance) Plan() *engine.Plan { return &engine.Plan{Backend: "test"} }

// NewBatch returns a batch of the limits' capacities.
func (in *Instance) NewBatch() (*engine.Batch, error) {
	l := in.limits
	tables := 0
	for _, g := range l.Groups {
		tables += l.MaxSequences * g.PagesFor(l.MaxContext, l.MaxTokens)
	}
	return engine.NewBatch(l, engine.BatchArrays{
		Tokens: make([]int32, l.MaxTokens), Positions: make([]int32, l.MaxTokens), Pages: make([]int32, tables),
		Sequences: make([]engine.SequenceRows, l.MaxSequences), Tables: make([]engine.Table, l.MaxSequences*len(l.Groups)),
		Outputs: make([]engine.Output, l.MaxOutputs), Penalties: make([]engine.Penalty, l.MaxSequences*l.MaxContext),
		Biases: make([]engine.Bias, l.MaxSequences*8), Results: make([]engine.Result, l.MaxOutputs),
		Top: make([]engine.TopToken, l.MaxOutputs*l.MaxTop), Logits: make([]float32, l.MaxRows*l.Vocab),
		Taps: make([]float32, l.MaxTaps*l.TapWidth),
	}), nil
}

// Submit takes the step. Its results are senseless until Wait.
func (in *Instance) Submit(b *engine.Batch) error {
	step := in.submitted
	switch {
	case in.poison != nil:
		return in.poison
	case len(in.underWay) == in.limits.Depth:
		return in.poisoned(step, errors.New("more steps under way than the depth"))
	}
	if err := in.alone(b); err != nil {
		return in.poisoned(step, err)
	}
	if err := in.refusal(step, b); err != nil {
		return err
	}
	in.underWay = append(in.underWay, take(b))
	in.mu.Lock()
	in.submitted++
	in.mu.Unlock()
	return nil
}

// alone returns an error if the batch is under way already, or beside another step that one of them must not have.
func (in *Instance) alone(b *engine.Batch) error {
	for _, f := range in.underWay {
		switch {
		case f.batch == b:
			return errors.New("the batch is under way already")
		case b.Background || f.given.Background:
			return errors.New("a background step is not the only one under way")
		}
	}
	return nil
}

// refusal is why the step is not taken, which leaves the instance usable.
func (in *Instance) refusal(step int, b *engine.Batch) error {
	if _, there := in.weights(b.Generation); !there {
		return &engine.BatchError{Field: "generation", Reason: fmt.Sprintf("there is no generation %d", b.Generation)}
	}
	if err := in.still(b); err != nil {
		return err
	}
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
	in.poison, in.underWay = fmt.Errorf("step %d: %w: %w", step, err, engine.ErrPoisoned), nil
	return in.poison
}

// Wait computes the oldest step, or lets it give way. Whatever breaks a rule poisons the instance.
func (in *Instance) Wait() error {
	switch {
	case in.poison != nil:
		return in.poison
	case len(in.underWay) == 0:
		return in.poisoned(len(in.steps), errors.New("nothing is under way"))
	}
	f := in.underWay[0]
	withdrawn := in.pass(f.given.Background)
	in.underWay = in.underWay[1:]
	step, err := in.run(&f, withdrawn)
	for _, do := range f.behind {
		do()
	}
	if err != nil && !errors.Is(err, engine.ErrAborted) {
		return in.poisoned(step, err)
	}
	return err
}

// Withdraw lets the background step under way give way, if it has not passed the Gate.
func (in *Instance) Withdraw() {
	select {
	case in.withdrawn <- struct{}{}:
	default:
	}
}

// pass waits at the Gate, unless the step is withdrawn.
func (in *Instance) pass(background bool) (withdrawn bool) {
	switch {
	case in.Gate == nil:
		return false
	case !background:
		<-in.Gate
		return false
	}
	select {
	case <-in.Gate:
		return false
	case <-in.withdrawn:
		return true
	}
}

// run computes what was submitted, not what the batch holds now, and writes the results to the batch.
func (in *Instance) run(f *submittedStep, withdrawn bool) (step int, err error) {
	step = in.record(&f.given)
	if in.Fail != nil {
		if err := in.Fail(step); err != nil {
			return step, err
		}
	}
	if err := f.check(); err != nil {
		return step, err
	}
	if err := in.resolve(f.given.Tokens); err != nil {
		return step, err
	}
	weights, _ := in.weights(f.given.Generation)
	rows, err := in.compute(&f.given, weights)
	if err != nil {
		return step, err
	}
	if withdrawn || f.given.Background && in.Abort != nil && in.Abort(step) {
		return step, in.giveWay(&f.given)
	}
	for i, o := range f.batch.Outputs {
		in.result(f.batch, i, o, rows[o.Row])
		taps := f.batch.TapsOf(i)
		tap(taps, f.given.Tokens[o.Row], f.given.Positions[o.Row])
		if in.Spoil != nil && in.Spoil(f.given.Tokens[o.Row], int(f.given.Positions[o.Row])) {
			f.batch.Results[i].NotFinite = 1
			spoilTaps(taps)
		}
	}
	in.keep(f.batch)
	return step, nil
}

// giveWay spoils what the step wrote. Its results stay as they are: senseless.
func (in *Instance) giveWay(b *engine.Batch) error {
	for i := range b.Sequences {
		for g := range in.limits.Groups {
			in.span(b, i, g).spoil()
		}
	}
	in.sampled = in.sampled[:0]
	in.mu.Lock()
	defer in.mu.Unlock()
	in.steps[len(in.steps)-1].Aborted = true
	return engine.ErrAborted
}

func (in *Instance) record(b *engine.Batch) int {
	s := Step{Tokens: len(b.Tokens), Outputs: len(b.Outputs), Generation: b.Generation, Background: b.Background}
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
func (in *Instance) UnderWay() int { return len(in.underWay) }

// Steps returns what was computed so far.
func (in *Instance) Steps() []Step {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]Step(nil), in.steps...)
}

// result fills in what output i asks for.
func (in *Instance) result(b *engine.Batch, i int, o engine.Output, at row) {
	r := &b.Results[i]
	if o.TapsAlone() {
		*r = engine.Result{}
		return
	}
	*r = engine.Result{Logit: at.logit(), Token: o.Target}
	if o.Mode&engine.Score != 0 {
		r.TargetLogit = (at ^ row(o.Target)).logit()
	}
	if o.Mode&engine.LogSumExp != 0 {
		r.LogSumExp = logSumExp
	}
	if o.Mode&engine.Rank != 0 {
		r.Rank = at.rank()
	}
	if o.Mode&engine.Sample != 0 {
		r.Token = at.choose(o, b.Penalties[o.FirstPenalty:o.FirstPenalty+o.PenaltyCount], b.Biases[o.FirstBias:o.FirstBias+o.BiasCount], in.limits.Vocab)
	}
	top := b.TopOf(i)
	for n := range top {
		top[n] = engine.TopToken{Token: int32(mix(uint64(at), uint64(n)) % uint64(in.limits.Vocab)), Logit: float32(-n)}
	}
}

// tap fills in a state: the token and its position in turn.
func tap(state []float32, token, position int32) {
	for i := range state {
		state[i] = float32([2]int32{token, position}[i%2])
	}
}

// spoilTaps makes the last element of a state no number.
func spoilTaps(state []float32) {
	if len(state) > 0 {
		state[len(state)-1] = float32(math.NaN())
	}
}

// Close does nothing.
func (in *Instance) Close() error { return nil }
