package enginetest

import (
	"errors"
	"slices"
	"testing"

	"chimera/engine"
)

// This file owns the proof that answers hang on all that a backend would trust: tables, slots, generations, and what
// a step that gave way leaves behind.

// decode computes a prompt in steps of 8 and samples n tokens, one step each. tables is asked before every step.
func decode(t *testing.T, in *Instance, prompt []int32, n int, tables func(first, last int) []engine.PageTable) (answer []int32, err error) {
	t.Helper()
	b, err := in.NewBatch()
	succeed(t, err)
	all := slices.Clone(prompt)
	for first := 0; len(answer) < n; {
		last := min(first+8, len(all)) - 1
		fillOn(t, b, all[first:last+1], first, tables(first, last)...)
		if err := errors.Join(in.Submit(b), in.Wait()); err != nil {
			return answer, err
		}
		if first = last + 1; first == len(all) {
			all, answer = append(all, b.Results[0].Token), append(answer, b.Results[0].Token)
		}
	}
	return answer, nil
}

var prompt = []int32{9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}

// A window's pages may be other ones' when no position sees them any more, and not a page before.
func TestWindowShows(t *testing.T) {
	const window = 18
	l := limitsOf(1, Full(4), Windowed(window, 8))
	want := Want{Prompt: prompt, Tokens: 40, Biases: []engine.Bias{{Token: 1}}}.Answer(l)
	for early := range 2 { // pages that are given away too early
		in := New(l)
		got, err := decode(t, in, prompt, 40, func(first, last int) []engine.PageTable {
			base := l.Groups[1].FirstSeen(first)/engine.PageTokens + early
			for page := range base { // others write what was given away
				in.memory[1][page] = page1
			}
			base -= early // AddSequence itself refuses what is plainly too early
			return []engine.PageTable{{Pages: []int32{0, 1, 2, 3}}, {Base: base, Pages: []int32{0, 1, 2, 3, 4}[base:]}}
		})
		succeed(t, err)
		if slices.Equal(got, want) != (early == 0) {
			t.Errorf("given away %d pages early: %v, right is %v", early, got, want)
		}
	}
}

// page1 is a page of somebody else's.
var page1 = page{1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31}

