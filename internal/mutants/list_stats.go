package main

// This file owns the part of the list that is when a difference is said to be one: few pairs, many comparisons, margins, and which rows say it.

func init() { list = append(list, statistics...) }

var statistics = []mutant{
	// Pairs of which few differ.
	{
		name: "sparse-pairs-by-the-requests-alone", file: "quality/stats/paired.go", pkg: "quality/stats", tests: []string{"TestSparseLevel"},
		old: "if p.differing > 0 {", new: "if p.differing < 0 {",
	},
	{
		name: "sparse-pairs-not-exchanged", file: "quality/stats/paired.go", pkg: "quality/stats", tests: []string{"TestPairedBootstrap"},
		old: "append(ca, ca[at], cb[at]), append(cb, cb[at], ca[at])", new: "append(ca, ca[at], ca[at]), append(cb, cb[at], cb[at])",
	},
	{
		name: "sparse-four-of-four", file: "quality/stats/paired.go", pkg: "quality/stats", tests: []string{"TestSparseLimit"},
		old: "const leastDiffering = 6", new: "const leastDiffering = 1",
	},
	{
		name: "sparse-interval-shrunk", file: "quality/stats/paired.go", pkg: "quality/stats", tests: []string{"TestDensePairs"},
		old: "* float64(len(p.a)) / float64(p.requests)", new: "* float64(p.requests) / float64(len(p.a)) * 0.9",
	},
	{
		name: "sparse-by-the-smallest", file: "quality/stats/paired.go", pkg: "quality/stats", tests: []string{"TestDensePairs"},
		old: "sum >= mattering*squares", new: "sum >= 0*squares",
	},
	{
		name: "sparse-interval-beside-the-estimate", file: "quality/stats/paired.go", pkg: "quality/stats", tests: []string{"TestPairedRatio"},
		old: "Low: min(low+estimate-centre, estimate)", new: "Low: min(low, estimate)",
	},
	{
		name: "gap-of-few-in-each-half", file: "quality/stats/paired.go", pkg: "quality/stats", tests: []string{"TestSparseGap"},
		old: "t.differing + s.differing)", new: "s.differing)",
	},

	// Readings, and many comparisons.
	{
		name: "student-of-the-deviation", file: "quality/stats/student.go", pkg: "quality/stats", tests: []string{"TestStudent"},
		old: "* deviation / math.Sqrt(float64(len(readings)))", new: "* deviation",
	},
	{
		name: "p-by-the-far-end", file: "quality/stats/student.go", pkg: "quality/stats", tests: []string{"TestIntervalP"},
		old: "if i.Estimate < 0 {", new: "if i.Estimate > 0 {",
	},
	{
		name: "p-of-no-interval", file: "quality/stats/student.go", pkg: "quality/stats", tests: []string{"TestIntervalP"},
		old: "n < 2 || math.IsNaN(half) || ", new: "n < 2 || ",
	},
	{
		name: "holm-is-bonferroni", file: "quality/stats/student.go", pkg: "quality/stats", tests: []string{"TestHolm"},
		old: "float64(len(p)-rank)", new: "float64(len(p)-0*rank)",
	},
	{
		name: "holm-goes-down-again", file: "quality/stats/student.go", pkg: "quality/stats", tests: []string{"TestHolm"},
		old: "most = max(most, min(1, p[i]", new: "most = max(0, min(1, p[i]",
	},

	// What is recommended.
	{
		name: "report-many-comparisons-are-one", file: "quality/report/effects.go", pkg: "quality/report", tests: []string{"TestManyComparisons"},
		old: "adjusted := stats.Holm(p)", new: "adjusted := append(stats.Holm(nil), p...)",
	},
	{
		name: "report-any-effect-is-worth-it", file: "quality/report/effects.go", pkg: "quality/report", tests: []string{"TestVerdicts"},
		old: "e.low > 0 && e.value >= leastEffect", new: "e.low > 0",
	},
	{
		name: "report-wide-is-harmless", file: "quality/report/effects.go", pkg: "quality/report", tests: []string{"TestVerdicts"},
		old: "!(e.low > -e.margin)", new: "!(e.high > -e.margin)",
	},
	{
		name: "report-unknown-is-harmless", file: "quality/report/effects.go", pkg: "quality/report", tests: []string{"TestVerdicts"},
		old: "!(e.low > -e.margin)", new: "e.low <= -e.margin",
	},
	{
		name: "report-quality-by-the-margin-of-speed", file: "quality/report/effects.go", pkg: "quality/report", tests: []string{"TestVerdicts"},
		old: "f.margin = qualityMargin", new: "f.margin = speedMargin",
	},
	{
		name: "report-any-loss-is-worse", file: "quality/report/effects.go", pkg: "quality/report", tests: []string{"TestVerdicts"},
		old: "e.high < 0 && e.value <= -leastEffect", new: "e.high < 0",
	},

	// A tier beside its source.
	{
		name: "report-newest-comparison-is-the-first", file: "quality/report/compared.go", pkg: "quality/report", tests: []string{"TestRisks"},
		old: "			list[at] = e\n", new: "			_ = at\n",
	},
	{
		name: "report-loss-of-another-tier", file: "quality/report/compared.go", pkg: "quality/report", tests: []string{"TestRisks"},
		old: "e.Kind != kind || e.On != tier", new: "e.Kind != kind || e.On == \"\"",
	},
	{
		name: "report-tier-holds-by-its-estimate", file: "quality/report/compared.go", pkg: "quality/report", tests: []string{"TestRisks"},
		old: "case !(low > -limits[i]):", new: "case !(max(value, low) > -limits[i]):",
	},
	{
		name: "report-bleu-decides-beside-chrf", file: "quality/report/compared.go", pkg: "quality/report", tests: []string{"TestRisks"},
		old: " || byGuard && !slices.Contains(guarded, e.Measure):", new: " || false:",
	},
	{
		name: "report-agreement-asked-of-nobody", file: "quality/report/compared.go", pkg: "quality/report", tests: []string{"TestRisks"},
		old: "case e.Measure == agreementMeasure || unit == perplexity", new: "case unit == perplexity",
	},
	{
		name: "report-served-by-the-decision-before", file: "quality/report/scores.go", pkg: "quality/report", tests: []string{"TestServed"},
		old: "d.State == store.Applied && d.Time.After(since)", new: "d.State == store.Applied && !d.Time.Equal(since)",
	},
	{
		name: "compared-the-other-way-round", file: "daemon/guardian_compared.go", pkg: "daemon", tests: []string{"TestTierBesideItsSource"},
		old: "return done.run.Compare(done.report, before.report.AsBaseline())", new: "return done.run.Compare(done.report, done.report.AsBaseline())",
	},

	// The knee.
	{
		name: "knee-of-any-tier", file: "measure/knee.go", pkg: "measure", tests: []string{"TestKnee"},
		old: "m.isCrowded() && m.way == now", new: "m.isCrowded()",
	},
	{
		name: "knee-of-any-experiment", file: "measure/knee.go", pkg: "measure", tests: []string{"TestKnee"},
		old: "now == (Way{e.Tier, e.KVType})", new: "now != (Way{})",
	},
	{
		name: "window-of-the-tier-before", file: "measure/load.go", pkg: "measure", tests: []string{"TestLoads"},
		old: "if m.Way == before.Way {", new: "if m.Way != (Way{}) {",
	},

	// What experiments ask.
	{
		name: "experiment-asks-the-first", file: "quality/experiment/draw.go", pkg: "quality/experiment", tests: []string{"TestDraw"},
		old: "order[min(int((float64(k)+start)*step), len(order)-1)]", new: "order[min(k, int(start+step)*len(order))]",
	},
	{
		name: "experiment-draws-from-the-beginning", file: "quality/experiment/draw.go", pkg: "quality/experiment", tests: []string{"TestDrawIsFair"},
		old: "draw.Float64()", new: "0*draw.Float64()",
	},
	{
		name: "experiment-draws-without-tags", file: "quality/experiment/draw.go", pkg: "quality/experiment", tests: []string{"TestDraw"},
		old: "slices.Compare(group[i], group[j])", new: "0 * slices.Compare(group[i], group[j])",
	},
}
