//go:build cuda

package cuda

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"chimera/engine"
)

// This file holds an instance to its promises, on small models that are made here: steps ahead, company, chunks, pages
// and sampling.

// both loads the odd model on the CPU and on the GPU.
func both(t *testing.T, kv engine.DType) (cpu engine.Instance, on *instance) {
	t.Helper()
	p, w := odd(t)
	return load(t, onCPU(t), p, w, options(p, kv)), load(t, gpu(t, "odd"), p, w, options(p, kv)).(*instance)
}

func prompt(n, vocab int) []int32 {
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32((i*i*7 + 3*i) % vocab)
	}
	return tokens
}

// pagesFrom are a sequence's pages: stride apart, so that tables are not in order.
func pagesFrom(first, count, stride int) []int32 {
	pages := make([]int32, count)
	for i := range pages {
		pages[i] = int32(first + i*stride%count)
	}
	return pages
}

func newBatch(t *testing.T, in engine.Instance) *engine.Batch {
	t.Helper()
	b, err := in.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// place adds tokens of a sequence and returns the row of the last.
func place(t *testing.T, b *engine.Batch, tokens []int32, first int, pages []int32) int32 {
	t.Helper()
	row, err := b.AddSequence(tokens, first, tables(b.Limits(), first, pages))
	if err != nil {
		t.Fatal(err)
	}
	return int32(row + len(tokens) - 1)
}

func ask(t *testing.T, b *engine.Batch, o engine.Output, penalties []engine.Penalty, biases []engine.Bias) {
	t.Helper()
	if _, err := b.AddOutput(o, penalties, biases); err != nil {
		t.Fatal(err)
	}
}

// choice is how sequence i of the tests samples.
func choice(i int) engine.Output {
	return engine.Output{Mode: engine.Sample | engine.LogSumExp, Temperature: 0.7 + float32(i)/5, TopP: 1, Repetition: 1, Seed: uint64(100 + i)}
}

// answers generates n tokens after each of three prompts, one step at a time, or always one step ahead. Every second
// step takes the sequences in the other order, so that rows and outputs change places.
func answers(t *testing.T, in engine.Instance, n int, ahead bool) (results [3][]engine.Result) {
	t.Helper()
	b := [2]*engine.Batch{newBatch(t, in), newBatch(t, in)}
	vocab := in.Limits().Vocab
	order := func(step int) []int {
		if step%2 == 1 {
			return []int{2, 1, 0}
		}
		return []int{0, 1, 2}
	}
	plan := func(step int) {
		now := b[step%2]
		now.Reset()
		for _, s := range order(step) {
			length := 5 + s
			tokens, first := prompt(length, vocab), 0
			if step > 0 {
				tokens, first = []int32{engine.PreviousRow(slices.Index(order(step-1), s))}, length+step-1
				if !ahead {
					tokens[0] = results[s][step-1].Token
				}
			}
			o := choice(s)
			o.Row = place(t, now, tokens, first, pagesFrom(10*s, 8, 3))
			ask(t, now, o, nil, nil)
		}
		now.Generation = 1
		if err := in.Submit(now); err != nil {
			t.Fatal(err)
		}
	}
	collect := func(step int) {
		if err := in.Wait(); err != nil {
			t.Fatal(err)
		}
		for i, s := range order(step) {
			results[s] = append(results[s], b[step%2].Results[i])
		}
	}
	for step := range n {
		plan(step)
		if ahead && step > 0 {
			collect(step - 1)
		}
		if !ahead {
			collect(step)
		}
	}
	if ahead {
		collect(n - 1)
	}
	return results
}

// A step that is submitted before the one before it is done gives what it would give afterwards.
func TestOneStepAhead(t *testing.T) {
	cpu, on := both(t, engine.F16)
	want := answers(t, cpu, 20, false)
	if slices.Equal(want[0][5:], want[1][5:]) {
		t.Fatal("the sequences say the same: nothing is shown")
	}
	for _, ahead := range []bool{false, true} {
		for s, got := range answers(t, on, 20, ahead) {
			if !slices.Equal(got, want[s]) {
				t.Errorf("ahead %v, sequence %d:\n%v, the CPU's\n%v", ahead, s, got, want[s])
			}
		}
	}
}

// lastRow computes the tokens in chunks and returns the last row's logits; with company other sequences stand before and
// behind it.
func lastRow(t *testing.T, in engine.Instance, tokens []int32, chunks []int, pages []int32, company bool) []float32 {
	t.Helper()
	b := newBatch(t, in)
	at := 0
	for _, n := range chunks {
		b.Reset()
		if company {
			place(t, b, prompt(3, in.Limits().Vocab), 0, []int32{100})
			place(t, b, []int32{7}, 0, []int32{101})
		}
		row := place(t, b, tokens[at:at+n], at, pages)
		if company {
			place(t, b, []int32{9}, 0, []int32{102})
		}
		for i := range min(row, 35) { // more rows than the head takes at a time
			ask(t, b, engine.Output{Row: i, Mode: engine.Score, Target: i, Top: 2, TopP: 1, Repetition: 1}, nil, nil)
		}
		ask(t, b, engine.Output{Row: row, Mode: engine.WholeRow, TopP: 1, Repetition: 1}, nil, nil)
		run(t, in, b)
		at += n
	}
	return slices.Clone(b.Logits)
}

// What a sequence gets depends on nothing but itself: not on company, nor chunks, nor where its pages lie.
func TestCompanyAndChunksDoNotShow(t *testing.T) {
	for _, kv := range []engine.DType{engine.F32, engine.F16, engine.Q8_0} {
		t.Run(kv.String(), func(t *testing.T) {
			cpu, on := both(t, kv)
			tokens := prompt(270, cpu.Limits().Vocab) // the second split of the attention has 14 positions
			want := lastRow(t, cpu, tokens, []int{64, 64, 64, 64, 14}, pagesFrom(0, 17, 1), false)
			if slices.Max(want)-slices.Min(want) < 1e-3 {
				t.Fatalf("logits without meaning: %v", want)
			}
			for _, c := range []struct {
				chunks  []int
				stride  int
				company bool
			}{
				{[]int{64, 64, 64, 64, 14}, 1, false},
				{[]int{59, 59, 59, 59, 33, 1}, 5, true},
				{[]int{1, 7, 8, 9, 32, 33, 50, 50, 30, 49, 1}, 3, false},
			} {
				got := lastRow(t, on, tokens, c.chunks, pagesFrom(20, 17, c.stride), c.company)
				if !bytes.Equal(bytesOf(got), bytesOf(want)) {
					t.Errorf("chunks %v, pages by %d, company %v: %s", c.chunks, c.stride, c.company, firstDifference(want, got))
				}
			}
		})
	}
}

// sampling are the ways to sample, one a sequence.
var sampling = []struct {
	output    engine.Output
	penalties []engine.Penalty
	biases    []engine.Bias
}{
	{output: engine.Output{Mode: engine.Sample | engine.LogSumExp | engine.Rank, TopP: 1, Repetition: 1, Top: 5}},
	{output: engine.Output{Mode: engine.Sample | engine.Score | engine.LogSumExp | engine.Rank, Target: 3, Temperature: 1.3, TopK: 7, TopP: 1, Repetition: 1, Seed: 1 << 40, Top: 1}},
	{output: engine.Output{Mode: engine.Sample | engine.WholeRow | engine.Rank, Temperature: 0.9, TopP: 0.6, Repetition: 1, Seed: 5, Choice: 2},
		biases: []engine.Bias{{Token: 9, Value: 2}, {Token: 17, Value: -100}}},
	{output: engine.Output{Mode: engine.Sample, Temperature: 2, TopP: 0.95, TopK: 60, MinP: 0.05, Repetition: 1.3, Presence: 0.5,
		Frequency: 0.3, Seed: 77, Top: 3},
		penalties: []engine.Penalty{{Token: 1, Seen: 2, Generated: 1}, {Token: 30, Seen: 1}, {Token: 202, Seen: 4, Generated: 4}},
		biases:    []engine.Bias{{Token: 30, Value: 1.5}}},
	{output: engine.Output{Mode: engine.Sample | engine.LogSumExp, Temperature: 1, TopP: 1, MinP: 0.2, Repetition: 1, Seed: 78, Top: 5}},
}

// Sampled tokens, what is reported of them, and lists of the largest logits are the CPU's, token by token.
func TestSamplingAsOnTheCPU(t *testing.T) {
	cpu, on := both(t, engine.F32)
	want, got := newBatch(t, cpu), newBatch(t, on)
	last := make([]int32, len(sampling))
	chosen := map[int32]bool{}
	for step := range 24 {
		for _, b := range []*engine.Batch{want, got} {
			b.Reset()
			for s, how := range sampling {
				tokens, first := prompt(4+s, b.Limits().Vocab), 0
				if step > 0 {
					tokens, first = last[s:s+1], 4+s+step-1
				}
				o := how.output
				o.Row = place(t, b, tokens, first, pagesFrom(10*s, 4, 1))
				ask(t, b, o, how.penalties, how.biases)
			}
		}
		run(t, cpu, want)
		run(t, on, got)
		if !slices.Equal(got.Results, want.Results) || !slices.Equal(got.Logits, want.Logits) {
			t.Fatalf("step %d: %v, the CPU's %v", step, got.Results, want.Results)
		}
		for s := range sampling {
			if !slices.Equal(got.TopOf(s), want.TopOf(s)) {
				t.Fatalf("step %d, sequence %d: the largest are %v, the CPU's %v", step, s, got.TopOf(s), want.TopOf(s))
			}
			if r := want.Results[s]; r.LogSumExp != 0 != (sampling[s].output.Mode&engine.LogSumExp != 0) || r.Rank != 0 && sampling[s].output.Mode&engine.Rank == 0 {
				t.Fatalf("step %d, sequence %d: %+v is not what was asked for", step, s, r)
			}
			last[s] = want.Results[s].Token
			chosen[last[s]] = true
		}
	}
	if len(chosen) < 30 {
		t.Errorf("%d tokens were chosen: too few to show anything", len(chosen))
	}
}

func exported(t *testing.T, in engine.Instance, g engine.GroupID, page int32, dst []byte) {
	t.Helper()
	if err := waited(in.Export(g, page, dst)); err != nil {
		t.Fatal(err)
	}
}

// Pages hold the CPU's bytes, and a sequence goes on from pages that were computed there.
func TestPagesAsOnTheCPU(t *testing.T) {
	for _, kv := range []engine.DType{engine.F32, engine.F16, engine.Q8_0} {
		t.Run(kv.String(), func(t *testing.T) {
			cpu, on := both(t, kv)
			tokens, pages, other := prompt(42, cpu.Limits().Vocab), pagesFrom(0, 3, 2), pagesFrom(50, 3, 1)
			lastRow(t, cpu, tokens[:41], []int{41}, pages, false)
			lastRow(t, on, tokens[:41], []int{1, 40}, pages, false)
			for i, limits := range on.Limits().Groups {
				g := engine.GroupID(i + 1)
				want, got := make([]byte, limits.PageBytes), make([]byte, limits.PageBytes)
				first := limits.FirstSeen(len(tokens)-1) / engine.PageTokens
				for i, page := range pages[first:] {
					exported(t, cpu, g, page, want)
					exported(t, on, g, page, got)
					if err := waited(on.Import(g, other[i+first], want)); err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(got, want) {
						t.Errorf("group %d: page %d differs", g, i)
					}
				}
				if err := on.CopyPages(g, []engine.PageCopy{{From: other[0], To: 60}, {From: other[1], To: 61}, {From: other[2], To: 62}}); err != nil {
					t.Fatal(err)
				}
			}
			next := func(in engine.Instance, pages []int32) []float32 {
				b := newBatch(t, in)
				ask(t, b, engine.Output{Row: place(t, b, tokens[41:], 41, pages), Mode: engine.WholeRow, TopP: 1, Repetition: 1}, nil, nil)
				run(t, in, b)
				return slices.Clone(b.Logits)
			}
			logits := next(cpu, pages)
			for _, from := range [][]int32{other, {60, 61, 62}} {
				if there := next(on, from); !bytes.Equal(bytesOf(there), bytesOf(logits)) {
					t.Errorf("from pages %v: %s", from, firstDifference(logits, there))
				}
			}
		})
	}
}

// A batch that breaks a rule is refused with its field, and the instance goes on.
func TestRefused(t *testing.T) {
	_, on := both(t, engine.F16)
	b, other := newBatch(t, on), newBatch(t, on)
	group := on.Limits().Groups[0]
	buffer, beyond := make([]byte, group.PageBytes), int32(group.Pages)
	refused := func(what, field string, err error) {
		t.Helper()
		if e := new(engine.BatchError); !errors.As(err, &e) || e.Field != field {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("an empty step", "tokens", on.Submit(b))
	refused("waiting for nothing", "depth", on.Wait())
	refused("a stranger", "batch", on.Submit(engine.NewBatch(on.Limits(), engine.BatchArrays{})))
	place(t, b, []int32{1}, 0, []int32{0})
	refused("no generation", "generation", on.Submit(b))
	b.Generation = 2
	refused("a generation that is not there", "generation", on.Submit(b))
	b.Generation, b.Tokens[0] = 1, engine.PreviousRow(0)
	refused("a token of no step", "tokens", on.Submit(b))
	for _, now := range []*engine.Batch{b, other} {
		now.Reset()
		o := choice(0)
		o.Row = place(t, now, []int32{1}, 0, []int32{0})
		ask(t, now, o, nil, nil)
		now.Generation = 1
	}
	if err := on.Submit(b); err != nil {
		t.Fatal(err)
	}
	refused("the same batch", "batch", on.Submit(b))
	other.Tokens[0] = engine.PreviousRow(1)
	refused("a token beyond the step's", "tokens", on.Submit(other))
	other.Tokens[0] = engine.PreviousRow(0)
	if err := on.Submit(other); err != nil {
		t.Fatal(err)
	}
	refused("a third step", "depth", on.Submit(other))
	moved := func(_ *engine.Ticket, err error) error { return err }
	refused("no such page", "pages", moved(on.Export(1, -1, buffer)))
	refused("no such page", "pages", moved(on.Import(1, beyond, buffer)))
	refused("no such group", "groups", moved(on.Import(3, 0, buffer)))
	refused("a short buffer", "pages", moved(on.Export(1, 0, buffer[1:])))
	refused("no such page", "pages", on.CopyPages(1, []engine.PageCopy{{From: 0, To: beyond}}))
	refused("no such group", "groups", on.CopyPages(0, nil))
	if err := errors.Join(on.Wait(), on.Wait()); err != nil {
		t.Error(err)
	}
}
