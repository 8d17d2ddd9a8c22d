package lowering

import "chimera/engine"

func (l *lowering) tap(o engine.Tap) {
	l.add(Phase{Kind: Tap, Name: "tap " + o.Name, Op: o, First: l.tapped}, engine.NoValue)
	l.tapped += l.Program.Value(o.In).Width
}
