package main

// This file owns the part of the list that is where the engine's time goes, beside what the machine can do, and what recordings say and
// spare.

func init() { list = append(append(list, profiles...), recordings...) }

var recordings = []mutant{
	{
		name: "sent-away-is-failed", file: "daemon/record.go", pkg: "daemon", tests: []string{"TestTraced"},
		old: "case errors.Is(e.Err, scheduler.ErrDeadline):", new: "case false && errors.Is(e.Err, scheduler.ErrDeadline):",
	},
	{
		name: "queued-for-no-time", file: "api/call.go", pkg: "api", tests: []string{"TestQueueTimeIsOfAPlace"},
		old: "if f.queued > 0 {", new: "if f.queued >= 0 {",
	},
	{
		name: "verbs-told-of-settings-they-lack", file: "loader/heap.go", pkg: "loader", tests: []string{"TestHeapIsPlanned"},
		old: "if promised > 0 {\n\t\t\tothers", new: "if promised >= 0 {\n\t\t\tothers",
	},
	{
		name: "context-of-zero", file: "client/status.go", pkg: "client", tests: []string{"TestStatus"},
		old: "if m.MaxContext == 0 {", new: "if m.MaxContext < 0 {",
	},
	{
		name: "trace-goes-on-in-a-cut-line", file: "scheduler/trace/record.go", pkg: "scheduler/trace", tests: []string{"TestCutOff"},
		old: "size, r.file.Truncate(size)", new: "size, nil",
	},
	{
		name: "cut-trace-unread", file: "scheduler/trace/read.go", pkg: "scheduler/trace", tests: []string{"TestCutOff"},
		old: "ours && errors.Is", new: "ours && false && errors.Is",
	},
	{
		name: "probes-look-for-prefixes", file: "scheduler/cache.go", pkg: "scheduler", tests: []string{"TestCacheState"},
		old: "len(seq.request.Prompt) < engine.PageTokens", new: "len(seq.request.Prompt) < engine.PageTokens-1",
	},
	{
		name: "trace-into-anything", file: "scheduler/trace/record.go", pkg: "scheduler/trace", tests: []string{"TestRecordSpoilsNothing"},
		old: "if !strings.HasPrefix(headerBegins, string(begun))", new: "if false && !strings.HasPrefix(headerBegins, string(begun))",
	},
	{
		name: "refused-by-answers-not-prompts", file: "api/class.go", pkg: "api", tests: []string{"TestEnded"},
		old: "Prompts: size.prompts,", new: "Prompts: ask.Answers,",
	},
	{
		name: "refused-without-what-it-asked-for", file: "api/class.go", pkg: "api", tests: []string{"TestEnded"},
		old: "int(min(answerTokens, int64(m.MaxContext)))", new: "m.MaxContext",
	},
	{
		name: "form-of-a-value-unsaid", file: "config/file.go", pkg: "config", tests: []string{"TestBadTables"},
		old: "form != \"\"", new: "false",
	},
}

var profiles = []mutant{
	{
		name: "phase-costs-not-begun-anew", file: "cgo/profile.go", pkg: "cgo", tests: []string{"TestPhaseCosts"},
		old: "	in.profile.costs = make(", new: "	in.profile.costs = costs; _ = make(",
	},
	{
		name: "phases-timed-unasked", file: "cgo/profile.go", pkg: "cgo", tests: []string{"TestPhaseCosts"},
		old: "if p.costs == nil {\n		return\n	}", new: "if p.costs == nil {\n		in.PhaseCosts()\n	}",
	},
	{
		name: "attention-sees-itself-alone", file: "cgo/profile.go", pkg: "cgo", tests: []string{"TestPhaseCosts"},
		old: "at + 1 - mask.FirstSeen(at)", new: "at - mask.FirstSeen(at)",
	},
	{
		name: "embedding-reads-one-row", file: "cgo/profile.go", pkg: "cgo", tests: []string{"TestPhaseCosts"},
		old: "read*rows[engine.PerToken]", new: "read",
	},
	{
		name: "phase-limit-the-farther-one", file: "daemon/bench_phases.go", pkg: "daemon", tests: []string{"TestPhasesOf"},
		old: "share > p.Share", new: "share < p.Share",
	},
	{
		name: "phase-time-of-all-steps", file: "daemon/bench_phases.go", pkg: "daemon", tests: []string{"TestPhasesOf"},
		old: "seconds * 1000 / float64(count)", new: "seconds * 1000",
	},
	{
		name: "sum-is-no-operation", file: "daemon/bench_phases.go", pkg: "daemon", tests: []string{"TestPhasesOf"},
		old: "2*float64(sum.MACs)", new: "float64(sum.MACs)",
	},
	{
		name: "layers-apart", file: "daemon/bench_phases.go", pkg: "daemon", tests: []string{"TestPhasesOf"},
		old: "layerName.ReplaceAllString(p.Name, \".*.\")", new: "layerName.FindString(p.Name) + p.Name",
	},
}
