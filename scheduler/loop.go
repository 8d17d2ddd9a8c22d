package scheduler

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"chimera/engine"
)

// This file owns the loop of a device: which lane has the next step.

// LoopConfig are a loop's settings.
type LoopConfig struct {
	// Now is the clock: time.Now where it is nil. A simulator has one of its own.
	Now func() time.Time
	// CPU is the CPU time that the process has taken so far, all cores together; nil: no step's is known.
	CPU func() time.Duration
	// Synchronous waits for background steps as for all others, so that nothing happens beside Turn. It is for backends whose steps
	// take no time.
	Synchronous bool
}

// ErrLoopEnded refuses a lane when nobody would run it.
var ErrLoopEnded = errors.New("the loop has ended")

// Loop runs the lanes of one device, whose steps the device computes one at a time. It is one goroutine, Run, which owns all
// that is not behind a lock; it does no I/O and waits for no client.
//
// At most maxDepth steps that are not background are under way, of one lane or of several: while one is computed the next is
// planned. Beside them there is at most one background step, which the loop does not wait for: the device computes it in gaps, and it
// may take as long as others are served.
type Loop struct {
	config LoopConfig
	wakeup chan struct{}
	meter  meter

	mu      sync.Mutex
	joining []*Lane // that Run has not seen yet
	ended   bool

	// The loop's own.
	lanes     []*Lane
	underWay  []*Lane // of whom the steps under way are, oldest first
	behind    *Lane   // whose background step is under way
	finished  chan error
	tenants   tenants
	shares    shares
	present   [classes]int // sequences of all lanes
	completed time.Time    // when the last step that is not background was
}

// NewLoop makes a loop without lanes; Run starts it.
func NewLoop(c LoopConfig) *Loop {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Loop{config: c, wakeup: make(chan struct{}, 1), finished: make(chan error, 1), meter: meter{cpu: c.CPU, now: c.Now}}
}

// Add gives an instance a lane, which the loop runs from its next turn on. It may be called at any time by any goroutine.
func (l *Loop) Add(in engine.Instance, c Config) (*Lane, error) {
	lane, err := newLane(l, in, c)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil, ErrLoopEnded
	}
	l.joining = append(l.joining, lane)
	l.wake()
	return lane, nil
}

func (l *Loop) wake() {
	select {
	case l.wakeup <- struct{}{}:
	default:
	}
}

// Run is the loop. It ends when ctx is done, which cancels what is under way, or with the error that poisoned the device.
// Every sequence gets a last event, every lane ends, and no step is under way afterwards.
func (l *Loop) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, l.wake)()
	for {
		if ctx.Err() != nil {
			l.endAll(ErrDraining, Event{Finish: Cancelled, Err: ErrDraining})
			return nil
		}
		worked, err := l.Turn()
		if err != nil {
			return err
		}
		if worked || ctx.Err() != nil { // a door that was held may have taken what was to wake it
			continue
		}
		l.rest()
	}
}

// holdDoor keeps the next step back for clients who are likely to come back: see door. Where several lanes have work the others would wait for clients that are
// not theirs, and where a step is under way nobody waits. What wakes it is for all lanes, so all let in who has come: nobody would be told again.
func (l *Loop) holdDoor() {
	for {
		lane := l.atWork()
		if lane == nil || len(l.underWay) > 0 || !lane.policy.with(withDoor) {
			return
		}
		running := len(lane.running)
		until := lane.door.until(running, lane.places()-running-len(lane.waiting), &lane.policy.rules)
		left := until.Sub(l.config.Now())
		if until.IsZero() || left <= 0 {
			return
		}
		timer := time.NewTimer(left)
		select {
		case <-l.wakeup:
			timer.Stop()
			l.arrivals()
		case <-timer.C:
			return
		}
	}
}

// atWork is the lane that alone has work but for background; nil: there are several, or none.
func (l *Loop) atWork() (one *Lane) {
	for _, lane := range l.lanes {
		if !lane.serves() {
			continue
		}
		if one != nil {
			return nil
		}
		one = lane
	}
	return one
}

// rest waits until there may be something to do: somebody comes or goes, a background step is done, or one that waits is to be
// sent away.
func (l *Loop) rest() {
	var due time.Time
	for _, lane := range l.lanes {
		due = earlier(due, lane.due)
	}
	var passed <-chan time.Time
	if !due.IsZero() {
		timer := time.NewTimer(due.Sub(l.config.Now()))
		defer timer.Stop()
		passed = timer.C
	}
	select {
	case <-l.wakeup:
	case <-passed:
	case err := <-l.finished:
		l.completeBackground(err)
	}
}

