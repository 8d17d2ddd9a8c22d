package main

// This file owns the part of the list that is whose states relevance is measured by, what of an evaluation may be missing, answers with and without the prefix
// cache, counters of energy that come late, and who sees how busy a machine is.

func init() { list = append(list, relativeRules...) }

var relativeRules = []mutant{
	{
		name: "relevance-compares-by-any-states", file: "quality/eval/baseline.go", pkg: "quality/eval", tests: []string{"TestCompareRelevance"},
		old: "(b.RelevanceBy != report.RelevanceBy || b.RelevanceBy == \"\")", new: "false",
	},
	{
		name: "relevance-compares-by-nobodys-states", file: "quality/eval/baseline.go", pkg: "quality/eval", tests: []string{"TestCompareRelevance"},
		old: "(b.RelevanceBy != report.RelevanceBy || b.RelevanceBy == \"\")", new: "b.RelevanceBy != report.RelevanceBy",
	},
	{
		name: "relevance-in-the-journal-of-others", file: "quality/eval/run.go", pkg: "quality/eval", tests: []string{"TestWithoutRelevance"},
		old: "r.states != nil, r.RelevanceBy)", new: "r.states != nil, r.ControlBy)",
	},
	{
		name: "relevance-ends-a-run", file: "quality/eval/relevance.go", pkg: "quality/eval", tests: []string{"TestRelevanceGoesMissing"},
		old: "		o.RelevanceMissing = err.Error()\n", new: "		return err\n",
	},
	{
		name: "relevance-that-is-missing-is-none", file: "quality/eval/relevance.go", pkg: "quality/eval", tests: []string{"TestRelevanceGoesMissing"},
		old: "		o.RelevanceMissing = err.Error()\n", new: "		o.Relevance = &cosine\n",
	},
	{
		name: "relevance-by-whoever-is-there", file: "quality/eval/relevance.go", pkg: "quality/eval", tests: []string{"TestRelevanceGoesMissing"},
		old: "	if state.By != r.RelevanceBy {", new: "	if state.By == \"\" && r.RelevanceBy != \"\" {",
	},
	{
		name: "references-are-read-each-time", file: "quality/eval/relevance.go", pkg: "quality/eval", tests: []string{"TestReferencesAreReadOnce"},
		old: "	if known {\n", new: "	if known && state == nil {\n",
	},
	{
		name: "states-are-kept-without-end", file: "quality/eval/relevance.go", pkg: "quality/eval", tests: []string{"TestReferencesAreReadOnce"},
		old: "s.bytes+size <= mostStates", new: "size <= mostStates",
	},
	{
		name: "metrics-that-nobody-wants", file: "quality/eval/repeats.go", pkg: "quality/eval", tests: []string{"TestMetricsThatAreWanted"},
		old: "{ return !r.wants(m.name) })", new: "{ return m.name == \"\" })",
	},
	{
		name: "relevance-that-nobody-wants", file: "quality/eval/relevance.go", pkg: "quality/eval", tests: []string{"TestMetricsThatAreWanted"},
		old: "	if !r.wants(relevance) || ", new: "	if ",
	},
	{
		name: "drift-scores-share-with-chrf", file: "quality/drift/budget.go", pkg: "quality/drift", tests: []string{"TestBudgetOfRuns"},
		old: "	case \"chrf\":\n		return part{metric, 4.0 / 7}\n", new: "	case \"chrf\":\n		return part{\"others\", 2.0 / 7}\n",
	},
	{
		name: "drift-runs-have-more-than-there-is", file: "quality/drift/budget.go", pkg: "quality/drift", tests: []string{"TestBudgetOfRuns"},
		old: "return part{\"others\", 2.0 / 7}", new: "return part{\"others\", 3.0 / 7}",
	},
	{
		name: "drift-runs-by-calibration", file: "quality/drift/budget.go", pkg: "quality/drift", tests: []string{"TestBudgetOfRuns"},
		old: "metric != \"bleu\" && metric != \"ece\"", new: "metric != \"bleu\"",
	},
	{
		name: "canaries-trust-the-prefix-cache", file: "daemon/canaries.go", pkg: "daemon", tests: []string{"TestCanariesFindAnotherCache"},
		old: "group.Changed(now.alone, now.again)", new: "group.Changed(now.again, now.again)",
	},
	{
		name: "canaries-are-asked-with-the-cache-alone", file: "daemon/canaries.go", pkg: "daemon", tests: []string{"TestCanariesFindAnotherCache"},
		old: "	round := time.Now().UnixNano()\n", new: "	round := 0\n",
	},
	{
		name: "canaries-blame-weights-for-the-cache", file: "daemon/canaries.go", pkg: "daemon", tests: []string{"TestCanariesFindAnotherCache"},
		old: "all.heldAgainst(ctx, list, now.alone, now.numerics)", new: "all.heldAgainst(ctx, list, now.again, now.numerics)",
	},
	{
		name: "suites-related-by-who-answered", file: "daemon/guardian_fluency.go", pkg: "daemon", tests: []string{"TestSuitesAreRead"},
		old: "done.run.Relate(ctx, stater{control})", new: "done.run.Relate(ctx, stater{done.run.Answerer.(*asker).model})",
	},
	{
		name: "energy-is-looked-for-once", file: "daemon/energy.go", pkg: "daemon", tests: []string{"TestEnergyOfProcessors"},
		old: "if now.Sub(m.looked) < lookAgain {", new: "if now.Sub(m.looked) < 1000*lookAgain {",
	},
	{
		name: "energy-is-looked-for-each-minute", file: "daemon/energy.go", pkg: "daemon", tests: []string{"TestEnergyOfProcessors"},
		old: "if now.Sub(m.looked) < lookAgain {", new: "if now.Sub(m.looked) < 0 {",
	},
	{
		name: "energy-that-is-known-again-is-not-told", file: "daemon/energy.go", pkg: "daemon", tests: []string{"TestEnergyIsToldOnce"},
		old: "	if problem != m.said {", new: "	if problem != m.said && problem != \"\" {",
	},
	{
		name: "anybody-sees-how-busy-all-are", file: "api/status.go", pkg: "api", tests: []string{"TestStatus"},
		old: "s.Utilisation != nil && c.peer.Administers", new: "s.Utilisation != nil",
	},
}
