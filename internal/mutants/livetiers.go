package main

// This file owns the part of the list that is tiers which change while a model is served.

func init() { list = append(list, liveTiers...) }

var liveTiers = []mutant{
	{
		name: "swap-names-the-newest-tier", file: "daemon/generations.go", pkg: "daemon", tests: []string{"TestTiersUnderLoad"},
		old: "if tier, known := g.tiers[digest]; known {", new: "if tier, known := g.tiers[digest]; known && len(g.there) == 1 {",
	},
	{
		name: "swap-never-counts-a-generation-out", file: "daemon/generations.go", pkg: "daemon", tests: []string{"TestTiersUnderLoad"},
		old: "if !last && g.instance.Digest(one.id) == \"\" {", new: "if last && g.instance.Digest(one.id) == \"\" {",
	},
	{
		name: "swap-makes-the-same-tier", file: "daemon/runtime_tier.go", pkg: "daemon", tests: []string{"TestTiersUnderLoad"},
		old: "up.loaded.Program, s.to, s.remake,", new: "up.loaded.Program, r.tier, s.remake,",
	},
	{
		name: "swap-is-forgotten-by-a-load", file: "daemon/runtime_load.go", pkg: "daemon", tests: []string{"TestTierStays"},
		old: "options, anew := all.engineAt(r.tier),", new: "options, anew := all.engineAt(all.config.Tiers.Start),",
	},
	{
		name: "swap-without-a-look-at-memory", file: "daemon/runtime_tier.go", pkg: "daemon", tests: []string{"TestTierFails"},
		old: "full != nil {\n		return &besideError{", new: "full != nil && ctx.Err() != nil {\n		return &besideError{",
	},
	{
		name: "swap-failed-counts-as-applied", file: "daemon/runtime_tier.go", pkg: "daemon", tests: []string{"TestTierFails", "TestTierInChange"},
		old: "			d.State = store.Reverted\n", new: "",
	},
	{
		name: "swap-beside-another", file: "daemon/runtime_tier.go", pkg: "daemon", tests: []string{"TestTierInChange"},
		old: "case r.swap != nil:", new: "case r.swap != nil && r.swap.to == s.to:",
	},
	{
		name: "swap-outlives-its-model", file: "daemon/runtime_unload.go", pkg: "daemon", tests: []string{"TestTierInChange"},
		old: "		r.swap.end(api.Unloaded(r.name))\n", new: "",
	},
	{
		name: "swap-never-gives-back", file: "daemon/runtime_tier.go", pkg: "daemon", tests: []string{"TestTierStays"},
		old: "	if s.stays == 0 {\n		return\n", new: "	if s.stays < time.Hour {\n		return\n",
	},
	{
		name: "swap-keeps-what-computes-nothing", file: "daemon/runtime_tier.go", pkg: "daemon", tests: []string{"TestTierThatComputesNothing"},
		old: "		err = errors.Join(err, all.goBack(r, up))\n", new: "",
	},
	{
		name: "swap-of-anybody", file: "api/tiers.go", pkg: "daemon", tests: []string{"TestTierRefuses"},
		old: "	if err := c.checkAdministers(); err != nil {\n		return err\n	}\n	var r tierRequest", new: "	var r tierRequest",
	},
	{
		name: "swap-left-begun-stays-so", file: "daemon/decisions.go", pkg: "daemon", tests: []string{"TestDecisionLeftBegun"},
		old: "	for _, d := range left {\n", new: "	for _, d := range left[:0] {\n",
	},
	{
		name: "swap-to-itself-is-a-decision", file: "daemon/runtime_tier.go", pkg: "daemon", tests: []string{"TestTierStays"},
		old: "return s.to != from || s.remake", new: "return s.to != \"\" || s.remake",
	},
	{
		name: "swap-receipt-without-a-tier", file: "api/answered.go", pkg: "daemon", tests: []string{"TestTierIsTold"},
		old: ", Tier: j.model.Tier(j.work[0].weights)}", new: ", Tier: \"\"}",
	},
	{
		name: "swap-stream-without-a-tier", file: "api/generate.go", pkg: "daemon", tests: []string{"TestTierIsTold"},
		old: "	c.headComputed(j.model, r.kept[0].weights)\n", new: "",
	},
}

func init() { list = append(list, guardSettings...) }

// guardSettings are what the guard goes by.
var guardSettings = []mutant{
	{
		name: "guard-begins-at-the-source", file: "config/tiers.go", pkg: "config", tests: []string{"TestTierSettings"},
		old: "	return guardedStart\n", new: "	return api.SourceTier\n",
	},
	{
		name: "guard-ladder-in-any-order", file: "config/tiers.go", pkg: "config", tests: []string{"TestTierSettings"},
		old: "if at <= last {", new: "if at == last {",
	},
	{
		name: "guard-points-of-accuracy", file: "daemon/guardian_settings.go", pkg: "daemon", tests: []string{"TestCriteria"},
		old: "MaxLoss: c.MaxLoss * a.point", new: "MaxLoss: c.MaxLoss",
	},
	{
		name: "guard-sees-the-sealed-half", file: "daemon/guardian_settings.go", pkg: "daemon", tests: []string{"TestCriteria"},
		old: "half := halfOf(s, suite.Tuning)", new: "half := s",
	},
	{
		name: "guard-without-suites", file: "config/tiers.go", pkg: "config", tests: []string{"TestTierSettings"},
		old: "case len(q.Suites) == 0:", new: "case len(q.Suites) == 0 && c.Mode == \"\":",
	},
}
