package main

// This file owns the part of the list that is answers which are escalated.

func init() { list = append(list, escalation...) }

const ruleOf, theWay = "quality/escalate", "api/escalate.go"

var escalation = []mutant{
	{
		name: "purse-begins-full", file: "quality/escalate/escalate.go", pkg: ruleOf, tests: []string{"TestNeverOverBudget", "TestClaims"},
		old: "purse: &purse{budget: budget}, tiers", new: "purse: &purse{budget, budget * window}, tiers",
	},
	{
		name: "purse-has-no-end", file: "quality/escalate/purse.go", pkg: ruleOf, tests: []string{"TestNeverOverBudget"},
		old: "p.saved = min(p.saved+p.budget*float64(tokens), p.budget*window)", new: "p.saved += p.budget * float64(tokens)",
	},
	{
		name: "purse-lends", file: "quality/escalate/purse.go", pkg: ruleOf, tests: []string{"TestNeverOverBudget"},
		old: "if float64(tokens) > p.saved {", new: "if p.saved < 0 {",
	},
	{
		name: "purse-keeps-what-is-over", file: "quality/escalate/escalate.go", pkg: ruleOf, tests: []string{"TestClaims"},
		old: "	c.purse.giveBack(c.held - extra)\n", new: "",
	},
	{
		name: "purse-of-another-budget", file: "quality/escalate/escalate.go", pkg: ruleOf, tests: []string{"TestSetBudget"},
		old: "	c.purse.giveBack(c.held - extra)\n", new: "	r.purse.giveBack(c.held - extra)\n",
	},
	{
		name: "claim-grows-for-nothing", file: "quality/escalate/escalate.go", pkg: ruleOf, tests: []string{"TestClaims"},
		old: "		if !c.purse.take(more) {", new: "		if !c.purse.take(0) {",
	},
	{
		name: "draft-costs-no-prompt", file: "quality/escalate/escalate.go", pkg: ruleOf, tests: []string{"TestClaims"},
		old: "	return a.Prompt + a.Tokens\n", new: "	return a.Tokens\n",
	},
	{
		name: "threshold-before-it-is-known", file: "quality/escalate/calibration.go", pkg: ruleOf, tests: []string{"TestThreshold"},
		old: "	least = 256\n", new: "	least = 64\n",
	},
	{
		name: "threshold-of-all-tiers", file: "quality/escalate/escalate.go", pkg: ruleOf, tests: []string{"TestThreshold"},
		old: "if c := r.tiers[a.Tier]; c == nil ||", new: "if c := r.tiers[\"q2_k\"]; c == nil ||",
	},
	{
		name: "threshold-takes-its-equals", file: "quality/escalate/escalate.go", pkg: ruleOf, tests: []string{"TestThresholdOfTies"},
		old: "!(a.Confidence < c.threshold(a.Kind))", new: "!(a.Confidence <= c.threshold(a.Kind))",
	},
	{
		name: "threshold-without-other-traffic", file: "quality/escalate/calibration.go", pkg: ruleOf, tests: []string{"TestThresholdsOfKinds"},
		old: "share := budget * float64(all) / float64(able)", new: "share := budget * float64(able) / float64(able)",
	},
	{
		name: "threshold-of-the-first-answers", file: "quality/escalate/calibration.go", pkg: ruleOf, tests: []string{"TestThresholdFollows"},
		old: "		c.next = (c.next + 1) % recent\n", new: "",
	},
	{
		name: "threshold-stays-with-its-budget", file: "quality/escalate/escalate.go", pkg: ruleOf, tests: []string{"TestSetBudget"},
		old: "		c.calibrate(budget)\n", new: "		c.unseen = 0\n",
	},
	{
		name: "confidence-of-nothing-counts", file: "quality/escalate/escalate.go", pkg: ruleOf, tests: []string{"TestThresholdOfTies"},
		old: "	if math.IsNaN(a.Confidence) {", new: "	if math.IsInf(a.Confidence, 1) {",
	},
	{
		name: "confidence-is-the-sum", file: theWay, pkg: "api", tests: []string{"TestConfidenceIsTheMean"},
		old: "sum/float64(a.Tokens), j.model", new: "sum, j.model",
	},
	{
		name: "confidence-is-asked-of-all", file: theWay, pkg: "api", tests: []string{"TestConfidenceIsAskedWhereItIsOfUse"},
		old: "if e == nil || !e.Rule.On() || !e.Below() {", new: "if e == nil || !e.Rule.On() {",
	},
	{
		name: "confidence-of-each-token-of-a-stream", file: "scheduler/plan.go", pkg: "api", tests: []string{"TestConfidenceIsAskedWhereItIsOfUse"},
		old: "c.seq.request.FirstLogprob && c.seq.generated == 0", new: "c.seq.request.FirstLogprob",
	},
	{
		name: "escalated-of-several", file: theWay, pkg: "api", tests: []string{"TestEscalation"},
		old: "case len(j.requests) > 1 || r.Logprobs", new: "case r.Logprobs",
	},
	{
		name: "escalated-under-the-name-of-its-draft", file: theWay, pkg: "api", tests: []string{"TestEscalation"},
		old: "	j.model, j.work = r.job.model, r.job.work\n	if j.done", new: "	j.work = r.job.work\n	if j.done",
	},
	{
		name: "escalated-stream-under-the-name-of-its-draft", file: "api/escalate_stream.go", pkg: "api", tests: []string{"TestEscalation"},
		old: "	j.model, j.work = r.job.model, r.job.work\n	r.arrived", new: "	j.work = r.job.work\n	r.arrived",
	},
	{
		name: "escalated-holds-its-control", file: "api/generate.go", pkg: "api", tests: []string{"TestEscalation"},
		old: "	if r.release != nil {", new: "	if r.release == nil && r.ctx == nil {",
	},
	{
		name: "escalated-for-nothing-counted", file: theWay, pkg: "api", tests: []string{"TestEscalation"},
		old: "	claim.Escalated(a.Prompt + a.Tokens)", new: "	claim.Escalated(0)",
	},
	{
		name: "escalated-after-the-deadline", file: theWay, pkg: "api", tests: []string{"TestEscalationAfterTheDeadline"},
		old: "	if !r.Deadline.IsZero() && !time.Now().Before(r.Deadline) {", new: "	if !r.Deadline.IsZero() && time.Now().IsZero() {",
	},
	{
		name: "escalated-beyond-the-budget", file: theWay, pkg: "api", tests: []string{"TestEscalationEndsWithTheBudget"},
		old: "	if !claim.Needs(extra + 1) {", new: "	if !claim.Needs(extra+1) && extra == 0 {",
	},
	{
		name: "fallen-back-is-an-error", file: "api/escalate_stream.go", pkg: "api", tests: []string{"TestFallsBack"},
		old: "		held.Release()\n		return draft\n", new: "		held.Release()\n		draft.kept[0].err = err\n		return draft\n",
	},
	{
		name: "fallen-back-for-a-client-that-went", file: theWay, pkg: "api", tests: []string{"TestClientGoesDuringEscalation"},
		old: "	case ctx.Err() != nil:\n		claim.Left(extra)\n", new: "",
	},
	{
		name: "fallen-back-for-no-reason", file: theWay, pkg: "api", tests: []string{"TestFallsBack"},
		old: "	case held.Context.Err() != nil:\n		claim.FellBack(extra, escalate.NoControl)\n", new: "",
	},
	{
		name: "draft-is-lost-while-the-source-answers", file: "api/escalate_stream.go", pkg: "api", tests: []string{"TestFallsBack"},
		old: "			draft.kept = append(draft.kept, p)\n", new: "",
	},
}
