package main

// This file owns the part of the list that is the report: figures, statements, recommendations, risks.

func init() { list = append(list, reports...) }

var reports = []mutant{
	{
		name: "report-peaks-added-up", file: "quality/report/serving.go", pkg: "quality/report", tests: []string{"TestRates"},
		old: "if !math.IsNaN(w.QPSPeak) && !(peak >= w.QPSPeak) {\n			peak = w.QPSPeak", new: "if !math.IsNaN(w.QPSPeak) {\n			peak = max(0, peak) + w.QPSPeak",
	},
	{
		name: "report-rate-over-rows", file: "quality/report/serving.go", pkg: "quality/report", tests: []string{"TestRates"},
		old: "	for at, qps := range means {\n		length += at.until.Sub(at.from).Seconds()", new: "	for i := range windows {\n		length += windows[i].Until.Sub(windows[i].From).Seconds()\n	}\n	for _, qps := range means {",
	},
	{
		name: "report-latency-of-all-classes", file: "quality/report/serving.go", pkg: "quality/report", tests: []string{"TestLatencyIsInteractive"},
		old: "return w.Class == interactive && w.Requests > 0", new: "return w.Requests > 0",
	},
	{
		name: "report-mean-of-means", file: "quality/report/serving.go", pkg: "quality/report", tests: []string{"TestLatencyIsInteractive"},
		old: "sum += float64(windows[i].Requests) * float64(windows[i].TTFT.Mean)", new: "sum += float64(base.N) / float64(i+1) * float64(windows[i].TTFT.Mean)",
	},
	{
		name: "report-quantile-not-weighted", file: "quality/report/serving.go", pkg: "quality/report", tests: []string{"TestQuantiles"},
		old: "within += float64(windows[i].Requests) * at[i].share(middle)", new: "within += all / float64(len(windows)) * at[i].share(middle)",
	},
	{
		name: "report-limit-is-a-floor", file: "quality/report/figure.go", pkg: "quality/report", tests: []string{"TestObjectives"},
		old: "if atMost && *f.Value > target || !atMost && *f.Value < target {", new: "if *f.Value < target {",
	},
	{
		name: "report-percent-of-the-value", file: "quality/report/figure.go", pkg: "quality/report", tests: []string{"TestObjectives"},
		old: "Difference: 100 * (*f.Value - target) / target,", new: "Difference: 100 * (*f.Value - target) / *f.Value,",
	},
	{
		name: "report-idle-server-misses-qps", file: "quality/report/serving.go", pkg: "quality/report", tests: []string{"TestDemand"},
		old: "o.Status == Missed && !missedQPS(m.Windows)", new: "o.Status == Missed && false && !missedQPS(m.Windows)",
	},
	{
		name: "report-rows-not-named", file: "quality/report/cause.go", pkg: "quality/report", tests: []string{"TestFiguresAreTraced"},
		old: "part.Sources = rowsOf(store.Experiments, []int64{rows[i].Row, whole.Row})", new: "part.Sources = rowsOf(store.Experiments, []int64{rows[i].Row})",
	},
	{
		name: "report-range-loses-its-end", file: "quality/report/figure.go", pkg: "quality/report", tests: []string{"TestRows"},
		old: "for ; a <= b; a++ {", new: "for ; a < b; a++ {",
	},
	{
		name: "report-dominated-is-recommended", file: "quality/report/advice.go", pkg: "quality/report", tests: []string{"TestDominatedByIntervals", "TestStatements"},
		old: "	case !at.OnFront:\n", new: "	case !at.OnFront && len(better) == 0:\n",
	},
	{
		name: "report-front-of-two-measures", file: "quality/report/pareto.go", pkg: "quality/report", tests: []string{"TestFront"},
		old: ", edgeOf(t.measures[quality], false)}", new: "}",
	},
	{
		name: "report-front-by-estimates", file: "quality/report/pareto.go", pkg: "quality/report", tests: []string{"TestDominatedByIntervals", "TestFront"},
		old: "- math.Hypot(e.value-e.low,", new: "- 0*math.Hypot(e.value-e.low,",
	},
	{
		name: "report-front-by-the-unknown", file: "quality/report/pareto.go", pkg: "quality/report", tests: []string{"TestDominatedByIntervals"},
		old: "if !(by >= 0) {", new: "if by < 0 {",
	},
	{
		name: "report-affordable-by-estimates", file: "quality/report/pareto.go", pkg: "quality/report", tests: []string{"TestAffordableByIntervals"},
		old: "f = at.Quality.worst(false)", new: "f = at.Quality",
	},
	{
		name: "report-cause-by-its-estimate", file: "quality/report/cause.go", pkg: "quality/report", tests: []string{"TestNoRootCause"},
		old: "func(s Share) bool { return lost(s.Effect) }", new: "func(s Share) bool { return s.Effect.Value != nil }",
	},
	{
		name: "report-later-is-better", file: "quality/report/cause.go", pkg: "quality/report", tests: []string{"TestVerdicts"},
		old: "if e.Measure == ttftMeasure || metricOf(e.Measure).lower {", new: "if metricOf(e.Measure).lower {",
	},
	{
		name: "report-trade-for-nothing", file: "quality/report/advice.go", pkg: "quality/report", tests: []string{"TestVerdicts"},
		old: "case m.wanted(better, missed) && m.affordable(doubtful, at):", new: "case m.affordable(doubtful, at):",
	},
	{
		name: "report-trade-beyond-an-objective", file: "quality/report/advice.go", pkg: "quality/report", tests: []string{"TestVerdicts"},
		old: "case m.wanted(better, missed) && m.affordable(doubtful, at):", new: "case m.wanted(better, missed):",
	},
	{
		name: "report-oldest-experiment", file: "quality/report/advice.go", pkg: "quality/report", tests: []string{"TestNewestExperiment"},
		old: "		if !t.time.Equal(e.Time) {\n			t.measures", new: "		if t.measures != nil {\n			continue\n		} else {\n			t.measures",
	},
	{
		name: "report-smallest-cause-first", file: "quality/report/cause.go", pkg: "quality/report", tests: []string{"TestRootCauses"},
		old: "cmp.Compare(*b.Effect.Value, *a.Effect.Value)", new: "cmp.Compare(*a.Effect.Value, *b.Effect.Value)",
	},
	{
		name: "report-causes-of-two-comparisons", file: "quality/report/cause.go", pkg: "quality/report", tests: []string{"TestNoRootCause"},
		old: " && e.Time.Equal(whole.Time) {", new: " {",
	},
	{
		name: "report-gap-of-the-whole-suite", file: "quality/report/risks.go", pkg: "quality/report", tests: []string{"TestRisks"},
		old: "m.compared(store.HalvesCompared, tier)", new: "m.compared(store.TierCompared, tier)",
	},
	{
		name: "report-decision-begun-is-served", file: "quality/report/scores.go", pkg: "quality/report", tests: []string{"TestRisks"},
		old: "if d.State == store.Applied && ", new: "if d.State != store.Begun && ",
	},
	{
		name: "report-unwatched-is-low", file: "quality/report/risks.go", pkg: "quality/report", tests: []string{"TestRisks", "TestNothingMeasured"},
		old: "r.Priority, r.Status, r.Text, r.Figures = Medium, Unwatched, \"Drift is not watched: \"", new: "r.Priority, r.Status, r.Text, r.Figures = Low, Clear, \"Drift is not watched: \"",
	},
	{
		name: "report-cost-without-overhead", file: "measure/price.go", pkg: "quality/report", tests: []string{"TestRisks"},
		old: "perThousand(p.CoreSeconds+p.OverheadSeconds, ", new: "perThousand(p.CoreSeconds, ",
	},
	{
		name: "report-of-all-tenants-for-one", file: "quality/report/input.go", pkg: "quality/report", tests: []string{"TestRead"},
		old: "return tenant == nil || t == *tenant }", new: "return true }",
	},
	{
		name: "report-obeys-names", file: "quality/report/render.go", pkg: "quality/report", tests: []string{"TestHostileNames"},
		old: "		case strings.ContainsRune(", new: "		case false && strings.ContainsRune(",
	},
	{
		name: "report-tenant-held-to-all", file: "daemon/report.go", pkg: "daemon", tests: []string{"TestReport"},
		old: "tenant, in.Scope, in.Objectives.QPS, in.Objectives.TTFT, in.Objectives.TTFTP95 = &own, scopeOf(a), 0, 0, 0", new: "tenant, in.Scope = &own, scopeOf(a)",
	},
	{
		name: "report-days-are-hours", file: "api/report.go", pkg: "api", tests: []string{"TestReportAsk"},
		old: "d = time.Duration(n) * 24 * time.Hour", new: "d = time.Duration(n) * time.Hour",
	},
}
