package engine

import "testing"

// TestAsked: what is asked again and again is refused again and again, and by each batch whose limits it is beyond.
func TestAsked(t *testing.T) {
	one := func(vocab, top int) *Batch {
		l := batchLimits
		l.Vocab, l.MaxTop = vocab, top
		b, s := newBatch(l), soundSequence()
		if _, err := b.AddSequence(s.tokens, s.first, s.tables); err != nil {
			t.Fatal(err)
		}
		return b
	}
	a := Ask(Output{Mode: Sample | Score, Target: 9, Top: 2, TopP: 1, Repetition: 1})
	for i, c := range []struct {
		b    *Batch
		row  int
		want bool
	}{
		{one(10, 2), 3, true},
		{one(10, 2), 20, false}, // a row outside the batch
		{one(10, 2), -1, false},
		{one(9, 2), 3, false}, // a target outside the vocabulary
		{one(9, 2), 3, false},
		{one(10, 1), 3, false}, // more top tokens
		{one(10, 2), 4, true},
	} {
		n, err := c.b.AddAsked(&a, c.row, nil, nil)
		if (err == nil) != c.want {
			t.Errorf("case %d: %v", i, err)
		} else if err == nil && (n != 0 || c.b.Outputs[0].Row != int32(c.row) || c.b.Outputs[0].Target != 9) {
			t.Errorf("case %d: output %d is %+v", i, n, c.b.Outputs)
		}
	}
}
