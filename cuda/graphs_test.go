//go:build cuda

package cuda

import (
	"bytes"
	"errors"
	"testing"

	"chimera/cuda/cudatest"
	"chimera/engine"
)

// This file holds the kept graphs to their bound, and to what is done when the device has no room for one.

// bucketTour runs a step in each of six buckets, twice, and returns all logits.
func bucketTour(t *testing.T, in engine.Instance) (logits []float32) {
	t.Helper()
	b := newBatch(t, in)
	for range 2 {
		for _, rows := range []int{1, 2, 3, 5, 9, 17} {
			b.Reset()
			row := place(t, b, prompt(rows, in.Limits().Vocab), 0, []int32{1, 2})
			ask(t, b, engine.Output{Row: row, Mode: engine.WholeRow, TopP: 1, Repetition: 1}, nil, nil)
			run(t, in, b)
			logits = append(logits, b.Logits...)
		}
	}
	return logits
}

// More buckets than graphs are kept: the least recently used goes, and comes back as it was.
func TestGraphsComeAndGo(t *testing.T) {
	cpu, on := both(t, engine.F16)
	want := bucketTour(t, cpu)
	for _, most := range []int{6, 2, 1} {
		on.graphs.most = most
		made := cudatest.Calls("cuStreamBeginCapture_v2")
		if got := bucketTour(t, on); !bytes.Equal(bytesOf(got), bytesOf(want)) {
			t.Errorf("at most %d graphs: %s", most, firstDifference(want, got))
		}
		made = cudatest.Calls("cuStreamBeginCapture_v2") - made
		if kept := cudatest.Live().Launched; kept != most || most == 6 && made != 6 || most < 6 && made < 10 {
			t.Errorf("at most %d graphs: %d are kept, %d were made", most, kept, made)
		}
		if err := on.device.do("clearing the graphs of", on.graphs.clear); err != nil {
			t.Fatal(err)
		}
	}
}

// A graph that the device has no room for costs the others theirs, and is made; if that is not enough, or there are no
// others, the instance is lost.
func TestNoRoomForAGraph(t *testing.T) {
	cpu, on := both(t, engine.F16)
	want := bucketTour(t, cpu)
	for nth := 2; nth <= 6; nth++ {
		if err := on.device.do("clearing the graphs of", on.graphs.clear); err != nil {
			t.Fatal(err)
		}
		cudatest.Fault(t, instantiating, nth, 2, 0)
		if got := bucketTour(t, on); !bytes.Equal(bytesOf(got), bytesOf(want)) {
			t.Error(firstDifference(want, got))
		}
	}
	if made := cudatest.Calls(instantiating); made < 5*(6+2) {
		t.Errorf("%d graphs were made: the others did not go", made)
	}
}

func TestNoRoomForAnyGraph(t *testing.T) {
	for _, cached := range []bool{false, true} {
		cudatest.Reset()
		p, w := made(t, tinyShape, engine.Q8_0, engine.F32)
		b, err := New(0, "tiny")
		if err != nil {
			t.Fatal(err)
		}
		in, err := b.Load(p, w, tinyOptions)
		if err != nil {
			t.Fatal(err)
		}
		batch := newBatch(t, in)
		if cached {
			place(t, batch, []int32{1}, 0, []int32{0})
			run(t, in, batch)
		}
		batch.Reset()
		place(t, batch, []int32{1, 2}, 0, []int32{0})
		cudatest.Fault(t, instantiating, 0, 2, 0)
		calls := cudatest.Calls(instantiating)
		batch.Generation = 1
		err = in.Submit(batch)
		if !errors.Is(err, engine.ErrPoisoned) || !errors.Is(err, ErrOutOfMemory) {
			t.Errorf("cached %v: %v", cached, err)
		} else {
			wantText(t, err.Error(), "graph of 2 rows", "GPU 0 (Fake GPU): "+instantiating+" while computing a step of tiny: out of memory")
		}
		tries := cudatest.Calls(instantiating) - calls
		if live := cudatest.Live().Launched; live != 0 || cached && tries != 2 || !cached && tries != 1 {
			t.Errorf("cached %v: %d tries, %d graphs left", cached, tries, live)
		}
		if again := in.Close(); again == nil || again.Error() != err.Error() || b.Close() == nil {
			t.Errorf("cached %v: closing: %v", cached, again)
		}
		letGo()
	}
	cudatest.Reset()
}
