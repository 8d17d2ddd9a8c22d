package engine

// This file owns Batch: one step as flat arrays, and the rules that a batch keeps.

// PageTokens is the number of positions in a KV page. It equals the number of virtual softmax
// lanes (position mod 16), so that a page is one vector of scores.
const PageTokens = 16

// PreviousRow marks an input token that is not known yet: PreviousRow(i) stands for what output row
// i of the batch submitted before this one sampled. Only backends with Depth 2 accept it.
func PreviousRow(i int) int32 { return int32(-1 - i) }

// Batch is one step: T tokens of S sequences, prefill and decode mixed. Its arrays lie off-heap, have
// the capacities of Limits and are reused; Reset empties it, the Add methods fill it. The rows of one
// sequence are consecutive and their positions ascend by one.
type Batch struct {
	Tokens    []int32 // (T) ids, or PreviousRow
	Positions []int32 // (T)
	Sequences []SequenceRows
	Pages     []int32 // the page tables, one after another; SequenceRows.FirstPage says where
	Outputs   []Output
	Penalties []Penalty // of all outputs; Output.FirstPenalty says where
	Biases    []Bias    // of all outputs; Output.FirstBias says where

	Results []Result   // (outputs), written by the step
	Top     []TopToken // (outputs, MaxTop): the Output.Top largest logits, descending; ties: lower id first
	Logits  []float32  // (whole rows, Vocab), in the order of the outputs that asked

	limits Limits
	rows   int
}

// SequenceRows is one sequence's share of a batch. Pages[FirstPage:FirstPage+PageCount] holds its
// positions 0 up to its last one, PageTokens to a page.
type SequenceRows struct {
	FirstToken, TokenCount int32
	FirstPage, PageCount   int32
}

// OutputMode says what a step computes from one row's logits; the bits combine.
type OutputMode int32

// The modes of an output row.
const (
	Sample    OutputMode = 1 << iota // choose a token by the sampling fields
	Score                            // the raw logit of Target: Result.TargetLogit
	WholeRow                         // copy the raw logits to Batch.Logits
	LogSumExp                        // Result.LogSumExp, a pass of exponentials over the row
	Rank                             // Result.Rank, a pass over the row
)

// Output asks for one row's logits. Layout is shared with C: all fields are 4 or 8 bytes wide.
//
// Order of operations on a copy of the raw logits: biases, repetition, frequency and presence
// penalties, temperature, top-k, top-p, min-p, then one draw. Temperature 0 takes the largest after
// biases and penalties (ties: lower id). Log-probabilities are those of the raw logits.
type Output struct {
	Row          int32 // index into Tokens
	Mode         OutputMode
	Target       int32 // the token to score
	Top          int32 // how many of the largest raw logits to report
	Temperature  float32
	TopK         int32   // 0: all
	TopP         float32 // 1: all
	MinP         float32 // 0: all
	Repetition   float32 // divides positive, multiplies negative logits of seen tokens; 1: none
	Presence     float32
	Frequency    float32
	Choice       int32 // which of the request's n answers
	Seed         uint64
	FirstPenalty int32
	PenaltyCount int32
	FirstBias    int32
	BiasCount    int32
}

// Penalty says how often a token has been seen. Seen counts prompt and answer, for Repetition;
// Generated counts the answer alone, for Presence and Frequency.
type Penalty struct {
	Token     int32
	Seen      int32
	Generated int32
}

// Bias is added to a token's logit.
type Bias struct {
	Token int32
	Value float32
}

// Result is what a step found for one output row. What the mode did not ask for is 0.
type Result struct {
	Token       int32   // the sampled token, or Target without Sample
	Logit       float32 // its raw logit
	LogSumExp   float32 // with LogSumExp, of the raw logits: log-probability = logit - LogSumExp
	Rank        int32   // with Rank: how many raw logits are larger than Token's
	TargetLogit float32 // with Score: of Target
	Reserved    int32
}

// TopToken is one of the largest raw logits of a row.
type TopToken struct {
	Token int32
	Logit float32
}

// BatchArrays are the memory that a backend gives to a batch, at full capacity.
type BatchArrays struct {
	Tokens, Positions, Pages []int32
	Sequences                []SequenceRows
	Outputs                  []Output
	Penalties                []Penalty
	Biases                   []Bias
	Results                  []Result
	Top                      []TopToken
	Logits                   []float32
}

// NewBatch wraps a backend's arrays as an empty batch. Backends call it from Instance.NewBatch.
func NewBatch(l Limits, a BatchArrays) *Batch {
	b := &Batch{
		Tokens: a.Tokens, Positions: a.Positions, Pages: a.Pages, Sequences: a.Sequences,
		Outputs: a.Outputs, Penalties: a.Penalties, Biases: a.Biases,
		Results: a.Results, Top: a.Top, Logits: a.Logits, limits: l,
	}
	b.Reset()
	return b
}

