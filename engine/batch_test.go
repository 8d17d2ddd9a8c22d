package engine

import (
	"errors"
	"math"
	"testing"
)

// This file holds Batch to what C and GPU code trust: every index in a batch is inside what it counts.

var batchLimits = Limits{
	MaxTokens: 40, MaxVectors: 2, VectorWidth: 3, MaxSequences: 3, MaxOutputs: 4, MaxRows: 1, MaxTop: 5, MaxContext: 64,
	Groups: []GroupLimits{
		{Name: "full", Pages: 8, Mask: Causal},
		{Name: "window", Pages: 6, Mask: Window, Window: 8},
		{Name: "slots", Pages: 4, Slots: true},
	},
	Vocab: 10, Depth: 1,
}

func newBatch(l Limits) *Batch {
	return NewBatch(l, BatchArrays{
		Tokens: make([]int32, l.MaxTokens), Positions: make([]int32, l.MaxTokens), Vectors: make([]float32, l.MaxVectors*l.VectorWidth),
		Pages: make([]int32, 24), Sequences: make([]SequenceRows, l.MaxSequences), Tables: make([]Table, l.MaxSequences*len(l.Groups)),
		Outputs: make([]Output, l.MaxOutputs), Penalties: make([]Penalty, 3), Biases: make([]Bias, 2), Targets: make([]int32, 4),
		Results: make([]Result, l.MaxOutputs), Top: make([]TopToken, l.MaxOutputs*l.MaxTop), TargetLogits: make([]float32, 4),
		Logits: make([]float32, l.MaxRows*l.Vocab), Taps: make([]float32, l.MaxTaps*l.TapWidth),
	})
}

// sequence is what a test spoils: 20 tokens from position 30 on.
type sequence struct {
	tokens []int32
	first  int
	tables []PageTable
}

func soundSequence() sequence {
	return sequence{tokens: make([]int32, 20), first: 30, tables: []PageTable{
		{Pages: []int32{0, 7, 1, 2}}, {Base: 1, Pages: []int32{5, 0, 1}}, {Pages: []int32{3, 0}},
	}}
}

