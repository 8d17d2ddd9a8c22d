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
		old: "QNorm: s.Vector(block(i, \"attn_q_norm.weight\"), s.head),\n\t\tKNorm: s.Vector(block(i, \"attn_k_norm.weight\"), s.head)",
		new: "KNorm: s.Vector(block(i, \"attn_q_norm.weight\"), s.head),\n\t\tQNorm: s.Vector(block(i, \"attn_k_norm.weight\"), s.head)",
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

	// What a step computes.
	{
		name: "draw-position", file: "cgo/step.c", pkg: "cgo", tests: []string{"TestStepGivesTheSameBytes"},
		old: "b->positions[o->row],", new: "o->row,",
	},

	// What files may hold.
	{
		name: "tensors-overlap-by-one", file: "weights/tensor.go", pkg: "weights", tests: []string{"TestHostile"},
		old: "uint64(len(before.Data)) > t.offset", new: "uint64(len(before.Data)) > t.offset+1",
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
