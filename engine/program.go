package engine

// This file owns Program: what a model architecture states and a backend lowers.

// ValueID names an activation matrix of a Program.
type ValueID int32

// WeightID names a weight of a Program; NoWeight where an op has none.
type WeightID int32

// NoWeight and NoValue stand for an absent operand.
const (
	NoWeight WeightID = -1
	NoValue  ValueID  = -1
)

// Value is an activation: a matrix of float32, one row per token of the step, or one per output
// row for what stands behind Rows.
type Value struct {
	Name   string
	Width  int
	Output bool // has one row per output row, not per token
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
// Builder.Program, so backends may trust it. It states fusion, it does not ask for discovery: an op
// is as large as the best kernel for it.
//
// Rejected: one op per arithmetic step with a fusing compiler behind it. Everything that is known to
// be fused is known here, in the model, and a plan that mirrors the program can be read.
type Program struct {
	Architecture string
	Values       []Value
	Weights      []Weight
	Ops          []Op
	Layers       int // KV layers, all with the same geometry
	KVHeads      int
	HeadDim      int
	Vocab        int
	Context      int // positions the model was trained for
}

// Op is one of Embed, Norm, Linears, Attend, Add, Rows and Head.
type Op interface{ op() }

// Embed writes a token's row of Table, times Scale, plus the position's row of Positions if any.
type Embed struct {
	Table     WeightID // (Vocab, F)
	Positions WeightID // (Context, F) or NoWeight
	Scale     float32
	Out       ValueID
}

// NormKind tells what a Norm divides by.
type NormKind uint8

// The kinds of Norm.
const (
	RMSNorm   NormKind = iota // x / sqrt(mean(x^2) + eps)
	LayerNorm                 // (x - mean) / sqrt(var + eps)
)

// Norm normalises each row: Out = norm(In) * Gamma + Beta, plus Residual if given.
type Norm struct {
	Kind     NormKind
	Gamma    WeightID // (F) or NoWeight
	Beta     WeightID // (F) or NoWeight
	Epsilon  float32
	In       ValueID
	Residual ValueID // added after the affine part, or NoValue
	Out      ValueID
}

// Activation is a pointwise function.
type Activation uint8

// The activations.
const (
	Identity Activation = iota
	SiLU                // x / (1 + exp(-x))
	GELUTanh            // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
	GELU                // 0.5 x (1 + erf(x / sqrt 2))
)

// Linear is one product of a Linears: Out = act(Gate·x + GateBias) * (Weight·x + Bias), or
// act(Weight·x + Bias) without a gate, plus Residual if given.
type Linear struct {
	Weight     WeightID // (width of Out, width of In)
	Bias       WeightID // (width of Out) or NoWeight
	Gate       WeightID // (width of Out, width of In) or NoWeight
	GateBias   WeightID // (width of Out) or NoWeight; counts with a gate only
	Activation Activation
	Residual   ValueID // or NoValue; may equal Out
	Out        ValueID
}

// Linears multiplies several weights with one input, which a backend quantises (if it does) once.
type Linears struct {
	In      ValueID
	Outputs []Linear
}

// RopeStyle tells which elements of a head turn together.
type RopeStyle uint8

// The pairings of rotary embeddings.
const (
	RopeAdjacent RopeStyle = iota // (0,1), (2,3) ...: GGUF's llama
	RopeHalves                    // (0,d/2), (1,d/2+1) ...: NeoX
)

// Rope is a rotary position embedding. Pair i turns by position * Scale / (Base^(2i/Dim) *
// Factors[i]); with YaRN (Extension > 0) as in Peng et al. 2023, section 3.2, and the rotated values
// are multiplied by Magnitude.
type Rope struct {
	Style     RopeStyle
	Dim       int // leading elements of a head that turn
	Base      float64
	Scale     float64  // 1/factor of linear scaling or of YaRN
	Factors   WeightID // (Dim/2) divisors of the frequencies, or NoWeight
	Magnitude float64  // attention factor on sine and cosine; 1 without YaRN
	// YaRN: pairs below Low keep their frequency, pairs above High are scaled, between is a ramp.
	Extension float64
	Low, High float64 // pair indices, already rounded as the model says
}

// Attend is causal self-attention over the sequence's pages: QK-norm, rope, KV write, softmax.
type Attend struct {
	Layer   int // which of Program.Layers its K and V belong to
	Q, K, V ValueID
	Out     ValueID // (T, Heads x HeadDim)
	Heads   int
	Scale   float32
	QNorm   WeightID // RMS per head, (HeadDim), or NoWeight
	KNorm   WeightID
	Epsilon float32 // of QNorm and KNorm
	Rope    *Rope   // nil: none
	Window  int     // a position sees itself and Window-1 before it; 0: all
	Softcap float32 // c * tanh(score / c); 0: none
}

// Add writes Out = A + B, row by row.
type Add struct{ A, B, Out ValueID }

// Rows gathers the output rows: what stands behind it is computed for those alone.
type Rows struct{ In, Out ValueID }

// Head gives the logits of the output rows; the backend scores and samples where they are.
type Head struct {
	In      ValueID
	Weight  WeightID // (Vocab, F)
	Bias    WeightID // (Vocab) or NoWeight
	Scale   float32  // multiplies the logits
	Softcap float32  // c * tanh(logit / c); 0: none
}

func (Embed) op()   {}
func (Norm) op()    {}
func (Linears) op() {}
func (Attend) op()  {}
func (Add) op()     {}
func (Rows) op()    {}
func (Head) op()    {}
