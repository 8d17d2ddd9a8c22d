package lowering

import "chimera/engine"

func (l *lowering) attend(o engine.Attend) {
	l.add(Phase{Kind: Attend, Name: l.layer(o.Group, o.Layer) + ".attend", Op: o, Rope: l.ropeIndex(o.Rope)}, o.Out)
}
