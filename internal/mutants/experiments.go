package main

// This file owns the part of the list that is experiments: how arms are laid out and compared, what they are asked, and that they give way.

func init() { list = append(list, experiments...) }

const trials = "quality/experiment"

var experiments = []mutant{
	{
		name: "experiment-always-the-change-last", file: "quality/experiment/design.go", pkg: trials, tests: []string{"TestOrder"},
		old: ".IntN(2) == 0 {", new: ".IntN(2) >= 0 {",
	},
	{
		name: "experiment-abab", file: "quality/experiment/design.go", pkg: trials, tests: []string{"TestOrder", "TestDriftIsNoEffect"},
		old: "return [4]Arm{AsItIs, Changed, Changed, AsItIs}", new: "return [4]Arm{AsItIs, Changed, AsItIs, Changed}",
	},
	{
		name: "experiment-few-blocks-are-many", file: "quality/stats/student.go", pkg: trials, tests: []string{"TestCoverage"},
		old: "Nu: float64(n - 1)", new: "Nu: float64(n + 99)",
	},
	{
		name: "experiment-ends-with-too-few", file: "quality/experiment/design.go", pkg: trials, tests: []string{"TestEnds"},
		old: "!(len(blocks) >= d.Least && d.Over())", new: "!(len(blocks) >= d.Least-1 && d.Over())",
	},
	{
		name: "experiment-one-measure-is-enough", file: "quality/experiment/design.go", pkg: trials, tests: []string{"TestEnds"},
		old: "half := (e.Difference.High - e.Difference.Low) / 2; !(half <=", new: "half := (e.Difference.High - e.Difference.Low) / 2; !(half <= 1000*",
	},
	{
		name: "experiment-keeps-what-gave-way", file: "quality/experiment/design.go", pkg: trials, tests: []string{"TestInterrupted"},
		old: "			r.Discarded++\n			continue\n", new: "			r.Discarded++\n			err = nil\n",
	},
	{
		name: "experiment-takes-no-number", file: "quality/experiment/design.go", pkg: trials, tests: []string{"TestRefuses"},
		old: "if math.IsNaN(x) || math.IsInf(x, 0) {", new: "if math.IsInf(x, 0) {",
	},
	{
		name: "experiment-shares-nothing", file: "quality/experiment/load.go", pkg: trials, tests: []string{"TestMakeUp"},
		old: "if beginnings[shared] == nil {", new: "if true {",
	},
	{
		name: "experiment-asks-what-has-no-room", file: "quality/experiment/load.go", pkg: trials, tests: []string{"TestMakeUp"},
		old: "most := max(context-q.Answer, 1)", new: "most := max(context, 1)",
	},
	{
		name: "experiment-arrives-evenly", file: "quality/experiment/load.go", pkg: trials, tests: []string{"TestArrivals"},
		old: "		if sum > 0 {\n", new: "		if sum < 0 {\n",
	},
	{
		name: "experiment-each-block-the-same", file: "quality/experiment/load.go", pkg: trials, tests: []string{"TestArrivals"},
		old: "rand.NewPCG(^seed, uint64(block))", new: "rand.NewPCG(^seed, uint64(0*block))",
	},
	{
		name: "experiment-counts-the-warm-up", file: "quality/experiment/figures.go", pkg: trials, tests: []string{"TestFigures"},
		old: "	for _, x := range first[cut:] {", new: "	for _, x := range first {",
	},
	{
		name: "cause-the-wrong-way-round", file: "quality/experiment/cause.go", pkg: trials, tests: []string{"TestCauses"},
		old: "stats.PairedBootstrap(now, served,", new: "stats.PairedBootstrap(served, now,",
	},
	{
		name: "cause-of-everyones-tag", file: "quality/experiment/cause.go", pkg: trials, tests: []string{"TestCauses"},
		old: "n >= leastOfTag && n < len(tags)", new: "n >= leastOfTag",
	},
	{
		name: "cause-of-the-other-tags", file: "quality/experiment/cause.go", pkg: trials, tests: []string{"TestCauses"},
		old: "if slices.Contains(list, tag) {", new: "if !slices.Contains(list, tag) {",
	},
	{
		name: "experiment-goes-on-beside-clients", file: "daemon/experiments.go", pkg: "daemon", tests: []string{"TestExperimentGivesWay"},
		old: "		e.run.yield(errClientsCame)\n", new: "",
	},
	{
		name: "experiment-gives-way-to-background", file: "daemon/experiments.go", pkg: "daemon", tests: []string{"TestExperimentGivesWay"},
		old: "	if !isForeground(class) {\n", new: "	if false {\n",
	},
	{
		name: "experiment-begins-beside-clients", file: "daemon/experiments.go", pkg: "daemon", tests: []string{"TestExperimentGivesWay"},
		old: "		return r.inFront > 0 ||", new: "		return r.inFront > 99 ||",
	},
	{
		name: "experiment-now-waits", file: "daemon/experiments.go", pkg: "daemon", tests: []string{"TestExperimentGivesWay"},
		old: "e.run.yield != nil && !e.run.shown.Now {", new: "e.run.yield != nil {",
	},
	{
		name: "experiment-two-at-once", file: "daemon/experiments.go", pkg: "daemon", tests: []string{"TestExperimentRefusals"},
		old: "	case e.run != nil:\n", new: "	case e.run != nil && ask.Now:\n",
	},
	{
		name: "experiments-all-day", file: "daemon/experiments.go", pkg: "daemon", tests: []string{"TestExperimentsDue"},
		old: "time.Since(last[r.name]) >= idleEvery", new: "time.Since(last[r.name]) >= 0",
	},
	{
		name: "experiments-between-clients", file: "daemon/experiments.go", pkg: "daemon", tests: []string{"TestExperimentsDue"},
		old: "time.Since(e.left) < idleBefore {", new: "time.Since(e.left) < 0 {",
	},
	{
		name: "experiments-of-anybody", file: "api/experiments.go", pkg: "daemon", tests: []string{"TestExperimentRefusals"},
		old: "	if err := c.checkAdministers(); err != nil {\n		return err\n	}\n	state, err", new: "	state, err",
	},
	{
		name: "pareto-waits-below-nothing", file: "quality/report/pareto.go", pkg: "quality/report", tests: []string{"TestPlacedByShare"},
		old: "\"time to the first token\", true)", new: "\"time to the first token\", false)",
	},
	{
		name: "cause-tags-are-factors", file: "quality/report/cause.go", pkg: "quality/report", tests: []string{"TestRootCauseOfTags"},
		old: "tagPrefix); is {", new: "tagPrefix); is && false {",
	},
}
