package measure

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"chimera/store"
)

// This file owns tests of what a stretch has cost and whom.

func seconds(x float64) time.Duration { return time.Duration(x * float64(time.Second)) }

// Steps are charged to whose they were, overhead goes by tokens, and a row is of its stretch alone.
func TestCosts(t *testing.T) {
	a, b, idle := Key{"m", "a", "interactive"}, Key{"m", "b", "batch"}, Key{"n", "a", "batch"}
	c := NewCosts(noon)
	first := Spent{map[Key]Charge{a: {seconds(2), seconds(1)}, idle: {seconds(1), 0}}, seconds(5)}
	if rows := c.Close(noon.Add(time.Minute), first, nil, false, named); len(rows) != 3 || rows[0].Model != "" || rows[0].OverheadSeconds != 5 || rows[0].CoreSeconds != 0 || rows[1].CoreSeconds != 2 {
		t.Errorf("nobody had tokens: %+v", rows)
	}
	next := Spent{map[Key]Charge{a: {seconds(5), seconds(2)}, b: {seconds(4), seconds(3)}, idle: {seconds(1), 0}}, seconds(9)}
	used := map[Key]Usage{a: {1, 20, 10}, b: {2, 80, 10}}
	rows := c.Close(noon.Add(2*time.Minute), next, used, true, named)
	if len(rows) != 2 {
		t.Fatalf("%+v", rows)
	}
	wants := []store.Cost{
		{Model: "m", Tenant: named("a"), Class: "interactive", Requests: 1, PromptTokens: 20, AnswerTokens: 10, CoreSeconds: 3, GPUSeconds: 1, OverheadSeconds: 1},
		{Model: "m", Tenant: named("b"), Class: "batch", Requests: 2, PromptTokens: 80, AnswerTokens: 10, CoreSeconds: 4, GPUSeconds: 3, OverheadSeconds: 3},
	}
	for i, want := range wants {
		want.From, want.Until = noon.Add(time.Minute), noon.Add(2*time.Minute)
		if rows[i] != want {
			t.Errorf("%+v, want %+v", rows[i], want)
		}
	}
	if rows := c.Close(noon.Add(3*time.Minute), next, nil, false, named); len(rows) != 0 {
		t.Errorf("nothing was spent: %+v", rows)
	}
	if rows := c.Close(noon.Add(4*time.Minute), Spent{map[Key]Charge{a: {seconds(6), seconds(4)}}, seconds(9)}, nil, false, named); len(rows) != 1 || !math.IsNaN(rows[0].GPUSeconds) {
		t.Errorf("without a GPU: %+v", rows)
	}
}

// Whatever is used and spent, the rows of all stretches add up to it.
func TestCostsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := []Key{{"m", "a", "batch"}, {"m", "", "interactive"}, {"n", "a", "batch"}}
		c, spent, sum := NewCosts(noon), Spent{Steps: map[Key]Charge{}}, 0.0
		for minute := range rapid.IntRange(1, 8).Draw(t, "minutes") {
			used, now := map[Key]Usage{}, Spent{Steps: map[Key]Charge{}, Overhead: spent.Overhead + seconds(rapid.Float64Range(0, 9).Draw(t, "overhead"))}
			for _, k := range keys {
				now.Steps[k] = spent.Steps[k]
				if rapid.Bool().Draw(t, "steps") {
					now.Steps[k] = Charge{CPU: spent.Steps[k].CPU + seconds(rapid.Float64Range(0, 9).Draw(t, "cpu"))}
				}
				if rapid.Bool().Draw(t, "used") {
					used[k] = Usage{1, rapid.Int64Range(0, 99).Draw(t, "prompt"), rapid.Int64Range(0, 99).Draw(t, "answer")}
				}
			}
			spent = now
			for _, r := range c.Close(noon.Add(time.Duration(minute)*time.Minute), spent, used, false, named) {
				sum += r.CoreSeconds + r.OverheadSeconds
			}
		}
		want := spent.Overhead.Seconds()
		for _, took := range spent.Steps {
			want += took.CPU.Seconds()
		}
		if !(math.Abs(sum-want) <= 1e-6) {
			t.Fatalf("the rows have %v s, %v s were spent", sum, want)
		}
	})
}
