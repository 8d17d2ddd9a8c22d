package main

// This file owns the part of the list that is quantisation: which type a tensor gets, tiers as weights.

func init() { list = append(list, tiers...) }

var tiers = []mutant{
	// Which type a tensor gets.
	{
		name: "recipe-makes-larger", file: "weights/recipe.go", pkg: "weights", tests: []string{"TestRecipe"},
		old: "values > 1 && !to.Smaller(from)", new: "values > 1 && from.Smaller(to)",
	},
	{
		name: "recipe-floor-below-target", file: "weights/recipe.go", pkg: "weights", tests: []string{"TestRecipe"},
		old: "r.Target.Smaller(floor)", new: "!r.Target.Smaller(floor)",
	},
	{
		name: "recipe-short-rows-lose-bits", file: "weights/recipe.go", pkg: "weights", tests: []string{"TestRecipe", "TestTiers"},
		old: "Q5_K: Q5_1", new: "Q5_K: Q4_0",
	},
	{
		name: "recipe-head-as-all", file: "model/tier.go", pkg: "model", tests: []string{"TestRecipe"},
		old: `"output.weight": true`, new: `"output.weight": false`,
	},
	{
		name: "recipe-stream-as-all", file: "model/tier.go", pkg: "model", tests: []string{"TestRecipe"},
		old: "ok && streamRoles[role]", new: "ok && !streamRoles[role]",
	},
	{
		name: "convert-rows-of-another-processor", file: "weights/convert.go", pkg: "weights", tests: []string{"TestConvertSearches"},
		old: "dst[first*rowBytes:last*rowBytes], to, src[first*columns:last*columns]", new: "dst[first*rowBytes:last*rowBytes], to, src[:(last-first)*columns]",
	},
	// Tiers as weights.
	{
		name: "tier-makes-floats-of-blocks", file: "quality/tier/weights.go", pkg: "quality/tier", tests: []string{"TestTypes"},
		old: "!wide && len(shape) > 1 && !to.Smaller(from) {", new: "!wide && len(shape) > 2 && !to.Smaller(from) {",
	},
	{
		name: "tier-reads-from-the-first-row", file: "quality/tier/weights.go", pkg: "quality/tier", tests: []string{"TestReadsByRows"},
		old: "w.source.Read(name, firstRow, r.raw)", new: "w.source.Read(name, 0*firstRow, r.raw)",
	},
	{
		name: "tier-shares-its-rows", file: "quality/tier/weights.go", pkg: "quality/tier", tests: []string{"TestReadsBesideReads"},
		old: "	defer w.rows.Put(r)\n", new: "	w.rows.Put(r)\n",
	},
	{
		name: "tier-holds-others-up", file: "quality/tier/weights.go", pkg: "quality/tier", tests: []string{"TestTypes"},
		old: "	t.PartRows = max(w.pace(from, to)/t.Cols, 1)\n", new: "",
	},
	{
		name: "parts-of-the-same-rows", file: "engine/lowering/reader.go", pkg: "engine/lowering", tests: []string{"TestReadParts"},
		old: "row+at/t.RowBytes", new: "row+0*at/t.RowBytes",
	},
	{
		name: "tier-at-the-source", file: "loader/tier.go", pkg: "daemon", tests: []string{"TestTierIsItsFile"},
		old: "r := Recipe(f, t)", new: "r := Recipe(f, weights.F16)",
	},
}
