package main

// This file owns the mutants of panels: sums of 16 bits, signed bytes, rows of activations.

func init() { list = append(list, panels...) }

var panels = []mutant{
	{
		name: "a-half-starts-like-the-whole", file: "cgo/dot_body.h", pkg: "cgo/cgotest", tests: []string{"TestProductsEqualScalar"},
		old: "halves == 2 ? x->half_start[at * 2 + h] : x->start[at]", new: "x->start[at]",
	},
	{
		name: "flipped-inputs-one-too-few", file: "cgo/panel_body.h", pkg: "cgo/cgotest", tests: []string{"TestProductsEqualScalar"},
		old: "vi_load((const int32_t *)(w[i / tokens] + PANEL_ADDED))", new: "vi_zero()",
	},
	{
		name: "codes-keep-their-own-centre", file: "cgo/panel_body.h", pkg: "cgo/cgotest", tests: []string{"TestProductsEqualScalar"},
		old: "if (s.added)", new: "if (0)",
	},
	{
		name: "both-pairs-start-alike", file: "cgo/round_body.h", pkg: "cgo/cgotest", tests: []string{"TestProductsEqualScalar"},
		old: "-32 * pair[h][0], -32 * pair[h][1]", new: "-32 * pair[h][0], -32 * pair[h][0]",
	},
	{
		name: "activations-share-sets", file: "cgo/memory.go", pkg: "cgo", tests: []string{"TestRowsShareNoSets"},
		old: "+1)/4*4 + 2 }", new: "+3)/4*4 }",
	},
}
