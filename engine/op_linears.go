package engine

// Activation is a pointwise function.
type Activation uint8

// The activations.
const (
	Identity Activation = iota
	SiLU                // x / (1 + exp(-x))
	GELUTanh            // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
	GELU                // 0.5 x (1 + erf(x / sqrt 2))
	activations
)

// Linear is one product of a Linears: Out = act(Gate·x + GateBias) * (Weight·x + Bias), or
// act(Weight·x + Bias) without a gate, plus Residual if given.
type Linear struct {
	Weight     WeightID // (width of Out, width of In)
	Bias       WeightID // (width of Out) or NoWeight
	Gate       WeightID // (width of Out, width of In) or NoWeight
	GateBias   WeightID // (width of Out) or NoWeight; with a gate only
	Activation Activation
	Residual   ValueID // or NoValue; may equal Out
	Out        ValueID
}

// Linears multiplies several weights with one input, which a backend quantises (if it does) once. The outputs are
// computed side by side in tiles: none is the input, and none another's residual.
type Linears struct {
	In      ValueID
	Outputs []Linear
}

func (o Linears) reads() []ValueID {
	all := []ValueID{o.In}
	for _, l := range o.Outputs {
		all = append(all, l.Residual)
	}
	return all
}

func (o Linears) writes() (all []ValueID) {
	for _, l := range o.Outputs {
		all = append(all, l.Out)
	}
	return all
}

func (o Linears) check(b *Builder) error {
	if err := holds(len(o.Outputs) > 0, "no outputs"); err != nil {
		return err
	}
	for i, l := range o.Outputs {
		if err := first(l.check(b, o.In), o.apart(b, i)); err != nil {
			return err
		}
	}
	return nil
}

// apart refuses what would make the result depend on which tile was first.
func (o Linears) apart(b *Builder, i int) error {
	l := o.Outputs[i]
	err := holds(l.Out != o.In, "%s is input and output", b.name(o.In))
	for j, other := range o.Outputs {
		if j != i {
			err = first(err,
				holds(l.Out != other.Out, "%s is written twice", b.name(l.Out)),
				holds(l.Residual == NoValue || l.Residual != other.Out, "%s is an output and another's residual", b.name(l.Residual)))
		}
	}
	return err
}

func (l Linear) check(b *Builder, in ValueID) error {
	rows, cols := b.width(l.Out), b.width(in)
	return first(
		holds(b.domain(l.Out) == b.domain(in), "%s and %s have different rows", b.name(in), b.name(l.Out)),
		b.matrix(l.Weight, rows, cols), b.optional(l.Bias, 1, rows),
		b.optionalMatrix(l.Gate, rows, cols), b.optional(l.GateBias, 1, rows),
		holds(l.Gate != NoWeight || l.GateBias == NoWeight, "a gate's bias without a gate"),
		holds(l.Activation < activations, "activation %d", l.Activation),
		b.residual(l.Residual, l.Out),
	)
}
