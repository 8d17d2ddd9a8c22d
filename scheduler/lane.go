package scheduler

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"chimera/engine"
)

// This file owns Lane: one instance with its pages, its sequences and its steps.

// Config are a lane's settings.
type Config struct {
	StepTokens  int // rows of a step at most: what one long prompt may delay the others by
	QueueLength int // requests that may wait for a place
	// Wait is how long an interactive request without a deadline may be foreseen to wait where no place or pages are free for it; 0: however long.
	Wait time.Duration
	// ITL is how far apart the tokens of interactive answers may come for the sake of prompts; 0: see Rules.LongStretch.
	ITL time.Duration
	// Without leaves characteristics out of the policy, and Rules are others than DefaultRules: for experiments.
	Without  CharacteristicSet
	Rules    *Rules
	HalfLife time.Duration // a use of a cached page counts half after so long; 0: after forty times as many uses as there are pages
}

// Governance is what the health of the machine asks of a lane. Its zero value asks nothing; Drain is
// the other thing that may be asked.
type Governance struct {
	MaxRunning int    // admission is cut to so many at once; those that run already finish; 0: no cut
	Reason     string // why, for whoever reads the Snapshot
}

// Snapshot is what a lane looks like from outside, a step old at most.
type Snapshot struct {
	Running, Waiting       int // clients' requests; see Occupied for whether there are any at all
	Own                    OwnRequests
	PagesUsed, PagesCached int // of all groups
	PagesTotal             int
	PrefillTokens          uint64 // computed since the start, for sequences that still wanted them
	DecodeTokens           uint64
	DiscardedTokens        uint64 // computed for sequences that had ended or been preempted meanwhile; in no other count
	PrefixTokens           uint64 // taken from the prefix cache instead
	CopiedPages            uint64 // for their beginnings, which others had computed
	Steps, Preemptions     uint64
	Aborts                 uint64     // background steps that gave way, and were planned again
	Governance             Governance // what was asked last
	Progress               time.Time  // when a step was last completed, or somebody came to an idle lane
	Refusal                error      // why nothing more is admitted; nil: it is
}

// OwnRequests are those that the daemon asks itself (Request.Own). Nobody is served by them, and nobody waits for a place for their sake.
type OwnRequests struct{ Running, Waiting int }

// Occupied tells whether the lane has something to compute, whoever asked for it.
func (s Snapshot) Occupied() bool { return s.Running+s.Waiting+s.Own.Running+s.Own.Waiting > 0 }

// Lane runs requests on one instance. What the loop owns and what others may touch are kept apart by fields.
type Lane struct {
	loop     *Loop
	config   Config
	limits   engine.Limits
	instance engine.Instance
	groups   []group
	longest  int // tokens of a sequence, prompt and answer, at most
	biases   int // that a step holds
	done     chan struct{}
	accounts accounts
	crowded  atomic.Int64 // ns; see Crowded

	mu         sync.Mutex
	incoming   []*Sequence
	queue      waitingLine // incoming and waiting
	forecast   forecast    // of the last step
	density    float64     // see learnDensity
	published  Snapshot
	asked      []func() // for the loop to run between two turns
	ended      bool     // the loop has let the lane go
	refusal    error
	governance Governance
	afterwards sync.Mutex  // held by who asks when the lane has ended
	stopped    atomic.Bool // a sequence was stopped, of which the loop has not taken note

	// The loop's own.
	policy  policy
	waiting []*Sequence
	running []*Sequence // oldest first
	steps   steps
	next    *step // the one being planned
	budget  int   // rows of a background step
	patient int   // those that are computed in idle time alone
	stats   Snapshot
	turns   uint64 // see takeTurn
	plans   uint64 // so far, the one under way among them
	broken  error  // why it can't go on
	costs   costs
	alone   []float64 // see takeAlone
	now     time.Time // of the step being planned

	arrived uint64       // sequences so far
	present [classes]int // sequences that have not ended
	due     time.Time    // when the next that waits must be sent away; zero: never
	shares  shares
	runs    [classes]int // sequences that have places
	ownRuns int          // of these, the daemon's own
	lines   lines
	guests  []*guest // in the order in which they came

	used       [classes]float64 // seconds of the device, by class; see turns.go
	class      Class            // of its most urgent work
	urgency    urgency
	decodes    time.Duration // what its last step would have taken with decode rows alone, an interactive answer's among them
	foreseen   forecast
	pacing     atomic.Int64 // see SetITL
	lastChange time.Time    // of who has a place; see noteEnds
	kept       []int        // (groups) pages; see keepPages
	wanting    []*Sequence  // see unplanned
	spare      []*Sequence  // takes turns with incoming
	door       door

	cache cache

	latest      atomic.Pointer[generation] // the newest, for Submit
	offers      atomic.Pointer[offers]     // of the pins, for Submit
	generations []generation               // oldest first
	lastTurn    engine.Generation
	told        []engine.PageTable // (groups), what the batch is told of a sequence
	tails       []int32            // (groups) pages; see tail
	copies      []pageCopy         // that the next step stands on
}

