package engine

import (
	"fmt"
	"math"
	"slices"
)

// This file owns the check of LoadOptions, which every backend makes before it trusts them.

// Check refuses options that no instance of the program can have. Sizes end where C's 32 bits do.
func (o LoadOptions) Check(p *Program) error {
	for _, size := range []optionSize{
		{"MaxTokens", o.MaxTokens, 1}, {"MaxVectors", o.MaxVectors, 0}, {"MaxSequences", o.MaxSequences, 1}, {"MaxOutputs", o.MaxOutputs, 1},
		{"MaxTop", o.MaxTop, 0}, {"MaxTargets", o.MaxTargets, 0}, {"MaxContext", o.MaxContext, 1},
	} {
		if err := size.check(); err != nil {
			return err
		}
	}
	if err := o.checkPages(p); err != nil {
		return err
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

// checkPages wants pages of each group, unless another instance has them.
func (o LoadOptions) checkPages(p *Program) error {
	if o.Share != nil {
		return nil
	}
	if len(o.Pages) != len(p.Groups) {
		return optionError("Pages", "of %d groups, the program has %d", len(o.Pages), len(p.Groups))
	}
	for i, n := range o.Pages {
		if err := (optionSize{"Pages of " + p.Groups[i].Name, n, 1}).check(); err != nil {
			return err
		}
	}
	return nil
}

type optionSize struct {
	field    string
	n, least int
}

func (s optionSize) check() error {
	if s.n < s.least || s.n > math.MaxInt32 {
		return optionError(s.field, "%d, it must lie between %d and %d", s.n, s.least, math.MaxInt32)
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
			most = min(most, p.Weight(e.Positions).Rows)
		}
	}
	return most
}
