package daemon

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/hostmem"
	"chimera/internal/fixtures"
	"chimera/loader"
	"chimera/scheduler"
)

// This file owns tests of several models that compute.

// scarce is the CPU of a machine that has so much memory for models.
type scarce struct {
	loader.Backend
	memory int64 // 0: as much as they want
}

func mappedBytes() (sum int64) {
	for _, u := range hostmem.Usage() {
		sum += u.Bytes
	}
	return sum
}

func (s scarce) Available() (int64, string) {
	if s.memory == 0 {
		return 0, ""
	}
	return s.memory - mappedBytes(), "the test"
}

// tokens is the answer to a prompt.
func tokens(h api.Held, prompt int32) (list []int32, err error) {
	all, err := h.Model.Engine.SubmitGroup(h.Context, []scheduler.Request{{Prompt: []int32{1, prompt}, MaxTokens: 12, Sampling: scheduler.Sampling{Temperature: 1, Repetition: 1, TopP: 1, Seed: 7}}})
	for err == nil {
		e, failed := all[0].Next(h.Context)
		if err = errors.Join(failed, e.Err); e.HasToken {
			list = append(list, e.Token)
		}
		if e.Finish != scheduler.Running {
			break
		}
	}
	return list, err
}

// Three models take turns in memory for two, asked by many at once: every answer is as with memory for all, and when they have gone
// nothing of them is left.
func TestModelsTakeTurnsOnTheCPU(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	defer slog.SetDefault(before)
	c := config.Default()
	c.StepTokens, c.MaxSequences, c.Threads, c.Device = 16, 4, 2, "cpu"
	names := []string{"biases", "fused", "window"}
	for _, name := range names {
		source := filepath.Join("testdata", "parts", "llama_"+name, "llama_"+name+"-f16.gguf")
		c.Model = append(c.Model, config.Model{Path: fixtures.Talking(t, source, t.TempDir(), name), Load: config.LoadOnDemand})
	}
	serve := func(memory int64) *runtimes {
		backend, err := loader.OptionsOf(&c).OpenCPU()
		if err != nil {
			t.Fatal(err)
		}
		all := newFakeModels(t, c)
		all.residence = 20 * time.Millisecond
		all.begin(holdDevice(scarce{backend, memory}))
		return all
	}
	const prompts = 4
	want, most := map[string]string{}, int64(0)
	answer := func(all *runtimes, name string, prompt int32) string {
		h := all.held(t, name)
		defer h.Release()
		list, err := tokens(h, prompt)
		return fmt.Sprint(h.Model.Name, " ", h.Model.Numerics(""), " ", list, " ", err)
	}
	key := func(name string, prompt int32) string { return fmt.Sprint(name, prompt) }
	all := serve(0)
	for _, name := range names {
		for prompt := range int32(prompts) {
			want[key(name, prompt)] = answer(all, name, prompt)
		}
		most = max(most, all.state(name).Memory)
	}
	all.end()
	all = serve(mappedBytes() + 2*most + most/2)
	var group sync.WaitGroup
	for client := range 9 {
		group.Go(func() {
			name := names[client%3]
			for i := range int32(12) {
				if got := answer(all, name, i%prompts); got != want[key(name, i%prompts)] {
					t.Errorf("%s, want %s", got, want[key(name, i%prompts)])
				}
			}
		})
	}
	group.Wait()
	there := 0
	for _, s := range all.States() {
		if s.State == api.StateReady {
			there++
		}
	}
	if there > 2 {
		t.Errorf("%d models are there", there)
	}
	all.end()
	if left := mappedBytes(); left != 0 {
		t.Errorf("%d bytes are left", left)
	}
}
