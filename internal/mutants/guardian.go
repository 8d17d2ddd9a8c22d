package main

// This file owns the part of the list that is the guard's loop: what it looks at and what it forgets. None takes a model that computes.

func init() { list = append(list, guardLoop...) }

const guardian = "daemon/guardian.go"

var guardLoop = []mutant{
	{
		name: "guardian-measures-what-serves-first", file: guardian, pkg: "daemon", tests: []string{"TestGuardMeasuresWhatIsMissing"},
		old: "[]string{api.SourceTier, tier} {", new: "[]string{tier, api.SourceTier} {",
	},
	{
		name: "guardian-decides-in-a-swap", file: guardian, pkg: "daemon", tests: []string{"TestGuardMeasuresWhatIsMissing"},
		old: "r.swap != nil || len(g.suites) == 0 {", new: "len(g.suites) == 0 {",
	},
	{
		name: "guardian-decides-without-suites", file: guardian, pkg: "daemon", tests: []string{"TestGuardMeasuresWhatIsMissing"},
		old: "r.swap != nil || len(g.suites) == 0 {", new: "r.swap != nil {",
	},
	{
		name: "guardian-rungs-of-one-size", file: guardian, pkg: "daemon", tests: []string{"TestGuardRungs"},
		old: "r.ladder[i] < l[len(l)-1].Bytes {", new: "r.ladder[i] <= l[len(l)-1].Bytes {",
	},
	{
		name: "guardian-rungs-of-nothing", file: guardian, pkg: "daemon", tests: []string{"TestGuardRungs"},
		old: "r.ladder[i] > 0 && ", new: "",
	},
	{
		name: "guardian-rungs-nobody-asked-for", file: guardian, pkg: "daemon", tests: []string{"TestGuardRungs"},
		old: "if !slices.Contains(g.ladder, tier) {", new: "if len(g.ladder) == 0 {",
	},
	{
		name: "guardian-knows-of-the-load-before", file: guardian, pkg: "daemon", tests: []string{"TestGuardForgets"},
		old: "if w.of != r.up {", new: "if w.of == nil {",
	},
	{
		name: "guardian-doubts-the-source-too", file: guardian, pkg: "daemon", tests: []string{"TestGuardForgets"},
		old: "delete(r.watched.known, r.tier)", new: "clear(r.watched.known)",
	},
	{
		name: "guardian-doubts-and-does-not-look", file: guardian, pkg: "daemon", tests: []string{"TestGuardForgets"},
		old: "= true, \"\"\n	g.look()\n", new: "= true, \"\"\n",
	},
	{
		name: "guardian-pressed-by-tenants", file: guardian, pkg: "daemon", tests: []string{"TestGuardIsPressed"},
		old: "	for name, m := range missed {\n		if r := g.all.find(name); r != nil && name != \"\" {\n			r.watched.pressure.Add(m)\n",
		new: "	for _, w := range list {\n		if r, m := g.all.find(w.Model), missed[w.Model]; r != nil && w.Model != \"\" {\n			r.watched.pressure.Add(m)\n",
	},
	{
		name: "guardian-pressed-without-end", file: guardian, pkg: "daemon", tests: []string{"TestGuardIsPressed"},
		old: "		missed[w.Model] = nil\n", new: "",
	},
	{
		name: "guardian-doubts-by-the-estimate", file: guardian, pkg: "daemon", tests: []string{"TestGuardDoubtsLiveAnswers"},
		old: "e.High < c.Floor {", new: "e.Estimate < c.Floor {",
	},
	{
		name: "guardian-doubts-for-a-part", file: guardian, pkg: "daemon", tests: []string{"TestGuardDoubtsLiveAnswers"},
		old: "if e.Tag == \"\" && c.Metric", new: "if c.Metric",
	},
	{
		name: "guardian-doubts-by-no-criterion", file: guardian, pkg: "daemon", tests: []string{"TestGuardDoubtsLiveAnswers"},
		old: "c.Metric == agreement && e.Metric", new: "e.Metric",
	},
	{
		name: "guardian-repeats-its-advice", file: guardian, pkg: "daemon", tests: []string{"TestGuardAdvisesOnce"},
		old: "	r.watched.advice = advice\n", new: "",
	},
	{
		name: "guardian-measures-beside-another", file: guardian, pkg: "daemon", tests: []string{"TestGuardTakesTurns"},
		old: "	case g.all.measuring <- struct{}{}:\n		return true\n	case <-ctx.Done():\n		return false\n	}\n",
		new: "	case g.all.measuring <- struct{}{}:\n	default:\n	}\n	return ctx.Err() == nil\n",
	},
}
