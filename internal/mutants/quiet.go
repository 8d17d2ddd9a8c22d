package main

// This file owns the part of the list about quiet tenants beside one that floods.

func init() { list = append(list, quiet...) }

var quiet = []mutant{
	{
		name: "quiet-by-counters", file: "scheduler/policy.go", pkg: "scheduler", tests: []string{"TestOrder", "TestQuietPromptsGoFirst"},
		old: "	case a.quiet != b.quiet:\n		return goesFirst(a.quiet)\n", new: "",
	},
	{
		name: "quiet-in-the-queue", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestQuietTenantsWaitByCounters"},
		old: "seq.runs() && seq.tenant.quiet", new: "seq.tenant.quiet",
	},
	{
		name: "a-flood-without-a-queue-here", file: "scheduler/quiet.go", pkg: "scheduler", tests: []string{"TestFloodsAreOfOneLane"},
		old: "float64(places) > part && slices.ContainsFunc(s.waiting, func(seq *Sequence) bool { return seq.tenant == one })", new: "float64(places) > part",
	},
	{
		name: "quiet-by-places-alone", file: "scheduler/quiet.go", pkg: "scheduler", tests: []string{"TestWhoIsQuiet"},
		old: "float64(one.sequences) <= part*one.weight", new: "float64(one.places) <= part*one.weight",
	},
	{
		name: "quiet-without-weight", file: "scheduler/quiet.go", pkg: "scheduler", tests: []string{"TestQuietByWeight"},
		old: "s.isFlooded(one, part*one.weight)", new: "s.isFlooded(one, part)",
	},
	{
		name: "quiet-though-fairness-is-off", file: "scheduler/quiet.go", pkg: "scheduler", tests: []string{"TestNobodyIsQuietWithoutFairness"},
		old: "	if !s.policy.with(byTenant) {\n		return\n	}\n", new: "",
	},
	{
		name: "quiet-and-forgotten", file: "scheduler/quiet.go", pkg: "scheduler", tests: []string{"TestQuietPromptsGoFirst"},
		old: "s.now.Add(s.policy.rules.QuietTime)", new: "s.now",
	},
	{
		name: "quiet-for-ever", file: "scheduler/quiet.go", pkg: "scheduler", tests: []string{"TestQuietPromptsGoFirst"},
		old: "return s.now.Before(s.loop.tenants.quiet)", new: "return !s.loop.tenants.quiet.IsZero()",
	},
	{
		name: "others-fill-steps-beside-quiet", file: "scheduler/budget.go", pkg: "scheduler", tests: []string{"TestQuietPromptsGoFirst"},
		old: "	if !seq.tenant.quiet {", new: "	if false {",
	},
	{
		name: "others-fill-up-quiet-steps", file: "scheduler/budget.go", pkg: "scheduler", tests: []string{"TestQuietPromptsGoFirst"},
		old: "a.all-rows, a.others-rows", new: "a.all-rows, a.others",
	},
	{
		name: "quiet-steps-no-longer", file: "scheduler/budget.go", pkg: "scheduler", tests: []string{"TestStepsBesideQuiet"},
		old: "		most = max(all, p.short(c, 2*r.ShortStep, r.ShortRows))\n", new: "",
	},
	{
		name: "quiet-beyond-itl", file: "scheduler/budget.go", pkg: "scheduler", tests: []string{"TestStepsBesideQuiet"},
		old: "	if p.itl == 0 {\n		most", new: "	if true {\n		most",
	},
	{
		name: "a-flood-of-another-lane", file: "scheduler/quiet.go", pkg: "scheduler", tests: []string{"TestFloodsAreOfOneLane"},
		old: "		if seq.tenant == one {\n			places++\n		}\n	}\n", new: "		_ = seq\n	}\n	places = one.places\n",
	},
}
