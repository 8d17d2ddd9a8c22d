package scheduler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"chimera/engine"
)

// This file owns the loop: Submit on the clients' side, Run on its own.

// Config are the loop's settings.
type Config struct {
	StepTokens  int           // rows of a step at most: what one long prompt may delay the others by
	QueueLength int           // requests that may wait for a place
	HalfLife    time.Duration // a use of a cached page counts half after so long; 0: after twenty times as many uses as there are pages
	Background  bool          // its steps give way to those of the device's other instances, and get on in what these leave
}

// Governance is what the health of the machine asks of the loop. Its zero value asks nothing; Drain is
// the other thing that may be asked.
type Governance struct {
	MaxRunning int    // admission is cut to so many at once; those that run already finish; 0: no cut
	Reason     string // why, for whoever reads the Snapshot
}

// Snapshot is what the loop looks like from outside, a step old at most.
type Snapshot struct {
	Running, Waiting       int
	PagesUsed, PagesCached int // of all groups
	PagesTotal             int
	PrefillTokens          uint64 // computed since the start, for sequences that still wanted them
	DecodeTokens           uint64
	DiscardedTokens        uint64 // computed for sequences that had ended or been preempted meanwhile; in no other count
	PrefixTokens           uint64 // taken from the prefix cache instead
	Steps, Preemptions     uint64
	Aborts                 uint64     // background steps that gave way, and were planned again
	Governance             Governance // what was asked last
	Progress               time.Time  // when a step was last completed, or an idle loop was woken
	Refusal                error      // why nothing more is admitted; nil: it is
}

// Lane runs requests on one instance.
type Lane struct {
	config   Config
	limits   engine.Limits
	instance engine.Instance
	groups   []group
	longest  int // tokens of a sequence, prompt and answer, at most
	biases   int // that a step holds

	mu         sync.Mutex
	incoming   []*Sequence
	queued     int      // incoming and waiting
	asked      []func() // for the loop to run between two turns
	ended      bool     // there is no loop any more
	refusal    error
	governance Governance
	wakeup     chan struct{}
	snapshot   atomic.Pointer[Snapshot]

	// The loop's own.
	waiting []*Sequence
	running []*Sequence // oldest first
	steps   steps
	next    *step // the one being planned
	budget  int   // rows of it
	stats   Snapshot
	turns   uint64 // see takeTurn
	plans   uint64 // so far, the one under way among them

	cache cache

	latest      atomic.Pointer[generation] // the newest, for Submit
	generations []generation               // oldest first
	lastTurn    engine.Generation
	told        []engine.PageTable // (groups), what the batch is told of a sequence
}

// New makes a scheduler; Run starts it.
func New(in engine.Instance, c Config) (*Lane, error) {
	l := in.Limits()
	if c.StepTokens <= 0 || c.StepTokens > l.MaxTokens {
		return nil, fmt.Errorf("step tokens must lie between 1 and %d", l.MaxTokens)
	}
	if c.QueueLength <= 0 {
		return nil, errors.New("the queue must hold at least one request")
	}
	if c.Background && l.BackgroundRows > 0 {
		c.StepTokens = min(c.StepTokens, l.BackgroundRows)
	}
	cache := newCache(c.HalfLife)
	groups, longest, err := newGroups(l, c.StepTokens, cache.heat)
	if err != nil {
		return nil, err
	}
	t, err := newSteps(in, c.Background)
	if err != nil {
		return nil, err
	}
	s := &Lane{
		config: c, limits: l, instance: in, steps: t, groups: groups, cache: cache, longest: longest, biases: cap(t.all[0].batch.Biases), budget: c.StepTokens,
		wakeup: make(chan struct{}, 1),
	}
	s.stats.Progress = time.Now()
	s.publishSnapshot()
	return s, nil
}

// Limits returns the instance's limits.
func (s *Lane) Limits() engine.Limits { return s.limits }

// Snapshot returns the state after the last step.
func (s *Lane) Snapshot() Snapshot {
	snap := *s.snapshot.Load()
	s.mu.Lock()
	snap.Waiting, snap.Governance, snap.Refusal = s.queued, s.governance, s.refusal
	s.mu.Unlock()
	return snap
}

func (s *Lane) wake() {
	select {
	case s.wakeup <- struct{}{}:
	default:
	}
}

// Run is the loop. It ends when ctx is done (what is under way is cancelled), when Drain has left
// nothing to do, or with the error that poisoned the instance. Every sequence gets a last event, and no
// step is under way afterwards.
func (s *Lane) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.wake)
	defer stop()
	defer s.end()
	for {
		s.arrivals()
		if ctx.Err() != nil {
			s.refuse(ErrDraining)
			s.endAll(Event{Finish: Cancelled, Err: ErrDraining})
			return s.settle(ctx)
		}
		worked, err := s.turn(ctx)
		if err != nil {
			return s.fail(ctx, err)
		}
		if worked {
			continue
		}
		if s.drained() {
			return nil
		}
		<-s.wakeup
		s.stats.Progress = time.Now()
	}
}

// fail ends the loop: what broke one step ends the sequences of all, those that wait included.
func (s *Lane) fail(ctx context.Context, err error) error {
	s.refuse(err)
	s.endAll(Event{Finish: Failed, Err: err})
	if errors.Is(err, engine.ErrPoisoned) {
		return err
	}
	return errors.Join(err, s.settle(ctx))
}

// arrivals moves what was submitted into the loop's own queue, and does what was asked.
func (s *Lane) arrivals() {
	s.mu.Lock()
	s.waiting = append(s.waiting, s.incoming...)
	s.incoming = nil
	asked := s.asked
	s.asked = nil
	s.mu.Unlock()
	for _, do := range asked {
		do()
	}
}

// ask has the loop do something between two turns, and waits for it. Once the loop has ended nobody else reads what is its own.
func (s *Lane) ask(do func()) {
	done := make(chan struct{})
	s.mu.Lock()
	s.asked = append(s.asked, func() { do(); close(done) })
	ended := s.ended
	s.mu.Unlock()
	if ended {
		s.arrivals()
	}
	s.wake()
	<-done
}

// end says that the loop runs no more.
func (s *Lane) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.arrivals()
}

// refused is why nothing more is admitted, or nil.
func (s *Lane) refused() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal
}

func (s *Lane) refuse(err error) {
	s.mu.Lock()
	if s.refusal == nil || !errors.Is(err, ErrDraining) {
		s.refusal = err
	}
	s.mu.Unlock()
}

// Drain stops admission; Run returns when all that was admitted has ended. To cut it short, end Run's
// context.
func (s *Lane) Drain() {
	s.refuse(ErrDraining)
	s.wake()
}

// Govern changes what is asked of the loop, from the next plan on; it replaces what was asked before. A
// loop that is idle has nobody waiting, so it isn't woken.
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
	return s.refusal != nil && s.queued == 0 && len(s.running) == 0
}

// endAll gives every sequence its last event.
func (s *Lane) endAll(e Event) {
	s.arrivals()
	for _, seq := range append(s.running, s.waiting...) {
		s.letGo(seq)
		seq.deliver(e)
	}
	s.mu.Lock()
	s.queued = 0
	s.mu.Unlock()
	s.running, s.waiting = nil, nil
	s.publishSnapshot()
}

func (s *Lane) publishSnapshot() {
	snap := s.stats
	snap.Running = len(s.running)
	for g := range s.groups {
		pool := s.groups[g].pool
		snap.PagesUsed += pool.used()
		snap.PagesCached += pool.cached
		snap.PagesTotal += len(pool.pages)
	}
	s.snapshot.Store(&snap)
}
