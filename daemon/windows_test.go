package daemon

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"chimera/engine"
	"chimera/loader"
	"chimera/scheduler"
)

// This file owns the proof that what the scheduler gives away nobody needs: windowed models on the real kernels, many
// sequences in few pages.

// serve answers all requests at once, or one after the other, on a model that is loaded for that.
func serve(t *testing.T, path string, o loader.Options, requests []scheduler.Request, alone bool) (answers [][]scheduler.Event, s scheduler.Snapshot) {
	t.Helper()
	l, err := loader.Load(path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	lane := onItsOwn(t, t.Context(), l.Instance, scheduler.Config{StepTokens: o.StepTokens, QueueLength: len(requests)})
	var under []*scheduler.Sequence
	finish := func() {
		for _, seq := range under {
			answers = append(answers, events(t, seq))
		}
		under = nil
	}
	for _, r := range requests {
		seq, err := lane.Submit(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if under = append(under, seq); alone {
			finish()
		}
	}
	finish()
	lane.Drain()
	if err := lane.Err(); err != nil {
		t.Fatal(err)
	}
	return answers, lane.Snapshot()
}

// onItsOwn is the lane of an instance whose loop runs nothing else, until ctx is done.
func onItsOwn(t *testing.T, ctx context.Context, in engine.Instance, c scheduler.Config) *scheduler.Lane {
	t.Helper()
	loop := scheduler.NewLoop(scheduler.LoopConfig{})
	lane, err := loop.Add(in, c)
	if err != nil {
		t.Fatal(err)
	}
	go loop.Run(ctx)
	return lane
}

// events are those of a sequence, without what belongs to the hour.
func events(t *testing.T, seq *scheduler.Sequence) (all []scheduler.Event) {
	t.Helper()
	for {
		e, err := seq.Next(context.Background())
		if err = errors.Join(err, e.Err); err != nil {
			t.Fatal(err)
		}
		if all = append(all, scheduler.Event{Token: e.Token, Logprob: e.Logprob, Rank: e.Rank, Finish: e.Finish}); e.Finish != scheduler.Running {
			return all
		}
	}
}

// Answers of windowed models are the same bytes alone and among others that want their pages.
func TestWindowsWhileServing(t *testing.T) {
	var requests []scheduler.Request
	for i := range 16 {
		prompt := slices.Concat(companion(i%3, 50, 40), companion(i, 10+9*i%60, 40))
		requests = append(requests, scheduler.Request{
			Prompt: prompt, MaxTokens: 250 - len(prompt) - i, Choice: i,
			Sampling: scheduler.Sampling{Temperature: 1, TopP: 1, Repetition: 1, Seed: 5},
		})
	}
	for _, name := range []string{"gemma3_softcap", "llama_window"} {
		path := filepath.Join("testdata", "parts", name, name+"-f16.gguf")
		o := loader.Options{Threads: 1, KVType: "f16", ISA: "auto", Device: "cpu", StepTokens: 256, MaxSequences: 1, MaxLogprobs: 1}
		want, _ := serve(t, path, o, requests, true)
		o.StepTokens, o.MaxSequences, o.Threads = 16, 16, 2
		got, s := serve(t, path, o, requests, false)
		for i := range want {
			if !slices.EqualFunc(got[i], want[i], sameEvent) {
				t.Errorf("%s: request %d among others: %v, alone: %v", name, i, got[i], want[i])
			}
		}
		if s.PrefixTokens == 0 {
			t.Errorf("%s: nothing was shared: %+v", name, s)
		}
	}
}

func sameEvent(a, b scheduler.Event) bool {
	return a.Token == b.Token && a.Logprob == b.Logprob && a.Rank == b.Rank && a.Finish == b.Finish
}
