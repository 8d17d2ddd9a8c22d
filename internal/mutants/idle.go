package main

// This file owns the part of the list that is work for idle time.

func init() { list = append(list, idleTime...) }

// idleTime are what is computed in idle time alone.
var idleTime = []mutant{
	{
		name: "idle-work-in-gaps", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestIdleTimeAlone"},
		old: "seq.request.Idle && s.loop.serves()", new: "seq.request.Idle && s.serves()",
	},
	{
		name: "idle-work-has-a-share", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestIdleTimeAlone"},
		old: "seq.request.Idle && s.loop.serves()", new: "seq.request.Idle && s.loop.serves() && s.next.kind != owed",
	},
	{
		name: "idle-work-stays", file: "scheduler/idle.go", pkg: "scheduler", tests: []string{"TestIdleStepIsCalledBack"},
		old: "	return s.loop.serves() && slices.ContainsFunc(under.chunks", new: "	return s.loop.serves() && s.patient < 0 && slices.ContainsFunc(under.chunks",
	},
	{
		name: "idle-work-is-counted-for-ever", file: "scheduler/queue.go", pkg: "scheduler", tests: []string{"TestIdleEnds"},
		old: "	s.countIdle(seq, -1)\n", new: "",
	},
	{
		name: "idle-prefix-is-waited-for", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestIdlePrefixIsComputedForOthers"},
		old: "if seq.background() && seq.request.Idle && s.loop.serves() {", new: "if seq.request.Class == Background && seq.request.Idle && s.loop.serves() {",
	},
	{
		name: "idle-work-keeps-background-out", file: "scheduler/queue.go", pkg: "scheduler", tests: []string{"TestIdleTimeAlone"},
		old: "!(s.next.kind == owed && s.runsBackground())", new: "!(s.next.kind == owed && s.runs[Background] > 0)",
	},
	{
		name: "long-samples-begin-for-ever", file: "daemon/live_score.go", pkg: "daemon", tests: []string{"TestLongSamplesAreLost"},
		old: "return s.tries < mostTries", new: "return s.tries > 0",
	},
}
