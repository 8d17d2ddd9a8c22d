package daemon

import (
	"context"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/scheduler"
)

// This file owns tests of what a daemon does between start and stop. Those of the whole process are in
// cmd/chimera.

// The watchdog is told of a loop that has requests and computes nothing, and of no other.
func TestWatchdogNoticesALoopThatHangs(t *testing.T) {
	limits := engine.Limits{MaxTokens: 8, MaxSequences: 2, MaxOutputs: 8, MaxTop: 1, MaxContext: 64, Groups: []engine.GroupLimits{enginetest.Full(8)}, Vocab: 100}
	loop, err := scheduler.New(enginetest.New(limits), scheduler.Config{StepTokens: 8, QueueLength: 4})
	if err != nil {
		t.Fatal(err)
	}
	alive := moving(loop)
	for range 2 {
		if !alive() {
			t.Error("an idle loop is taken for dead")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	seq, err := loop.Submit(ctx, scheduler.Request{Prompt: []int32{1}, MaxTokens: 4, Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}})
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
