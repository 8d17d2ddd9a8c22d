package main

// This file owns the part of the list that is taps: states that are copied out of a step, what is made of them by layer, and relevance.

func init() { list = append(list, taps...) }

var taps = []mutant{
	// What a step copies, and for whom.
	{
		name: "tap-of-the-next-output", file: "cgo/op_tap.c", pkg: "cgo", tests: []string{"TestReference"},
		old: "o->in->domain == PER_OUTPUT ? row : out->row", new: "row",
	},
	{
		name: "tap-all-at-the-beginning", file: "engine/lowering/op_tap.go", pkg: "engine/lowering", tests: []string{"TestTapsChangeNoOtherPhase"},
		old: "First: l.tapped}", new: "First: 0}",
	},
	{
		name: "tap-beside-the-rounding", file: "engine/lowering/quantise.go", pkg: "engine/lowering", tests: []string{"TestTapsChangeNoOtherPhase"},
		old: "for n > 0 && out[n-1].Kind == Tap {", new: "for n > 9 && out[n-1].Kind == Tap {",
	},
	{
		name: "tap-in-the-digest", file: "engine/lowering/reader.go", pkg: "engine/lowering", tests: []string{"TestTapsHaveNoPartInTheDigest"},
		old: "			continue\n		}\n		fmt.Fprintf(h, \"%T %+v", new: "		}\n		fmt.Fprintf(h, \"%T %+v",
	},
	{
		name: "tap-of-whom-did-not-ask", file: "engine/batch_fill.go", pkg: "engine", tests: []string{"TestTapsOfABatch"},
		old: "	o.Tap = 0\n", new: "",
	},
	{
		name: "tap-one-row-too-many", file: "engine/batch_fill.go", pkg: "engine", tests: []string{"TestTapsOfABatch"},
		old: "b.tapped == b.limits.MaxTaps", new: "b.tapped > b.limits.MaxTaps",
	},
	{
		name: "tap-of-sequences", file: "engine/op_tap.go", pkg: "engine", tests: []string{"TestTapsOfAProgram"},
		old: "d == PerToken || d == PerOutput", new: "d != 0",
	},
	{
		name: "tap-behind-the-stream", file: "model/gpt2.go", pkg: "model", tests: []string{"TestTapsByArchitecture"},
		old: "		s.tapStream(i + 1)\n", new: "",
	},
	{
		name: "layers-of-half-a-file", file: "model/taps.go", pkg: "model", tests: []string{"TestTapsOfUnknownTensors"},
		old: "parts: layers}).whole()", new: "parts: layers}).build()",
	},
	// By layer.
	{
		name: "layers-tier-beside-itself", file: "daemon/layers.go", pkg: "daemon", tests: []string{"TestLayers"},
		old: "	source.Tier = api.SourceTier\n", new: "",
	},
	{
		name: "layers-of-the-first", file: "daemon/layers.go", pkg: "daemon", tests: []string{"TestLayers"},
		old: "x.tier.model.batch.TapsOf(i)[n*x.width:]", new: "x.tier.model.batch.TapsOf(i)[0:]",
	},
	{
		name: "layers-error-by-the-square", file: "daemon/layers.go", pkg: "daemon", tests: []string{"TestRelativeError"},
		old: "math.Sqrt(off / length)", new: "off / length",
	},
	// Pooling.
	{
		name: "pool-counts-twice", file: "scheduler/pooling.go", pkg: "scheduler", tests: []string{"TestPoolingGoesOn"},
		old: "if c.seq.planned+i < c.seq.pooled.next {", new: "if c.seq.planned+i < c.seq.request.PoolFrom {",
	},
	{
		name: "pool-finds-states-in-the-cache", file: "scheduler/prefix.go", pkg: "scheduler", tests: []string{"TestPooling"},
		old: "	if s.request.Pool {\n		n = min(n, s.pooled.next)\n	}\n", new: "",
	},
	{
		name: "pool-more-than-a-step-taps", file: "scheduler/pooling.go", pkg: "scheduler", tests: []string{"TestPooling"},
		old: "	if r.Pool {\n		left = min", new: "	if r.ScorePrompt {\n		left = min",
	},
	{
		name: "pool-what-begins-every-text", file: "api/embed.go", pkg: "api", tests: []string{"TestEmbeddings"},
		old: "r.PoolFrom = min(1, len(r.Prompt)-1)", new: "r.PoolFrom = 0",
	},
	// Relevance.
	{
		name: "relevance-to-the-last-reference", file: "quality/eval/relevance.go", pkg: "quality/eval", tests: []string{"TestRelevance"},
		old: "best = max(best, cosine)", new: "best = cosine + 0*best",
	},
	{
		name: "relevance-of-letters", file: "quality/eval/relevance.go", pkg: "quality/eval", tests: []string{"TestRelevance"},
		old: "r.states == nil || !relevant[i.Kind]", new: "r.states == nil",
	},
	{
		name: "relevance-of-a-failure-forgotten", file: "quality/eval/relevance.go", pkg: "quality/eval", tests: []string{"TestRelevanceOfWhatIsRefused"},
		old: "	if err != nil || own == nil {\n		return 0, err", new: "	if err != nil || own == nil {\n		return 0, ErrNoStates",
	},
	{
		name: "relevance-in-the-same-journal", file: "quality/eval/run.go", pkg: "quality/eval", tests: []string{"TestWithoutRelevance"},
		old: "score.Version, r.states != nil,", new: "score.Version, false && r.states != nil,",
	},
}
