package lowering

import "chimera/engine"

func (l *lowering) norm(o engine.Norm) {
	name := "norm"
	if o.Gamma != engine.NoWeight {
		name = l.weight(o.Gamma)
	}
	l.add(Phase{Kind: Norm, Name: name, Op: o}, o.Out)
}
