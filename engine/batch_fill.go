package engine

import (
	"math"
	"slices"
)

// This file owns filling a batch, and the checks that stand between what is asked and C or GPU code, which
// trusts every index in it.

// BatchArrays are the memory that a backend gives to a batch, at full capacity.
type BatchArrays struct {
	Tokens, Positions, Pages, Targets []int32
	Vectors                           []float32
	Sequences                         []SequenceRows
	Tables                            []Table
	Outputs                           []Output
	Penalties                         []Penalty
	Biases                            []Bias
	Results                           []Result
	Top                               []TopToken
	TargetLogits, Logits, Taps        []float32
}

// NewBatch wraps a backend's arrays as an empty batch. Backends call it from Instance.NewBatch.
func NewBatch(l Limits, a BatchArrays) *Batch {
	b := &Batch{
		Tokens: a.Tokens, Positions: a.Positions, Vectors: a.Vectors, Pages: a.Pages, Sequences: a.Sequences, Tables: a.Tables,
		Outputs: a.Outputs, Penalties: a.Penalties, Biases: a.Biases, Targets: a.Targets,
		Results: a.Results, Top: a.Top, TargetLogits: a.TargetLogits, Logits: a.Logits, Taps: a.Taps, limits: l,
	}
	b.Reset()
	return b
}

// Reset empties the batch. It names no generation until one is set.
func (b *Batch) Reset() {
	b.Generation, b.Background = 0, false
	b.Tokens, b.Positions, b.Vectors, b.Pages = b.Tokens[:0], b.Positions[:0], b.Vectors[:0], b.Pages[:0]
	b.Sequences, b.Tables, b.Outputs = b.Sequences[:0], b.Tables[:0], b.Outputs[:0]
	b.Penalties, b.Biases, b.Targets = b.Penalties[:0], b.Biases[:0], b.Targets[:0]
	b.Results, b.Top, b.TargetLogits, b.Logits, b.Taps = b.Results[:0], b.Top[:0], b.TargetLogits[:0], b.Logits[:0], b.Taps[:0]
	b.rows, b.tapped = 0, 0
}

// Limits returns the limits that the batch was made for.
func (b *Batch) Limits() Limits { return b.limits }

// PageTable is what AddSequence is told of one group.
type PageTable struct {
	Base   int     // pages before Pages[0] that the sequence no longer has
	Pages  []int32 // at least up to the last position of the step; slots: read and written one
	Length int     // of mask Cross: positions that are there

	kept    bool // by PageIDs, that says which is the highest
	highest uint32
}

// AddVector appends an input row and returns the token that stands for it, for AddSequence.
func (b *Batch) AddVector(row []float32) (int32, error) {
	n := len(b.Vectors) / max(b.limits.VectorWidth, 1)
	switch {
	case n == b.limits.MaxVectors:
		return 0, &BatchError{Field: "vectors", Reason: "more than the step holds"}
	case len(row) != b.limits.VectorWidth:
		return 0, &BatchError{Field: "vectors", Reason: "a row of another width than the embedding's"}
	}
	b.Vectors = append(b.Vectors, row...)
	return VectorRow(n), nil
}

// AddSequence appends the tokens at positions first, first+1 ... of one sequence, with its table in each
// group. It returns the row of its first token. On an error the batch is as it was.
func (b *Batch) AddSequence(tokens []int32, first int, tables []PageTable) (row int, err error) {
	row = len(b.Tokens)
	if err := b.checkTokens(tokens, first); err != nil {
		return 0, err
	}
	if err := b.checkTables(first, first+len(tokens), tables); err != nil {
		return 0, err
	}
	b.Sequences = append(b.Sequences, SequenceRows{FirstToken: int32(row), TokenCount: int32(len(tokens))})
	b.Tokens = append(b.Tokens, tokens...)
	for i := range tokens {
		b.Positions = append(b.Positions, int32(first+i))
	}
	for g := range tables {
		b.addTable(&b.limits.Groups[g], &tables[g], first+len(tokens))
	}
	return row, nil
}

func (b *Batch) addTable(g *GroupLimits, t *PageTable, length int) {
	need := len(t.Pages)
	if g.Mask == Cross {
		length = t.Length
	}
	if !g.Slots {
		need = pagesTo(length) - t.Base
	}
	b.Tables = append(b.Tables, Table{First: int32(len(b.Pages)), Count: int32(need), Base: int32(t.Base), Length: int32(length)})
	b.Pages = append(b.Pages, t.Pages[:need]...)
}

// pagesTo is how many pages hold so many positions.
func pagesTo(positions int) int { return (positions + PageTokens - 1) / PageTokens }

