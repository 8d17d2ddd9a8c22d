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
}
