package main

// This file owns the part of the list about how long short prompts make a step.

func init() { list = append(list, budget...) }

var budget = []mutant{
	{
		name: "short-prompts-fill-steps", file: "scheduler/budget.go", pkg: "scheduler", tests: []string{"TestShortPromptsKeepStepsShort"},
		old: "return max(c.Rows(step, p.base, p.seen), rows)", new: "return math.MaxInt",
	},
	{
		name: "short-prompts-starve", file: "scheduler/budget.go", pkg: "scheduler", tests: []string{"TestShortPromptsKeepStepsShort"},
		old: "return max(c.Rows(step, p.base, p.seen), rows)", new: "return c.Rows(step, p.base, p.seen)",
	},
	{
		name: "long-prompts-of-slow-machines-starve", file: "scheduler/budget.go", pkg: "scheduler", tests: []string{"TestShortPromptsKeepStepsShort"},
		old: "p.seen), r.LeastRows)\n	}\n	limit := float64(p.others)", new: "p.seen), 1)\n	}\n	limit := float64(p.others)",
	},
	{
		name: "long-prompts-have-all", file: "scheduler/rules.go", pkg: "scheduler", tests: []string{"TestLongPromptsLeaveRoom"},
		old: "LongStretch: 2.1", new: "LongStretch: 4",
	},
}
