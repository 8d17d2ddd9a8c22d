package engine

// Store writes the step's keys and values to one layer of a group: K is normalised and turned on its way, as
// the layer's readers want it. A layer has one Store; the values K and V stay as they were.
type Store struct {
	Group   GroupID
	Layer   int      // of the group's, from 1
	K       ValueID  // (T, Heads x KeyWidth)
	V       ValueID  // (T, Heads x ValueWidth); NoValue in a latent group
	Norm    WeightID // RMS per head of K, (KeyWidth), or NoWeight
	Epsilon float32  // of Norm
	Rope    *Rope    // nil: none
}

func (o Store) reads() []ValueID  { return []ValueID{o.K, o.V} }
func (o Store) writes() []ValueID { return nil }

func (o Store) check(b *Builder) error {
	g, err := b.layer(o.Group, o.Layer)
	if err != nil {
		return err
	}
	at := layerAt{o.Group, o.Layer}
	if b.stored[at] {
		return errorf("layer %d of %s is written twice", o.Layer, g.Name)
	}
	b.stored[at] = true
	return first(
		b.rows(PerToken, o.K),
		holds(b.width(o.K) == g.Heads*g.KeyWidth, "K is %d wide, %s wants %d", b.width(o.K), g.Name, g.Heads*g.KeyWidth),
		o.checkValues(b, g), notNegative("norm epsilon", float64(o.Epsilon)),
		b.optional(o.Norm, 1, g.KeyWidth),
		b.checkRope(o.Rope, g.KeyWidth),
	)
}

func (o Store) checkValues(b *Builder, g Group) error {
	if g.Latent {
		return holds(o.V == NoValue, "V beside K in the latent group %s", g.Name)
	}
	return first(
		b.rows(PerToken, o.V),
		holds(b.width(o.V) == g.Heads*g.ValueWidth, "V is %d wide, %s wants %d", b.width(o.V), g.Name, g.Heads*g.ValueWidth),
	)
}
