package lowering

import "chimera/engine"

func (l *lowering) sum(o engine.Add) { l.add(Phase{Kind: Add, Name: "add", Op: o}, o.Out) }
