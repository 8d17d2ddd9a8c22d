package engine

// Rows gathers the output rows: what stands behind it is computed for those alone.
type Rows struct{ In, Out ValueID }

func (o Rows) reads() []ValueID  { return []ValueID{o.In} }
func (o Rows) writes() []ValueID { return []ValueID{o.Out} }

func (o Rows) check(b *Builder) error {
	return first(
		b.rows(PerToken, o.In), b.rows(PerOutput, o.Out),
		holds(b.width(o.In) == b.width(o.Out), "%s and %s differ in width", b.name(o.In), b.name(o.Out)),
	)
}
