package main

// This file owns the part of the list about what the loop counts, so that it looks at no sequence for it, and who pays for another's prompt.

func init() { list = append(list, claims...) }

var claims = []mutant{
	{
		name: "places-always-contested", file: "scheduler/claims.go", pkg: "scheduler", tests: []string{"TestWhoContestsPlaces"},
		old: "		if over[c] && under[c] {", new: "		if over[c] || under[c] {",
	},
	{
		name: "tenants-contest-across-classes", file: "scheduler/claims.go", pkg: "scheduler", tests: []string{"TestWhoContestsPlaces"},
		old: "over[c] || overRuns && g.places[c] > 0", new: "over[c] || overRuns",
	},
	{
		name: "tenants-contest-free-places", file: "scheduler/claims.go", pkg: "scheduler", tests: []string{"TestWhoContestsPlaces"},
		old: "	if len(s.running) < s.places() {\n		return false\n	}\n", new: "",
	},
	{
		name: "classes-contest-upwards", file: "scheduler/claims.go", pkg: "scheduler", tests: []string{"TestWhoContestsPlaces"},
		old: "if waits && s.runs[c] >", new: "if s.runs[c] >",
	},
	{
		name: "guests-stay", file: "scheduler/claims.go", pkg: "scheduler", tests: []string{"TestStepsUnderWayKeepTheirWeights"},
		old: "g.sequences == [classes]int{} {", new: "false {",
	},
	{
		name: "stopped-before-it-came", file: "scheduler/queue.go", pkg: "scheduler", tests: []string{"TestStoppedBeforeHeArrived"},
		old: "	if seq.stopped.Load() { //", new: "	if false { //",
	},
	{
		name: "generation-noted-anew-each-step", file: "scheduler/generations.go", pkg: "scheduler", tests: []string{"TestTurnAllocatesNothing"},
		old: "	if newest.id != known {\n		latest := newest", new: "	if latest := newest; true {",
	},
	{
		name: "prompt-counted-by-the-loop", file: "scheduler/sequence.go", pkg: "scheduler", tests: []string{"TestPromptsAreCountedWhereTheyAreSubmitted"},
		old: "	if r.Sampling.penalises() {\n		s.seen = occurrencesIn(r.Prompt)\n	}\n", new: "",
	},
	{
		name: "token-of-the-prompt-counted-apart", file: "scheduler/penalties.go", pkg: "scheduler", tests: []string{"TestSeenTokens"},
		old: "s.counts[:s.prompt], token", new: "s.counts[:0], token",
	},
	{
		name: "lender-pays-nothing", file: "scheduler/loans.go", pkg: "scheduler", tests: []string{"TestWhoHurriesAPrefixPays"},
		old: "if until <= from || s.tenant == owner.tenant {", new: "if true {",
	},
	{
		name: "lender-pays-though-nothing-is-hurried", file: "scheduler/loans.go", pkg: "scheduler", tests: []string{"TestWhoHurriesAPrefixPays"},
		old: "priority(), to.deadline()}) != before {", new: "priority(), to.deadline()}) != before || true {",
	},
	{
		name: "lender-pays-what-was-computed-before", file: "scheduler/loans.go", pkg: "scheduler", tests: []string{"TestWhoHurriesAPrefixPays"},
		old: "	from := owner.most\n", new: "	from := 0\n",
	},
	{
		name: "lender-is-paid-back-nothing", file: "scheduler/loans.go", pkg: "scheduler", tests: []string{"TestWhoHurriesAPrefixPays"},
		old: "n := p.to - max(p.from, s.most); n > 0 {", new: "n := p.to - max(p.from, s.most); n < 0 {",
	},
}
