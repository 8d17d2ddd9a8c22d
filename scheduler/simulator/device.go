package simulator

import (
	"errors"
	"time"

	"chimera/engine"
	"chimera/scheduler"
)

// This file owns the device that is simulated: an engine.Instance whose steps take the time that a cost model says, of a clock
// that nobody waits for.

// device computes the steps of one instance, one after the other. It implements engine.Instance as far as a scheduler calls it.
type device struct {
	limits engine.Limits
	cost   *scheduler.Cost
	now    func() time.Time
	// pass lets the clock go on to a time, and what happens on the way happen. It may stop before, where stop says so.
	pass func(to time.Time, stop func() bool)

	underWay  []work // oldest first
	free      time.Time
	busy      time.Duration
	withdrawn bool
}

// work is a step under way.
type work struct {
	batch      *engine.Batch
	begin, end time.Time
}

func (d *device) Limits() engine.Limits { return d.limits }
func (d *device) Plan() *engine.Plan    { return &engine.Plan{Backend: "simulator"} }

// NewBatch has what sequences of the limits take. Nothing that is simulated has penalties, biases or logits.
func (d *device) NewBatch() (*engine.Batch, error) {
	l, tables := d.limits, 0
	for _, g := range l.Groups {
		tables += l.MaxSequences * g.PagesFor(l.MaxContext, l.MaxTokens)
	}
	return engine.NewBatch(l, engine.BatchArrays{
		Tokens: make([]int32, l.MaxTokens), Positions: make([]int32, l.MaxTokens), Pages: make([]int32, tables),
		Sequences: make([]engine.SequenceRows, l.MaxSequences), Tables: make([]engine.Table, l.MaxSequences*len(l.Groups)),
		Outputs: make([]engine.Output, l.MaxOutputs), Results: make([]engine.Result, l.MaxOutputs),
	}), nil
}

// Submit begins the step when those before it are done.
func (d *device) Submit(b *engine.Batch) error {
	if len(d.underWay) == d.limits.Depth {
		return errors.New("more steps under way than the device takes")
	}
	w := work{batch: b, begin: d.now()}
	if w.begin.Before(d.free) {
		w.begin = d.free
	}
	w.end = w.begin.Add(d.cost.Predict(scheduler.ShapeOf(b)))
	d.underWay, d.free, d.withdrawn = append(d.underWay, w), w.end, false
	return nil
}

// Wait lets the clock go on to the step's end. A background step may be withdrawn on the way.
func (d *device) Wait() error {
	w := d.underWay[0]
	d.pass(w.end, func() bool { return w.batch.Background && d.withdrawn })
	d.underWay = append(d.underWay[:0], d.underWay[1:]...)
	d.busy += min(d.now().Sub(w.begin), w.end.Sub(w.begin))
	if d.now().Before(w.end) {
		d.free = d.now()
		return engine.ErrAborted
	}
	for i := range w.batch.Outputs { // any token will do
		w.batch.Results[i] = engine.Result{Token: anyToken}
	}
	return nil
}

// anyToken is what every step samples. How long an answer is, the trace says.
const anyToken = 1

// Withdraw ends the background step under way where the clock stands.
func (d *device) Withdraw() { d.withdrawn = true }

// errNotSimulated is of what no scheduler asks of an instance that nobody replaces.
var errNotSimulated = errors.New("the simulator has no bytes and one generation of weights")

// CopyPages takes no time: a page is read and written once, where a row reads all weights.
func (d *device) CopyPages(engine.GroupID, []engine.PageCopy) error { return nil }

func (d *device) Export(engine.GroupID, int32, []byte) (*engine.Ticket, error) {
	return nil, errNotSimulated
}
func (d *device) Import(engine.GroupID, int32, []byte) (*engine.Ticket, error) {
	return nil, errNotSimulated
}
func (d *device) Generation() engine.Generation { return 1 }
func (d *device) Replace(engine.Weights, func(done, total int64)) (engine.Generation, error) {
	return 0, errNotSimulated
}
func (d *device) Retire(engine.Generation) error  { return errNotSimulated }
func (d *device) Digest(engine.Generation) string { return "simulated" }
func (d *device) Close() error                    { return nil }

var _ engine.Instance = (*device)(nil)
