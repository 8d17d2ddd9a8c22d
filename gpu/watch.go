package gpu

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// This file owns Watcher: it asks, judges, tells who must know, and answers anybody at once.

// State is what is known of all GPUs. Reason says why there are none.
type State struct {
	Devices []DeviceState `json:"devices"`
	Reason  string        `json:"reason,omitzero"`
	Events  string        `json:"events,omitzero"` // why Xid errors go unseen
}

// DeviceState is what is known of one. The reading is the last that came.
type DeviceState struct {
	Device
	Verdict Verdict           `json:"verdict"`
	Reading *Reading          `json:"reading,omitzero"`
	ReadAt  time.Time         `json:"read_at,omitzero"`
	Xids    map[uint64]uint64 `json:"xids,omitzero"` // how often each has come since the start
}

// Notice is what a Watcher tells: a Xid error, or a verdict that changed in action or reason.
type Notice struct {
	Device  Device
	Xid     uint64 // 0: a verdict
	Foreign bool   // another MIG instance met the Xid
	Verdict Verdict
	Was     Verdict
}

// Watcher watches all GPUs.
type Watcher struct {
	open  func(*Call) (Reader, error)
	tell  func(Notice)
	state atomic.Pointer[State]
	own   atomic.Pointer[[]Place]
	known chan struct{} // closed when there is something to say of every device

	// Run's own.
	devices []DeviceState
	history []History
	events  string
	deaf    bool // the wait for events hangs
	once    sync.Once
}

// New makes a watcher; Run starts it. tell is called on Run's goroutine and must not wait; it may be nil.
func New(open func(*Call) (Reader, error), tell func(Notice)) *Watcher {
	if tell == nil {
		tell = func(Notice) {}
	}
	w := &Watcher{open: open, tell: tell, known: make(chan struct{})}
	w.state.Store(&State{Devices: []DeviceState{}, Reason: "the driver has not answered yet"})
	return w
}

// ComputesOn says where this process computes. From then on a Xid that another MIG instance of a GPU met is shown and
// not judged.
func (w *Watcher) ComputesOn(places []Place) { w.own.Store(&places) }

// instances are the MIG instances of d that this process computes on; none where it computes on the whole GPU.
func (w *Watcher) instances(d Device) []uint32 {
	own := w.own.Load()
	if own == nil {
		return nil
	}
	return d.instances(*own)
}

// State returns what was last known. It never waits; nobody may change what it returns.
func (w *Watcher) State() State { return *w.state.Load() }

// Look opens the driver, reads every device once and returns what it found, at the latest when ctx is done.
func Look(ctx context.Context, open func(*Call) (Reader, error)) State {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := New(open, nil)
	go w.Run(ctx)
	select {
	case <-w.known:
	case <-ctx.Done():
	}
	return w.State()
}

// Run watches until ctx is done. It returns at once where there is nothing to watch. Threads that hang in the driver
// are left behind.
func (w *Watcher) Run(ctx context.Context) {
	o, ok := w.opening(ctx)
	if !ok || len(o.devices) == 0 {
		return
	}
	for _, d := range o.devices {
		w.devices = append(w.devices, DeviceState{Device: d, Verdict: Verdict{Action: Unknown, Reason: "not read yet", Since: time.Now()}})
	}
	w.history = make([]History, len(o.devices))
	w.publish()
	answers := make(chan look, len(o.devices)) // one for each: a late answer never waits
	probes := make([]*probe, len(o.devices))
	for i := range probes {
		probes[i] = startProbe(o.reader, i, answers)
	}
	l := startListener(ctx, o.reader)
	w.loop(ctx, probes, answers, l)
	if ended(probes, answers, l) {
		closeReader(o.reader)
	}
}

// closeReader does not wait for a driver that hangs in its own end.
func closeReader(r Reader) {
	closed := make(chan struct{})
	go func() {
		r.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(eventWait):
	}
}

