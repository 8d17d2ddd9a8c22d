package lowering

import "chimera/engine"

// This file owns where activations are rounded to int8: before the first product that wants it, and again
// when the value has changed.

// Quantised tells whether products with weights of type t see int8 activations.
func Quantised(t engine.DType) bool {
	return t != engine.F32 && t != engine.F16 && t != engine.BF16
}

// round sees to it that the quantised form of v is at hand if weight w wants one.
func (l *lowering) round(v engine.ValueID, w engine.WeightID) {
	l.ActCols = max(l.ActCols, l.Program.Value(v).Width)
	if w == engine.NoWeight || !Quantised(l.Type(w)) || l.rounded == v {
		return
	}
	l.Phases = append(l.Phases, Phase{Kind: Quantise, Name: "quantise " + l.Program.Value(v).Name, In: v})
	l.rounded = v
}

// foldRounding lets a norm round its own rows where a rounding of its output stands right behind it, or behind taps:
// one barrier less, and the row is still in cache.
func (l *lowering) foldRounding() {
	var out []Phase
	for _, p := range l.Phases {
		n := len(out)
		for n > 0 && out[n-1].Kind == Tap {
			n--
		}
		if p.Kind == Quantise && n > 0 && out[n-1].Kind == Norm {
			if out[n-1].Op.(engine.Norm).Out == p.In {
				out[n-1].Quantise = true
				continue
			}
		}
		out = append(out, p)
	}
	l.Phases = out
}
