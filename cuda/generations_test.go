//go:build cuda

package cuda

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"chimera/cuda/cudatest"
	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file holds instances to what they promise of weights that are replaced, of background steps, of pages that are
// shared and of pages in transfer.

// others are other weights for the odd model: its matrices have the types in another order.
func others(t *testing.T) engine.Weights {
	_, w := made(t, oddShape, engine.F32, engine.Q4_0, engine.Q8_0, engine.F16, engine.Q4_1, engine.BF16, engine.Q5_0)
	return w
}

// rowsWith computes a sequence from its start with a generation and returns the logits of its last row.
func rowsWith(t *testing.T, in engine.Instance, b *engine.Batch, g engine.Generation) []float32 {
	t.Helper()
	b.Reset()
	row := place(t, b, prompt(21, in.Limits().Vocab), 0, []int32{4, 2})
	ask(t, b, engine.Output{Row: row, Mode: engine.WholeRow, TopP: 1, Repetition: 1}, nil, nil)
	b.Generation = g
	if err := errors.Join(in.Submit(b), in.Wait()); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b.Logits)
}

// The weights that were and those that are give the bytes that each gives alone, while the others are loaded too; the
// memory of what is retired comes back.
func TestReplace(t *testing.T) {
	p, w := odd(t)
	o := options(p, engine.F16)
	cpu, other := load(t, onCPU(t), p, w, o), load(t, onCPU(t), p, others(t), o)
	b := gpu(t, "odd")
	on := load(t, b, p, w, o)
	batch := newBatch(t, on)
	want := [][]float32{nil, rowsWith(t, cpu, newBatch(t, cpu), 1), rowsWith(t, other, newBatch(t, other), 1)}
	if bytes.Equal(bytesOf(want[1]), bytesOf(want[2])) {
		t.Fatal("the weights say the same: nothing is shown")
	}
	check := func(when string, g engine.Generation) {
		t.Helper()
		if got := rowsWith(t, on, batch, g); !bytes.Equal(bytesOf(got), bytesOf(want[g])) {
			t.Errorf("%s, generation %d: %s", when, g, firstDifference(want[g], got))
		}
	}
	check("at first", 1)
	free, _ := b.Available()
	before := on.Plan().WeightBytes
	replaced := make(chan error)
	go func() {
		g, err := on.Replace(others(t), nil)
		if err == nil && g != 2 {
			err = fmt.Errorf("generation %d", g)
		}
		replaced <- err
	}()
	for loading := true; loading; {
		check("meanwhile", 1)
		select {
		case err := <-replaced:
			if err != nil {
				t.Fatal(err)
			}
			loading = false
		default:
		}
	}
	check("afterwards", 2)
	check("afterwards", 1)
	if on.Generation() != 2 || on.Digest(1) != cpu.Digest(1) || on.Digest(2) != other.Digest(1) || on.Digest(3) != "" {
		t.Errorf("generation %d, digests %q %q %q, the CPU's are %q %q", on.Generation(), on.Digest(1), on.Digest(2), on.Digest(3), cpu.Digest(1), other.Digest(1))
	}
	e := new(engine.BatchError)
	if err := on.Retire(2); !errors.As(err, &e) || e.Field != "generation" {
		t.Errorf("the newest is retired: %v", err)
	}
	if err := on.Retire(1); err != nil {
		t.Fatal(err)
	}
	if err := on.Retire(1); !errors.As(err, &e) || e.Field != "generation" {
		t.Errorf("retired twice: %v", err)
	}
	if now, _ := b.Available(); now != free+before-on.Plan().WeightBytes {
		t.Errorf("%d bytes are free, before it were %d with %d of weights that are %d now", now, free, before, on.Plan().WeightBytes)
	}
	batch.Generation = 1
	if err := on.Submit(batch); !errors.As(err, &e) || e.Field != "generation" {
		t.Errorf("a step with retired weights: %v", err)
	}
	check("in the end", 2)
}

