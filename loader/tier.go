package loader

import (
	"strings"

	"chimera/cgo"
	"chimera/engine"
	"chimera/model"
	"chimera/quality/tier"
	"chimera/weights"
)

// This file owns the tier that a model is loaded at: how the setting becomes weights.

// Search is the CPU's, whatever computes with the result: a tier has one set of bytes.
func Search(dst []byte, t weights.Type, src []float32, columns int, importance []float32) error {
	return cgo.Quantise(dst, engine.DType(t), src, columns, importance)
}

// Recipe is that of a uniform tier of a file.
func Recipe(f *weights.File, target weights.Type) weights.Recipe {
	architecture, _, _ := f.Metadata().String("general.architecture") // a file without one has the roles of all
	return model.Recipe(architecture, target)
}

// Pace is that of search.
var Pace = tier.NewPace(Search)

// tierType is the type of a tier's name; the source has none.
func tierType(name string) (t weights.Type, ok bool) {
	for _, t := range weights.Tiers() {
		if strings.EqualFold(t.String(), name) {
			return t, true
		}
	}
	return t, false
}

// Weights are a file's tensors at the tier that was asked for, with the wider types that are known of it.
func (o Options) Weights(f *weights.File) engine.Weights {
	source := model.NewSource(f)
	t, ok := tierType(o.Tier)
	if !ok {
		return source
	}
	r := Recipe(f, t)
	r.Wide = WiderTypes.of(f, o.Tier)
	return tier.New(source, r, Search, Pace)
}
