package lowering

import (
	"fmt"

	"chimera/engine"
)

func (l *lowering) store(o engine.Store) {
	l.add(Phase{Kind: Store, Name: l.layer(o.Group, o.Layer) + ".store", Op: o, Rope: l.ropeIndex(o.Rope)}, engine.NoValue)
}

// layer names a layer of a group in the plan.
func (l *lowering) layer(g engine.GroupID, layer int) string {
	return fmt.Sprintf("%s.%d", l.Program.Group(g).Name, layer)
}
