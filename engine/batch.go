package engine

import "math"

// This file owns Batch: one step as flat arrays, and the rules that a batch keeps.

// PageTokens is the number of positions in a KV page. It equals the number of virtual softmax
// lanes (position mod 16), so that a page is one vector of scores.
const PageTokens = 16

// PreviousRow marks an input token that is not known yet: PreviousRow(i) stands for what output row
// i of the batch submitted before this one sampled. Only backends with Depth 2 accept it.
func PreviousRow(i int) int32 { return int32(-1 - i) }

// IsPreviousRow tells whether token is a mark that PreviousRow made.
func IsPreviousRow(token int32) bool {
	_, vector := vectorOf(token)
	return token < 0 && !vector
}

// VectorRow marks an input row that is given as a vector (an image's patch, a soft prompt): row i of
// Batch.Vectors stands in place of a token's embedding.
func VectorRow(i int) int32 { return math.MinInt32 + int32(i) }

// maxVectorRows separates the two kinds of marks; no step has so many rows.
const maxVectorRows = 1 << 30

// vectorOf tells whether token is the mark of a vector, and of which.
func vectorOf(token int32) (row int, ok bool) {
	row = int(token) - math.MinInt32
	return row, row < maxVectorRows
}

// Batch is one step: T tokens of S sequences, prefill and decode mixed. Its arrays lie off-heap, have
// the capacities of Limits and are reused; Reset empties it, the Add methods fill it. The rows of one
// sequence are consecutive and their positions ascend by one.
type Batch struct {
	Generation Generation // of the weights to compute with
	// Background: a step of any instance on the device that is not background makes this one give way: Wait then
	// says ErrAborted, and what it wrote is what it would write again; or, when that was often enough, it goes on later. Its instance has no other step under way: what stands
	// on a step's samples and pages must not outlive it. Where steps can't be aborted, such steps are short instead:
	// Limits.BackgroundRows.
	Background bool

	Tokens    []int32   // (T) ids, PreviousRow or VectorRow
	Positions []int32   // (T)
	Vectors   []float32 // (vector rows, Limits.VectorWidth)
	Sequences []SequenceRows
	Tables    []Table // (S, groups): a sequence's page table in each group, in the order of Program.Groups
	Pages     []int32 // the page tables, one after another
	Outputs   []Output
	Penalties []Penalty // of all outputs; Output.FirstPenalty says where
	Biases    []Bias    // of all outputs; Output.FirstBias says where
	Targets   []int32   // of all outputs; Output.FirstTarget says where

	Results      []Result   // (outputs), written by the step
	Top          []TopToken // (outputs, MaxTop): the Output.Top largest logits, descending; ties: lower id first
	TargetLogits []float32  // (Targets): their raw logits
	Logits       []float32  // (whole rows, Vocab), in the order of the outputs that asked
	Taps         []float32  // (tapped outputs, Limits.TapWidth), in the order of the outputs that asked: see Tap

	limits Limits
	rows   int // that are whole
	tapped int
}

// SequenceRows is one sequence's share of a batch.
type SequenceRows struct {
	FirstToken, TokenCount int32
	Adapter                int32 // what Attach gave, for every Linear's adapter slot; 0: none, and no backend has any yet
	Reserved               int32
}

// Table is one sequence's page table in one group: Pages[First:First+Count] holds its positions from
// Base x PageTokens on.
//
// In a group of slots it has two: the slot that the step reads, or NoSlot where the sequence begins, and another
// that it writes.
type Table struct {
	First, Count int32
	Base         int32 // how many pages before the first were given away: no query of the step sees them
	Length       int32 // positions that are there behind the step; of mask Cross: that were written elsewhere
}

// NoSlot stands for the state before a sequence's first token: zeros.
const NoSlot int32 = -1

// OutputMode says what a step computes from one row's logits; the bits combine.
type OutputMode int32

// The modes of an output row.
const (
	Sample    OutputMode = 1 << iota // choose a token by the sampling fields
	Score                            // the raw logit of Target: Result.TargetLogit
	WholeRow                         // copy the raw logits to Batch.Logits
	LogSumExp                        // Result.LogSumExp, a pass of exponentials over the row
	Rank                             // Result.Rank, a pass over the row
	Tapped                           // copy what the program's taps have of the row to Batch.Taps
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
	FirstTarget  int32 // further tokens whose raw logits are wanted, in Batch.TargetLogits
	TargetCount  int32
	Mask         int32 // which of the step's token masks bounds the draw, from 1; 0: none, and no backend has any yet
	Tap          int32 // with Tapped: which row of Batch.Taps is this one's, from 1; 0: none. AddOutput fills it in
}

// Penalty says how often a token has been seen. Seen counts prompt and answer, for Repetition;
// Generated counts the answer alone, for Presence and Frequency.
type Penalty struct {
	Token     int32
	Seen      int32
	Generated int32
}

// Bias is added to a token's logit. Minus infinity keeps the token from being sampled, whatever else is asked.
type Bias struct {
	Token int32
	Value float32
}

// TapsAlone tells whether nothing of the row's logits is asked for: a step does not form them, and the Result is zeros.
func (o *Output) TapsAlone() bool { return o.Mode == Tapped && o.Top == 0 && o.TargetCount == 0 }

// Result is what a step found for one output row. What the mode did not ask for is 0.
type Result struct {
	Token       int32   // the sampled token, or Target without Sample
	Logit       float32 // its raw logit
	LogSumExp   float32 // with LogSumExp, of the raw logits: log-probability = logit - LogSumExp
	Rank        int32   // with Rank: how many raw logits are larger than Token's
	TargetLogit float32 // with Score: of Target
	NotFinite   int32   // 1 if a raw logit of the row is NaN or infinite: see Batch.OutputError. Of an output of taps alone there are none
}

// TopToken is one of the largest raw logits of a row.
type TopToken struct {
	Token int32
	Logit float32
}
