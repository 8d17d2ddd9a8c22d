package engine

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// This file holds taps to what backends trust: each tapped output has a row of its own, and there are no more than the step holds.

func TestTapsOfABatch(t *testing.T) {
	l := batchLimits
	l.MaxTaps, l.TapWidth = 2, 3
	b := newBatch(l)
	for i := range b.Taps[:6] {
		b.Taps[:6][i] = float32(i)
	}
	for range 2 { // the second time it was reset
		s := soundSequence()
		if _, err := b.AddSequence(s.tokens, s.first, s.tables); err != nil {
			t.Fatal(err)
		}
		for i, mode := range []OutputMode{Tapped, Sample, Tapped | Score} {
			if _, err := b.AddOutput(Output{Row: int32(i), Mode: mode, Tap: 7}, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.AddOutput(Output{Mode: Tapped}, nil, nil); err == nil {
			t.Error("a third tapped output was taken")
		}
		if first, last := b.TapsOf(0), b.TapsOf(2); len(first) != 3 || first[0] != 0 || len(last) != 3 || last[0] != 3 || b.TapsOf(1) != nil {
			t.Errorf("taps %v and %v, and %v of an output that did not ask", first, last, b.TapsOf(1))
		}
		if len(b.Taps) != 6 || b.Outputs[1].Tap != 0 {
			t.Errorf("%d elements, and row %d of an output that did not ask", len(b.Taps), b.Outputs[1].Tap)
		}
		b.Reset()
	}
}

// What was checked on an instance with taps is checked again on one without.
func TestTapsThatAreNotThere(t *testing.T) {
	a, l := Ask(Output{Mode: Tapped}), batchLimits
	l.MaxTaps, l.TapWidth = 2, 3
	for _, limits := range []Limits{l, batchLimits} {
		b := newBatch(limits)
		s := soundSequence()
		if _, err := b.AddSequence(s.tokens, s.first, s.tables); err != nil {
			t.Fatal(err)
		}
		_, err := b.AddAsked(&a, 0, nil, nil)
		if refused := new(BatchError); limits.TapWidth == 0 && (!errors.As(err, &refused) || !strings.Contains(err.Error(), "taps")) || limits.TapWidth > 0 && err != nil {
			t.Errorf("%d wide: %v", limits.TapWidth, err)
		}
	}
}

// An output of which states alone are asked has no logits, and its states tell whether they are numbers.
func TestTapsAlone(t *testing.T) {
	l := batchLimits
	l.MaxTaps, l.TapWidth = 4, 3
	b := newBatch(l)
	for range 2 { // the second time it was reset
		s := soundSequence()
		if _, err := b.AddSequence(s.tokens, s.first, s.tables); err != nil {
			t.Fatal(err)
		}
		for i, o := range []Output{{Mode: Tapped}, {Mode: Tapped | LogSumExp}, {Mode: Tapped, Top: 1}} {
			o.Row = int32(i)
			if _, err := b.AddOutput(o, nil, nil); err != nil || b.LogitRows() != i {
				t.Fatalf("%d rows with logits: %v", b.LogitRows(), err)
			}
		}
		if _, err := b.AddOutput(Output{Row: 3, Mode: Tapped}, nil, nil, 5); err != nil || b.LogitRows() != 3 {
			t.Fatalf("with a target: %d rows with logits: %v", b.LogitRows(), err)
		}
		for i := range b.Outputs {
			b.Results[i] = Result{NotFinite: int32(1 - i%2)}
			copy(b.TapsOf(i), []float32{1, -2, math.MaxFloat32})
			if err := b.OutputError(i); (err == nil) != (i != 2) {
				t.Errorf("output %d: %v", i, err)
			}
		}
		for at, x := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
			copy(b.TapsOf(0), make([]float32, 3))
			b.TapsOf(0)[at] = x
			b.TapsOf(1)[at] = x
			wrong := (*NotFiniteError)(nil)
			if err := b.OutputError(0); !errors.As(err, &wrong) || !wrong.States || wrong.Position != 30 || !strings.Contains(err.Error(), "states that are NaN or infinite at position 30") {
				t.Errorf("%v: %v", x, err)
			}
			if err := b.OutputError(1); err != nil {
				t.Errorf("one whose logits are numbers: %v", err)
			}
		}
		b.Reset()
	}
}

func TestTapsOfAProgram(t *testing.T) {
	build := func(rows Domain, width int, tap ...ValueID) (*Program, error) {
		b := NewBuilder("test", 4, 8)
		x, other, out := b.Value("x", 8), b.ValueOf(rows, "other", width), b.OutputValue("out", 8)
		b.Add(Embed{Table: b.Weight("table", 4, 8), Scale: 1, Out: x})
		b.Add(Rows{In: x, Out: out})
		for _, v := range tap {
			b.Add(Tap{Name: "here", In: v})
		}
		b.Add(Head{In: out, Weight: b.Weight("table", 4, 8), Scale: 1})
		_ = other
		return b.Program()
	}
	if p, err := build(PerToken, 3, 1, 3, 1); err != nil || p.TapWidth() != 24 {
		t.Errorf("%v, %v", p, err)
	}
	if p, err := build(PerToken, 3); err != nil || p.TapWidth() != 0 {
		t.Errorf("%v, %v", p, err)
	}
	for says, tap := range map[string]ValueID{"read before it is written": 2, "value 9 of 3": 9, "domain 0": NoValue} {
		if _, err := build(PerToken, 3, tap); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("value %d: %v, want %q", tap, err, says)
		}
	}
	if _, err := build(PerSequence, 3, 2); err == nil || !strings.Contains(err.Error(), "those of tokens and outputs") {
		t.Errorf("rows of sequences: %v", err)
	}
	if _, err := build(PerToken, 1<<31-8, 1, 2); err == nil || !strings.Contains(err.Error(), "wide together") {
		t.Errorf("%v", err)
	}
}
