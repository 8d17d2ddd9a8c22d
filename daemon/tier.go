package daemon

import (
	"strings"

	"chimera/cgo"
	"chimera/engine"
	"chimera/model"
	"chimera/quality/tier"
	"chimera/weights"
)

// This file owns the tier that a model is loaded at: how the setting becomes weights.

// search is the CPU's, whatever computes with the result: a tier has one set of bytes.
func search(dst []byte, t weights.Type, src []float32, columns int, importance []float32) error {
	return cgo.Quantise(dst, engine.DType(t), src, columns, importance)
}

// recipe is that of a uniform tier of a file.
func recipe(f *weights.File, target weights.Type) weights.Recipe {
	architecture, _, _ := f.Metadata().String("general.architecture") // a file without one has the roles of all
	return model.Recipe(architecture, target)
}

// pace is that of search.
var pace = tier.NewPace(search)

// tierType is the type of a tier's name; the source has none.
func tierType(name string) (t weights.Type, ok bool) {
	for _, t := range weights.Tiers() {
		if strings.EqualFold(t.String(), name) {
			return t, true
		}
	}
	return t, false
}

// weights are a file's tensors at the tier that was asked for, with the wider types that are known of it.
func (o EngineOptions) weights(f *weights.File) engine.Weights {
	source := model.NewSource(f)
	t, ok := tierType(o.Tier)
	if !ok {
		return source
	}
	r := recipe(f, t)
	r.Wide = wider.of(f, o.Tier)
	return tier.New(source, r, search, pace)
}