func TestSequencesAreChecked(t *testing.T) {
	b := newBatch(batchLimits)
	s := soundSequence()
	if row, err := b.AddSequence(s.tokens, s.first, s.tables); err != nil || row != 0 {
		t.Fatal(row, err)
	}
	want := []Table{{First: 0, Count: 4, Length: 50}, {First: 4, Count: 3, Base: 1, Length: 50}, {First: 7, Count: 2, Length: 50}}
	for i, table := range want {
		if b.Tables[i] != table {
			t.Errorf("table %d is %+v, want %+v", i, b.Tables[i], table)
		}
	}
	for what, spoil := range map[string]func(s *sequence){
		"no tokens":                  func(s *sequence) { s.tokens = nil },
		"id == Vocab":                func(s *sequence) { s.tokens[19] = 10 },
		"a negative id":              func(s *sequence) { s.tokens[0] = -1 },
		"a vector that is not there": func(s *sequence) { s.tokens[0] = VectorRow(0) },
		"a negative position":        func(s *sequence) { s.first = -1 },
		"context + 1": func(s *sequence) {
			s.first = 45
			s.tables[0].Pages = make([]int32, 5)
			s.tables[1].Pages = make([]int32, 4)
		},
		"the last position there is":   func(s *sequence) { s.first = math.MaxInt },
		"positions that overflow":      func(s *sequence) { s.first = math.MaxInt - 19 },
		"positions beyond 32 bits":     func(s *sequence) { s.first = math.MaxInt32 - 19 },
		"a base that overflows":        func(s *sequence) { s.tables[1].Base = math.MaxInt },
		"the least base":               func(s *sequence) { s.tables[1].Base = math.MinInt },
		"page == Pages":                func(s *sequence) { s.tables[0].Pages[3] = 8 },
		"page == Pages of a window":    func(s *sequence) { s.tables[1].Pages[0] = 6 },
		"a negative page":              func(s *sequence) { s.tables[0].Pages[0] = -1 },
		"a page too few":               func(s *sequence) { s.tables[0].Pages = s.tables[0].Pages[:3] },
		"a window's page too few":      func(s *sequence) { s.tables[1].Pages = s.tables[1].Pages[:2] },
		"a window that lost a page":    func(s *sequence) { s.tables[1].Base = 2 },
		"pages lost without a window":  func(s *sequence) { s.tables[0].Base = 1 },
		"a negative base":              func(s *sequence) { s.tables[1].Base = -1 },
		"a table too few":              func(s *sequence) { s.tables = s.tables[:2] },
		"a table too many":             func(s *sequence) { s.tables = append(s.tables, PageTable{}) },
		"one slot":                     func(s *sequence) { s.tables[2].Pages = []int32{1} },
		"a slot read and written":      func(s *sequence) { s.tables[2].Pages = []int32{1, 1} },
		"no slot to read, in midst":    func(s *sequence) { s.tables[2].Pages = []int32{NoSlot, 1} },
		"no slot to write":             func(s *sequence) { s.tables[2].Pages = []int32{1, NoSlot} },
		"slot == Pages":                func(s *sequence) { s.tables[2].Pages = []int32{1, 4} },
		"a slot to read, at the start": func(s *sequence) { s.first, s.tables[1].Base = 0, 0 },
		"rows beyond the step":         func(s *sequence) { s.tokens = make([]int32, 21) },
	} {
		s := soundSequence()
		spoil(&s)
		before := [4]int{len(b.Tokens), len(b.Sequences), len(b.Tables), len(b.Pages)}
		_, err := b.AddSequence(s.tokens, s.first, s.tables)
		if refused := new(BatchError); !errors.As(err, &refused) {
			t.Errorf("%s: %v", what, err)
		}
		if after := [4]int{len(b.Tokens), len(b.Sequences), len(b.Tables), len(b.Pages)}; after != before {
			t.Errorf("%s: the batch was %v and is %v", what, before, after)
		}
	}
	if _, err := b.AddSequence(s.tokens, s.first, s.tables); err != nil {
		t.Error("what fits exactly:", err)
	}
}

// TestSequencesOfAStep: as many as Limits says, with page tables that fill their array.
func TestSequencesOfAStep(t *testing.T) {
	b := newBatch(batchLimits)
	one := func() error {
		_, err := b.AddSequence([]int32{0}, 0, []PageTable{{Pages: []int32{0}}, {Pages: []int32{0}}, {Pages: []int32{NoSlot, 0}}})
		return err
	}
	for range 3 {
		if err := one(); err != nil {
			t.Fatal(err)
		}
	}
	if one() == nil {
		t.Error("a fourth sequence was taken")
	}
	b.Reset()
	if _, err := b.AddSequence([]int32{0}, 0, []PageTable{{Pages: make([]int32, 22)}, {Pages: []int32{0}}, {Pages: []int32{NoSlot, 0}}}); err == nil {
		t.Error("page tables of 25 entries fit in 24")
	}
}

