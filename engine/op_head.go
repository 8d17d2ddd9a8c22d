package engine

// Head gives the logits of the output rows; the backend scores and samples where they are. It ends a program.
//
// A logit is softcap(Scale x (Weight.x + Bias)), in this order: the bias is scaled, and what is capped is the sum.
type Head struct {
	In      ValueID
	Weight  WeightID // (Vocab, F)
	Bias    WeightID // (Vocab) or NoWeight
	Scale   float32  // multiplies the logits
	Softcap float32  // c * tanh(logit / c); 0: none
}

func (o Head) reads() []ValueID  { return []ValueID{o.In} }
func (o Head) writes() []ValueID { return nil }

func (o Head) check(b *Builder) error {
	return first(
		b.rows(PerOutput, o.In),
		b.matrix(o.Weight, b.p.Vocab, b.width(o.In)),
		b.optional(o.Bias, 1, b.p.Vocab),
		checkScale(o.Scale), notNegative("soft cap", float64(o.Softcap)),
	)
}