func (b *Batch) checkTokens(tokens []int32, first int) error {
	switch {
	case len(tokens) == 0:
		return &BatchError{Field: "tokens", Reason: "a sequence without tokens"}
	case len(b.Tokens)+len(tokens) > b.limits.MaxTokens:
		return &BatchError{Field: "tokens", Reason: "more rows than the step holds"}
	case len(b.Sequences) == b.limits.MaxSequences:
		return &BatchError{Field: "sequences", Reason: "more sequences than the step holds"}
	case first < 0 || first > b.limits.MaxContext-len(tokens): // no sum, which might overflow
		return &BatchError{Field: "positions", Reason: "beyond the context"}
	}
	for _, t := range tokens {
		if err := b.checkToken(t); err != nil {
			return err
		}
	}
	return nil
}

// checkToken lets through ids, rows of Vectors, and rows of the step before where there can be one.
func (b *Batch) checkToken(t int32) error {
	vector, isVector := vectorOf(t)
	switch {
	case isVector && vector < len(b.Vectors)/max(b.limits.VectorWidth, 1):
		return nil
	case isVector:
		return &BatchError{Field: "tokens", Reason: "a vector that was not added"}
	case int(t) >= b.limits.Vocab:
		return &BatchError{Field: "tokens", Reason: "an id outside the vocabulary"}
	case t < 0 && (b.limits.Depth < 2 || int(-1-t) >= b.limits.MaxOutputs):
		return &BatchError{Field: "tokens", Reason: "a row of the step before, which has none such"}
	}
	return nil
}

func (b *Batch) checkTables(first, last int, tables []PageTable) error {
	if len(tables) != len(b.limits.Groups) {
		return &BatchError{Field: "tables", Reason: "not one for each group"}
	}
	total := len(b.Pages)
	for i := range tables {
		if err := b.limits.Groups[i].checkTable(&tables[i], first, last); err != nil {
			return err
		}
		total += len(tables[i].Pages)
	}
	if total > cap(b.Pages) {
		return &BatchError{Field: "pages", Reason: "page tables larger than the step holds"}
	}
	return nil
}

// checkTable wants every page that the rows from first to last read or write.
func (g *GroupLimits) checkTable(t *PageTable, first, last int) error {
	if g.Slots {
		return g.checkSlots(t, first)
	}
	if len(t.Pages) > 0 && uint64(highestOf(t)) >= uint64(g.Pages) {
		return &BatchError{Field: "pages", Reason: "a page outside the pool"}
	}
	length := last
	if g.Mask == Cross {
		length = t.Length
	}
	switch {
	case t.Base < 0 || t.Base > g.FirstSeen(first)/PageTokens:
		return &BatchError{Field: "pages", Reason: "positions that are seen were given away"}
	case length < 0 || length > math.MaxInt32 || len(t.Pages) < pagesTo(length)-t.Base:
		return &BatchError{Field: "pages", Reason: "fewer pages than positions"}
	case g.Mask == Bidirectional && first != 0:
		return &BatchError{Field: "positions", Reason: "a sequence in pieces, whose rows see all of it"}
	case g.Mask == Cross && length == 0:
		return &BatchError{Field: "pages", Reason: "nothing written to attend to"}
	case g.Written && length < last:
		return &BatchError{Field: "pages", Reason: "fewer positions than the step writes"}
	}
	return nil
}

func (g *GroupLimits) checkSlots(t *PageTable, first int) error {
	for _, p := range t.Pages {
		if (p < 0 || int(p) >= g.Pages) && p != NoSlot {
			return &BatchError{Field: "pages", Reason: "a slot outside the pool"}
		}
	}
	if len(t.Pages) != 2 || t.Pages[1] == NoSlot || t.Pages[0] == t.Pages[1] || (t.Pages[0] == NoSlot) != (first == 0) {
		return &BatchError{Field: "pages", Reason: "a sequence needs a slot to read, but at its start, and another to write"}
	}
	return nil
}

// AddOutput asks for o, with its penalties, biases and targets, and returns the output's index, which is also
// its index in Results. o.FirstPenalty and the like are filled in here.
func (b *Batch) AddOutput(o Output, penalties []Penalty, biases []Bias, targets ...int32) (int, error) {
	a := Ask(o)
	return b.AddAsked(&a, int(o.Row), penalties, biases, targets...)
}