func TestMasksOfTables(t *testing.T) {
	l := batchLimits
	l.Groups = []GroupLimits{{Pages: 8, Mask: Bidirectional}, {Pages: 8, Mask: Cross}}
	b := newBatch(l)
	for _, c := range []struct {
		first    int
		own, far PageTable
		ok       bool
	}{
		{0, PageTable{Pages: []int32{0}}, PageTable{Pages: []int32{1, 2}, Length: 17}, true},
		{16, PageTable{Pages: []int32{0, 1}}, PageTable{Pages: []int32{1}, Length: 1}, false}, // in pieces
		{0, PageTable{Pages: []int32{0}}, PageTable{Pages: []int32{1}, Length: 17}, false},
		{0, PageTable{Pages: []int32{0}}, PageTable{Pages: []int32{1}}, false},
		{0, PageTable{Pages: []int32{0}}, PageTable{Pages: []int32{1}, Length: -1}, false},
		{0, PageTable{Pages: []int32{0}}, PageTable{Pages: []int32{1}, Length: math.MaxInt}, false},
		{0, PageTable{Pages: []int32{0}}, PageTable{Pages: []int32{1}, Length: math.MaxInt - 15}, false},
		{0, PageTable{Pages: []int32{0}}, PageTable{Pages: []int32{1}, Length: math.MaxInt32 + 1}, false},
		{0, PageTable{Pages: []int32{0}}, PageTable{Pages: []int32{1}, Length: math.MinInt}, false},
		{0, PageTable{Pages: []int32{0}}, PageTable{Pages: []int32{1}, Length: 1, Base: 1}, false},
		{math.MaxInt, PageTable{Pages: []int32{0}}, PageTable{Pages: []int32{1}, Length: 1}, false},
	} {
		b.Reset()
		if _, err := b.AddSequence([]int32{1, 2}, c.first, []PageTable{c.own, c.far}); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
		if n := len(b.Tokens) + len(b.Sequences) + len(b.Tables) + len(b.Pages); !c.ok && n > 0 {
			t.Errorf("%+v: refused, and the batch holds %d of it", c, n)
		}
		if c.ok && (b.Tables[1] != Table{First: 1, Count: 2, Length: 17}) {
			t.Errorf("the far table is %+v", b.Tables[1])
		}
	}
}

// TestPositionsOfNoTable: where no group bounds the positions, the context does.
func TestPositionsOfNoTable(t *testing.T) {
	for name, c := range map[string]struct {
		groups []GroupLimits
		tables []PageTable
	}{
		"no groups":  {},
		"slots":      {[]GroupLimits{{Pages: 4, Slots: true}}, []PageTable{{Pages: []int32{1, 2}}}},
		"cross":      {[]GroupLimits{{Pages: 4, Mask: Cross}}, []PageTable{{Pages: []int32{1, 2}, Length: 5}}},
		"all others": {[]GroupLimits{{Pages: 4, Slots: true}, {Pages: 4, Mask: Cross}}, []PageTable{{Pages: []int32{1, 2}}, {Pages: []int32{1}, Length: 5}}},
	} {
		l := batchLimits
		l.Groups = c.groups
		b := newBatch(l)
		for first, ok := range map[int]bool{l.MaxContext - 1: true, l.MaxContext: false, math.MaxInt32: false, math.MaxInt: false, math.MinInt: false, -1: false} {
			b.Reset()
			if _, err := b.AddSequence([]int32{1}, first, c.tables); (err == nil) != ok {
				t.Errorf("%s, position %d: %v", name, first, err)
			}
		}
	}
}

// TestWrittenForOthers: the program that writes a group of mask Cross needs pages for what it writes, whatever is
// there already.
func TestWrittenForOthers(t *testing.T) {
	l := batchLimits
	l.Groups = []GroupLimits{{Pages: 8, Mask: Cross, Written: true}}
	b := newBatch(l)
	for length, ok := range map[int]bool{1: false, 17: false, 18: true, 30: true} {
		b.Reset()
		if _, err := b.AddSequence([]int32{1, 2}, 16, []PageTable{{Pages: []int32{1, 2}, Length: length}}); (err == nil) != ok {
			t.Errorf("%d positions behind a step that writes up to 18: %v", length, err)
		}
	}
}

func TestVectors(t *testing.T) {
	b := newBatch(batchLimits)
	if _, err := b.AddVector([]float32{1, 2}); err == nil {
		t.Error("a short vector was taken")
	}
	for i := range 2 {
		token, err := b.AddVector([]float32{1, 2, 3})
		if err != nil || token != VectorRow(i) {
			t.Fatal(token, err)
		}
	}
	if _, err := b.AddVector([]float32{1, 2, 3}); err == nil {
		t.Error("a third vector was taken")
	}
	tables := []PageTable{{Pages: []int32{0}}, {Pages: []int32{0}}, {Pages: []int32{NoSlot, 0}}}
	if _, err := b.AddSequence([]int32{VectorRow(1), 3, VectorRow(0)}, 0, tables); err != nil {
		t.Error(err)
	}
	if _, err := b.AddSequence([]int32{VectorRow(2)}, 0, tables); err == nil {
		t.Error("a vector that was not added was taken")
	}
}