// Reset empties the batch.
func (b *Batch) Reset() {
	b.Tokens, b.Positions, b.Pages = b.Tokens[:0], b.Positions[:0], b.Pages[:0]
	b.Sequences, b.Outputs = b.Sequences[:0], b.Outputs[:0]
	b.Penalties, b.Biases = b.Penalties[:0], b.Biases[:0]
	b.Results, b.Top, b.Logits = b.Results[:0], b.Top[:0], b.Logits[:0]
	b.rows = 0
}

// AddSequence appends the tokens at positions first, first+1 ... of one sequence whose positions 0 to
// the last are held by pages. It returns the row of its first token.
func (b *Batch) AddSequence(tokens []int32, first int, pages []int32) (row int, err error) {
	row = len(b.Tokens)
	if err := b.checkSequence(tokens, first, pages); err != nil {
		return 0, err
	}
	need := (first + len(tokens) + PageTokens - 1) / PageTokens
	b.Sequences = append(b.Sequences, SequenceRows{
		FirstToken: int32(row), TokenCount: int32(len(tokens)),
		FirstPage: int32(len(b.Pages)), PageCount: int32(need),
	})
	b.Tokens = append(b.Tokens, tokens...)
	for i := range tokens {
		b.Positions = append(b.Positions, int32(first+i))
	}
	b.Pages = append(b.Pages, pages[:need]...)
	return row, nil
}

func (b *Batch) checkSequence(tokens []int32, first int, pages []int32) error {
	switch last := first + len(tokens); {
	case len(tokens) == 0:
		return &BatchError{Field: "tokens", Reason: "a sequence without tokens"}
	case len(b.Tokens)+len(tokens) > b.limits.MaxTokens:
		return &BatchError{Field: "tokens", Reason: "more rows than the step holds"}
	case len(b.Sequences) == b.limits.MaxSequences:
		return &BatchError{Field: "sequences", Reason: "more sequences than the step holds"}
	case first < 0 || last > b.limits.MaxContext:
		return &BatchError{Field: "positions", Reason: "beyond the context"}
	case len(pages)*PageTokens < last:
		return &BatchError{Field: "pages", Reason: "fewer pages than positions"}
	case len(b.Pages)+len(pages) > cap(b.Pages):
		return &BatchError{Field: "pages", Reason: "page tables larger than the step holds"}
	}
	for _, p := range pages {
		if p < 0 || int(p) >= b.limits.Pages {
			return &BatchError{Field: "pages", Reason: "a page outside the pool"}
		}
	}
	for _, t := range tokens {
		if int(t) >= b.limits.Vocab || (t < 0 && b.limits.Depth < 2) {
			return &BatchError{Field: "tokens", Reason: "an id outside the vocabulary"}
		}
	}
	return nil
}

// AddOutput asks for o, with its penalties and biases, and returns the output's index, which is also
// its index in Results. o.FirstPenalty and the like are filled in here.
func (b *Batch) AddOutput(o Output, penalties []Penalty, biases []Bias) (int, error) {
	if err := b.checkOutput(o, len(penalties), len(biases)); err != nil {
		return 0, err
	}
	o.FirstPenalty, o.PenaltyCount = int32(len(b.Penalties)), int32(len(penalties))
	o.FirstBias, o.BiasCount = int32(len(b.Biases)), int32(len(biases))
	b.Penalties = append(b.Penalties, penalties...)
	b.Biases = append(b.Biases, biases...)
	b.Outputs = append(b.Outputs, o)
	n := len(b.Outputs)
	b.Results = b.Results[:n]
	b.Top = b.Top[:n*b.limits.MaxTop]
	if o.Mode&WholeRow != 0 {
		b.rows++
		b.Logits = b.Logits[:b.rows*b.limits.Vocab]
	}
	return n - 1, nil
}

func (b *Batch) checkOutput(o Output, penalties, biases int) error {
	switch {
	case len(b.Outputs) == b.limits.MaxOutputs:
		return &BatchError{Field: "outputs", Reason: "more output rows than the step holds"}
	case o.Row < 0 || int(o.Row) >= len(b.Tokens):
		return &BatchError{Field: "outputs", Reason: "a row outside the batch"}
	case o.Top < 0 || int(o.Top) > b.limits.MaxTop:
		return &BatchError{Field: "outputs", Reason: "more top tokens than the instance was loaded for"}
	case o.Mode&Score != 0 && (o.Target < 0 || int(o.Target) >= b.limits.Vocab):
		return &BatchError{Field: "outputs", Reason: "a target outside the vocabulary"}
	case o.Mode&WholeRow != 0 && b.rows == b.limits.MaxRows:
		return &BatchError{Field: "outputs", Reason: "more whole rows than the step holds"}
	case len(b.Penalties)+penalties > cap(b.Penalties):
		return &BatchError{Field: "penalties", Reason: "more than the step holds"}
	case len(b.Biases)+biases > cap(b.Biases):
		return &BatchError{Field: "biases", Reason: "more than the step holds"}
	}
	return nil
}

// TopOf returns the top tokens that output i asked for.
func (b *Batch) TopOf(i int) []TopToken {
	return b.Top[i*b.limits.MaxTop:][:b.Outputs[i].Top]
}

// Limits returns the limits that the batch was made for.
func (b *Batch) Limits() Limits { return b.limits }
