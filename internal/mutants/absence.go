package main

// This file owns the part of the list that is controls which come back, and what they say of answers that they gave themselves.

func init() { list = append(list, absences...) }

var absences = []mutant{
	{
		name: "control-pause-never-grows", file: "daemon/control_absence.go", pkg: "daemon", tests: []string{"TestAbsence"},
		old: "max(2*a.pause, leastAbsence)", new: "max(a.pause, leastAbsence)",
	},
	{
		name: "control-pause-without-end", file: "daemon/control_absence.go", pkg: "daemon", tests: []string{"TestAbsence"},
		old: "mostAbsence  = 5 * time.Minute", new: "mostAbsence  = 50 * time.Minute",
	},
	{
		name: "control-is-tried-at-each-event", file: "daemon/control_absence.go", pkg: "daemon", tests: []string{"TestAbsence"},
		old: "gone >= leastAbsence && freed > a.freed", new: "freed > a.freed",
	},
	{
		name: "control-waits-out-its-pause", file: "daemon/control_absence.go", pkg: "daemon", tests: []string{"TestAbsence"},
		old: " || gone >= leastAbsence && freed > a.freed", new: " && freed >= a.freed",
	},
	{
		name: "control-is-tried-at-once", file: "daemon/control.go", pkg: "daemon", tests: []string{"TestControlComesBack"},
		old: "if !errors.Is(cause, errControlIdle) {", new: "if errors.Is(cause, errControlIdle) {",
	},
	{
		name: "control-samples-try-at-once", file: "daemon/control_absence.go", pkg: "daemon", tests: []string{"TestControlComesBack"},
		old: "r.beside == nil && !r.absent", new: "r.beside != nil && !r.absent",
	},
	{
		name: "memory-given-back-is-not-counted", file: "daemon/control_absence.go", pkg: "daemon", tests: []string{"TestMemoryGivenBack"},
		old: "	all.freed++\n", new: "",
	},
	{
		name: "memory-of-a-tier-is-kept", file: "daemon/runtime_tier.go", pkg: "daemon", tests: []string{"TestMemoryGivenBack"},
		old: "	all.memoryGivenBack() // of a smaller tier; and who made room for the change may come back\n", new: "",
	},
	{
		name: "live-escalated-is-lost", file: "daemon/live.go", pkg: "daemon", tests: []string{"TestEscalatedAnswersCount"},
		old: "s.tier, s.numerics, s.escalated = e.From, e.Numerics, w.Numerics", new: "s.escalated = w.Numerics",
	},
	{
		name: "live-escalated-by-any-source", file: "daemon/live_score.go", pkg: "daemon", tests: []string{"TestEscalatedAnswersCount"},
		old: "if s.control != s.escalated {", new: "if s.control == \"\" {",
	},
	{
		name: "live-escalated-never-agrees", file: "daemon/live_score.go", pkg: "daemon", tests: []string{"TestEscalatedAnswersCount"},
		old: "Tokens: float64(len(tokens)), Same: float64(len(tokens))}", new: "Tokens: float64(len(tokens))}",
	},
	{
		name: "live-escalated-needs-no-control", file: "daemon/live_score.go", pkg: "daemon", tests: []string{"TestEscalatedAnswersCount"},
		old: "	tier, of, err := l.all.pair(ctx, s)\n	if err != nil {", new: "	tier, of, err := l.all.pair(ctx, s)\n	if s.escalated != \"\" && err != nil {\n		return []group.Paired{{Tokens: 1, Same: 1}}, nil\n	}\n	if err != nil {",
	},
	{
		name: "escalated-without-its-draft", file: "api/escalate.go", pkg: "api", tests: []string{"TestEscalation"},
		old: "		e.Numerics = j.model.Numerics(j.work[0].weights)\n", new: "",
	},
}
