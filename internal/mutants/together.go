package main

// This file owns the part of the list about requests that come together, whose queue is whose, and how long steps may take.

func init() { list = append(list, together...) }

var together = []mutant{
	{
		name: "deadline-of-each-prompt-alone", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestDeadlinesOfSeveralPrompts"},
		old: "			s.queue.change(d, 1)\n			before++\n", new: "",
	},
	{
		name: "refused-prompts-stay-counted", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestDeadlinesOfSeveralPrompts"},
		old: "	for _, d := range together[:before] {\n		s.queue.change(d, -1)\n	}\n", new: "	_ = before\n",
	},
	{
		name: "one-waits-for-oneself", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestDeadlinesOfSeveralPrompts"},
		old: "		if !d.deadline.IsZero() {\n			s.queue", new: "		if true {\n			s.queue",
	},
	{
		name: "precheck-of-all-prompts-as-one", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestDeadlinesOfSeveralPrompts"},
		old: "/prompts - s.forecast.cached\n", new: " - s.forecast.cached\n",
	},
	{
		name: "least-of-one-prompt-alone", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestDeadlinesOfSeveralPrompts"},
		old: "s.leastTTFT(rows)", new: "s.leastTTFT(d.rows)",
	},
	{
		name: "each-answer-computes-a-page", file: "scheduler/admission.go", pkg: "scheduler", tests: []string{"TestDeadlineOfSeveralAnswers"},
		old: "1+(len(seq.tokens)-1)%engine.PageTokens", new: "engine.PageTokens",
	},
	{
		name: "lower-classes-of-many-tenants-fill-all", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestLowerClassesOfManyTenantsKeepNobodyOut"},
		old: "before+requests <= most || othersDid && before+requests <= 2*most", new: "q.requests+requests <= 2*most && (before+requests <= most || othersDid)",
	},

	// What a reload changes.
	{
		name: "itl-waits-for-a-restart", file: "config/settings.go", pkg: "config", tests: []string{"TestAdopt"},
		old: "value: number{&c.Scheduler.ITL, 0, 10_000}, live: true,", new: "value: number{&c.Scheduler.ITL, 0, 10_000},",
	},
	{
		name: "itl-is-not-followed", file: "daemon/start.go", pkg: "daemon", tests: []string{"TestReloadChangesITL"},
		old: "	s.whenReloaded(follow)\n", new: "",
	},
}