// AddAsked is as AddOutput, for what a asks of the row.
func (b *Batch) AddAsked(a *Asked, row int, penalties []Penalty, biases []Bias, targets ...int32) (int, error) {
	if err := b.checkAsked(a, row); err != nil {
		return 0, err
	}
	if err := b.checkLists(penalties, biases, targets); err != nil {
		return 0, err
	}
	n := len(b.Outputs) + 1
	b.Outputs = append(b.Outputs, a.output)
	o := &b.Outputs[n-1]
	o.Row = int32(row)
	o.FirstPenalty, o.PenaltyCount = int32(len(b.Penalties)), int32(len(penalties))
	o.FirstBias, o.BiasCount = int32(len(b.Biases)), int32(len(biases))
	o.FirstTarget, o.TargetCount = int32(len(b.Targets)), int32(len(targets))
	b.Penalties = append(b.Penalties, penalties...)
	b.Biases = append(b.Biases, biases...)
	b.Targets = append(b.Targets, targets...)
	b.TargetLogits = b.TargetLogits[:len(b.Targets)]
	b.Results = b.Results[:n]
	b.Top = b.Top[:n*b.limits.MaxTop]
	if o.Mode&WholeRow != 0 {
		b.rows++
		b.Logits = b.Logits[:b.rows*b.limits.Vocab]
	}
	o.Tap = 0
	if o.Mode&Tapped != 0 {
		b.tapped++
		o.Tap = int32(b.tapped)
		b.Taps = b.Taps[:b.tapped*b.limits.TapWidth]
	}
	return n - 1, nil
}

func (b *Batch) checkAsked(a *Asked, row int) error {
	switch {
	case len(b.Outputs) == b.limits.MaxOutputs:
		return &BatchError{Field: "outputs", Reason: "more output rows than the step holds"}
	case row < 0 || row >= len(b.Tokens):
		return &BatchError{Field: "outputs", Reason: "a row outside the batch"}
	case a.output.Mask != 0:
		return &BatchError{Field: "outputs", Reason: "a token mask, and the instance has none"}
	case a.output.Mode&WholeRow != 0 && b.rows == b.limits.MaxRows:
		return &BatchError{Field: "outputs", Reason: "more whole rows than the step holds"}
	case a.output.Mode&Tapped != 0 && b.limits.TapWidth > 0 && b.tapped == b.limits.MaxTaps:
		return &BatchError{Field: "outputs", Reason: "more tapped rows than the step holds"}
	}
	return a.check(&b.limits)
}

func (b *Batch) checkLists(penalties []Penalty, biases []Bias, targets []int32) error {
	switch {
	case len(b.Penalties)+len(penalties) > cap(b.Penalties):
		return &BatchError{Field: "penalties", Reason: "more than the step holds"}
	case len(b.Biases)+len(biases) > cap(b.Biases):
		return &BatchError{Field: "biases", Reason: "more than the step holds"}
	case len(b.Targets)+len(targets) > cap(b.Targets):
		return &BatchError{Field: "targets", Reason: "more than the step holds"}
	}
	for _, t := range targets {
		if t < 0 || int(t) >= b.limits.Vocab {
			return &BatchError{Field: "targets", Reason: "an id outside the vocabulary"}
		}
	}
	for _, x := range biases { // infinite is what forbids a token
		if x.Value != x.Value {
			return &BatchError{Field: "biases", Reason: "one that is NaN"}
		}
	}
	return nil
}

// LogitRows is of how many outputs a step forms the logits.
func (b *Batch) LogitRows() (n int) {
	for i := range b.Outputs {
		if !b.Outputs[i].TapsAlone() {
			n++
		}
	}
	return n
}

// OutputError is why nothing of output i's results may be used, or nil. Where no logits were formed, which would show it, its states do.
func (b *Batch) OutputError(i int) error {
	o := &b.Outputs[i]
	states := o.TapsAlone()
	if states && !slices.ContainsFunc(b.TapsOf(i), notFinite) || !states && b.Results[i].NotFinite == 0 {
		return nil
	}
	return &NotFiniteError{Position: int(b.Positions[o.Row]), States: states}
}

func notFinite(x float32) bool { return x-x != 0 }

// TopOf returns the top tokens that output i asked for.
func (b *Batch) TopOf(i int) []TopToken {
	return b.Top[i*b.limits.MaxTop:][:b.Outputs[i].Top]
}

// TapsOf returns what the program's taps have of output i's row, one behind another; nothing if it did not ask.
func (b *Batch) TapsOf(i int) []float32 {
	o, width := &b.Outputs[i], b.limits.TapWidth
	if o.Tap == 0 {
		return nil
	}
	return b.Taps[int(o.Tap-1)*width:][:width]
}

// TargetLogitsOf returns the raw logits of the targets that output i listed.
func (b *Batch) TargetLogitsOf(i int) []float32 {
	o := &b.Outputs[i]
	return b.TargetLogits[o.FirstTarget:][:o.TargetCount]
}
