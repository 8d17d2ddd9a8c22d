package lowering

import (
	"fmt"

	"chimera/engine"
)

// This file owns what is checked of weights that are divisors, which no kernel could report: a frequency that was
// divided by zero turns every key and query to NaN.

// CheckFactors refuses divisors of rotary frequencies that are not above zero, by the tensor's name. values gives a
// weight's values, (Dim/2), as they were read.
func (l *Lowered) CheckFactors(values func(engine.WeightID) []float32) error {
	for _, r := range l.Ropes {
		if r.Factors == engine.NoWeight {
			continue
		}
		for i, divisor := range values(r.Factors) {
			if !(divisor > 0) {
				return fmt.Errorf("tensor %s: value %d is %g, frequencies are divided by it: %w", l.Program.Weight(r.Factors).Name, i, divisor, engine.ErrModelFile)
			}
		}
	}
	return nil
}
