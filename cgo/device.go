package cgo

// #include "kernels.h"
// #include "pool.h"
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"chimera/engine"
	"chimera/hostmem"
)

// This file owns the device: workers and the queue of steps, which all instances share.

// Options are what a Backend is opened with.
type Options struct {
	Threads int    // workers, the thread that calls them included
	ISA     string // instruction set: auto, scalar, avx2 or avx512
}

// Backend is the CPU: one pool of workers, whose worker 0 is the thread that takes steps out of the queue. So steps of
// several instances do not compete for cores, and a machine that serves ten models has as many threads as one that
// serves one.
type Backend struct {
	kernels   *C.struct_kernels
	threads   int
	pool      *C.struct_pool
	queue     *queue
	active    atomic.Int32 // workers of a step, unless the cores are crowded
	crowd     crowd
	available func() (bytes int64, bound string)

	mu        sync.Mutex
	instances int
	claimed   int64 // bytes, by loads under way
	closed    bool
}

var _ engine.Backend = (*Backend)(nil)

// Open starts the workers. They are there until Close.
func Open(o Options) (*Backend, error) {
	if o.Threads < 1 {
		return nil, fmt.Errorf("%d threads: at least one must compute", o.Threads)
	}
	kernels, err := kernelsFor(o.ISA)
	if err != nil {
		return nil, err
	}
	b := &Backend{kernels: kernels, threads: o.Threads, pool: C.pool_start(C.int(o.Threads)), available: hostmem.Available}
	if b.pool == nil {
		return nil, fmt.Errorf("starting %d compute threads failed: lower --threads or raise the limit on tasks", o.Threads)
	}
	b.active.Store(int32(o.Threads))
	b.queue = newQueue(func(asked bool) { C.pool_give_way(b.pool, C.int(flag(asked))) })
	go b.queue.run()
	return b, nil
}

// Name returns "cpu".
func (*Backend) Name() string { return "cpu" }

// isa names the instruction set.
func (b *Backend) isa() string { return C.GoString(b.kernels.isa) }

// SetActive lets the steps from now on run on so many of the workers, at least one and at most all: for a control group
// whose quota has changed. No result depends on it.
func (b *Backend) SetActive(workers int) { b.active.Store(int32(min(max(workers, 1), b.threads))) }

// workers is how many the next step has.
func (b *Backend) workers() int { return b.crowd.limit(int(b.active.Load()), time.Now()) }

// stepped counts a step that began then and has just ended.
func (b *Backend) stepped(workers int, began time.Time) {
	now, lost := time.Now(), C.pool_lost(b.pool)
	b.crowd.ran(workers, now.Sub(began), time.Duration(lost.slept), time.Duration(lost.stolen), now)
}

// enter counts an instance, which needs the workers until leave.
func (b *Backend) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errors.New("the CPU backend is closed")
	}
	b.instances++
	return nil
}

func (b *Backend) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.instances--
}

// Close stops the workers. It refuses while there are instances; a second one is harmless.
func (b *Backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.instances > 0 {
		return fmt.Errorf("the CPU backend still has %d instances", b.instances)
	}
	if b.closed {
		return nil
	}
	b.closed = true
	b.queue.close()
	C.pool_stop(b.pool)
	return nil
}
