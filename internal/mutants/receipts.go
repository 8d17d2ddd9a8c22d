package main

// This file owns the part of the list that is what a daemon remembers of its answers: receipts, costs, windows, ratings.

func init() { list = append(list, receipts...) }

var receipts = []mutant{
	// What steps cost.
	{
		name: "charges-in-equal-parts", file: "scheduler/spending.go", pkg: "scheduler", tests: []string{"TestChargesFollowTheCostModel"},
		old: "took.part(alone[i] / all)", new: "took.part(0*alone[i]/all + 1/float64(len(done.chunks)))",
	},
	{
		name: "overhead-from-the-first-step-on", file: "scheduler/spending.go", pkg: "scheduler", tests: []string{"TestChargesAreDivided"},
		old: "	if m.working {\n		return\n	}\n	cpu := m.clock()\n	m.overhead += cpu - m.marked\n	m.working, m.marked, m.at", new: "	if m.working {\n		return\n	}\n	cpu := m.clock()\n	m.working, m.marked, m.at",
	},
	{
		name: "idle-time-charged-to-a-step", file: "scheduler/spending.go", pkg: "scheduler", tests: []string{"TestChargesAreDivided"},
		old: "m.working, m.marked, m.at = others, cpu, now", new: "m.working, m.marked, m.at = true, cpu, now",
	},
	{
		name: "broken-lane-charged-to-others", file: "scheduler/loop.go", pkg: "scheduler", tests: []string{"TestBrokenLaneIsNotChargedToOthers"},
		old: "	l.meter.rest(l.anyUnderWay())\n", new: "",
	},
	{
		name: "tenants-charged-as-one", file: "scheduler/queue.go", pkg: "scheduler", tests: []string{"TestChargesAreDivided"},
		old: "payer{seq.request.Tenant, seq.request.Class,", new: "payer{\"\", seq.request.Class,",
	},
	{
		name: "overhead-in-equal-parts", file: "measure/costs.go", pkg: "measure", tests: []string{"TestCosts"},
		old: "float64(u.PromptTokens+u.AnswerTokens) / float64(total)", new: "float64(0*u.PromptTokens+1) / float64(len(used))",
	},
	{
		name: "overhead-of-nobody-lost", file: "measure/costs.go", pkg: "measure", tests: []string{"TestCosts", "TestCostsAddUp"},
		old: "if len(shares) == 0 && (overhead > 0 || e.GPU > 0) {", new: "if false {",
	},
	{
		name: "costs-since-the-start-each-minute", file: "measure/costs.go", pkg: "measure", tests: []string{"TestCosts", "TestCostsAddUp"},
		old: "c.from, c.last = now, spent", new: "c.from = now",
	},
	{
		name: "unloaded-model-costs-nothing", file: "daemon/runtime_unload.go", pkg: "daemon", tests: []string{"TestCostsOutliveTheModel"},
		old: "	r.addPastSpent(\"\", up.lane, up.generations.tier)\n", new: "",
	},

	// Windows.
	{
		name: "quantile-a-rank-too-low", file: "measure/sketch.go", pkg: "measure", tests: []string{"TestSketch"},
		old: "int64(math.Ceil(q*float64(s.count))) - s.none", new: "int64(q*float64(s.count)) - s.none",
	},
	{
		name: "merged-sketch-without-buckets", file: "measure/sketch.go", pkg: "measure", tests: []string{"TestSketch"},
		old: "s.buckets[i] += n", new: "s.buckets[i] = n",
	},
	{
		name: "few-requests-are-a-fault", file: "measure/objectives.go", pkg: "measure", tests: []string{"TestObjectives"},
		old: " && (w.refused > 0 || w.waiting > 0)", new: "",
	},
	{
		name: "latency-promised-to-all-classes", file: "measure/windows.go", pkg: "measure", tests: []string{"TestObjectives"},
		old: "if k.Class == interactive {", new: "if true {",
	},
	{
		name: "cancelled-requests-completed", file: "measure/windows.go", pkg: "measure", tests: []string{"TestWindows"},
		old: "Requests: r.ends[Completed], Refused", new: "Requests: r.ends[Completed] + r.ends[Cancelled], Refused",
	},
	{
		name: "window-of-another-tenant-shown", file: "daemon/quality.go", pkg: "daemon", tests: []string{"TestQualityWindows"},
		old: "if a.Administers || w.Tenant == h.store.Tenant(a.Tenant) {", new: "if true {",
	},

	// Receipts.
	{
		name: "receipt-for-everybody", file: "daemon/receipts.go", pkg: "daemon", tests: []string{"TestWhoMayKnow", "TestFeedback"},
		old: "err == nil && !a.Administers && r.Tenant", new: "false && r.Tenant",
	},
	{
		name: "tenant-forgotten-by-others", file: "api/receipts.go", pkg: "daemon", tests: []string{"TestWhoMayKnow"},
		old: "case *r.Tenant != who.Tenant && !who.Administers:", new: "case false:",
	},
	{
		name: "digest-of-the-last-token", file: "api/answered.go", pkg: "daemon", tests: []string{"TestReplay"},
		old: "		w.digest.Write(id[:])\n", new: "		w.digest.Reset()\n		w.digest.Write(id[:0])\n",
	},
	{
		name: "replay-without-its-seed", file: "api/replay.go", pkg: "daemon", tests: []string{"TestReplay"},
		old: "Frequency: float32(s.Frequency), Seed: s.Seed,", new: "Frequency: float32(s.Frequency),",
	},
	{
		name: "replay-of-any-length", file: "api/replay.go", pkg: "daemon", tests: []string{"TestReplay"},
		old: "if length > int64(m.MaxContext-len(ids)) {", new: "if false {",
	},
	{
		name: "answer-rated-twice", file: "daemon/ratings.go", pkg: "daemon", tests: []string{"TestFeedback"},
		old: "			err = api.ErrRated\n", new: "			break\n",
	},
	{
		name: "correlation-of-a-few", file: "daemon/correlations.go", pkg: "daemon", tests: []string{"TestCorrelations", "TestCorrelationThatIsNotDefined"},
		old: "leastRatings = 30", new: "leastRatings = 20",
	},
	{
		name: "refused-requests-failed", file: "daemon/measuring.go", pkg: "daemon", tests: []string{"TestEndOf"},
		old: "case a.Tokens == 0 && (", new: "case false && (",
	},
}
