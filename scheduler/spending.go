package scheduler

import (
	"sync"
	"sync/atomic"
	"time"
)

// This file owns what steps cost and who is charged: the device's time and the process's CPU time, divided over the rows of each step.
//
// Between two marks of a clock everything is either a step's or nobody's. While steps are under way each that is done is charged what has
// passed since the one before was; what passes while none is, is overhead. So all that was charged and the overhead are together what the
// process took, but for the step under way, and no time counts twice, also where steps overlap: what a background step computes
// in the gaps that others leave is charged to those.
//
// A step's time is divided in proportion to what each sequence's rows would have taken alone, as the lane's cost model has it: a row of an
// answer costs several of a prompt's, and who brings many tokens of context pays for them. Rows that were computed for nobody, since their
// sequence had ended or was sent back, are charged like others: they were computed for it.
//
// Rejected: wall time times threads. Workers wait for one another, are put off their cores and sit out, and the sum would be
// anybody's guess; the process's own CPU clock (some 0.2 µs a step) is what the machine's owner pays.

// payer is who is charged, apart by the weights that computed.
type payer struct {
	tenant  string
	class   Class
	weights string // their digest
}

// account is what a payer was charged in a lane.
type account struct{ cpu, device atomic.Int64 } // ns

func (a *account) charge(c charge) {
	a.cpu.Add(int64(c.cpu))
	a.device.Add(int64(c.device))
}

// accounts are a lane's. The loop opens them, others read them.
type accounts struct {
	mu  sync.Mutex
	all map[payer]*account
}

func (a *accounts) of(p payer) *account {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[payer]*account{}
	}
	if a.all[p] == nil {
		a.all[p] = &account{}
	}
	return a.all[p]
}

// Spent is what a tenant's requests of a class have taken of a lane's device by some weights, without the overhead.
type Spent struct {
	Tenant  string
	Class   Class
	Weights string        // their digest
	CPU     time.Duration // of all cores together; 0 where LoopConfig.CPU is nil
	Device  time.Duration // that steps were under way, as passed on the clock
}

// Spent is what has been charged since the lane began, in no order. Any goroutine may ask.
func (s *Lane) Spent() (list []Spent) {
	s.accounts.mu.Lock()
	defer s.accounts.mu.Unlock()
	for p, a := range s.accounts.all {
		list = append(list, Spent{p.tenant, p.class, p.weights, time.Duration(a.cpu.Load()), time.Duration(a.device.Load())})
	}
	return list
}

// Spent is what the sequence has been charged so far: CPU time of all cores together, and time of the device. After its last event
// a step that was under way for it may still be charged.
func (s *Sequence) Spent() (cpu, device time.Duration) {
	return time.Duration(s.spent.cpu.Load()), time.Duration(s.spent.device.Load())
}

// charge is a part of a step's time, or the whole.
type charge struct{ cpu, device time.Duration }

func (c charge) part(share float64) charge {
	return charge{time.Duration(float64(c.cpu) * share), time.Duration(float64(c.device) * share)}
}

// meter is a loop's clocks, and what passed on them that no step was charged.
type meter struct {
	cpu func() time.Duration
	now func() time.Time

	mu       sync.Mutex
	working  bool          // a step is under way
	marked   time.Duration // on the CPU clock
	at       time.Time     // on the other
	overhead time.Duration
	busy     time.Duration // that steps were under way, of whatever lane
}

func (m *meter) clock() time.Duration {
	if m.cpu == nil {
		return 0
	}
	return m.cpu()
}

// begin takes note that a step is submitted. If it is the only one, what passed before it was overhead.
func (m *meter) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.working {
		return
	}
	cpu := m.clock()
	m.overhead += cpu - m.marked
	m.working, m.marked, m.at = true, cpu, m.now()
}

// lap is what has passed since the step before was done, or this one begun. others tells whether there are more under way.
func (m *meter) lap(others bool) (c charge) {
	m.mu.Lock()
	defer m.mu.Unlock()
	cpu, now := m.clock(), m.now()
	c = charge{cpu - m.marked, now.Sub(m.at)}
	m.working, m.marked, m.at = others, cpu, now
	m.busy += c.device
	return c
}

// rest takes note that a lane has ended, whose steps nobody is charged for. others as above.
func (m *meter) rest(others bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.working || others {
		return
	}
	cpu := m.clock()
	m.overhead += cpu - m.marked
	m.working, m.marked = false, cpu
}

// Overhead is the process's CPU time that no step was charged, from the process's start on. It never falls. Any goroutine may ask.
func (l *Loop) Overhead() time.Duration {
	m := &l.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.working {
		return m.overhead
	}
	return m.overhead + m.clock() - m.marked
}

// Busy is how long steps were under way since the start, of whatever lane: the device's time that was used. Any goroutine may ask.
func (l *Loop) Busy() time.Duration {
	l.meter.mu.Lock()
	defer l.meter.mu.Unlock()
	return l.meter.busy
}

// Crowded is how long steps of the lane took that began while requests waited, background work not counted, which there was no place or no pages for:
// with more requests it would not have computed more. Any goroutine may ask.
func (s *Lane) Crowded() time.Duration { return time.Duration(s.crowded.Load()) }

// leavesWaiting tells whether somebody, background work not counted, has no place when all are let in whom there is room for.
func (s *Lane) leavesWaiting() bool {
	return s.present[Interactive]+s.present[Batch] > s.runs[Interactive]+s.runs[Batch]
}

// charge divides what a step took over the sequences that were in it.
func (s *Lane) charge(done *step) {
	took := s.loop.meter.lap(s.loop.anyUnderWay())
	if done.crowded {
		s.crowded.Add(int64(took.device))
	}
	alone, all := s.takeAlone(done)
	for i := range done.chunks {
		c := took.part(alone[i] / all)
		done.chunks[i].seq.spent.charge(c)
		done.chunks[i].seq.account.charge(c)
	}
}

// takeAlone is what each chunk's rows would have taken in a step of their own, in nanoseconds, and the sum. The list is good until the next call.
func (s *Lane) takeAlone(done *step) (alone []float64, all float64) {
	s.alone = s.alone[:0]
	s.costs.mu.Lock()
	defer s.costs.mu.Unlock()
	for i := range done.chunks {
		c := &done.chunks[i]
		shape := Shape{Outputs: c.logitRows()}
		shape.Add(s.limits.Groups, c.from, c.tokens)
		x := shape.features()
		takes := s.costs.model.predict(&x)
		s.alone, all = append(s.alone, takes), all+takes
	}
	return s.alone, all
}
