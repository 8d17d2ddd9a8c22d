package main

// This file owns the part of the list that is predictions after times in which nothing was asked, and models that come and go.

func init() { list = append(list, staleness...) }

var staleness = []mutant{
	{
		name: "place-from-the-last-end", file: "scheduler/queue.go", pkg: "scheduler", tests: []string{"TestRetryAfterIdleness"},
		old: "		s.lastChange = s.now\n", new: "",
	},
	{
		name: "predictions-never-stale", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestStalePredictionsAreTried"},
		old: "return !f.serves && now.Sub(f.learned) >= staleAfter", new: "return false",
	},
	{
		name: "stale-beside-one-that-finds-out", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestStalePredictionsAreTried"},
		old: "s.queue.requests == s.queue.ofClass(Background, lengths-1).requests && s.forecast", new: "s.forecast",
	},
	{
		name: "stale-let-in-and-sent-away", file: "scheduler/queue.go", pkg: "scheduler", tests: []string{"TestStalePredictionsAreTried"},
		old: "s.policy.without.has(withForecast) || s.foreseen.isStale(s.now) {", new: "s.policy.without.has(withForecast) {",
	},
	{
		name: "deadlines-pass-other-lanes", file: "scheduler/turns.go", pkg: "scheduler", tests: []string{"TestDeadlinesDoNotStarveOtherLanes"},
		old: " && l.lead(lane) <= step.Seconds()", new: "",
	},
	{
		name: "one-count-for-all-classes", file: "scheduler/turns.go", pkg: "scheduler", tests: []string{"TestLanesAreOwedNothingForOtherClasses"},
		old: "return s.used[s.class]", new: "return s.used[Interactive] + s.used[Batch]",
	},

	{
		name: "windows-sought-from-the-front", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestPromisesKnowWindows"},
		old: "cached := s.groups[g].pool.directory.last\n", new: "cached := s.groups[g].pool.directory.run\n",
	},
	{
		name: "windows-cache-their-pages-alone", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestPromisesKnowWindows"},
		old: "case g.pool.chained || n == 0:", new: "default:",
	},
	{
		name: "prefixes-of-the-first-group", file: "scheduler/table.go", pkg: "scheduler", tests: []string{"TestPromisesKnowWindows"},
		old: "return max(0, slices.IndexFunc(groups, func(g group) bool { return g.pool.chained }))", new: "return 0",
	},
	{
		name: "cached-prompts-sent-away-unseen", file: "scheduler/queue.go", pkg: "scheduler", tests: []string{"TestPromisesKnowWindows"},
		old: "	if seq.looked {\n		rows =", new: "	if true {\n		rows =",
	},
	{
		name: "one-queue-for-all-classes", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestLowerClassesFillTheirOwnQueue"},
		old: "		before = q.upTo(c).requests\n", new: "		before = q.requests\n",
	},
	{
		name: "queue-without-end", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestQueueHasAnEnd"},
		old: "othersDid && before+requests <= 2*most", new: "othersDid",
	},
	{
		name: "pins-hold-something-everywhere", file: "scheduler/cachestate.go", pkg: "scheduler", tests: []string{"TestPinsInShortWindows"},
		old: "if ids := p.pages[g]; len(ids) > 0 {", new: "if ids := p.pages[g]; true {",
	},

	// Models that come and go.
	{
		name: "loaded-beside-what-is-left", file: "daemon/runtime_load.go", pkg: "daemon", tests: []string{"TestWhoStaysBehindHoldsUpNobody"},
		old: "if r.state == api.StateLoading || r.up != nil {", new: "if r.state == api.StateLoading || r.state == api.StateDraining {",
	},
	{
		name: "late-releases-end-keep-alive", file: "daemon/runtime.go", pkg: "daemon", tests: []string{"TestWhoStaysBehindHoldsUpNobody"},
		old: "	all.letGoOf(r)\n	if front", new: "	if r.holds--; r.up == up {\n		r.holds++\n		all.letGoOf(r)\n	}\n	if front",
	},
	{
		name: "failed-stays-failed-by-hand", file: "daemon/runtime_unload.go", pkg: "daemon", tests: []string{"TestWhoStaysBehindHoldsUpNobody"},
		old: "	case r.state == api.StateFailed:\n", new: "	case r.state == api.StateFailed && r.up == nil:\n",
	},
}
