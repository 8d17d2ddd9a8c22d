package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"

	"chimera/cores"
	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/gpu"
	"chimera/scheduler"
)

// This file owns tests of what a daemon does between start and stop. Those of the whole process are in
// cmd/chimera.

// The watchdog is told of a loop that has requests and computes nothing, and of no other.
func TestWatchdogNoticesALoopThatHangs(t *testing.T) {
	limits := engine.Limits{MaxTokens: 8, MaxSequences: 2, MaxOutputs: 8, MaxTop: 1, MaxContext: 64, Groups: []engine.GroupLimits{enginetest.Full(8)}, Vocab: 100}
	loop := scheduler.NewLoop(scheduler.LoopConfig{})
	lane, err := loop.Add(enginetest.New(limits), scheduler.Config{StepTokens: 8, QueueLength: 4})
	if err != nil {
		t.Fatal(err)
	}
	alive := moving(lane)
	for range 2 {
		if !alive() {
			t.Error("an idle loop is taken for dead")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	seq, err := lane.Submit(ctx, scheduler.Request{Prompt: []int32{1}, MaxTokens: 4, Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if alive() {
		t.Error("a loop that has a request and does not run is taken for alive")
	}
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(ctx) }()
	for more := true; more; {
		e, err := seq.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		more = e.Finish == scheduler.Running
	}
	if !alive() {
		t.Error("a loop that computes is taken for dead")
	}
	cancel()
	<-ended
}

// However the end began, by a signal or without, it takes two signals in all to end the process at once.
func TestAskedTwice(t *testing.T) {
	for asked := range 2 {
		synctest.Test(t, func(t *testing.T) {
			slog.SetDefault(slog.New(slog.DiscardHandler))
			terminate, killed := make(chan os.Signal, 2), false
			go killWhenAskedTwice(terminate, asked, func() { killed = true })
			for n := asked; n < 2; n++ {
				if synctest.Wait(); killed {
					t.Errorf("killed after %d", n)
				}
				terminate <- syscall.SIGTERM
			}
			if synctest.Wait(); !killed {
				t.Errorf("%d before the end, two in all: it lives", asked)
			}
		})
	}
}

// A daemon that drains for its GPU's sake still hears the administrator, and ends with the code that was due.
func TestEndHearsSignals(t *testing.T) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	for name, cause := range map[string]error{
		"a signal": nil, "the GPU": &GPUError{Verdict: gpu.Verdict{Action: gpu.Drain, Needs: gpu.Reset}}, "a listener": errors.New("it broke"),
	} {
		terminate := make(chan os.Signal, 2)
		w, _ := obedient(func() {})
		s := &server{gpus: w, terminate: terminate}
		s.onStop(func() {
			terminate <- syscall.SIGTERM
			for len(terminate) > 0 {
				runtime.Gosched()
			}
		})
		if err := s.end(cause); err != cause {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// counted is a backend that keeps how many workers it was told to use.
type counted struct {
	heldBackend
	workers []int
}

func (c *counted) SetActive(n int) { c.workers = append(c.workers, n) }

// A reload counts the threads that there is room for, unless the administrator has said how many.
func TestReloadCountsThreads(t *testing.T) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	for threads, want := range map[int]int{0: 1, 3: 0} {
		b, c := &counted{}, DefaultConfig()
		c.Threads = threads
		s := &server{config: c, reload: func() (Config, error) { return c, nil }, loaded: &Loaded{backend: b}}
		s.whenReloaded(s.recountThreads)
		s.reloadConfig()
		if len(b.workers) != want {
			t.Fatalf("threads = %d: told %v", threads, b.workers)
		}
		if n, _ := cores.Available(); want > 0 && b.workers[0] != n {
			t.Errorf("told %v, there is room for %d", b.workers, n)
		}
	}
}

// A signal ends a start that hangs, and counts as the first of two.
func TestStartHearsSignals(t *testing.T) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	terminate, hangs := make(chan os.Signal, 2), make(chan struct{})
	defer close(hangs)
	s := &server{terminate: terminate}
	if err := s.unlessTerminated(func() error { return io.EOF }); err != io.EOF || s.asked != 0 {
		t.Errorf("%v, asked %d times", err, s.asked)
	}
	terminate <- syscall.SIGTERM
	if err := s.unlessTerminated(func() error { <-hangs; return nil }); !errors.Is(err, errTerminated) || s.asked != 1 {
		t.Errorf("%v, asked %d times", err, s.asked)
	}
}
