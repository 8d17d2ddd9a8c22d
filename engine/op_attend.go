package engine

// Attend is attention over one layer of a group, which reads pages alone: what the step's own tokens add to
// them is written by a Store before it (or, of mask Cross, by another program). The queries are normalised and
// turned on their way; the value Q stays as it was.
type Attend struct {
	Group   GroupID
	Layer   int      // of the group's, from 1
	Q       ValueID  // (T, Heads x KeyWidth)
	Out     ValueID  // (T, Heads x ValueWidth); not Q
	Heads   int      // a multiple of the group's
	Scale   float32  // multiplies the scores
	Softcap float32  // c * tanh(score / c); 0: none
	Norm    WeightID // RMS per head of Q, (KeyWidth), or NoWeight
	Epsilon float32  // of Norm
	Rope    *Rope    // nil: none
}

func (o Attend) reads() []ValueID  { return []ValueID{o.Q} }
func (o Attend) writes() []ValueID { return []ValueID{o.Out} }

func (o Attend) check(b *Builder) error {
	g, err := b.layer(o.Group, o.Layer)
	if err != nil {
		return err
	}
	written := b.stored[layerAt{o.Group, o.Layer}]
	return first(
		holds(written || g.Mask == Cross, "layer %d of %s is read before it is written", o.Layer, g.Name),
		holds(o.Heads > 0 && o.Heads%g.Heads == 0, "%d heads do not share %d KV heads evenly", o.Heads, g.Heads),
		b.rows(PerToken, o.Q), b.rows(PerToken, o.Out),
		holds(b.width(o.Q) == o.Heads*g.KeyWidth, "Q is %d wide, %d heads of %s want %d", b.width(o.Q), o.Heads, g.Name, o.Heads*g.KeyWidth),
		holds(b.width(o.Out) == o.Heads*g.ValueWidth, "Out is %d wide, %d heads of %s give %d", b.width(o.Out), o.Heads, g.Name, o.Heads*g.ValueWidth),
		holds(o.Q != o.Out, "%s is input and output", b.name(o.Q)),
		checkScale(o.Scale), notNegative("soft cap", float64(o.Softcap)), notNegative("norm epsilon", float64(o.Epsilon)),
		b.optional(o.Norm, 1, g.KeyWidth),
		b.checkRope(o.Rope, g.KeyWidth),
	)
}
