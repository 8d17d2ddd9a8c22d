package main

// This file owns the part of the list that is what a step takes, what a trace holds, and what a simulation counts.

func init() { list = append(list, simulated...) }

var simulated = []mutant{
	// The cost model.
	{
		name: "cost-forgets-nothing", file: "scheduler/cost.go", pkg: "scheduler", tests: []string{"TestCostTracksSpeed"},
		old: "memory: 0.99, clip: 3, errorRate: 0.1, speedRate: 0.1", new: "memory: 1, clip: 3, errorRate: 0.1, speedRate: 0",
	},
	{
		name: "cost-believes-outliers", file: "scheduler/cost.go", pkg: "scheduler", tests: []string{"TestCostBearsOutliers"},
		old: "return limit / off", new: "return 1",
	},
	{
		name: "cost-below-zero", file: "scheduler/cost.go", pkg: "scheduler", tests: []string{"TestCostIsMonotone"},
		old: "c.fit[i] = max(0, rest/(c.moment[i][i]+costAnchor))", new: "c.fit[i] = rest / (c.moment[i][i] + costAnchor)",
	},
	{
		name: "cost-speed-is-not-common", file: "scheduler/cost.go", pkg: "scheduler", tests: []string{"TestCostTracksSpeedOfWhatIsNotSeen"},
		old: "c.unit[i] *= by\n", new: "c.unit[i] *= 1\n",
	},
	{
		name: "cost-slow-first-step", file: "scheduler/cost.go", pkg: "scheduler", tests: []string{"TestCostAtFirst"},
		old: "c.observed < costSettling && y < p/2", new: "false",
	},
	{
		name: "cost-rows-see-nothing", file: "scheduler/cost.go", pkg: "scheduler", tests: []string{"TestCostIsMonotone"},
		old: "c.unit[4]*c.fit[4]*float64(seen)", new: "0*float64(seen)",
	},
	{
		name: "window-sees-all", file: "scheduler/shape.go", pkg: "scheduler", tests: []string{"TestShape"},
		old: "growing = min(rows, max(0, g.Window-position))", new: "growing = rows",
	},
	{
		name: "costs-from-submission", file: "scheduler/lane_cost.go", pkg: "scheduler", tests: []string{"TestLaneLearnsItsCosts"},
		old: "		began = s.loop.completed\n", new: "",
	},

	// Traces.
	{
		name: "trace-shared-across-salts", file: "scheduler/trace/record.go", pkg: "scheduler/trace", tests: []string{"TestRecorder"},
		old: `"salt " + q.Salt`, new: `"salt "`,
	},
	{
		name: "trace-without-secret", file: "scheduler/trace/record.go", pkg: "scheduler/trace", tests: []string{"TestRecorder"},
		old: "rand.Read(r.secret[:])", new: "rand.Read(nil)",
	},
	{
		name: "trace-for-all-to-read", file: "scheduler/trace/record.go", pkg: "scheduler/trace", tests: []string{"TestRecorder"},
		old: "r.file.Chmod(0o600)", new: "r.file.Chmod(0o644)",
	},
	{
		name: "trace-without-bound", file: "scheduler/trace/record.go", pkg: "scheduler/trace", tests: []string{"TestRecorderIsBounded"},
		old: "r.size > r.most", new: "false",
	},
	{
		name: "trace-unsorted", file: "scheduler/trace/read.go", pkg: "scheduler/trace", tests: []string{"TestOwnForm"},
		old: "	t.sort()\n", new: "",
	},

	{
		name: "refused-unread-is-not-told", file: "api/class.go", pkg: "api", tests: []string{"TestEnded"},
		old: "for range ask.Answers {", new: "for range 0 {",
	},

	// Simulations.
	{
		name: "simulated-with-all-characteristics", file: "scheduler/simulator/simulator.go", pkg: "scheduler/simulator", tests: []string{"TestPreemptionsShow"},
		old: "Rules: &c.Rules, Without: c.Without,", new: "Rules: &c.Rules,",
	},
	{
		name: "simulated-with-the-default-rules", file: "scheduler/simulator/simulator.go", pkg: "scheduler/simulator", tests: []string{"TestRulesAreTried"},
		old: "Rules: &c.Rules, Without: c.Without,", new: "Without: c.Without,",
	},
	{
		name: "simulated-arrivals-behind-steps", file: "scheduler/simulator/simulator.go", pkg: "scheduler/simulator", tests: []string{"TestTwoRequests"},
		old: "		s.advance(at)\n", new: "		s.advance(to)\n",
	},
	{
		name: "simulated-background-does-not-give-way", file: "scheduler/simulator/device.go", pkg: "scheduler/simulator", tests: []string{"TestBackgroundGivesWay"},
		old: "w.batch.Background && d.withdrawn", new: "false",
	},
	{
		name: "simulated-prompts-alike", file: "scheduler/simulator/prompt.go", pkg: "scheduler/simulator", tests: []string{"TestPromptsDiffer"},
		old: "alone|uint64(i)", new: "alone",
	},
	{
		name: "goodput-without-itl", file: "scheduler/simulator/tally.go", pkg: "scheduler/simulator", tests: []string{"TestObjectives"},
		old: "mean <= a.objectives.ITL", new: "mean >= 0",
	},
	{
		name: "goodput-without-deadlines", file: "scheduler/simulator/tally.go", pkg: "scheduler/simulator", tests: []string{"TestDeadlinesAreObjectives"},
		old: "		within = r.Deadline\n", new: "",
	},
	{
		name: "deadlines-without-spread", file: "scheduler/trace/synthetic.go", pkg: "scheduler/trace", tests: []string{"TestSynthetic"},
		old: "s.Deadline == 0 || s.DeadlineSigma == 0", new: "true",
	},
}