// TestPreviousRows: where two steps may be under way, a token may be a row of the one before.
func TestPreviousRows(t *testing.T) {
	l := batchLimits
	l.Depth = 2
	b := newBatch(l)
	tables := []PageTable{{Pages: []int32{0}}, {Pages: []int32{0}}, {Pages: []int32{NoSlot, 0}}}
	if _, err := b.AddSequence([]int32{PreviousRow(3)}, 0, tables); err != nil {
		t.Error(err)
	}
	if _, err := b.AddSequence([]int32{PreviousRow(4)}, 0, tables); err == nil {
		t.Error("a row that no step has was taken")
	}
}

func TestOutputsAreChecked(t *testing.T) {
	b := newBatch(batchLimits)
	s := soundSequence()
	if _, err := b.AddSequence(s.tokens, s.first, s.tables); err != nil {
		t.Fatal(err)
	}
	type ask struct {
		o         Output
		penalties []Penalty
		biases    []Bias
		targets   []int32
	}
	for what, c := range map[string]ask{
		"a row beyond the batch":            {o: Output{Row: 20, Mode: Sample}},
		"a negative row":                    {o: Output{Row: -1, Mode: Sample}},
		"Top beyond what was loaded":        {o: Output{Mode: Sample, Top: 6}},
		"a negative Top":                    {o: Output{Mode: Sample, Top: -1}},
		"an unknown mode":                   {o: Output{Mode: Sample | 1<<5}},
		"a negative mode":                   {o: Output{Mode: -1}},
		"a bias that is NaN":                {o: Output{Mode: Sample}, biases: []Bias{{Value: float32(math.NaN())}}},
		"target == Vocab":                   {o: Output{Mode: Score, Target: 10}},
		"a negative target":                 {o: Output{Mode: Score, Target: -1}},
		"target == Vocab without a mode":    {o: Output{Target: 10}},
		"a token mask":                      {o: Output{Mode: Sample, Mask: 1}},
		"more penalties than there is room": {o: Output{Mode: Sample}, penalties: make([]Penalty, 4)},
		"more biases than there is room":    {o: Output{Mode: Sample}, biases: make([]Bias, 3)},
		"more targets than there is room":   {o: Output{Mode: Sample}, targets: make([]int32, 5)},
		"listed target == Vocab":            {o: Output{Mode: Sample}, targets: []int32{1, 10}},
		"a negative listed target":          {o: Output{Mode: Sample}, targets: []int32{-1}},
	} {
		_, err := b.AddOutput(c.o, c.penalties, c.biases, c.targets...)
		if refused := new(BatchError); !errors.As(err, &refused) || len(b.Outputs)+len(b.Penalties)+len(b.Biases)+len(b.Targets) > 0 {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range 4 {
		o := Output{Row: 19, Mode: Sample | Score, Target: 9, Top: 5}
		if i == 0 {
			o.Mode |= WholeRow
		}
		if at, err := b.AddOutput(o, make([]Penalty, 1-i/3), nil, int32(i)); err != nil || at != i || b.Outputs[i].FirstTarget != int32(i) {
			t.Fatal(at, err)
		}
	}
	if _, err := b.AddOutput(Output{Mode: Sample}, nil, nil); err == nil {
		t.Error("a fifth output was taken")
	}
	if len(b.TargetLogitsOf(3)) != 1 || len(b.TopOf(3)) != 5 || len(b.Logits) != 10 {
		t.Errorf("%d target logits, %d top tokens, %d logits", len(b.TargetLogitsOf(3)), len(b.TopOf(3)), len(b.Logits))
	}
	b.Reset()
	if _, err := b.AddSequence(s.tokens, s.first, s.tables); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false} {
		if _, err := b.AddOutput(Output{Mode: WholeRow}, nil, nil); (err == nil) != want {
			t.Errorf("whole row %d: %v", i, err)
		}
	}
}

// TestSamplingNumbers: what a draw can't mean is refused, the ends of what it can mean are taken.
func TestSamplingNumbers(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for what, c := range map[string]struct {
		set       func(o *Output, x float32)
		good, bad []float32
	}{
		"temperature": {func(o *Output, x float32) { o.Temperature = x }, []float32{0, 2, math.MaxFloat32}, []float32{-0.5, nan, inf, -inf}},
		"top-k":       {func(o *Output, x float32) { o.TopK = int32(x) }, []float32{0, 1, 1 << 30}, []float32{-1, math.MinInt32}},
		"top-p":       {func(o *Output, x float32) { o.TopP = x }, []float32{0, 0.9, 1}, []float32{-0.1, 1.01, nan, inf}},
		"min-p":       {func(o *Output, x float32) { o.MinP = x }, []float32{0, 0.1, 1}, []float32{-0.1, 1.01, nan, -inf}},
		"repetition":  {func(o *Output, x float32) { o.Repetition = x }, []float32{0, 0.5, 1.3}, []float32{-1, nan, inf}},
		"presence":    {func(o *Output, x float32) { o.Presence = x }, []float32{-2, 0, 2}, []float32{nan, inf, -inf}},
		"frequency":   {func(o *Output, x float32) { o.Frequency = x }, []float32{-2, 0, 2}, []float32{nan, inf, -inf}},
	} {
		for i, x := range append(c.good, c.bad...) {
			o := Output{Mode: Sample | Rank, Temperature: 1, TopP: 1, Repetition: 1}
			c.set(&o, x)
			if err := o.Check(batchLimits); (err == nil) != (i < len(c.good)) {
				t.Errorf("%s of %g: %v", what, x, err)
			}
			if o.Mode = LogSumExp; o.Check(batchLimits) != nil {
				t.Errorf("%s of %g is refused of an output that draws nothing", what, x)
			}
		}
	}
}

// TestReset: nothing of a step enters the next, whatever it was.
func TestReset(t *testing.T) {
	b := newBatch(batchLimits)
	for range 2 {
		if b.Generation != 0 || b.Background || len(b.Tokens)+len(b.Positions)+len(b.Vectors)+len(b.Sequences)+len(b.Tables)+len(b.Pages)+len(b.Outputs)+
			len(b.Penalties)+len(b.Biases)+len(b.Targets)+len(b.Results)+len(b.Top)+len(b.TargetLogits)+len(b.Logits) != 0 {
			t.Errorf("an empty batch holds %+v", b)
		}
		b.Generation, b.Background = 3, true
		v, err := b.AddVector([]float32{1, 2, 3})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.AddSequence([]int32{v}, 0, []PageTable{{Pages: []int32{0}}, {Pages: []int32{0}}, {Pages: []int32{NoSlot, 0}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.AddOutput(Output{Mode: Sample | WholeRow}, make([]Penalty, 3), make([]Bias, 2), 1, 2, 3, 4); err != nil {
			t.Fatal(err)
		}
		b.Reset()
	}
}

// TestTopOfASmallVocabulary: a row has no more tokens than its vocabulary.
func TestTopOfASmallVocabulary(t *testing.T) {
	l := batchLimits
	l.Vocab = 4
	b := newBatch(l)
	if _, err := b.AddSequence([]int32{3}, 0, []PageTable{{Pages: []int32{0}}, {Pages: []int32{0}}, {Pages: []int32{NoSlot, 0}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.AddOutput(Output{Mode: Sample, Top: 5}, nil, nil); err == nil {
		t.Error("the five largest of four were taken")
	}
}

// TestTickets: a ticket is done once, with the error it was ended with.
func TestTickets(t *testing.T) {
	ticket, end := NewTicket()
	select {
	case <-ticket.Done():
		t.Fatal("done before the end")
	default:
	}
	cause := errors.New("x")
	go end(cause)
	if err := ticket.Wait(); err != cause {
		t.Error(err)
	}
}
