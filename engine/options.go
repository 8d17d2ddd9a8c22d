package engine

import (
	"fmt"
	"math"
	"slices"
)

// This file owns the check of LoadOptions, which every backend makes before it trusts them.

// Check refuses options that no instance of the program can have. Sizes end where C's 32 bits do.
func (o LoadOptions) Check(p *Program) error {
	for _, size := range []struct {
		field string
		n     int
		least int
	}{
		{"Threads", o.Threads, 1}, {"Pages", o.Pages, 1}, {"MaxTokens", o.MaxTokens, 1}, {"MaxSequences", o.MaxSequences, 1},
		{"MaxOutputs", o.MaxOutputs, 1}, {"MaxTop", o.MaxTop, 0}, {"MaxContext", o.MaxContext, 1},
	} {
		if size.n < size.least || size.n > math.MaxInt32 {
			return optionError(size.field, "%d, it must lie between %d and %d", size.n, size.least, math.MaxInt32)
		}
	}
	if !slices.Contains(kvTypes, o.Policy.KV) {
		return optionError("Policy.KV", "%s, it must be one of %v", o.Policy.KV, kvTypes)
	}
	if o.Policy.Activation != ActivationInt8 {
		return optionError("Policy.Activation", "type %d is unknown", o.Policy.Activation)
	}
	if most := p.positions(); o.MaxContext > most {
		return optionError("MaxContext", "%d, the model has %d positions", o.MaxContext, most)
	}
	return nil
}

func optionError(field, format string, args ...any) error {
	return fmt.Errorf("load option %s: %s", field, fmt.Sprintf(format, args...))
}

// positions is how many positions the program has: of its learned ones, a step would read beyond the last.
func (p *Program) positions() int {
	most := p.Context
	for _, op := range p.Ops {
		if e, ok := op.(Embed); ok && e.Positions != NoWeight {
			most = min(most, p.Weights[e.Positions].Rows)
		}
	}
	return most
}
