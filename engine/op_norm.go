package engine

// NormKind tells what a Norm divides by.
type NormKind uint8

// The kinds of Norm.
const (
	RMSNorm   NormKind = iota + 1 // x / sqrt(mean(x^2) + eps)
	LayerNorm                     // (x - mean) / sqrt(var + eps)
)

// Norm normalises each row: Out = norm(In) * Gamma + Beta, plus Residual if given. Out may be In or Residual.
type Norm struct {
	Kind     NormKind
	Gamma    WeightID // (F) or NoWeight
	Beta     WeightID // (F) or NoWeight
	Epsilon  float32
	In       ValueID
	Residual ValueID // added after the affine part, or NoValue
	Out      ValueID
}

func (o Norm) reads() []ValueID  { return []ValueID{o.In, o.Residual} }
func (o Norm) writes() []ValueID { return []ValueID{o.Out} }

func (o Norm) check(b *Builder) error {
	w := b.width(o.In)
	return first(
		holds(o.Kind == RMSNorm || o.Kind == LayerNorm, "kind %d", o.Kind),
		b.same(o.Out, o.In), notNegative("norm epsilon", float64(o.Epsilon)),
		b.optional(o.Gamma, 1, w), b.optional(o.Beta, 1, w),
		b.residual(o.Residual, o.Out),
	)
}
