package enginetest

import (
	"errors"
	"slices"
	"testing"

	"chimera/engine"
)

// This file owns the proof that the instance notices what it exists to notice.

var limits = limitsOf(2, Full(8))

func limitsOf(depth int, groups ...engine.GroupLimits) engine.Limits {
	return engine.Limits{MaxTokens: 8, MaxSequences: 4, MaxOutputs: 4, MaxTop: 2, MaxContext: 64, Groups: groups, Vocab: 100, Depth: depth}
}

// newPair makes an instance with two batches.
func newPair(t *testing.T) (in *Instance, a, b *engine.Batch) {
	t.Helper()
	in = New(limits)
	a, errA := in.NewBatch()
	b, errB := in.NewBatch()
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	return in, a, b
}

// fill puts one sequence on page 0 and what follows into the batch, whose last row is sampled.
func fill(t *testing.T, b *engine.Batch, tokens []int32, first int) {
	t.Helper()
	fillOn(t, b, tokens, first, engine.PageTable{Pages: []int32{0, 1, 2, 3}})
}

func fillOn(t *testing.T, b *engine.Batch, tokens []int32, first int, tables ...engine.PageTable) {
	t.Helper()
	b.Reset()
	b.Generation = 1
	row, err := b.AddSequence(tokens, first, tables)
	if err != nil {
		t.Fatal(err)
	}
	o := engine.Output{Row: int32(row + len(tokens) - 1), Mode: engine.Sample, Top: 2}
	if _, err := b.AddOutput(o, nil, []engine.Bias{{Token: 1, Value: 2}}); err != nil {
		t.Fatal(err)
	}
}

// succeed fails the test if one of the calls went wrong.
func succeed(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// Three steps in a chain of unseen tokens are the answer of three known ones.
func TestUnseenTokensContinue(t *testing.T) {
	in, a, b := newPair(t)
	prompt := []int32{3, 5, 8}
	want := Want{Prompt: prompt, Tokens: 3, Biases: []engine.Bias{{Token: 1}}}.Answer(limits)
	fill(t, a, prompt, 0)
	succeed(t, in.Submit(a))
	fill(t, b, []int32{engine.PreviousRow(0)}, 3)
	succeed(t, in.Submit(b), in.Wait())
	got := []int32{a.Results[0].Token}
	fill(t, a, []int32{engine.PreviousRow(0)}, 4)
	succeed(t, in.Submit(a), in.Wait(), in.Wait())
	if got = append(got, b.Results[0].Token, a.Results[0].Token); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if steps := in.Steps(); len(steps) != 3 || steps[0].Ahead != 0 || steps[2].Ahead != 1 || in.UnderWay() != 0 {
		t.Errorf("%+v, %d under way", steps, in.UnderWay())
	}
}

// Until Wait a batch holds no result that anybody could take for one, and whatever is written to it ends the instance.
func TestBatchUnderWayIsTheInstances(t *testing.T) {
	for name, touch := range map[string]func(*engine.Batch){
		"token":    func(b *engine.Batch) { b.Tokens[0]++ },
		"position": func(b *engine.Batch) { b.Positions[0]++ },
		"page":     func(b *engine.Batch) { b.Pages[0]++ },
		"sequence": func(b *engine.Batch) { b.Sequences[0].TokenCount++ },
		"table":    func(b *engine.Batch) { b.Tables[0].Base++ },
		"output":   func(b *engine.Batch) { b.Outputs[0].Seed++ },
		"bias":     func(b *engine.Batch) { b.Biases[0].Value++ },
		"result":   func(b *engine.Batch) { b.Results[0].Token = 0 },
		"top":      func(b *engine.Batch) { b.Top[1].Token = 0 },
		"reset":    func(b *engine.Batch) { b.Reset() },
	} {
		in, a, _ := newPair(t)
		fill(t, a, []int32{1, 2}, 0)
		succeed(t, in.Submit(a))
		if r := a.Results[0]; int(r.Token) < limits.Vocab || r.Logit == r.Logit {
			t.Errorf("%s: a step under way shows %+v", name, r)
		}
		touch(a)
		if err := in.Wait(); !errors.Is(err, engine.ErrPoisoned) {
			t.Errorf("%s: changed while under way: %v", name, err)
		}
		if err := in.Submit(a); !errors.Is(err, engine.ErrPoisoned) {
			t.Errorf("%s: an instance that is poisoned took a step: %v", name, err)
		}
	}
}

// A caller that breaks a rule of Submit and Wait hears of it.
func TestBrokenRules(t *testing.T) {
	for name, breakRule := range map[string]func(in *Instance, a, b *engine.Batch) error{
		"twice": func(in *Instance, a, _ *engine.Batch) error { return errors.Join(in.Submit(a), in.Submit(a)) },
		"three": func(in *Instance, a, b *engine.Batch) error {
			c, _ := in.NewBatch()
			return errors.Join(in.Submit(a), in.Submit(b), in.Submit(c))
		},
		"wait for nothing": func(in *Instance, _, _ *engine.Batch) error { return in.Wait() },
		"unseen token without a step before": func(in *Instance, a, _ *engine.Batch) error {
			fill(t, a, []int32{engine.PreviousRow(0)}, 0)
			return errors.Join(in.Submit(a), in.Wait())
		},
		"an output that sampled nothing": func(in *Instance, a, b *engine.Batch) error {
			a.Outputs[0].Mode = engine.Score
			fill(t, b, []int32{engine.PreviousRow(0)}, 2)
			return errors.Join(in.Submit(a), in.Submit(b), in.Wait(), in.Wait())
		},
		"a background step beside another": func(in *Instance, a, b *engine.Batch) error {
			a.Background = true
			return errors.Join(in.Submit(a), in.Submit(b))
		},
		"a step beside a background one": func(in *Instance, a, b *engine.Batch) error {
			b.Background = true
			return errors.Join(in.Submit(a), in.Submit(b))
		},
		"the newest generation retires": func(in *Instance, a, _ *engine.Batch) error { return in.Retire(1) },
		"a generation retires twice": func(in *Instance, a, _ *engine.Batch) error {
			_, err := in.Replace(Weights{Text: "second"}, nil)
			return errors.Join(err, in.Retire(1), in.Retire(1))
		},
		"a generation retires that is needed": func(in *Instance, a, _ *engine.Batch) error {
			_, err := in.Replace(Weights{Text: "second"}, nil)
			return errors.Join(err, in.Submit(a), in.Retire(1))
		},
		"refused for good": func(in *Instance, a, _ *engine.Batch) error {
			in.Refuse = func(int) error { return engine.ErrPoisoned }
			return errors.Join(in.Submit(a), in.Wait())
		},
	} {
		in, a, b := newPair(t)
		fill(t, a, []int32{1, 2}, 0)
		fill(t, b, []int32{1, 2}, 0)
		if err := breakRule(in, a, b); !errors.Is(err, engine.ErrPoisoned) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
