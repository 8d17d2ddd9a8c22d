package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"syscall"
	"testing"

	"chimera/config"
	"chimera/cores"
	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/gpu"
	"chimera/loader"
	"chimera/scheduler"
)

// This file owns tests of what a daemon does between start and stop. Those of the whole process are in
// cmd/chimera.

// The watchdog is told of a loop that has requests and computes nothing, and of no other. Requests that the daemon asks itself are requests.
func TestWatchdogNoticesALoopThatHangs(t *testing.T) {
	for _, own := range []bool{false, true} {
		t.Run(fmt.Sprintf("own: %t", own), func(t *testing.T) { watchLoop(t, own) })
	}
}

func watchLoop(t *testing.T, own bool) {
	limits := engine.Limits{MaxTokens: 8, MaxSequences: 2, MaxOutputs: 8, MaxTop: 1, MaxContext: 64, Groups: []engine.GroupLimits{enginetest.Full(8)}, Vocab: 100}
	loop := scheduler.NewLoop(scheduler.LoopConfig{})
	lane, err := loop.Add(enginetest.New(limits), scheduler.Config{StepTokens: 8, QueueLength: 4})
	if err != nil {
		t.Fatal(err)
	}
	alive := moving(func() []*scheduler.Lane { return []*scheduler.Lane{lane} })
	for range 2 {
		if !alive() {
			t.Error("an idle loop is taken for dead")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	seq, err := lane.Submit(ctx, scheduler.Request{Prompt: []int32{1}, MaxTokens: 4, Own: own, Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}})
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

// A lane that does not move while another does is borne for a while, since it may have to wait for that; then it is told of.
func TestWatchdogNoticesOneLaneOfSeveral(t *testing.T) {
	limits := engine.Limits{MaxTokens: 8, MaxSequences: 2, MaxOutputs: 8, MaxTop: 1, MaxContext: 64, Groups: []engine.GroupLimits{enginetest.Full(8)}, Vocab: 100}
	var lanes []*scheduler.Lane
	var loops []*scheduler.Loop
	for range 2 {
		loop := scheduler.NewLoop(scheduler.LoopConfig{})
		lane, err := loop.Add(enginetest.New(limits), scheduler.Config{StepTokens: 8, QueueLength: 100})
		if err != nil {
			t.Fatal(err)
		}
		lanes, loops = append(lanes, lane), append(loops, loop)
	}
	alive := moving(func() []*scheduler.Lane { return lanes })
	request := scheduler.Request{Prompt: []int32{1}, MaxTokens: 1, Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}}
	if _, err := lanes[1].Submit(t.Context(), request); err != nil { // whose loop does not run
		t.Fatal(err)
	}
	for ask := range patientAsks + 3 {
		if _, err := lanes[0].Submit(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		for steps := lanes[0].Snapshot().Steps; lanes[0].Snapshot().Steps == steps; {
			if _, err := loops[0].Turn(); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := alive(), ask < patientAsks-1; got != want {
			t.Errorf("asked %d times: alive %t", ask, got)
		}
	}
	if lanes = lanes[:1]; !alive() {
		t.Error("a lane that has gone is waited for")
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
	loader.Backend
	workers []int
}

func (c *counted) GPUs() []gpu.Place { return nil }
func (c *counted) Close() error      { return nil }

func (c *counted) SetActive(n int) { c.workers = append(c.workers, n) }

// A reload counts the threads that there is room for, unless the administrator has said how many.
func TestReloadCountsThreads(t *testing.T) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	for threads, want := range map[int]int{0: 1, 3: 0} {
		b, c := &counted{}, config.Default()
		c.Threads = threads
		s := &server{config: c, reload: func() (config.Config, error) { return c, nil }, models: newRuntimes(c, nil)}
		s.gpus, _ = obedient(func() {})
		s.serveOn(b)
		defer s.stop()
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
	if err := s.unlessTerminated(func() error { return io.EOF }); err != io.EOF || !s.asked.IsZero() {
		t.Errorf("%v, asked at %v", err, s.asked)
	}
	terminate <- syscall.SIGTERM
	if err := s.unlessTerminated(func() error { <-hangs; return nil }); !errors.Is(err, errTerminated) || s.asked.IsZero() {
		t.Errorf("%v, asked at %v", err, s.asked)
	}
}
