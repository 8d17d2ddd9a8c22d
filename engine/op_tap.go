package engine

import "math"

// Tap copies a value's rows, as they are where it stands, for the outputs that ask for that (Tapped): of a value of output rows the output's own, of
// one of tokens that of its token. They come back in Batch.Taps. A program's taps are one row, in the order of their ops.
//
// It computes nothing and changes nothing: a program gives the same bytes with and without, and has the same digest.
type Tap struct {
	Name string // for plans
	In   ValueID
}

func (o Tap) reads() []ValueID  { return []ValueID{o.In} }
func (o Tap) writes() []ValueID { return nil }

func (o Tap) check(b *Builder) error {
	d, width := b.domain(o.In), b.p.TapWidth()
	return first(
		holds(d == PerToken || d == PerOutput, "%s has the rows of domain %d: those of tokens and outputs can be tapped", b.name(o.In), d),
		holds(width <= math.MaxInt32, "the taps are %d wide together: a row has at most %d", width, math.MaxInt32),
	)
}

// TapWidth is how wide a row of all taps is; 0: the program has none.
func (p *Program) TapWidth() (width int) {
	for _, op := range p.Ops {
		if t, ok := op.(Tap); ok && t.In > NoValue && int(t.In) <= len(p.Values) {
			width += p.Value(t.In).Width
		}
	}
	return width
}
