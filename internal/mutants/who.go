package main

// This file owns the part of the list about who is next, and about what is promised.

func init() { list = append(list, who...) }

var who = []mutant{
	// The order.
	{
		name: "class-ignored", file: "scheduler/policy.go", pkg: "scheduler", tests: []string{"TestOrder"},
		old: "		if s.class = int(c.class); due {", new: "		if s.class = 0; due {",
	},
	{
		name: "priority-ignored", file: "scheduler/policy.go", pkg: "scheduler", tests: []string{"TestOrder"},
		old: "		s.priority = c.priority\n", new: "",
	},
	{
		name: "tenant-ignored", file: "scheduler/policy.go", pkg: "scheduler", tests: []string{"TestOrder", "TestAFloodDelaysNobodyElse"},
		old: "		s.quiet, s.counter, s.places = c.quiet, c.counter, c.places\n", new: "",
	},
	{
		name: "priority-beats-fairness", file: "scheduler/policy.go", pkg: "scheduler", tests: []string{"TestOrder"},
		old: "	case a.counter != b.counter:\n", new: "	case a.priority != b.priority:\n		return b.priority - a.priority\n	case a.counter != b.counter:\n",
	},
	{
		name: "deadline-ignored", file: "scheduler/policy.go", pkg: "scheduler", tests: []string{"TestOrder"},
		old: "			s.slack = slack\n", new: "",
	},
	{
		name: "missed-deadlines-first", file: "scheduler/policy.go", pkg: "scheduler", tests: []string{"TestOrder"},
		old: "- c.takes; slack >= 0 {", new: "- c.takes; slack < far {",
	},
	{
		name: "nobody-ages", file: "scheduler/policy.go", pkg: "scheduler", tests: []string{"TestOrder", "TestAgeingInTheQueue", "TestALongPromptIsNeitherStarvedNorStarves"},
		old: "s.aged = c.passed >= p.rules.AgePassings || c.skipped >= p.rules.AgeSteps", new: "s.aged = false",
	},
	{
		name: "passings-uncounted", file: "scheduler/admission.go", pkg: "scheduler", tests: []string{"TestAgeingInTheQueue"},
		old: "		seq.tenant.left[seq.request.Class]++\n", new: "",
	},
	{
		name: "shorter-prefix-first", file: "scheduler/policy.go", pkg: "scheduler", tests: []string{"TestOrder"},
		old: "		return b.prefix - a.prefix", new: "		return a.prefix - b.prefix",
	},
	{
		name: "priority-not-lent", file: "scheduler/loans.go", pkg: "scheduler", tests: []string{"TestWaitersLendTheirClass"},
		old: "	l.class, l.priority = min(l.class, s.request.Class), max(l.priority, s.request.Priority)\n", new: "",
	},

	// The budget.
	{
		name: "budget-ignored", file: "scheduler/budget.go", pkg: "scheduler", tests: []string{"TestLongPromptsLeaveRoom"},
		old: "	if len(prompts) == 0 || !s.policy.with(withBudget) || s.next.kind == givesWay {", new: "	if true {",
	},
	{
		name: "every-prompt-is-long", file: "scheduler/budget.go", pkg: "scheduler", tests: []string{"TestLongPromptsLeaveRoom"},
		old: "return seq.toCompute > s.config.StepTokens", new: "return true",
	},
	{
		name: "long-prompts-starve", file: "scheduler/budget.go", pkg: "scheduler", tests: []string{"TestLongPromptsLeaveRoom"},
		old: "		n := max(c.Rows(p.itl, p.base, p.seen), r.LeastRows)", new: "		n := max(c.Rows(p.itl, p.base, p.seen), 1)",
	},
	{
		name: "other-lanes-answers-ignored", file: "scheduler/budget.go", pkg: "scheduler", tests: []string{"TestLongPromptsOfOtherLanes"},
		old: "others: s.loop.decoding(s)", new: "others: 0",
	},

	// Shares of classes, lanes and tenants.
	{
		name: "credit-ignored", file: "scheduler/shares.go", pkg: "scheduler", tests: []string{"TestLowerClassesHaveAShare", "TestLanesShareTheDevice"},
		old: "return s.saved[c] > 0", new: "return false",
	},
	{
		name: "credit-never-spent", file: "scheduler/shares.go", pkg: "scheduler", tests: []string{"TestLowerClassesHaveAShare"},
		old: "		s.saved[c] = max(saved-by[c], min(saved, -by[c])) //", new: "		s.saved[c] = saved //",
	},
	{
		name: "background-is-never-owed", file: "scheduler/turns.go", pkg: "scheduler", tests: []string{"TestLowerClassesHaveAShare"},
		old: "s.serves() && s.isDue(Background)", new: "false",
	},
	{
		name: "batch-keeps-its-places", file: "scheduler/victims.go", pkg: "scheduler", tests: []string{"TestInteractiveTakesPlacesOfBatch"},
		old: "		return running[c] > keeps\n", new: "		return false\n",
	},
	{
		name: "batch-keeps-no-place", file: "scheduler/victims.go", pkg: "scheduler", tests: []string{"TestInteractiveTakesPlacesOfBatch"},
		old: "		return places / s.policy.rules.PlaceShare", new: "		return 0",
	},
	{
		name: "lanes-by-turns", file: "scheduler/lane_cost.go", pkg: "scheduler", tests: []string{"TestLanesShareTheDevice"},
		old: "		s.used[done.class] += (took - done.predicted).Seconds()\n", new: "		s.used[done.class] += 1 - done.predicted.Seconds()\n",
	},
	{
		name: "idle-lanes-save-up", file: "scheduler/turns.go", pkg: "scheduler", tests: []string{"TestIdlenessEarnsNothing", "TestLanesAreOwedNothingForOtherClasses"},
		old: "lane.used[class] = max(lane.used[class], least)", new: "_ = least",
	},
	{
		name: "places-not-by-tenant", file: "scheduler/victims.go", pkg: "scheduler", tests: []string{"TestAFloodDelaysNobodyElse"},
		old: "top.guest.mayRun(part) && seq.guest.overRuns(part)", new: "false",
	},
	{
		name: "cached-tokens-charged", file: "scheduler/fairness.go", pkg: "scheduler", tests: []string{"TestWhatTenantsAreCharged"},
		old: "	s.charged = max(s.charged, s.computed)\n", new: "",
	},
	{
		name: "nothing-given-back", file: "scheduler/fairness.go", pkg: "scheduler", tests: []string{"TestWhatTenantsAreCharged"},
		old: "		s.tenant.charge(-n, r.InputWeight)\n", new: "",
	},
	{
		name: "found-tokens-given-back", file: "scheduler/fairness.go", pkg: "scheduler", tests: []string{"TestHangingUpEarnsNothing"},
		old: "	s.most = max(s.most, s.computed) //", new: "	//",
	},
	{
		name: "answer-charged-as-prompt-too", file: "scheduler/fairness.go", pkg: "scheduler", tests: []string{"TestAnAnswerSentBackIsChargedOnce"},
		old: "if n := len(s.request.Prompt) - s.charged; n > 0 {", new: "if n := len(s.tokens) - s.charged; n > 0 {",
	},
	{
		name: "no-lift", file: "scheduler/fairness.go", pkg: "scheduler", tests: []string{"TestIdlenessLiftsTheCounter"},
		old: "		one.counter = max(one.counter, t.least())\n", new: "",
	},
	{
		name: "weights-ignored", file: "scheduler/fairness.go", pkg: "scheduler", tests: []string{"TestTenantsHaveTheirWeights"},
		old: "t.counter += float64(tokens) * weight / t.weight", new: "t.counter += float64(tokens) * weight",
	},
	{
		name: "one-tenant-fills-the-queue", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestTheQueueIsNobodysAlone"},
		old: "othersDid := s.policy.with(byTenant) && q.tenants", new: "othersDid := false && q.tenants",
	},

	// What is promised.
	{
		name: "watermark-skipped", file: "scheduler/watermark.go", pkg: "scheduler", tests: []string{"TestWatermark"},
		old: "	return min(s.kept[i], s.groups[i].Pages/s.policy.rules.ReserveShare)", new: "	return 0",
	},
	{
		name: "waits-beyond-its-deadline", file: "scheduler/queue.go", pkg: "scheduler", tests: []string{"TestWhoWaitsTooLongIsSentAway"},
		old: "			last = Event{Finish: Failed, Err: ErrDeadline}\n", new: "			return false\n",
	},
	{
		name: "no-timer-for-deadlines", file: "scheduler/loop.go", pkg: "scheduler", tests: []string{"TestWhoWaitsTooLongIsSentAway"},
		old: "		passed = timer.C\n", new: "",
	},
	{
		name: "deadline-after-the-first-token", file: "scheduler/queue.go", pkg: "scheduler", tests: []string{"TestDeadlinesAreOfFirstTokens"},
		old: "	if s.generated == 0 {\n		due", new: "	if true {\n		due",
	},
	{
		name: "nothing-foreseen", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestAdmissionPredicts", "TestPrecheck"},
		old: "	if late <= 0 && left > 0 {", new: "	if left > 0 {",
	},
	{
		name: "cache-not-foreseen", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestAdmissionPredicts"},
		old: "engine.PageTokens*cached(seq.keys)", new: "min(0, cached(seq.keys))",
	},
	{
		name: "precheck-without-the-cache", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestPrecheck"},
		old: " - s.forecast.cached\n", new: "\n",
	},
}
