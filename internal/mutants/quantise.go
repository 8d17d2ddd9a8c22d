package main

// This file owns the part of the list that is the search for scales, how fast it is said to be, and tensors that it can't do.

func init() { list = append(list, quantising...) }

var quantising = []mutant{
	// What is looked for.
	{
		name: "quantise-without-neighbours", file: "cgo/quantise_choice_body.h", pkg: "cgo", tests: []string{"TestQuantiseErrors"},
		old: "FN(by_copy)(s, k / rows - 1, second / rows - 1)", new: "FN(by_copy)(s, 0, 0)",
	},
	{
		name: "quantise-keeps-the-first-free-pair", file: "cgo/quantise_super_body.h", pkg: "cgo", tests: []string{"TestQuantiseErrors"},
		old: "i < starts * SHIFTS", new: "i < starts * 0 + 1",
	},
	{
		name: "quantise-least-squares-of-the-wrong-sign", file: "cgo/quantise_fit_body.h", pkg: "cgo", tests: []string{"TestQuantiseErrors"},
		old: "v_sub(v_mul(s.q, s.qx), v_mul(s.qq, f->x))", new: "v_sub(v_mul(s.qq, f->x), v_mul(s.q, s.qx))",
	},
	{
		name: "quantise-one-end-of-the-codes", file: "cgo/quantise_super_body.h", pkg: "cgo", tests: []string{"TestQuantiseSubBlocksAreBest"},
		old: "i % 2 ? f->codes.low - beyond : f->codes.high + beyond", new: "f->codes.high + beyond",
	},
	{
		name: "quantise-one-sign-of-a-scale", file: "cgo/quantise_blocks_body.h", pkg: "cgo", tests: []string{"TestQuantiseIsBest"},
		old: "		FN(from_scale)(best, f, v_div(v_neg(peak), span));\n", new: "",
	},
	{
		name: "quantise-judges-before-rounding", file: "cgo/quantise_blocks_body.h", pkg: "cgo", tests: []string{"TestQuantiseOddBlocks"},
		old: "v_neg(v_div(h.m, unit))", new: "v_div(h.m, unit)",
	},
	// Which bytes come of it.
	{
		name: "quantise-folds-neighbours", file: "cgo/quantise_fit_body.h", pkg: "cgo", tests: []string{"TestQuantiseBytes"},
		old: "v_add(s[0], s[4]), v_add(s[2], s[6])", new: "v_add(s[0], s[2]), v_add(s[4], s[6])",
	},
	{
		name: "quantise-codes-between-integers", file: "cgo/quantise_fit_body.h", pkg: "cgo", tests: []string{"TestQuantiseBytes"},
		old: "v_sub(v_add(v, v_set1(0x1.8p23f)), v_set1(0x1.8p23f))", new: "v_sub(v_add(v, v_set1(0x1.8p22f)), v_set1(0x1.8p22f))",
	},
	{
		name: "quantise-second-copy-wins-ties", file: "cgo/quantise_choice_body.h", pkg: "cgo", tests: []string{"TestQuantiseBytes"},
		old: "integer_pairs best = {v_lower(both.error), v_lower(both.scale), v_lower(both.minimum)};\n	FN(keep_integers)(&best, (integer_pairs){v_upper(both.error), v_upper(both.scale), v_upper(both.minimum)});",
		new: "integer_pairs best = {v_upper(both.error), v_upper(both.scale), v_upper(both.minimum)};\n	FN(keep_integers)(&best, (integer_pairs){v_lower(both.error), v_lower(both.scale), v_lower(both.minimum)});",
	},
	{
		name: "quantise-second-copy-unheard", file: "cgo/quantise_choice_body.h", pkg: "cgo", tests: []string{"TestQuantiseErrors"},
		old: "int second = k + steps < count ? k + steps : count - 1;", new: "int second = k;",
	},
	{
		name: "quantise-nothing-for-minimums", file: "cgo/quantise_choice_body.h", pkg: "cgo", tests: []string{"TestQuantiseBytes"},
		old: "f->minimums ? v_set1(INFINITY) : s->nothing", new: "f->minimums ? s->nothing : s->nothing",
	},
	{
		name: "quantise-stops-before-it-refines", file: "cgo/quantise_choice_body.h", pkg: "cgo", tests: []string{"TestQuantiseErrors"},
		old: "if (d == best.d && dmin == best.dmin)", new: "if (d == best.d || dmin == best.dmin)",
	},
	{
		name: "upper-lanes-of-the-lower", file: "cgo/vec.h", pkg: "cgo", tests: []string{"TestQuantiseOnEachISA"},
		old: "a.x[LANES / 2 + i % (LANES / 2)]", new: "a.x[i % (LANES / 2)]",
	},
	// The way of rows to it.
	{
		name: "quantise-importance-for-nothing", file: "cgo/quantise.c", pkg: "cgo", tests: []string{"TestQuantiseImportance"},
		old: "s->importance[first + i] / s->most : 1;", new: "1 : 1;",
	},
	{
		name: "quantise-importance-of-another-column", file: "cgo/quantise.c", pkg: "cgo", tests: []string{"TestQuantiseByRows"},
		old: "importance + i % (cols / SUPER) * SUPER", new: "importance + i * 0",
	},
	{
		name: "quantise-importance-of-another-block", file: "cgo/quantise.c", pkg: "cgo", tests: []string{"TestQuantiseByRows"},
		old: "importance ? importance + column : NULL", new: "importance ? importance + 0 * column : NULL",
	},
	{
		name: "quantise-blocks-over-the-first", file: "cgo/quantise.c", pkg: "cgo", tests: []string{"TestQuantiseByRows"},
		old: "out + (first + b) * t->bytes", new: "out + (first * 0 + b) * t->bytes",
	},
	{
		name: "quantise-infinity-is-the-largest", file: "cgo/quantise.c", pkg: "cgo", tests: []string{"TestQuantiseRefuses"},
		old: "if (!(largest_of(x + i * n, n) <= reach))", new: "if (largest_of(x + i * n, n) > reach)",
	},
	{
		name: "quantise-reaches-further-than-halves", file: "cgo/quantise.c", pkg: "cgo", tests: []string{"TestQuantiseRefuses"},
		old: "{&q5_1, NULL, 32, 24, 1}", new: "{&q5_1, NULL, 32, 24, 31}",
	},
	{
		name: "quantise-six-bits-of-scales", file: "cgo/quantise_write.c", pkg: "cgo", tests: []string{"TestQuantiseNeverWorseThanRounding"},
		old: "p[b - 4] = (uint8_t)(p[b - 4] | (scale >> 4) << 6);", new: "p[b - 4] = (uint8_t)(p[b - 4] | (scale >> 4) << 5);",
	},
	{
		name: "quantise-writes-beyond-its-room", file: "cgo/quantise.go", pkg: "cgo", tests: []string{"TestQuantiseRefuses"},
		old: "len(dst) != len(src)/block*bytes", new: "len(dst) > len(src)/block*bytes",
	},
	// How fast it is.
	{
		name: "pace-of-the-slowest-run", file: "quality/tier/pace.go", pkg: "quality/tier", tests: []string{"TestPace"},
		old: "least = min(least, now().Sub(began))", new: "least = max(least, now().Sub(began))",
	},
	{
		name: "pace-of-another-type", file: "quality/tier/pace.go", pkg: "quality/tier", tests: []string{"TestPace"},
		old: "p := pair{from, to}", new: "p := pair{from, from}",
	},
	// What it can't do.
	{
		name: "tier-takes-what-is-too-large", file: "quality/tier/wider.go", pkg: "quality/tier", tests: []string{"TestUnfit"},
		old: "if largest > most {", new: "if largest > 2*most {",
	},
	{
		name: "tier-takes-what-is-too-small", file: "quality/tier/wider.go", pkg: "quality/tier", tests: []string{"TestUnfit"},
		old: "whole && all > 0 && all < least", new: "whole && all > 0 && all < 0*least",
	},
	{
		name: "tier-judges-the-first-rows", file: "quality/tier/wider.go", pkg: "quality/tier", tests: []string{"TestUnfit"},
		old: "return s.most, s.left == 0", new: "return s.most, s.left < len(s.read)",
	},
	{
		name: "tier-counts-rows-twice", file: "quality/tier/wider.go", pkg: "quality/tier", tests: []string{"TestUnfit"},
		old: "if !s.read[row] {", new: "if s.left > -9 {",
	},
	{
		name: "wide-types-are-a-way-down", file: "quality/tier/weights.go", pkg: "quality/tier", tests: []string{"TestWideTypes"},
		old: "!wide && len(shape) > 1", new: "(!wide || wide) && len(shape) > 1",
	},
	{
		name: "wide-types-are-forgotten", file: "loader/tier.go", pkg: "daemon", tests: []string{"TestTierIsItsWiderFile"},
		old: "	r.Wide = WiderTypes.of(f, o.Tier)\n", new: "",
	},
	{
		name: "wide-tiers-have-keys-of-their-own", file: "daemon/tier_shelf.go", pkg: "daemon", tests: []string{"TestWiderTierWhileServed"},
		old: "tier.New(model.NewSource(f), loader.Recipe(f, t), loader.Search, loader.Pace)", new: "loader.Options{Tier: name}.Weights(f)",
	},
	{
		name: "wide-tiers-take-what-narrow-ones-do", file: "daemon/runtime_tier.go", pkg: "daemon", tests: []string{"TestWiderTierWhileServed"},
		old: "plan, err := planOf(all.device.backend, up.loaded, all.engineAt(s.to), w) // of", new: "_, err := planOf(all.device.backend, up.loaded, all.engineAt(s.to), w) // of",
	},
}
