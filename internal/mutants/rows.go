package main

func init() { list = append(list, decodingRows...) }

// This file owns the mutants of what a decoding step does: products of few tokens, and phases of few rows.
var decodingRows = []mutant{
	{
		name: "super-block-not-passed", file: "cgo/row_product_body.h", pkg: "cgo/cgotest", tests: []string{"TestScalarProducts"},
		old: "block[g] += form_shared(f);", new: "block[g] += 0;",
	},
	{
		name: "all-tokens-of-a-tile-are-its-first", file: "cgo/row_product_body.h", pkg: "cgo/cgotest", tests: []string{"TestProductsEqualScalar"},
		old: "vi a = FN(inputs)(x, at + (int64_t)(i % tokens) * x->blocks, k);", new: "vi a = FN(inputs)(x, at, k);",
	},
	{
		name: "four-tokens-leave-one", file: "cgo/row_product_body.h", pkg: "cgo/cgotest", tests: []string{"TestProductsEqualScalar"},
		old: "else if (FN(row_tokens) > 1 && n == 2)", new: "else if (FN(row_tokens) > 1 && n == 9)",
	},
	{
		name: "others-go-before-what-is-done-alone", file: "cgo/pool.c", pkg: "cgo/cgotest", tests: []string{"TestBarrierWaitsForAll"},
		old: "		alone(p->arg, worker);\n	event_signal(&p->released);\n", new: "		event_signal(&p->released), alone(p->arg, worker);\n	else\n		event_signal(&p->released);\n",
	},
	{
		name: "rows-run-twice", file: "cgo/step.c", pkg: "cgo/cgotest", tests: []string{"TestStepGivesTheSameBytes"},
		old: "i = w->phase, round = 0", new: "i++, round = 0",
	},
	{
		name: "phase-without-rounds-met", file: "cgo/step.c", pkg: "cgo/cgotest", tests: []string{"TestStepWithoutOutputs"},
		old: "return !k->rounds || k->rounds(r, p) > 0;", new: "return 1;",
	},
}
