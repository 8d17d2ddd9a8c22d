package main

// This file owns the part of the list that is what engines are compared by: figures that would be unfair to a side show nowhere else.

func init() { list = append(list, peers...) }

var peers = []mutant{
	{
		name: "peer-first-repetition", file: "bench/peer/llama.go", pkg: "bench/peer", tests: []string{"TestLlamaBench"},
		old: "max(best.prefill, slices.Max(r.Speeds))", new: "max(best.prefill, r.Speeds[0])",
	},
	{
		name: "peer-batch-of-one-repetition", file: "bench/peer/llama.go", pkg: "bench/peer", tests: []string{"TestBatched"},
		old: "best = max(best, r.Decode)", new: "best = r.Decode",
	},
	{
		name: "ik-never-repacks", file: "bench/peer/llama.go", pkg: "bench/peer", tests: []string{"TestIKIsTheFasterOfTwo"},
		old: "[]string{\"0\", \"1\"}", new: "[]string{\"0\", \"0\"}",
	},
	{
		name: "peer-isa-not-forced", file: "bench/peer/engine.go", pkg: "bench/peer", tests: []string{"TestChimeraEngine"},
		old: "\"--isa\", s.isa", new: "\"--isa\", \"auto\"",
	},
	{
		name: "peer-models-not-in-turn", file: "bench/peer/main.go", pkg: "bench/peer", tests: []string{"TestTurns"},
		old: "for round := range s.rounds {\n\t\tfor _, s.model = range models {", new: "for _, s.model = range models {\n\t\tfor round := range s.rounds {",
	},
	{
		name: "pure-file-is-mixed", file: "bench/models/quantise.go", pkg: "bench/models", tests: []string{"TestQuantisedHolds"},
		old: "q.pure && len(t.Shape) > 1", new: "!q.pure && len(t.Shape) > 1",
	},
	{
		name: "model-half-written", file: "bench/models/main.go", pkg: "bench/models", tests: []string{"TestKeepOrMake"},
		old: "\tif err := check(part, holds); err != nil {\n\t\treturn err\n\t}\n", new: "",
	},
}