// ended waits a moment for the threads; one that hangs forbids to close the driver.
func ended(probes []*probe, answers <-chan look, l *listener) bool {
	late := time.After(2 * eventWait)
	for _, p := range probes {
		close(p.ask)
		if !p.busy {
			continue
		}
		select {
		case <-answers:
		case <-late:
			return false
		}
	}
	select {
	case <-l.done:
		return true
	case <-late:
		return false
	}
}

// opening waits for the driver and says so in the meantime.
func (w *Watcher) opening(ctx context.Context) (o opened, ok bool) {
	var call Call
	done := startOpening(w.open, &call)
	ticker := time.NewTicker(Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return o, false
		case <-ticker.C:
			if name, stuck := call.stuck(callDeadline); stuck {
				w.none(name + " has not returned for " + callDeadline.String())
			}
		case o = <-done:
			switch {
			case o.err != nil:
				w.none(o.err.Error())
			case len(o.devices) == 0:
				w.none("the driver sees no GPU")
			}
			return o, o.err == nil
		}
	}
}

// none says why there is nothing to watch.
func (w *Watcher) none(reason string) {
	w.state.Store(&State{Devices: []DeviceState{}, Reason: reason})
	w.learnt()
}

func (w *Watcher) loop(ctx context.Context, probes []*probe, answers <-chan look, l *listener) {
	ticker := time.NewTicker(Interval)
	defer ticker.Stop()
	for _, p := range probes {
		p.question()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.tick(probes, l)
		case a := <-answers:
			probes[a.index].busy = false
			w.answered(a)
		case e := <-l.events:
			w.event(e)
			probes[e.Device].question() // what it did to the device, at once
		case err := <-l.failed:
			w.events = err.Error()
			w.publish()
		}
	}
}

// tick asks all devices again and judges those whose thread hangs.
func (w *Watcher) tick(probes []*probe, l *listener) {
	for i, p := range probes {
		if name, stuck := p.call.stuck(callDeadline); stuck {
			w.judge(i, Observation{Stuck: name})
		}
		p.question()
	}
	name, stuck := l.call.stuck(eventWait + callDeadline)
	if was := w.deaf; stuck != was {
		w.deaf, w.events = stuck, ""
		if stuck {
			w.events = name + " has not returned for " + (eventWait + callDeadline).String()
		}
		w.publish()
	}
}

func (w *Watcher) answered(a look) {
	d := &w.devices[a.index]
	if a.err != nil {
		w.judge(a.index, Observation{Err: a.err})
		return
	}
	d.Reading, d.ReadAt = &a.reading, time.Now()
	owned := w.events == "" && len(w.instances(d.Device)) > 0
	w.judge(a.index, Observation{Reading: &a.reading, Owned: owned})
}

func (w *Watcher) event(e Event) {
	d := &w.devices[e.Device]
	d.Xids = maps.Clone(d.Xids) // the old one may be with a reader of State
	if d.Xids == nil {
		d.Xids = map[uint64]uint64{}
	}
	d.Xids[e.Xid]++
	own := w.instances(d.Device)
	foreign := e.Instance != nil && len(own) > 0 && !slices.Contains(own, *e.Instance)
	w.tell(Notice{Device: d.Device, Xid: e.Xid, Foreign: foreign, Verdict: d.Verdict, Was: d.Verdict})
	if foreign {
		return
	}
	w.judge(e.Device, Observation{Xids: []uint64{e.Xid}})
}

func (w *Watcher) judge(i int, o Observation) {
	o.At = time.Now()
	d := &w.devices[i]
	was := d.Verdict
	w.history[i], d.Verdict = Judge(w.history[i], o)
	w.publish()
	if d.Verdict.Action != was.Action || d.Verdict.Reason != was.Reason {
		w.tell(Notice{Device: d.Device, Verdict: d.Verdict, Was: was})
	}
}

func (w *Watcher) publish() {
	w.state.Store(&State{Devices: slices.Clone(w.devices), Events: w.events})
	if !slices.ContainsFunc(w.history, func(h History) bool { return !h.judged }) {
		w.learnt()
	}
}

func (w *Watcher) learnt() { w.once.Do(func() { close(w.known) }) }