// Turn is one turn: plan what to compute, submit it, wait for the oldest step under way, and hand out what came of that. worked
// is false where there is nothing to wait for but the clients and a background step.
func (l *Loop) Turn() (worked bool, err error) {
	l.arrivals()
	if !l.config.Synchronous {
		l.holdDoor()
	}
	for len(l.underWay) < maxDepth && l.start() {
	}
	if l.behind == nil {
		worked = l.startBackground()
	}
	switch {
	case len(l.underWay) > 0:
		lane := l.underWay[0]
		l.underWay = append(l.underWay[:0], l.underWay[1:]...)
		lane.complete(lane.instance.Wait())
		worked = true
	case l.behind == nil && !worked:
		l.checkProgress()
	}
	before := len(l.lanes)
	err = l.sweep()
	return worked || len(l.lanes) < before, err
}

// checkProgress breaks lanes that have running sequences though nothing could be planned: to wait would be for ever.
func (l *Loop) checkProgress() {
	for _, lane := range l.lanes {
		if lane.broken == nil && len(lane.running) > 0 && !lane.holdsBack() {
			lane.broken = errNoProgress
		}
	}
}

// arrivals lets in who is new, lanes and sequences, and takes note of a background step that is done. One whose own lane has
// others to serve, or that somebody no longer wants, is called back: the lane can't plan beside it.
func (l *Loop) arrivals() {
	l.mu.Lock()
	l.lanes = append(l.lanes, l.joining...)
	l.joining = nil
	l.mu.Unlock()
	for _, lane := range l.lanes {
		lane.arrivals()
	}
	select {
	case err := <-l.finished:
		l.completeBackground(err)
	default:
	}
	if l.behind != nil && (l.behind.serves() || l.behind.anyStopped() || l.behind.outstays()) {
		l.behind.instance.Withdraw()
	}
}

// start submits a step of the lane whose turn it is, and tells whether there was one. If that lane's are all under way the others wait
// for its turn to end: it is owed the next as well.
func (l *Loop) start() bool {
	for _, lane := range l.inTurn() {
		switch {
		case lane == l.behind:
		case lane.steps.underWay == len(lane.steps.all):
			return false
		case (lane.isOwed() && lane.prepare(owed) || lane.prepare(ordinary)) && l.submit(lane):
			l.underWay = append(l.underWay, lane)
			return true
		}
	}
	return false
}

// startBackground submits a background step, of a lane that has nothing else under way.
func (l *Loop) startBackground() bool {
	for _, lane := range l.inTurn() {
		if lane.steps.underWay > 0 || !lane.wantsBackground() || !lane.prepare(givesWay) || !l.submit(lane) {
			continue
		}
		if l.config.Synchronous {
			lane.complete(lane.instance.Wait())
			return true
		}
		l.behind = lane
		go func() { l.finished <- lane.instance.Wait() }()
		return true
	}
	return false
}

func (l *Loop) completeBackground(err error) {
	lane := l.behind
	l.behind = nil
	lane.complete(err)
}

// anyUnderWay tells whether a step is.
func (l *Loop) anyUnderWay() bool { return len(l.underWay) > 0 || l.behind != nil }

// submit submits the step that the lane has prepared. It returns false if the lane is broken by that.
func (l *Loop) submit(lane *Lane) bool {
	l.meter.begin()
	lane.submit()
	if lane.next.kind != givesWay {
		lane.next.class = lane.class
		lane.used[lane.class] += lane.next.predicted.Seconds()
	}
	return lane.broken == nil
}

// sweep lets go the lanes that have ended or broken. One that is broken ends alone, unless the device is.
func (l *Loop) sweep() (err error) {
	for _, lane := range l.lanes {
		if lane.broken != nil {
			l.end(lane, lane.broken, Event{Finish: Failed, Err: lane.broken})
		} else if lane.drained() {
			lane.broken = lane.renew() // weights that came since the last plan
			l.end(lane, nil, Event{})
		}
		if errors.Is(lane.broken, engine.ErrDevicePoisoned) {
			err = lane.broken
		}
	}
	l.lanes = slices.DeleteFunc(l.lanes, func(lane *Lane) bool { return lane.hasEnded() })
	if err != nil {
		l.endAll(err, Event{Finish: Failed, Err: err})
	}
	return err
}

// endAll ends all lanes, and lets nobody in any more.
func (l *Loop) endAll(refusal error, last Event) {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.arrivals()
	for _, lane := range l.lanes {
		l.end(lane, refusal, last)
	}
	l.lanes = nil
}

// end ends a lane: all its sequences get a last event, and what it has under way is waited for, since its instance may not be closed
// before.
func (l *Loop) end(lane *Lane, refusal error, last Event) {
	lane.endAll(refusal, last)
	if l.behind == lane {
		lane.instance.Withdraw()
		l.completeBackground(<-l.finished)
	}
	l.underWay = slices.DeleteFunc(l.underWay, func(other *Lane) bool { return other == lane })
	lane.settle()
	l.meter.rest(l.anyUnderWay())
	lane.finish()
}
