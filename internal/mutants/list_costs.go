package main

// This file owns the part of the list that is what serving costs in energy, how busy it is, and how far it could go.

func init() { list = append(list, costs...) }

var costs = []mutant{
	// What the counters say.
	{
		name: "energy-counter-never-goes-round", file: "energy/energy.go", pkg: "energy", tests: []string{"TestLap", "TestLapsAddUp"},
		old: "return now + (z.span - last)", new: "return now",
	},
	{
		name: "energy-of-parts-too", file: "energy/energy.go", pkg: "energy", tests: []string{"TestLap"},
		old: "if !strings.HasPrefix(name, \"package-\") && name != \"dram\" {", new: "if !strings.HasPrefix(name, \"package-\") && name == \"psys\" {",
	},
	{
		name: "energy-of-a-gap", file: "energy/energy.go", pkg: "energy", tests: []string{"TestUnknownLaps"},
		old: "case passed < 0 || passed > MostApart:", new: "case passed < 0:",
	},
	{
		name: "idle-cpus-count-as-busy", file: "energy/busy.go", pkg: "energy", tests: []string{"TestBusy"},
		old: "[]int{0, 1, 2, 5, 6}", new: "[]int{0, 1, 2, 3, 5, 6}",
	},
	{
		name: "all-programs-energy-is-ours", file: "daemon/energy.go", pkg: "daemon", tests: []string{"TestEnergyOfProcessors"},
		old: "energy.Share(mine, all)", new: "energy.Share(all, mine)",
	},
	{
		name: "card-energy-since-its-driver", file: "daemon/energy.go", pkg: "daemon", tests: []string{"TestEnergyOfCards"},
		old: "sum += at - last", new: "sum += at",
	},
	{
		name: "split-card-is-ours", file: "daemon/energy.go", pkg: "daemon", tests: []string{"TestEnergyOfCards"},
		old: " || d.Reading.MIG != nil && *d.Reading.MIG", new: "",
	},

	// Who pays.
	{
		name: "energy-of-steps-alone", file: "measure/costs.go", pkg: "measure", tests: []string{"TestCosts", "TestCostsAddUp"},
		old: "e.CPU*(r.CoreSeconds+r.OverheadSeconds)/cpu", new: "e.CPU*r.CoreSeconds/cpu",
	},
	{
		name: "card-energy-by-tokens", file: "measure/costs.go", pkg: "measure", tests: []string{"TestCosts"},
		old: "ofDevice = took[l].Device.Seconds() / device", new: "ofDevice = shares[l]",
	},
	{
		name: "renamed-tier-pays-twice", file: "measure/costs.go", pkg: "measure", tests: []string{"TestCostsByTier"},
		old: "c.last.Steps[p], Line{p.Key, now.Tier}", new: "c.last.Steps[Payer{p.Key, now.Tier}], Line{p.Key, now.Tier}",
	},
	{
		name: "unread-energy-is-none", file: "measure/price.go", pkg: "measure", tests: []string{"TestPrice"},
		old: "		return math.NaN()\n	}\n	return amount", new: "		return 0 * math.Pi\n	}\n	return amount",
	},
	{
		name: "weights-charged-as-one", file: "scheduler/queue.go", pkg: "scheduler", tests: []string{"TestChargesByWeights"},
		old: "*seq.generation.digest})", new: "\"\"})",
	},

	// How far it could go.
	{
		name: "background-step-crowds", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestCrowded"},
		old: "s.next.crowded = s.next.kind == ordinary && s.leavesWaiting()", new: "s.next.crowded = s.next.kind != ordinary || s.leavesWaiting()",
	},
	{
		name: "knee-of-busy-minutes", file: "measure/knee.go", pkg: "measure", tests: []string{"TestKnee"},
		old: "m.crowded >= crowdedFor && ", new: "m.busy >= crowdedFor && ",
	},
	{
		name: "knee-beside-another-model", file: "measure/knee.go", pkg: "measure", tests: []string{"TestKnee"},
		old: "m.share >= ownDevice*m.busy", new: "m.share >= 0",
	},
	{
		name: "background-work-is-load", file: "measure/knee.go", pkg: "measure", tests: []string{"TestKnee", "TestMinutes"},
		old: " || w.Class == background", new: "",
	},
	{
		name: "refused-is-no-load", file: "measure/knee.go", pkg: "measure", tests: []string{"TestMinutes"},
		old: "w.Requests+w.Refused+w.Failed+w.Cancelled", new: "w.Requests",
	},
	{
		name: "oldest-experiment-has-the-knee", file: "measure/knee.go", pkg: "measure", tests: []string{"TestKnee"},
		old: "range slices.Backward(experiments)", new: "range slices.All(experiments)",
	},

	// Who sees it.
	{
		name: "tenant-sees-the-machine", file: "quality/report/load.go", pkg: "quality/report", tests: []string{"TestTenantsReport"},
		old: "return in.Scope == AllTenants", new: "return in.Scope != \"\"",
	},
	{
		name: "tenant-sees-the-machine-in-windows", file: "daemon/quality.go", pkg: "daemon", tests: []string{"TestQualityWindows"},
		old: "	if all {\n", new: "	if all || w.Row > 0 {\n",
	},
	{
		name: "refused-for-no-model", file: "api/hold.go", pkg: "api", tests: []string{"TestAnswered"},
		old: "	c.asked = c.server.served(name)\n", new: "",
	},
}
