package lowering

import "chimera/engine"

func (l *lowering) rows(o engine.Rows) {
	l.add(Phase{Kind: Rows, Name: "output rows", Op: o}, o.Out)
}
