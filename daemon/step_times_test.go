package daemon

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"chimera/engine"
	"chimera/loader"
	"chimera/scheduler"
)

// This file owns the record of real steps that the cost model is tested on: scheduler/testdata/steps.csv. It is what steps
// took once, on two cores that others used too, so -rewrite alone makes it anew.

// timed notes the shape of each step of an instance, and how long it took.
type timed struct {
	engine.Instance
	began []time.Time
	shape []scheduler.Shape
	done  time.Time
	lines strings.Builder
}

func (t *timed) Submit(b *engine.Batch) error {
	t.began, t.shape = append(t.began, time.Now()), append(t.shape, scheduler.ShapeOf(b))
	return t.Instance.Submit(b)
}

func (t *timed) Wait() error {
	err := t.Instance.Wait()
	began, now, s := t.began[0], time.Now(), t.shape[0]
	if began.Before(t.done) { // it waited for the one before
		began = t.done
	}
	fmt.Fprintf(&t.lines, "%d,%d,%d,%.0f,%d\n", s.Decode, s.Prefill, s.Outputs, s.Attention, now.Sub(began).Microseconds())
	t.began, t.shape, t.done = t.began[1:], t.shape[1:], now
	return err
}

func TestStepTimes(t *testing.T) {
	path := os.Getenv("CHIMERA_SMOLLM2")
	if !*rewrite || path == "" {
		t.Skip("with -rewrite and CHIMERA_SMOLLM2 it records what steps take")
	}
	l, err := loader.Load(path, loader.Options{Threads: 2, KVType: "f16", ISA: "auto", StepTokens: 512, MaxSequences: 32, Context: 4096})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	in := &timed{Instance: l.Instance}
	loop := scheduler.NewLoop(scheduler.LoopConfig{})
	lane, err := loop.Add(in, scheduler.Config{StepTokens: 512, QueueLength: 1000})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- loop.Run(ctx) }()
	// Few at a time, then many; short prompts and long ones, of which none shares a page.
	for i, n := range []int{1, 1, 2, 8, 4, 32, 16, 40} {
		group := make([]scheduler.Request, n)
		for j := range group {
			prompt := tokensUpTo([]int{40, 300, 1700, 8, 130}[(i*7+j)%5])
			prompt[0] = int32(i*100 + j)
			group[j] = scheduler.Request{Prompt: prompt, MaxTokens: 8 + j*13%40, IgnoreEnd: true, Sampling: scheduler.Sampling{TopP: 1, Repetition: 1}}
		}
		sequences, err := lane.SubmitGroup(context.Background(), group)
		if err != nil {
			t.Fatal(err)
		}
		for _, seq := range sequences {
			for e := (scheduler.Event{}); e.Finish == scheduler.Running; {
				if e, err = seq.Next(context.Background()); err != nil || e.Err != nil {
					t.Fatal(err, e.Err)
				}
			}
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	text := "decode_rows,prefill_rows,outputs,kv_tokens,microseconds\n" + in.lines.String()
	if err := os.WriteFile("../scheduler/testdata/steps.csv", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
