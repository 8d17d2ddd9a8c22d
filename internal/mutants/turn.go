package main

// This file owns the part of the list about what a step of the loop no longer looks at for each sequence.

func init() { list = append(list, turn...) }

var turn = []mutant{
	{
		name: "kept-tables-not-checked", file: "engine/page_ids.go", pkg: "engine", tests: []string{"TestKeptTables"},
		old: "max(p.highest, uint32(id))", new: "p.highest",
	},
	{
		name: "asked-of-another-vocabulary", file: "engine/output.go", pkg: "engine", tests: []string{"TestAsked"},
		old: "a.checked && a.limits.vocab == l.Vocab", new: "a.checked",
	},
	{
		name: "stopped-and-running-on", file: "scheduler/lane.go", pkg: "scheduler", tests: []string{"TestCancelWithinTwoSteps"},
		old: "	s.stopped.Store(true)\n", new: "",
	},
	{
		name: "kept-pages-of-the-step-before", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestWatermark"},
		old: "if len(s.waiting) > 0 || s.isShort() {", new: "if false {",
	},
	{
		name: "shape-without-outputs", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestAnswersInAnyMix"},
		old: "	s.next.shape.Outputs = batch.LogitRows()\n", new: "",
	},
	{
		name: "client-not-woken-again", file: "scheduler/sequence.go", pkg: "scheduler", tests: []string{"TestEventsAreTakenInOrder"},
		old: "return len(s.events) == s.taken+1", new: "return false",
	},
}