// What does not fit is refused, and so are weights of another shape; the instance goes on.
func TestReplaceRefuses(t *testing.T) {
	p, w := odd(t)
	b := gpu(t, "odd")
	on := load(t, b, p, w, options(p, engine.F16))
	want := rowsWith(t, on, newBatch(t, on), 1)
	plan, err := b.Plan(p, others(t), options(p, engine.F16))
	if err != nil {
		t.Fatal(err)
	}
	free, _ := b.Available()
	need, total := plan.WeightBytes+plan.StagingBytes, int64(1<<30)
	cudatest.Configure(t, fmt.Sprintf("memory=%d", total-free+need-1))
	var room *engine.NoRoomError
	if _, err := on.Replace(others(t), nil); !errors.As(err, &room) || room.Need != need || room.Available != need-1 {
		t.Errorf("too little memory: %v", err)
	}
	cudatest.Configure(t, fmt.Sprintf("memory=%d", total))
	if _, err := on.Replace(&faulty{Weights: w, at: 9}, nil); !errors.Is(err, errDisk) {
		t.Errorf("a disk that is gone: %v", err)
	}
	_, small := made(t, tinyShape, engine.F32)
	if _, err := on.Replace(small, nil); !errors.Is(err, engine.ErrModelFile) {
		t.Errorf("another model's weights: %v", err)
	}
	if now, _ := b.Available(); now != free || on.Generation() != 1 {
		t.Errorf("%d bytes are free, before it were %d; generation %d", now, free, on.Generation())
	}
	if got := rowsWith(t, on, newBatch(t, on), 1); !bytes.Equal(bytesOf(got), bytesOf(want)) {
		t.Error(firstDifference(want, got))
	}
}

// A background step is short, and alone.
func TestBackground(t *testing.T) {
	_, on := both(t, engine.F16)
	b, second := newBatch(t, on), newBatch(t, on)
	refused := func(what, field string) {
		t.Helper()
		b.Generation, b.Background = 1, true
		if e, err := new(engine.BatchError), on.Submit(b); !errors.As(err, &e) || e.Field != field {
			t.Errorf("%s: %v", what, err)
		}
	}
	place(t, b, prompt(on.limits.BackgroundRows+1, on.limits.Vocab), 0, []int32{1, 2})
	refused("too many rows", "tokens")
	b.Reset()
	place(t, b, prompt(on.limits.BackgroundRows, on.limits.Vocab), 0, []int32{1, 2})
	place(t, second, []int32{1}, 0, []int32{3})
	second.Generation = 1
	if err := on.Submit(second); err != nil {
		t.Fatal(err)
	}
	refused("company", "depth")
	if err := on.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(on.Submit(b), on.Wait()); err != nil {
		t.Error(err)
	}
}

// reading is a program that attends to what `odd` has written to its first group, and has no group of its own.
func reading(t *testing.T, of *engine.Program) (*engine.Program, engine.Weights) {
	t.Helper()
	m := &maker{weights: enginetest.Tensors{}, types: []engine.DType{engine.F32}, Builder: engine.NewBuilder("test", oddShape.vocab, oddShape.context)}
	g := of.Group(1)
	g.Mask = engine.Cross
	x, q, a := m.Value("x", oddShape.width), m.Value("q", oddShape.heads*g.KeyWidth), m.Value("a", oddShape.heads*g.ValueWidth)
	last := m.OutputValue("last", oddShape.heads*g.ValueWidth)
	m.Add(engine.Embed{Table: m.matrix("embed", oddShape.vocab, oddShape.width), Scale: 1, Out: x})
	m.linears(x, plain(m.matrix("q", oddShape.heads*g.KeyWidth, oddShape.width), q))
	m.Add(engine.Attend{Group: m.Group(g), Layer: 1, Q: q, Out: a, Heads: oddShape.heads, Scale: 0.3})
	m.Add(engine.Rows{In: a, Out: last})
	m.Add(engine.Head{In: last, Weight: m.matrix("head", oddShape.vocab, oddShape.heads*g.ValueWidth), Scale: 1})
	p, err := m.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p, m.weights
}

