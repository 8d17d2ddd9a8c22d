package engine

// Embed writes a token's row of Table, times Scale, plus the position's row of Positions if any. Where the
// input row is a vector (VectorRow), it takes the place of the scaled row: so all Embeds of a program have one width.
type Embed struct {
	Table     WeightID // (Vocab, F)
	Positions WeightID // (Context, F) or NoWeight
	Scale     float32
	Out       ValueID
}

func (o Embed) reads() []ValueID  { return nil }
func (o Embed) writes() []ValueID { return []ValueID{o.Out} }

func (o Embed) check(b *Builder) error {
	w := b.width(o.Out)
	return first(
		b.rows(PerToken, o.Out),
		b.matrix(o.Table, b.p.Vocab, w),
		b.optional(o.Positions, b.p.Context, w),
		checkScale(o.Scale),
		holds(w == b.vectorWidth(), "%s is %d wide, the first Embed's output %d: a row that is given as a vector is one width", b.name(o.Out), w, b.vectorWidth()),
	)
}
