package lowering

import (
	"fmt"

	"chimera/engine"
)

func (l *lowering) linears(o engine.Linears) error {
	if most := l.capacity.Linears; most > 0 && len(o.Outputs) > most {
		return l.refuse(fmt.Sprintf("%d products on one input", len(o.Outputs)), "takes up to %d", most)
	}
	for _, out := range o.Outputs {
		l.round(o.In, out.Weight)
		l.round(o.In, out.Gate)
	}
	l.add(Phase{Kind: Linears, Name: l.weight(o.Outputs[0].Weight), Op: o}, engine.NoValue)
	for _, out := range o.Outputs {
		l.written(out.Out)
	}
	return nil
}

func linearsMatrices(o engine.Linears) (all []engine.WeightID) {
	for _, out := range o.Outputs {
		all = append(all, out.Weight, out.Gate)
	}
	return all
}
