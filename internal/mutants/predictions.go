package main

// This file owns the part of the list that is where deadlines stand in the order, what predictions know, and how long who reads along waits.

func init() { list = append(list, predictions...) }

var predictions = []mutant{
	{
		name: "deadlines-before-length", file: "scheduler/policy.go", pkg: "scheduler", tests: []string{"TestOrder", "TestTheNextDeadlineThatCanBeMet"},
		old: "	case a.length != b.length:\n		return a.length - b.length\n", new: "",
	},
	{
		name: "length-before-deadlines", file: "scheduler/policy.go", pkg: "scheduler", tests: []string{"TestOrder", "TestTheNextDeadlineThatCanBeMet"},
		old: "p.perOctave = 1 / math.Log2(p.rules.LengthRatio)", new: "p.perOctave = 1000",
	},
	{
		name: "longer-prompts-foreseen-first", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestPredictionsKnowLengths"},
		old: "	if s.policy.with(byLength) {\n		length = lengthOf(d.rows)\n	}\n", new: "",
	},
	{
		name: "shorter-prompts-not-foreseen", file: "scheduler/waiting.go", pkg: "scheduler", tests: []string{"TestLongPromptsAreForeseenLast"},
		old: "range q.classes[c][:length+1]", new: "range q.classes[c][length:length+1]",
	},
	{
		name: "floods-foreseen-first", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestPredictionsKnowTenants"},
		old: "		ahead = s.queue.inTurn(ahead, d.tenant)\n", new: "",
	},
	{
		name: "pages-not-foreseen", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestPredictionsKnowPages"},
		old: "pages > 0 && f.returned > 0", new: "false && pages > 0",
	},
	{
		name: "short-rows-foreseen-as-long", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestPredictionsKnowTheBudget"},
		old: "f.longest, f.row = model.perRow(base, all)", new: "f.longest, f.row = model.perRow(base, long)",
	},
	{
		name: "waits-however-long", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestForeseenWaitIsBounded"},
		old: "if wait <= s.config.Wait || s.forecast", new: "if true || s.forecast",
	},
	{
		name: "refused-beside-free-places", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestPlacesAreGivenHoweverSlow"},
		old: " || s.forecast.lacking(&all, d) == 0 {", new: " || s.forecast.lacking(&all, d) < 0 {",
	},
	{
		name: "refused-for-ones-own-place", file: "scheduler/lane.go", pkg: "scheduler", tests: []string{"TestOnesOwnPlaceIsFree"},
		old: "	s.foreseeRoom()\n", new: "	if s.steps.underWay > 0 {\n		s.foreseeRoom()\n	}\n",
	},
	{
		name: "batch-waits-no-longer", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestForeseenWaitIsBounded"},
		old: "s.config.Wait == 0 || d.class != Interactive", new: "s.config.Wait == 0",
	},
	{
		name: "wait-is-not-set", file: "scheduler/simulator/simulator.go", pkg: "scheduler/simulator", tests: []string{"TestWaitIsBounded"},
		old: "ITL: c.ITL, Wait: c.Wait,", new: "ITL: c.ITL,",
	},
	{
		name: "least-time-unsaid", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestDeadlineTooShort"},
		old: "		refusal.Least = least\n", new: "",
	},
	{
		name: "least-time-untold", file: "api/errors.go", pkg: "api", tests: []string{"TestOverload"},
		old: "if o.Least > 0 {", new: "if false {",
	},
	{
		name: "rows-of-another-head", file: "internal/tables/tables.go", pkg: "internal/tables", tests: []string{"TestTables"},
		old: "len(lines) > 2 && lines[0] ==", new: "len(lines) > 2 && \"\" !=",
	},
}
