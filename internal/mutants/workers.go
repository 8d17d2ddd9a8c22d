package main

// This file owns the mutants of steps beside other programs and loads, and of products.

func init() { list = append(list, crowding...) }

var crowding = []mutant{
	{
		name: "sleep-alone-is-a-crowd", file: "cgo/crowd.go", pkg: "cgo", tests: []string{"TestCrowded"},
		old: " && c.stolen > c.took/8", new: "",
	},
	{
		name: "stolen-alone-is-a-crowd", file: "cgo/crowd.go", pkg: "cgo", tests: []string{"TestCrowded"},
		old: "c.slept > c.took*2/5 && ", new: "",
	},
	{
		name: "crowd-of-one-step", file: "cgo/crowd.go", pkg: "cgo", tests: []string{"TestCrowdIsNoMoment"},
		old: "crowdedSteps = 4", new: "crowdedSteps = 1",
	},
	{
		name: "rests-never-grow", file: "cgo/crowd.go", pkg: "cgo", tests: []string{"TestCrowdIsTriedAgain"},
		old: "max(2*c.rest, shortestRest)", new: "max(c.rest, shortestRest)",
	},
	{
		name: "rests-never-shrink", file: "cgo/crowd.go", pkg: "cgo", tests: []string{"TestCrowdIsTriedAgain"},
		old: "c.rest = 0", new: "c.rest += 0",
	},
	{
		name: "nobody-computes", file: "cgo/crowd.go", pkg: "cgo", tests: []string{"TestCrowdLeavesOne"},
		old: "workers > 1 && ", new: "",
	},
	// What a load does beside steps.
	{
		name: "slow-touch-goes-on", file: "cgo/touch.go", pkg: "cgo", tests: []string{"TestSlowTouchIsGivenUp"},
		old: "t.give(t.bytes(i)) > chunkLimit && ", new: "t.give(t.bytes(i)) < 0 && ",
	},
	{
		name: "small-pages-not-told", file: "hostmem/hostmem.go", pkg: "hostmem", tests: []string{"TestUseSmallPages"},
		old: "r.account(-1)\n\tr.hugeBytes = 0\n", new: "r.account(-1)\n",
	},
	// Products of packed weights.
	{
		name: "sums-overflow-16-bits", file: "cgo/dot_body.h", pkg: "cgo/cgotest", tests: []string{"TestProductsEqualScalar"},
		old: ": (1 << (f.low + f.high)) - 1;", new: ": (1 << f.low) - 1;",
	},
	{
		name: "panels-forget-what-came-before", file: "cgo/panel_body.h", pkg: "cgo/cgotest", tests: []string{"TestProductsEqualScalar"},
		old: "b0 ? v_load(out + (int64_t)t * ld + g * GROUP) : v_zero()", new: "v_zero()",
	},
	{
		name: "one-super-block-for-all", file: "cgo/packed_body.h", pkg: "cgo/cgotest", tests: []string{"TestScalarProducts"},
		old: "return group + b / f.super * form_super(f);", new: "return group;",
	},
	{
		name: "minimum-of-the-other-half", file: "cgo/pack.c", pkg: "cgo/cgotest", tests: []string{"TestPackedValues"},
		old: "c->scale[h] | c->minimum[h] << 4", new: "c->scale[h] | c->minimum[0] << 4",
	},
}
