package main

// This file owns the list. An old text is as short as is unique in its file, so that the code about it may move.

var list = []mutant{
	// What models state.
	{
		name: "rope-linear-scale", file: "model/rope.go", pkg: "model", tests: []string{"TestLinearRope"},
		old: "case \"linear\":\n\t\tr.Scale = 1 / factor", new: "case \"linear\":\n\t\tr.Scale = factor",
	},
	{
		name: "yarn-low", file: "model/rope.go", pkg: "model", tests: []string{"TestYaRNRamp"},
		old: "math.Floor(pair(fast))", new: "math.Ceil(pair(fast))",
	},
	{
		name: "yarn-scale", file: "model/rope.go", pkg: "model", tests: []string{"TestYaRNRamp"},
		old: "r.Scale = 1 / factor\n\tr.Low", new: "r.Low",
	},
	{
		name: "gemma-embedding-scale", file: "model/gemma3.go", pkg: "model", tests: []string{"TestEmbeddingScales"},
		old: "Scale: float32(math.Sqrt(float64(s.width)))", new: "Scale: 1",
	},
	{
		name: "gemma-27b-layers", file: "model/gemma3.go", pkg: "model", tests: []string{"TestGemma27B"},
		old: "gemma27Layers = 62", new: "gemma27Layers = 61",
	},
	{
		name: "silu-for-gelu", file: "model/gemma3.go", pkg: "model", tests: []string{"TestActivations"},
		old: "engine.GELUTanh", new: "engine.SiLU",
	},
	{
		name: "gate-bias-not-stated", file: "model/shape.go", pkg: "model", tests: []string{"TestBiases"},
		old: "up.GateBias = s.bias(block(layer, \"ffn_gate.bias\"), s.feed)", new: "up.GateBias = engine.NoWeight",
	},
	{
		name: "qk-norms-swapped", file: "model/gemma3.go", pkg: "model", tests: []string{"TestQueryAndKeyNorms"},
		old: `"attn_k_norm.weight"), s.head), Epsilon: epsilon, Rope: rope},
		engine.Attend{
			Norm: s.Vector(block(i, "attn_q_norm.weight")`,
		new: `"attn_q_norm.weight"), s.head), Epsilon: epsilon, Rope: rope},
		engine.Attend{
			Norm: s.Vector(block(i, "attn_k_norm.weight")`,
	},
	{
		name: "heads-of-file-uneven", file: "model/shape.go", pkg: "model", tests: []string{"TestHyperParameters"},
		old: "s.heads%s.kvHeads != 0", new: "false",
	},

	// What backends trust.
	{
		name: "reduction-version", file: "engine/policy.go", pkg: "engine", tests: []string{"TestNumericsID"},
		old: "ReductionVersion = 2", new: "ReductionVersion = 3",
	},
	{
		name: "reduction-version-not-in-id", file: "engine/policy.go", pkg: "engine", tests: []string{"TestNumericsID"},
		old: "p.Activation, ReductionVersion)", new: "p.Activation, 0)",
	},
	{
		name: "stale-rounding", file: "engine/lowering/lower.go", pkg: "engine/lowering", tests: []string{"TestRoundingFollowsWrites"},
		old: "if v == l.rounded {", new: "if false {",
	},

	{
		name: "page-beyond-pool", file: "engine/batch_fill.go", pkg: "engine", tests: []string{"TestSequencesAreChecked"},
		old: "int(p) >= g.Pages", new: "int(p) > g.Pages",
	},
	{
		name: "id-beyond-vocabulary", file: "engine/batch_fill.go", pkg: "engine", tests: []string{"TestSequencesAreChecked"},
		old: "case int(t) >= b.limits.Vocab", new: "case int(t) > b.limits.Vocab",
	},
	{
		name: "target-beyond-vocabulary", file: "engine/output.go", pkg: "engine", tests: []string{"TestOutputsAreChecked"},
		old: "int(o.Target) >= l.Vocab", new: "int(o.Target) > l.Vocab",
	},
	{
		name: "listed-target-beyond-vocabulary", file: "engine/batch_fill.go", pkg: "engine", tests: []string{"TestOutputsAreChecked"},
		old: "t < 0 || int(t) >= b.limits.Vocab", new: "t < 0 || int(t) > b.limits.Vocab",
	},
	{
		name: "position-beyond-context", file: "engine/batch_fill.go", pkg: "engine", tests: []string{"TestSequencesAreChecked"},
		old: "first > b.limits.MaxContext-len(tokens)", new: "first > b.limits.MaxContext-len(tokens)+1",
	},
	{
		name: "top-beyond-vocabulary", file: "engine/output.go", pkg: "engine", tests: []string{"TestTopOfASmallVocabulary"},
		old: "min(l.MaxTop, l.Vocab)", new: "l.MaxTop",
	},
	{
		name: "heads-uneven", file: "engine/op_attend.go", pkg: "engine", tests: []string{"TestProgramsAreChecked"},
		old: "o.Heads > 0 && o.Heads%g.Heads == 0", new: "o.Heads > 0",
	},
	{
		name: "read-before-written", file: "engine/check.go", pkg: "engine", tests: []string{"TestProgramsAreChecked"},
		old: "v != NoValue && !b.written[v]", new: "false",
	},

	// What is read of weights.
	{
		name: "vector-parts-from-0", file: "engine/lowering/pieces.go", pkg: "engine/lowering", tests: []string{"TestPieces"},
		old: "return w.FirstRow, w.FirstRow + w.Cols", new: "return 0, w.Cols",
	},
	{
		name: "row-parts-from-0", file: "engine/lowering/reader.go", pkg: "engine/lowering", tests: []string{"TestReadsItsRows"},
		old: "w.FirstRow + p.First", new: "p.First",
	},

	// What a step computes.
	{
		name: "gate-bias", file: "cgo/op_linears.c", pkg: "cgo", tests: []string{"TestReference"},
		old: "if (l->gate_bias)", new: "if (0)",
	},
	{
		name: "head-scale", file: "cgo/op_head.go", pkg: "cgo", tests: []string{"TestReference"},
		old: "scale: C.float(o.Scale)", new: "scale: 1",
	},
	{
		name: "query-norm", file: "cgo/op_attend.go", pkg: "cgo", tests: []string{"TestReference"},
		old: "f.turn(o.Norm,", new: "f.turn(engine.NoWeight,",
	},
	{
		name: "key-norm", file: "cgo/op_store.go", pkg: "cgo", tests: []string{"TestReference"},
		old: "f.turn(o.Norm,", new: "f.turn(engine.NoWeight,",
	},
	{
		name: "slots-never-cleared", file: "cgo/op_store.c", pkg: "cgo/cgotest", tests: []string{"TestPagesAreAsFresh"},
		old: "last && opened && slot < PAGE_TOKENS - 1", new: "0 && last && opened",
	},
	{
		name: "top-p-slack", file: "cgo/draw.h", pkg: "cgo/cgotest", tests: []string{"TestTopPCountsInOrderOfWeight"},
		old: "(o->top_p + 0x1p-10)", new: "o->top_p",
	},
	{
		name: "draw-position", file: "cgo/op_head.c", pkg: "cgo/cgotest", tests: []string{"TestStepGivesTheSameBytes"},
		old: "b->positions[o->row],", new: "o->row,",
	},

	{
		name: "draw-stream", file: "cgo/sample.c", pkg: "cgo/cgotest", tests: []string{"TestSampleAgainstReference"},
		old: "(uint32_t)position)", new: "(uint32_t)position + 1)",
	},
	{
		name: "slots-cleared-late", file: "cgo/kv.h", pkg: "cgo/cgotest", tests: []string{"TestClearAfter"},
		old: "int from = slot + 1,", new: "int from = slot + 2,",
	},

	// What files may hold.
	{
		name: "tensors-overlap-by-one", file: "weights/tensor.go", pkg: "weights", tests: []string{"TestHostile"},
		old: "before.bytes() > t.offset", new: "before.bytes() > t.offset+1",
	},
	{
		name: "alignment-limit", file: "weights/tensor.go", pkg: "weights", tests: []string{"TestHostile"},
		old: "n > 1<<20 ||", new: "n > 1<<21 ||",
	},
	{
		name: "alignment-below-limit", file: "weights/tensor.go", pkg: "weights", tests: []string{"TestAtTheLimits"},
		old: "n > 1<<20 ||", new: "n >= 1<<20 ||",
	},
}
