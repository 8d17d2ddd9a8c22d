package main

// This file owns the part of the list that is quantisation: the search for scales, which type a tensor gets, tiers as weights.

func init() { list = append(list, tiers...) }

var tiers = []mutant{
	// The search.
	{
		name: "quantise-without-neighbours", file: "cgo/quantise_minimums.c", pkg: "cgo", tests: []string{"TestQuantiseErrors"},
		old: "for (int i = scale - 1; i <= scale + 1; i++)", new: "for (int i = scale; i <= scale; i++)",
	},
	{
		name: "quantise-keeps-the-first-free-pair", file: "cgo/quantise_minimums.c", pkg: "cgo", tests: []string{"TestQuantiseSubBlocksAreBest"},
		old: "if (at.error < best.error)", new: "if (at.error < best.error && best.a == 0)",
	},
	{
		name: "quantise-least-squares-of-the-wrong-sign", file: "cgo/quantise_fit.h", pkg: "cgo", tests: []string{"TestQuantiseErrors"},
		old: "f.m = (s.q * s.qx - s.qq * s.x) / det;", new: "f.m = (s.qq * s.x - s.q * s.qx) / det;",
	},
	{
		name: "quantise-one-end-of-the-codes", file: "cgo/quantise_scales.c", pkg: "cgo", tests: []string{"TestQuantiseSubBlocksAreBest"},
		old: "peak / (i % 2 ? f->codes.low - beyond : f->codes.high + beyond)", new: "peak / (f->codes.high + beyond)",
	},
	{
		name: "quantise-one-sign-of-a-scale", file: "cgo/quantise_block.c", pkg: "cgo", tests: []string{"TestQuantiseIsBest"},
		old: "		from_scale(best, s, c, -peak / span);\n", new: "",
	},
	{
		name: "quantise-judges-before-rounding", file: "cgo/quantise_block.c", pkg: "cgo", tests: []string{"TestQuantiseOddBlocks"},
		old: "now.fit.m = -scale_of(s, now.m);", new: "now.fit.m = scale_of(s, now.m);",
	},
	{
		name: "quantise-importance-for-nothing", file: "cgo/quantise.c", pkg: "cgo", tests: []string{"TestQuantiseImportance"},
		old: "importance[i] / most : 1;", new: "1 : 1;",
	},
	{
		name: "quantise-importance-of-another-column", file: "cgo/quantise.c", pkg: "cgo", tests: []string{"TestQuantiseByRows"},
		old: "importance + i % (cols / t.block) * t.block", new: "importance + i * 0",
	},
	{
		name: "quantise-reaches-further-than-halves", file: "cgo/quantise.c", pkg: "cgo", tests: []string{"TestQuantiseRefuses"},
		old: "{SEARCH_BLOCK, 32, 24, 1}", new: "{SEARCH_BLOCK, 32, 24, 31}",
	},
	{
		name: "quantise-six-bits-of-scales", file: "cgo/quantise_write.c", pkg: "cgo", tests: []string{"TestQuantiseNeverWorseThanRounding"},
		old: "p[b - 4] = (uint8_t)(p[b - 4] | (scale >> 4) << 6);", new: "p[b - 4] = (uint8_t)(p[b - 4] | (scale >> 4) << 5);",
	},
	{
		name: "quantise-writes-beyond-its-room", file: "cgo/quantise.go", pkg: "cgo", tests: []string{"TestQuantiseRefuses"},
		old: "len(dst) != len(src)/block*bytes", new: "len(dst) > len(src)/block*bytes",
	},
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
		old: "if len(shape) > 1 && !to.Smaller(from) {", new: "if len(shape) > 2 && !to.Smaller(from) {",
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
		old: "	t.PartRows = max(partValues/t.Cols, 1)\n", new: "",
	},
	{
		name: "parts-of-the-same-rows", file: "engine/lowering/reader.go", pkg: "engine/lowering", tests: []string{"TestReadParts"},
		old: "row+at/t.RowBytes", new: "row+0*at/t.RowBytes",
	},
	{
		name: "tier-at-the-source", file: "daemon/tier.go", pkg: "daemon", tests: []string{"TestTierIsItsFile"},
		old: "return tier.New(source, recipe(f, t), search)", new: "return tier.New(source, recipe(f, weights.F16), search)",
	},
}
