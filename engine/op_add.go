package engine

// Add writes Out = A + B, row by row. Out may be either.
type Add struct{ A, B, Out ValueID }

func (o Add) reads() []ValueID  { return []ValueID{o.A, o.B} }
func (o Add) writes() []ValueID { return []ValueID{o.Out} }

func (o Add) check(b *Builder) error { return first(b.same(o.A, o.B), b.same(o.A, o.Out)) }
