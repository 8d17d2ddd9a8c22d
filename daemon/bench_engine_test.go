package daemon

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chimera/config"
	"chimera/engine"
	"chimera/internal/fixtures"
)

// This file owns tests of the engine's benchmark: what steps it computes, and what it makes of their times.

// The steps of a load have all rows of one answer of each client and no more, a token for each client in each step.
func TestStepsOfALoad(t *testing.T) {
	for _, s := range []EngineServe{{8, 128, 64}, {32, 128, 64}, {1, 1, 1}, {3, 1, 5}, {1, 1000, 7}, {5, 2, 64}, {7, 33, 1}} {
		var count, rows int
		for _, steps := range s.Steps() {
			count += steps.Count
			rows += steps.Count * steps.rows()
			if steps.Decode != s.Clients || steps.Count < 1 || steps.positions() > s.Prompt+s.Answer {
				t.Errorf("%+v: %+v", s, steps)
			}
		}
		if want := s.Clients * (s.Prompt + s.Answer - 1); count != s.Answer || rows != want {
			t.Errorf("%+v: %d steps, %d rows, want %d", s, count, rows, want)
		}
	}
	if got := fmt.Sprint(EngineServe{8, 128, 64}.Steps()); got != "[8+15 8+16]" {
		t.Error(got)
	}
}

// Best and median are those of the rounds; of a load, those of all its steps in a round.
func TestSpeedsOfSteps(t *testing.T) {
	b := EngineBench{
		Prefill: EngineSteps{Prompt: 100, Length: 100, Count: 1}, Decode: EngineSteps{Decode: 2, Depth: 10, Answer: 6, Count: 6},
		Serve: []EngineServe{{Clients: 2, Prompt: 3, Answer: 3}}, Rounds: 3, // two steps of 2+1 rows, one of 2+2
	}
	ms := func(x ...int) (d []time.Duration) {
		for _, n := range x {
			d = append(d, time.Duration(n)*time.Millisecond)
		}
		return d
	}
	r := b.report([][]time.Duration{ms(300, 100, 200), ms(4, 8, 5), ms(10, 20, 30), ms(60, 20, 10)})
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9*want {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	near("prefill", r.Prefill, 1000)
	near("prefill, median", r.Steps[0].MedianTokens, 500)
	near("decode", r.Decode, 500)
	near("decode, ms", r.Steps[1].Best, 4)
	near("decode, median ms", r.Steps[1].Median, 5)
	near("requests a second", r.Serve[0].Best, 2/.060) // rounds of 80, 60 and 70 ms
	near("requests a second, median", r.Serve[0].Median, 2/.070)
	if r.Steps[1].Depth != 13 || r.Steps[0].Rows != "0+100" || r.Serve[0].Rows[1] != "1x 2+2" {
		t.Errorf("%+v", r)
	}
}

// Whatever masks a model has, each kind of step passes the guards of the batch, and no two sequences share a page.
func TestEngineSteps(t *testing.T) {
	for _, name := range []string{"llama", "mistral_swa", "gemma3"} {
		t.Run(name, func(t *testing.T) {
			c := config.Default()
			c.Threads = 1
			b := EngineBench{
				Model: filepath.Join(fixtures.SharedDir(t, "CHIMERA_CONFORMANCE", "conformance"), name, name+"-f32.gguf"), Prefill: EngineSteps{Prompt: 40, Length: 40, Count: 1}, Decode: EngineSteps{Decode: 3, Depth: 20, Answer: 30, Count: 30},
				Others: []EngineSteps{{Decode: 2, Answer: 4, Prompt: 50, Length: 20, Count: 3}}, Serve: []EngineServe{{4, 21, 6}}, Rounds: 2,
			}
			var done int
			b.Progress = func(n, total int) {
				if done++; n != done || total != 10 {
					t.Errorf("progress %d of %d", n, total)
				}
			}
			r, err := BenchEngine(context.Background(), &c, b)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range r.Steps {
				if s.Best <= 0 || s.Median < s.Best {
					t.Errorf("%+v", s)
				}
			}
			if len(r.Steps) != 3 || len(r.Serve) != 1 || r.Serve[0].Best < r.Serve[0].Median || r.Serve[0].Median <= 0 || done != 10 {
				t.Errorf("%+v, %d", r, done)
			}
			ended, cancel := context.WithCancel(context.Background())
			cancel()
			if _, err := BenchEngine(ended, &c, b); !errors.Is(err, context.Canceled) {
				t.Errorf("interrupted: %v", err)
			}
			c.Ctx = 30
			var config *config.Error
			if _, err := BenchEngine(context.Background(), &c, b); !errors.As(err, &config) || !strings.Contains(err.Error(), "position 50, and ctx is 30") {
				t.Errorf("--ctx 30: %v", err)
			}
			ownPages(t, b, &c)
		})
	}
}

func ownPages(t *testing.T, b EngineBench, c *config.Config) {
	c.Ctx = 0
	l, err := b.load(c)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := newStepper(l.Instance)
	if err != nil {
		t.Fatal(err)
	}
	groups := len(l.Instance.Limits().Groups)
	for _, steps := range b.all() {
		owner := make([]map[int32]int, groups)
		for g := range owner {
			owner[g] = map[int32]int{}
		}
		for i := range steps.Count {
			if err := s.fill(steps, i); err != nil {
				t.Fatal(err)
			}
			checkOwners(t, s.batch, owner)
		}
		if got := len(s.batch.Tokens); got != steps.rows() || len(s.batch.Outputs) != max(steps.Decode, 1) {
			t.Errorf("%s: %d rows, %d outputs", steps, got, len(s.batch.Outputs))
		}
	}
}

func checkOwners(t *testing.T, b *engine.Batch, owner []map[int32]int) {
	for i, table := range b.Tables {
		sequence, g := i/len(owner), i%len(owner)
		for _, page := range b.Pages[table.First:][:table.Count] {
			if had, ok := owner[g][page]; ok && had != sequence {
				t.Fatalf("group %d: page %d is sequence %d's and %d's", g, page, had, sequence)
			}
			owner[g][page] = sequence
		}
	}
}
