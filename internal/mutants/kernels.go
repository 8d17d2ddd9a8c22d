package main

// This file owns the mutants of attention's kernels.

func init() { list = append(list, attending...) }

var attending = []mutant{
	{
		name: "mask-leaves-the-end", file: "cgo/attend_body.h", pkg: "cgo/cgotest", tests: []string{"TestScalarAttention"},
		old: "at + LANES > high", new: "at > high",
	},
	{
		name: "window-begins-with-the-tile", file: "cgo/attend_body.h", pkg: "cgo/cgotest", tests: []string{"TestScalarAttention"},
		old: "FN(add_seen)(s, n, r, 1, s->low[r],", new: "FN(add_seen)(s, n, r, 1, low,",
	},
	{
		name: "small-weights-are-zero", file: "cgo/exp_body.h", pkg: "cgo/cgotest", tests: []string{"TestExpBelowIsExp"},
		old: "v_max(v_set1(-104.0f), x[i])", new: "v_max(v_set1(-100.0f), x[i])",
	},
	{
		name: "weights-lose-a-nan", file: "cgo/exp_body.h", pkg: "cgo/cgotest", tests: []string{"TestExpBelowIsExp"},
		old: "v_max(v_set1(-104.0f), x[i])", new: "v_max(x[i], v_set1(-104.0f))",
	},
}
