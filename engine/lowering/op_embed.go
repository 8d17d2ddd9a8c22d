package lowering

import "chimera/engine"

func (l *lowering) embed(o engine.Embed) {
	l.add(Phase{Kind: Embed, Name: l.weight(o.Table), Op: o}, o.Out)
}

func embedMatrices(o engine.Embed) []engine.WeightID { return []engine.WeightID{o.Table} }
