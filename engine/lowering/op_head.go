package lowering

import "chimera/engine"

func (l *lowering) head(o engine.Head) {
	l.round(o.In, o.Weight)
	l.add(Phase{Kind: Head, Name: l.weight(o.Weight), Op: o}, engine.NoValue)
}

func headMatrices(o engine.Head) []engine.WeightID { return []engine.WeightID{o.Weight} }