// A slot is read once it is written, and is no other than the one written last.
func TestSlotShows(t *testing.T) {
	l := limitsOf(1, Recurrent(4))
	want := Want{Prompt: prompt, Tokens: 5, Biases: []engine.Bias{{Token: 1}}}.Answer(l)
	for name, slots := range map[string]func(step int) []int32{
		"in turn": func(step int) []int32 { return []int32{int32(step % 2), int32((step + 1) % 2)} },
		"stale":   func(step int) []int32 { return []int32{1, 2} },
		"unknown": func(step int) []int32 { return []int32{3, 2} },
	} {
		in, step := New(l), 0
		got, err := decode(t, in, prompt, 5, func(first, _ int) []engine.PageTable {
			pages := slots(step)
			if step++; first == 0 {
				pages[0] = engine.NoSlot
			}
			return []engine.PageTable{{Pages: pages}}
		})
		switch right := slices.Equal(got, want); name {
		case "in turn":
			if !right || err != nil {
				t.Errorf("%v (%v), want %v", got, err, want)
			}
		default:
			if right || !errors.Is(err, engine.ErrPoisoned) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
	}
}

// A group's cells are no other group's.
func TestGroupsAreApart(t *testing.T) {
	l := limitsOf(1, Full(4), Windowed(64, 4))
	in := New(l)
	a, _ := in.NewBatch()
	table := engine.PageTable{Pages: []int32{0}}
	fillOn(t, a, []int32{1, 2, 3}, 0, table, table)
	succeed(t, in.Submit(a), in.Wait())
	in.memory[0], in.memory[1] = in.memory[1], in.memory[0]
	fillOn(t, a, []int32{4}, 3, table, table)
	succeed(t, in.Submit(a), in.Wait())
	right := Want{Prompt: []int32{1, 2, 3, 4}, Tokens: 1, Biases: []engine.Bias{{Token: 1}}}.Answer(l)
	if a.Results[0].Token == right[0] {
		t.Error("one group's pages passed for the other's")
	}
}

// A step computes with the generation that it names, and with no other's pages.
func TestGenerationShows(t *testing.T) {
	in, a, b := newPair(t)
	second, err := in.Replace(Weights{Text: "second"}, nil)
	succeed(t, err)
	if in.Generation() != second || in.Digest(1) == in.Digest(second) {
		t.Errorf("generation %d, digests %s and %s", in.Generation(), in.Digest(1), in.Digest(second))
	}
	biases := []engine.Bias{{Token: 1}}
	one, two := Want{Prompt: prompt[:8], Tokens: 1, Biases: biases}.Answer(limits), Want{Prompt: prompt[:8], Tokens: 1, Biases: biases, Weights: Weights{Text: "second"}}.Answer(limits)
	fill(t, a, prompt[:8], 0)
	fillOn(t, b, prompt[:8], 0, engine.PageTable{Pages: []int32{4}})
	b.Generation = second
	succeed(t, in.Submit(a), in.Submit(b), in.Wait(), in.Wait())
	if a.Results[0].Token != one[0] || b.Results[0].Token != two[0] || one[0] == two[0] {
		t.Errorf("%d and %d, want %d and %d", a.Results[0].Token, b.Results[0].Token, one[0], two[0])
	}
	succeed(t, in.Retire(1))
	var refused *engine.BatchError
	if err := in.Submit(a); !errors.As(err, &refused) || refused.Field != "generation" {
		t.Errorf("a step of a retired generation: %v", err)
	}
	fill(t, a, prompt[8:9], 8) // it goes on where generation 1 computed
	a.Generation = second
	succeed(t, in.Submit(a), in.Wait())
	if right := (Want{Prompt: prompt[:9], Tokens: 1, Biases: biases, Weights: Weights{Text: "second"}}).Answer(limits); a.Results[0].Token == right[0] {
		t.Error("pages of another generation passed for those of this one")
	}
	if !slices.Equal(in.Retired(), []engine.Generation{1}) {
		t.Errorf("retired: %v", in.Retired())
	}
}

// A background step that gave way leaves nothing to go on from; computed again it is right.
func TestAbortLeavesNothing(t *testing.T) {
	right := Want{Prompt: prompt[:8], Tokens: 1, Biases: []engine.Bias{{Token: 1}}}.Answer(limits)
	for _, again := range []bool{true, false} {
		in, a, _ := newPair(t)
		in.Abort = func(step int) bool { return step == 0 }
		fill(t, a, prompt[:8], 0)
		a.Background = true
		succeed(t, in.Submit(a))
		if err := in.Wait(); !errors.Is(err, engine.ErrAborted) || !in.Steps()[0].Aborted || a.Results[0].Token == right[0] {
			t.Fatalf("the step gave way with %v, and %+v", err, a.Results[0])
		}
		if !again {
			fill(t, a, prompt[8:9], 8)
		}
		a.Background = true
		succeed(t, in.Submit(a))
		if err := in.Wait(); (err == nil) != again {
			t.Errorf("computed again: %v: %v", again, err)
		}
		if again && a.Results[0].Token != right[0] {
			t.Errorf("%d after all, want %d", a.Results[0].Token, right[0])
		}
	}
}

// A page in transfer is not written; a page that came back holds what went out.
func TestTransfers(t *testing.T) {
	in, a, _ := newPair(t)
	in.Transfer = make(chan struct{})
	fill(t, a, prompt[:8], 0)
	succeed(t, in.Submit(a), in.Wait())
	bytes := make([]byte, in.Limits().Groups[0].PageBytes)
	out, err := in.Export(1, 0, bytes)
	succeed(t, err)
	fill(t, a, prompt[8:10], 8)
	var refused *engine.BatchError
	if err := in.Submit(a); !errors.As(err, &refused) {
		t.Errorf("a page in transfer is written: %v", err)
	}
	in.Transfer <- struct{}{}
	succeed(t, out.Wait(), in.Submit(a), in.Wait())
	right := a.Results[0].Token

	in.memory[0][0] = page1
	back, err := in.Import(1, 5, bytes)
	succeed(t, err)
	select {
	case <-back.Done():
		t.Error("the transfer did not wait")
	default:
	}
	in.Transfer <- struct{}{}
	succeed(t, back.Wait(), in.CopyPages(1, []engine.PageCopy{{From: 5, To: 6}}))
	fillOn(t, a, prompt[8:10], 8, engine.PageTable{Pages: []int32{6}})
	succeed(t, in.Submit(a), in.Wait())
	if a.Results[0].Token != right {
		t.Errorf("behind a page that came back: %d, want %d", a.Results[0].Token, right)
	}
	if _, err := in.Export(1, 0, bytes[1:]); err == nil {
		t.Error("a short buffer was taken")
	}
}

// A copy that is asked for while a step is under way comes behind it: it has what that step writes, and what the step writes where it goes
// is lost.
func TestCopiesComeBehindTheStep(t *testing.T) {
	in, a, b := newPair(t)
	fill(t, a, prompt[:8], 0)
	fillOn(t, b, prompt[1:3], 0, engine.PageTable{Pages: []int32{6}})
	succeed(t, in.Submit(a), in.Submit(b), in.CopyPages(1, []engine.PageCopy{{From: 0, To: 6}}), in.Wait(), in.Wait())
	fillOn(t, a, prompt[8:9], 8, engine.PageTable{Pages: []int32{6}})
	succeed(t, in.Submit(a), in.Wait())
	if right := (Want{Prompt: prompt[:9], Tokens: 1, Biases: []engine.Bias{{Token: 1}}}).Answer(limits); a.Results[0].Token != right[0] {
		t.Errorf("behind a page that was copied: %d, want %d", a.Results[0].Token, right[0])
	}
}

// Sequences of one step are apart: nobody reads or writes what another writes.
func TestSequencesOfAStepAreApart(t *testing.T) {
	for name, second := range map[string][]int32{"both write a page": {0}, "one reads what the other writes": {3, 0, 2}} {
		in, a, _ := newPair(t)
		in.memory[0][3], in.memory[0][0] = page1, page1
		fill(t, a, prompt[:4], 0)
		if _, err := a.AddSequence([]int32{1}, 16*(len(second)-1), []engine.PageTable{{Pages: second}}); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(in.Submit(a), in.Wait()); !errors.Is(err, engine.ErrPoisoned) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
