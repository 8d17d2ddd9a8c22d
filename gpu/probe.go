package gpu

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// This file owns the threads that go into the driver. A call that hangs can't be taken back: its thread stays there,
// and only what it was asked is missing. So each device has a thread, and events and the start have theirs.

const (
	// callDeadline is how long one call may take before the device counts as stale: far more than any call needs that comes
	// back at all, a GPU that wakes up included.
	callDeadline = 5 * time.Second
	// eventWait is how long a look for events waits; the deadline counts from its end.
	eventWait = time.Second / 2
)

// look is the answer to one question.
type look struct {
	index   int
	reading Reading
	err     error
}

// probe reads one device on a thread of its own.
type probe struct {
	call Call
	ask  chan struct{}
	busy bool // an answer is outstanding; the watcher's own
}

// startProbe sends one look to answers for each question, late or not.
func startProbe(r Reader, index int, answers chan<- look) *probe {
	p := &probe{ask: make(chan struct{}, 1)}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for range p.ask {
			reading, err := r.Read(index, &p.call)
			p.call.Leave()
			answers <- look{index, reading, err}
		}
	}()
	return p
}

// question asks for a reading unless one is outstanding.
func (p *probe) question() {
	if !p.busy {
		p.busy = true
		p.ask <- struct{}{}
	}
}

// listener waits for events on a thread of its own until ctx is done.
type listener struct {
	call   Call
	events chan Event
	failed chan error // why there are none
	done   chan struct{}
}

func startListener(ctx context.Context, r Reader) *listener {
	l := &listener{events: make(chan Event, 64), failed: make(chan error, 1), done: make(chan struct{})}
	go func() {
		defer close(l.done)
		runtime.LockOSThread()
		for ctx.Err() == nil {
			e, ok, err := r.NextEvent(eventWait, &l.call)
			l.call.Leave()
			switch {
			case errors.Is(err, ErrNoEvents):
				l.failed <- err
				return
			case err != nil: // a lost GPU fails the wait for all: its readings say so, the others' events go on
				time.Sleep(eventWait)
			case ok:
				select {
				case l.events <- e:
				case <-ctx.Done():
				}
			}
		}
	}()
	return l
}

// opened is a reader with its devices.
type opened struct {
	reader  Reader
	devices []Device
	err     error
}

// startOpening opens the driver on a thread of its own.
func startOpening(open func(*Call) (Reader, error), call *Call) <-chan opened {
	done := make(chan opened, 1)
	go func() {
		runtime.LockOSThread()
		var o opened
		if o.reader, o.err = open(call); o.err == nil {
			if o.devices, o.err = o.reader.Devices(call); o.err != nil {
				o.reader.Close()
			}
		}
		call.Leave()
		done <- o
	}()
	return done
}
