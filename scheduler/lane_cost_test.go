package scheduler

import (
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// slowly has its steps take so long by a clock: 10 ms, and a millisecond for each row.
type slowly struct {
	*enginetest.Instance
	clock time.Time
	rows  []int
}

func (s *slowly) Submit(b *engine.Batch) error {
	s.rows = append(s.rows, len(b.Tokens))
	return s.Instance.Submit(b)
}

func (s *slowly) Wait() error {
	s.clock = s.clock.Add(10*time.Millisecond + time.Duration(s.rows[0])*time.Millisecond)
	s.rows = s.rows[1:]
	return s.Instance.Wait()
}

// A lane's cost model learns what its steps take, from the end of the step before where that was under way.
func TestLaneLearnsItsCosts(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		in := &slowly{Instance: enginetest.New(l), clock: time.Unix(1000, 0)}
		loop := NewLoop(LoopConfig{Now: func() time.Time { return in.clock }, Synchronous: true})
		lane, err := loop.Add(in, Config{StepTokens: 64, QueueLength: 100})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			if _, err := lane.Submit(t.Context(), greedy(prompt(i, 1+i*37%200, 0), 5+i%20)); err != nil {
				t.Fatal(err)
			}
		}
		for worked := true; worked; {
			if worked, err = loop.Turn(); err != nil {
				t.Fatal(err)
			}
		}
		s := lane.Cost()
		if s.Steps != lane.Snapshot().Steps || s.Steps < 100 || s.ErrorP90 > 0.15 {
			t.Errorf("%+v", s)
		}
		model := CostFrom(s)
		for rows, want := range map[int]time.Duration{8: 18 * time.Millisecond, 64: 74 * time.Millisecond} {
			got := model.Predict(Shape{Decode: 8, Prefill: rows - 8, Outputs: 8, Attention: float64(rows * 60)})
			if got < want*8/10 || got > want*12/10 {
				t.Errorf("%d rows are said to take %v, they take %v: %+v", rows, got, want, s)
			}
		}
	})
}

// A sequence's times are the loop's.
func TestSequencesLiveByTheLoopsClock(t *testing.T) {
	in := &slowly{Instance: enginetest.New(testLimits(1)), clock: time.Unix(1000, 0)}
	loop := NewLoop(LoopConfig{Now: func() time.Time { return in.clock }, Synchronous: true})
	lane, err := loop.Add(in, Config{StepTokens: 64, QueueLength: 100})
	if err != nil {
		t.Fatal(err)
	}
	seq, err := lane.Submit(t.Context(), greedy(prompt(1, 4, 0), 1))
	if err != nil {
		t.Fatal(err)
	}
	in.clock = in.clock.Add(time.Hour)
	if _, err := loop.Turn(); err != nil {
		t.Fatal(err)
	}
	e, err := seq.Next(t.Context())
	if err != nil || !e.At.Equal(in.clock) || seq.Waited() != time.Hour {
		t.Errorf("%+v, %v; it waited for %v", e, err, seq.Waited())
	}
}