// across lets one program write and another read that, and closes the writer before the last step.
func across(t *testing.T, b engine.Backend) (logits []float32) {
	t.Helper()
	p, w := odd(t)
	writer := load(t, b, p, w, options(p, engine.F16))
	r, rw := reading(t, p)
	o := options(r, engine.F16)
	o.Pages, o.Share = nil, writer
	reader := load(t, b, r, rw, o)
	from, to := newBatch(t, writer), newBatch(t, reader)
	place(t, from, prompt(39, oddShape.vocab), 0, []int32{7, 1, 3})
	run(t, writer, from)
	for _, n := range []int{1, 3} {
		to.Reset()
		row, err := to.AddSequence(prompt(n, oddShape.vocab), 0, []engine.PageTable{{Pages: []int32{7, 1, 3}, Length: 39}})
		if err != nil {
			t.Fatal(err)
		}
		ask(t, to, engine.Output{Row: int32(row + n - 1), Mode: engine.WholeRow, TopP: 1, Repetition: 1}, nil, nil)
		run(t, reader, to)
		logits = append(logits, to.Logits...)
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return logits
}

func TestSharedPages(t *testing.T) {
	b := gpu(t, "odd")
	if want, got := across(t, onCPU(t)), across(t, b); !bytes.Equal(bytesOf(got), bytesOf(want)) {
		t.Error(firstDifference(want, got))
	}
	p, w := odd(t)
	writer := load(t, b, p, w, options(p, engine.F16))
	r, rw := reading(t, p)
	for what, spoil := range map[string]func(o *engine.LoadOptions){
		"another KV type":   func(o *engine.LoadOptions) { o.Policy.KV = engine.F32 },
		"a closed one":      func(o *engine.LoadOptions) { _ = writer.Close() },
		"another backend's": func(o *engine.LoadOptions) { o.Share = load(t, onCPU(t), p, w, options(p, engine.F16)) },
	} {
		o := options(r, engine.F16)
		o.Pages, o.Share = nil, writer
		spoil(&o)
		if _, err := b.Load(r, rw, o); err == nil {
			t.Errorf("%s was taken", what)
		} else {
			wantText(t, err.Error(), "load option Share")
		}
	}
}

// While a page is on its way nobody may write it, nor read what is not there yet.
func TestPagesInTransfer(t *testing.T) {
	_, on := both(t, engine.F16)
	b := newBatch(t, on)
	held, release := make(chan struct{}), make(chan struct{})
	go func() {
		_ = on.device.do("holding", func() error { close(held); <-release; return nil })
	}()
	<-held
	page := make([]byte, on.limits.Groups[0].PageBytes)
	var moves []*engine.Ticket
	started := func(ticket *engine.Ticket, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
			return
		}
		moves = append(moves, ticket)
	}
	refused := func(what string, err error) {
		t.Helper()
		if e := new(engine.BatchError); !errors.As(err, &e) || e.Field != "pages" {
			t.Errorf("%s: %v", what, err)
		}
	}
	submit := func(first int, page int32) error {
		b.Reset()
		place(t, b, []int32{1}, first, []int32{page, 9})
		b.Generation = 1
		return on.Submit(b)
	}
	moved := func(_ *engine.Ticket, err error) error { return err }
	started(on.Export(1, 5, page))
	started(on.Export(1, 5, bytes.Clone(page)))
	started(on.Import(1, 6, bytes.Clone(page)))
	refused("writing what is exported", submit(0, 5))
	refused("writing what is imported", submit(0, 6))
	refused("reading what is imported", submit(16, 6))
	refused("copying over what is exported", on.CopyPages(1, []engine.PageCopy{{From: 1, To: 5}}))
	refused("copying what is imported", on.CopyPages(1, []engine.PageCopy{{From: 6, To: 1}}))
	refused("importing what is exported", moved(on.Import(1, 5, page)))
	refused("exporting what is imported", moved(on.Export(1, 6, page)))
	close(release)
	for _, m := range moves {
		if err := m.Wait(); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(submit(0, 5), on.Wait(), submit(16, 6), on.Wait()); err != nil {
		t.Error(err)
	}
}
