package engine

// This file owns Program: what a model architecture states and a backend lowers.

// ValueID names an activation matrix of a Program, WeightID a weight. Ids start at 1, so that a field
// which nobody filled in names nothing: an error where an operand must be, NoValue or NoWeight elsewhere.
type (
	ValueID  int32
	WeightID int32
)

// NoWeight and NoValue stand for an absent operand.
const (
	NoWeight WeightID = 0
	NoValue  ValueID  = 0
)

// Domain tells what the rows of a value are.
type Domain uint8

// The domains of rows.
const (
	PerToken    Domain = iota + 1 // one row per token of the step
	PerOutput                     // one per output row: what stands behind Rows
	PerExpert                     // one per token and expert that it was routed to
	PerSequence                   // one per sequence of the step
)

// Value is an activation: a matrix of float32.
type Value struct {
	Name  string
	Width int
	Rows  Domain
}

// Weight is a matrix (Rows outputs of Cols inputs), or a vector (Rows == 1). A weight may be some
// rows of a tensor: fused projections are stated as their parts.
type Weight struct {
	Name     string // the tensor's name in the file
	FirstRow int    // where the part begins; in a vector: its first element
	Rows     int
	Cols     int
}

// Program is a forward pass: ops in order over named values and weights. It is checked once, by
// Builder.Program, so backends may trust what it promises:
//
//   - ids name what is there, shapes fit, every value is written before it is read;
//   - an op changes its outputs alone, and no output of an op is read by it but row for row;
//   - a KV layer is written by one Store, and read behind it alone;
//   - it ends with its one Head, or, as an encoder does, with a Store that another program attends to.
//
// It states fusion, it does not ask for discovery: an op is as large as the best kernel for it.
//
// Rejected: one op per arithmetic step with a fusing compiler behind it. Everything that is known to
// be fused is known here, in the model, and a plan that mirrors the program can be read.
type Program struct {
	Architecture string
	Values       []Value
	Weights      []Weight
	Groups       []Group // what it remembers of a sequence between steps
	Ops          []Op
	Vocab        int
	Context      int // positions the model was trained for
}

// Value returns a value by id.
func (p *Program) Value(id ValueID) Value { return p.Values[id-1] }

// Weight returns a weight by id.
func (p *Program) Weight(id WeightID) Weight { return p.Weights[id-1] }

// Group returns a group by id.
func (p *Program) Group(id GroupID) Group { return p.Groups[id-1] }

// VectorWidth is how wide an input row is that is given as a vector: that of any Embed's output.
func (p *Program) VectorWidth() int {
	for _, op := range p.Ops {
		if e, ok := op.(Embed); ok {
			return p.Value(e.Out).Width
		}
	}
	return 0
}

// Op is one of Embed, Norm, Linears, Store, Attend, Add, Rows, Tap and Head. An op's file in this package
// holds its type and its check; the same name finds its lowering and each backend's part of it.
type Op interface {
	// check returns what is wrong with the op where it stands.
	check(b *Builder) error
	// reads and writes list the values that it touches; absent ones may stand in them.
	reads() []ValueID
	writes() []ValueID
}
