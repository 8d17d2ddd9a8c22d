package main

// This file owns the part of the list that is policy: who is before whom, what a request may ask, and what it holds. Little
// of it would show in a single answer.

func init() { list = append(list, policy...) }

var policy = []mutant{
	// Who is in a step.
	{
		name: "prompts-unsorted", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestPromptsShareAStep"},
		old: "return a.pending() - b.pending()", new: "return 0",
	},
	{
		name: "longest-prompt-first", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestPromptsShareAStep"},
		old: "return a.pending() - b.pending()", new: "return b.pending() - a.pending()",
	},
	{
		name: "one-prompt-takes-all", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestPromptsShareAStep"},
		old: "budget/(len(prompts)-i)", new: "budget+0*i",
	},
	{
		name: "oldest-always-first", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestNobodyStarvesInSmallSteps"},
		old: "	seq.turn = s.turns\n", new: "",
	},
	{
		name: "more-prompts-than-rows", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestFirstTokensInSmallSteps"},
		old: "prompts := longestWaiting(s.unplanned(g), budget)", new: "prompts := longestWaiting(s.unplanned(g), len(s.running))",
	},
	{
		name: "biases-beyond-a-step", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestBiasesBeyondAStep"},
		old: "cap(b.Biases)-len(b.Biases) >= len(seq.biases())", new: "true",
	},

	// Who waits.
	{
		name: "stop-ignored-while-waiting", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestStopWhileWaiting"},
		old: "	s.waiting = slices.DeleteFunc(s.waiting, gone)\n", new: "",
	},
	{
		name: "overtakes-who-lacks-pages", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestNobodyOvertakesWhoLacksPages"},
		old: "if !s.fits(seq, prefix) {\n\t\t\treturn", new: "if !s.fits(seq, prefix) {\n\t\t\ti++\n\t\t\tcontinue",
	},
	{
		name: "preempted-to-the-tail", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestPreemptedGoBeforeThoseThatWait"},
		old: "slices.Insert(s.waiting, 0, seq)", new: "append(s.waiting, seq)",
	},
	{
		name: "group-in-part", file: "scheduler/admission.go", pkg: "scheduler", tests: []string{"TestGroupsAreAdmittedWhole"},
		old: "case s.queued+len(group) > s.config.QueueLength", new: "case s.queued >= s.config.QueueLength",
	},
	{
		name: "group-never-fits", file: "scheduler/admission.go", pkg: "scheduler", tests: []string{"TestGroupsAreAdmittedWhole"},
		old: "if len(requests) > s.config.QueueLength", new: "if false",
	},

	// What pages hold.
	{
		name: "most-recently-used-evicted", file: "scheduler/pages.go", pkg: "scheduler", tests: []string{"TestLeastRecentlyUsedPrefixIsEvicted"},
		old: "oldest := p.lru.Front()", new: "oldest := p.lru.Back()",
	},
	{
		name: "tenants-share", file: "scheduler/pages.go", pkg: "scheduler", tests: []string{"TestTenantsShareNoPages"},
		old: `if tenant == "" {`, new: "if true {",
	},

	// What is sampled.
	{
		name: "end-before-least-length", file: "scheduler/sequence.go", pkg: "scheduler", tests: []string{"TestEndTokensAreMaskedBeforeTheLeastLength"},
		old: "Value: float32(math.Inf(-1))", new: "Value: float32(math.Abs(0))",
	},
	{
		name: "bias-on-a-masked-end", file: "scheduler/sequence.go", pkg: "scheduler", tests: []string{"TestEndTokensAreMaskedBeforeTheLeastLength"},
		old: "if !slices.Contains(s.request.Ends, b.Token) {", new: "if !slices.Contains([]int32{}, b.Token) {",
	},
}
