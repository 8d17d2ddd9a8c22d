package lowering

import (
	"slices"

	"chimera/engine"
	"chimera/hostmem"
)

// This file owns the capacity of a batch: how long each of its arrays is for an instance's options.

// WholeRows is how many outputs of a step may ask for their whole row of logits: verbs that want all rows
// run many steps, and a server needs none.
const WholeRows = 16

// TapRows is how many outputs of a step may be tapped: a text's share of a step. Of taps behind each of 100 layers, 4096 wide, they take 100 MiB.
const TapRows = 64

// A request may carry up to maxBiases logit biases, which the API holds it to; few carry any.
const (
	biasesPerOutput = 256
	maxBiases       = 1024
)

// TablePages is how many entries all page tables of a batch have together. What another program wrote may be longer
// than this one's context: the pool bounds it.
func TablePages(p *engine.Program, o engine.LoadOptions) (n int) {
	for i, g := range p.Groups {
		if g.Mask == engine.Cross {
			n += o.Pages[i]
		} else {
			n += g.PagesFor(o.MaxContext, o.MaxTokens)
		}
	}
	return n * o.MaxSequences
}

// GroupLimits are the sizes of the groups' pools, whose pages or slots take so many bytes each.
func GroupLimits(p *engine.Program, o engine.LoadOptions, pageBytes []int64) []engine.GroupLimits {
	limits := make([]engine.GroupLimits, len(p.Groups))
	for i, g := range p.Groups {
		limits[i] = engine.GroupLimits{
			Name: g.Name, Pages: o.Pages[i], PageBytes: pageBytes[i], Slots: g.State > 0, Mask: g.Mask, Window: g.Window,
			Written: written(p, engine.GroupID(i+1)),
		}
	}
	return limits
}

// written tells whether the program stores to the group.
func written(p *engine.Program, id engine.GroupID) bool {
	return slices.ContainsFunc(p.Ops, func(op engine.Op) bool {
		s, ok := op.(engine.Store)
		return ok && s.Group == id
	})
}

// RowsOf is how many rows a value of the domain has at most.
func RowsOf(d engine.Domain, o engine.LoadOptions) int {
	switch d {
	case engine.PerOutput:
		return o.MaxOutputs
	case engine.PerSequence:
		return o.MaxSequences
	}
	return o.MaxTokens
}

// CarveBatch hands out a batch's arrays at full capacity.
func CarveBatch(c *hostmem.Carver, p *engine.Program, o engine.LoadOptions) engine.BatchArrays {
	return engine.BatchArrays{
		Tokens: hostmem.Take[int32](c, o.MaxTokens), Positions: hostmem.Take[int32](c, o.MaxTokens),
		Vectors:      hostmem.Take[float32](c, o.MaxVectors*p.VectorWidth()),
		Pages:        hostmem.Take[int32](c, TablePages(p, o)),
		Sequences:    hostmem.Take[engine.SequenceRows](c, o.MaxSequences),
		Tables:       hostmem.Take[engine.Table](c, o.MaxSequences*len(p.Groups)),
		Outputs:      hostmem.Take[engine.Output](c, o.MaxOutputs),
		Penalties:    hostmem.Take[engine.Penalty](c, o.MaxSequences*min(o.MaxContext, p.Vocab)),
		Biases:       hostmem.Take[engine.Bias](c, o.MaxSequences*biasesPerOutput+maxBiases),
		Targets:      hostmem.Take[int32](c, o.MaxTargets),
		Results:      hostmem.Take[engine.Result](c, o.MaxOutputs),
		Top:          hostmem.Take[engine.TopToken](c, o.MaxOutputs*o.MaxTop),
		TargetLogits: hostmem.Take[float32](c, o.MaxTargets),
		Logits:       hostmem.Take[float32](c, WholeRows*p.Vocab),
		Taps:         hostmem.Take[float32](c, TapRows*p.TapWidth()),
	}
}