func newLane(loop *Loop, in engine.Instance, c Config) (*Lane, error) {
	l := in.Limits()
	if c.StepTokens <= 0 || c.StepTokens > l.MaxTokens {
		return nil, fmt.Errorf("step tokens must lie between 1 and %d", l.MaxTokens)
	}
	if c.QueueLength <= 0 {
		return nil, errors.New("the queue must hold at least one request")
	}
	cache := newCache(c.HalfLife)
	groups, longest, err := newGroups(l, c.StepTokens, cache.heat)
	if err != nil {
		return nil, err
	}
	t, err := newSteps(in)
	if err != nil {
		return nil, err
	}
	s := &Lane{
		loop: loop, config: c, limits: l, instance: in, steps: t, groups: groups, cache: cache, longest: longest, biases: cap(t.all[0].batch.Biases),
		done: make(chan struct{}), costs: costs{model: NewCost()}, policy: newPolicy(&c), density: firstDensity,
		queue: waitingLine{tenants: map[string]line{}}, kept: make([]int, len(groups)), told: make([]engine.PageTable, len(groups)), tails: make([]int32, len(groups)),
	}
	s.cache.watch(groups, s.policy.with(byHotness))
	s.budget = s.mostBackground()
	s.foreseen.full, s.foreseen.filled, s.class = c.StepTokens, c.StepTokens, nothing
	s.SetITL(c.ITL)
	s.stats.Progress = loop.config.Now()
	s.publishSnapshot()
	return s, s.renew()
}

// Limits returns the instance's limits.
func (s *Lane) Limits() engine.Limits { return s.limits }

// Snapshot returns the state after the last step.
func (s *Lane) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap := s.published
	snap.Own.Waiting = s.queue.own
	snap.Waiting, snap.Governance, snap.Refusal = s.queue.requests-s.queue.own, s.governance, s.refusal
	return snap
}

func (s *Lane) wake() { s.loop.wake() }

// noteStop is for a sequence that was stopped.
func (s *Lane) noteStop() {
	s.stopped.Store(true)
	s.wake()
}

// Done is closed when the lane has ended: drained, broken, or with the loop. All its sequences have had their last event, and no step
// of it is under way.
func (s *Lane) Done() <-chan struct{} { return s.done }

// Err is why the lane ended, once Done is closed: nil, or what broke it.
func (s *Lane) Err() error {
	<-s.done
	return s.broken
}

// arrivals moves what was submitted into the lane's own queue, and does what was asked.
func (s *Lane) arrivals() {
	s.mu.Lock()
	incoming, asked := s.incoming, s.asked
	s.incoming, s.asked = s.spare[:0], nil
	s.mu.Unlock()
	for i, seq := range incoming {
		s.welcome(seq)
		incoming[i] = nil
	}
	s.spare = incoming
	for _, do := range asked {
		do()
	}
	if s.now = s.loop.config.Now(); !s.due.IsZero() && !s.now.Before(s.due) {
		s.dropWaiting()
	}
}

// idle tells whether the lane has nobody to serve.
func (s *Lane) idle() bool { return s.present == [classes]int{} }

// serves tells whether the lane has sequences of another class than Background.
func (s *Lane) serves() bool { return s.present[Interactive]+s.present[Batch] > 0 }

func (s *Lane) refuse(err error) {
	s.mu.Lock()
	if s.refusal == nil || !errors.Is(err, ErrDraining) {
		s.refusal = err
	}
	s.mu.Unlock()
}

// anyStopped tells whether somebody no longer wants what runs.
func (s *Lane) anyStopped() bool {
	return slices.ContainsFunc(s.running, func(seq *Sequence) bool { return seq.stopped.Load() })
}

// Drain stops admission; the lane ends when all that was admitted has ended.
func (s *Lane) Drain() {
	s.refuse(ErrDraining)
	s.wake()
}

// Govern changes what is asked of the lane, from the next plan on; it replaces what was asked before. One that
// is idle has nobody waiting, so the loop isn't woken.
func (s *Lane) Govern(g Governance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.governance = g
}

// places is how many sequences may run at once.
func (s *Lane) places() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cut := s.governance.MaxRunning; cut > 0 {
		return min(cut, s.limits.MaxSequences)
	}
	return s.limits.MaxSequences
}

func (s *Lane) drained() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal != nil && s.queue.requests == 0 && len(s.running) == 0
}

// endAll gives every sequence its last event, and whoever comes later the refusal.
func (s *Lane) endAll(refusal error, e Event) {
	if refusal != nil {
		s.refuse(refusal)
	}
	s.arrivals()
	for _, seq := range s.waiting {
		s.leaveQueue(seq)
		s.part(seq, e)
	}
	for _, seq := range s.running {
		s.part(seq, e)
	}
	s.running, s.waiting = nil, nil
	s.publishSnapshot()
}

// finish tells that the lane has ended.
func (s *Lane) finish() {
	s.publishSnapshot()
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.arrivals()
	close(s.done)
}

// ask has the loop do something between two turns, and waits for it. When the loop has let the lane go nobody else writes what is its
// own, and who asks does it, one at a time.
func (s *Lane) ask(do func()) {
	did := make(chan struct{})
	s.mu.Lock()
	ended := s.ended
	if !ended {
		s.asked = append(s.asked, func() { do(); close(did) })
	}
	s.mu.Unlock()
	if ended {
		<-s.done
		s.afterwards.Lock()
		defer s.afterwards.Unlock()
		do()
		return
	}
	s.wake()
	<-did
}

// refused is why nothing more is admitted, or nil.
func (s *Lane) refused() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal
}

func (s *Lane) hasEnded() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

func (s *Lane) publishSnapshot() {
	snap := s.stats
	snap.Own.Running = s.ownRuns
	snap.Running = len(s.running) - s.ownRuns
	for g := range s.groups {
		pool := s.groups[g].pool
		snap.PagesUsed += pool.used()
		snap.PagesCached += pool.cached
		snap.PagesTotal += len(pool.pages)
	}
	s.foreseen.cached = s.cachedTokens()
	s.foreseeRoom()
	s.mu.Lock()
	s.published, s.forecast = snap, s.foreseen
	s.mu.Unlock()
}
