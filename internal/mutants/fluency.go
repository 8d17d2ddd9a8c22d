package main

// This file owns the part of the list that is what answers are by themselves and under a control, how alike repeats are, and choices by their likelihoods.

func init() { list = append(append(list, fluencyAndRepeats...), choicesAtWork...) }

var fluencyAndRepeats = []mutant{
	{
		name: "fluency-of-answers-in-the-mean", file: "quality/score/fluency.go", pkg: "quality/score", tests: []string{"TestFluency"},
		old: "return []float64{-logProbability, float64(tokens)}, nil", new: "return []float64{-logProbability / float64(tokens), 1}, nil",
	},
	{
		name: "fluency-of-nothing", file: "quality/score/fluency.go", pkg: "quality/score", tests: []string{"TestFluency"},
		old: "tokens < 1 || ", new: "",
	},
	{
		name: "fluency-without-end", file: "quality/score/fluency.go", pkg: "quality/score", tests: []string{"TestFluency"},
		old: "math.Exp(min(sum[0]/sum[1], mostSurprise))", new: "math.Exp(max(sum[0]/sum[1], -mostSurprise))",
	},
	{
		name: "consistency-one-way", file: "quality/score/fluency.go", pkg: "quality/score", tests: []string{"TestConsistency"},
		old: "	return there, chrf(counts)\n", new: "	return there, there\n",
	},
	{
		name: "consistency-of-silence", file: "quality/score/fluency.go", pkg: "quality/score", tests: []string{"TestConsistency"},
		old: "	if a == b {\n", new: "	if a == b && a != \"\" {\n",
	},
	{
		name: "consistency-with-blanks", file: "quality/score/fluency.go", pkg: "quality/score", tests: []string{"TestConsistency"},
		old: "alike(strings.TrimSpace(a), strings.TrimSpace(b))", new: "alike(a, strings.TrimLeft(b, \"\\x00\"))",
	},
	{
		name: "live-fluency-of-the-first-answer", file: "quality/control/window.go", pkg: "quality/control", tests: []string{"TestEstimatesByTag"},
		old: "	for i, n := range counts {\n		sum[i] += n\n	}\n	return sum\n", new: "	return sum\n",
	},
	{
		name: "drift-likes-perplexity", file: "quality/drift/drift.go", pkg: "quality/drift", tests: []string{"TestWindow"},
		old: "\"ece\": true, \"fluency\": true}", new: "\"ece\": true}",
	},
	{
		name: "eval-fluency-more-is-better", file: "quality/eval/metrics.go", pkg: "quality/eval", tests: []string{"TestFluencyUnderAControl"},
		old: "	m.lower = true\n", new: "	m.lower = false\n",
	},
	{
		name: "eval-fluency-by-any-control", file: "quality/eval/baseline.go", pkg: "quality/eval", tests: []string{"TestFluencyUnderAControl"},
		old: "b.Control != report.Control", new: "b.Control == \"\"",
	},
	{
		name: "eval-key-without-control", file: "quality/eval/run.go", pkg: "quality/eval", tests: []string{"TestKey"},
		old: "s.Temperature, r.ControlBy, score.Version", new: "s.Temperature, \"\", score.Version",
	},
	{
		name: "eval-key-without-repeats", file: "quality/eval/run.go", pkg: "quality/eval", tests: []string{"TestKey"},
		old: "s.Choices, s.times(), s.Temperature", new: "s.Choices, 1, s.Temperature",
	},
	{
		name: "eval-seeds-for-all-items", file: "quality/eval/outcome.go", pkg: "quality/eval", tests: []string{"TestRepeats"},
		old: "fmt.Appendf(nil, \"%d %s\", repeat, id)", new: "fmt.Appendf(nil, \"%d %s\", repeat, id[:0])",
	},
	{
		name: "eval-seeds-with-a-sign", file: "quality/eval/outcome.go", pkg: "quality/eval", tests: []string{"TestRepeats"},
		old: "binary.LittleEndian.Uint32(sum[:]) >> 1)", new: "binary.LittleEndian.Uint64(sum[:]))",
	},
	{
		name: "eval-likelihoods-lose-their-repeat", file: "quality/eval/run.go", pkg: "quality/eval", tests: []string{"TestRepeats"},
		old: "			list[n].Repeat = n / len(r.Suite.Items)\n", new: "",
	},
	{
		name: "journal-knows-items-alone", file: "quality/eval/journal.go", pkg: "quality/eval", tests: []string{"TestRepeatsGoOn"},
		old: "j.done[asked{o.ID, o.Repeat}] = o", new: "j.done[asked{o.ID, 0}] = o",
	},
	{
		name: "spread-of-all-repeats-there-are", file: "quality/eval/repeats.go", pkg: "quality/eval", tests: []string{"TestRepeats"},
		old: "squares / float64(len(scores)-1)", new: "squares / float64(len(scores))",
	},
	{
		name: "repeats-as-one-corpus", file: "quality/eval/repeats.go", pkg: "quality/eval", tests: []string{"TestRepeats"},
		old: "slices.Chunk(sum, len(sum)/len(tables))", new: "slices.Chunk(sum, len(sum)/len(tables)*2)",
	},
	{
		name: "consistency-of-the-refused", file: "quality/eval/repeats.go", pkg: "quality/eval", tests: []string{"TestRepeatsThatFail"},
		old: "at < len(outcomes) && outcomes[at].Failed == \"\"; at", new: "at < len(outcomes); at",
	},
	{
		name: "report-holds-perplexities-against-points", file: "quality/report/risks.go", pkg: "quality/report", tests: []string{"TestRisks"},
		old: "return f.Value != nil && f.Unit != perplexity }", new: "return f.Value != nil && f.Unit != \"\" }",
	},
	{
		name: "report-likes-perplexity", file: "quality/report/scores.go", pkg: "quality/report", tests: []string{"TestFluency"},
		old: "unit: perplexity, lower: true}", new: "unit: perplexity}",
	},
	{
		name: "answerer-forgets-the-seed", file: "client/answerer/answerer.go", pkg: "client/answerer", tests: []string{"TestAnswers"},
		old: "if as.Temperature > 0 {", new: "if as.Temperature > 1 {",
	},
}

var choicesAtWork = []mutant{
	{
		name: "choices-with-what-is-before-them", file: "api/likelihood.go", pkg: "api", tests: []string{"TestContinuations"},
		old: "(place >= first || end > first)", new: "(place >= first || end > 0)",
	},
	{
		name: "choices-without-shared-tokens", file: "api/likelihood.go", pkg: "api", tests: []string{"TestContinuations"},
		old: "(place >= first || end > first)", new: "(place >= first || end < 0)",
	},
	{
		name: "choices-behind-nothing", file: "api/likelihood.go", pkg: "api", tests: []string{"TestContinuationsRefused"},
		old: "from == 0 || from >= to", new: "from > to",
	},
	{
		name: "choices-as-long-as-the-context", file: "api/likelihood.go", pkg: "api", tests: []string{"TestContinuationsRefused"},
		old: "len(whole.ids) >= m.MaxContext", new: "len(whole.ids) > m.MaxContext",
	},
	{
		name: "choices-pinned-by-their-tokens-alone", file: "daemon/guardian_suites.go", pkg: "daemon", tests: []string{"TestSuitesOfChoices"},
		old: " && slices.Equal(pinned.Likelihoods, a.Likelihoods)", new: "",
	},
	{
		name: "choices-by-the-letter", file: "daemon/guardian_suites.go", pkg: "daemon", tests: []string{"TestSuitesOfChoices"},
		old: "run.Settings.Choices = eval.ByLikelihood", new: "run.Settings.Choices = eval.ByLetter",
	},
	{
		name: "choices-agree-always", file: "daemon/guardian_suites.go", pkg: "daemon", tests: []string{"TestSuitesOfChoices"},
		old: "		if a[i] == b[i] {\n			same++\n		}\n", new: "		if a[i] == b[i] || len(a) > 0 {\n			same++\n		}\n",
	},
	{
		name: "suites-read-by-who-answered", file: "daemon/guardian_fluency.go", pkg: "daemon", tests: []string{"TestSuitesAreRead"},
		old: "done.readBy(control.Context, control.Model)", new: "done.readBy(control.Context, r.up.model)",
	},
	{
		name: "suites-fail-without-a-control", file: "daemon/guardian_fluency.go", pkg: "daemon", tests: []string{"TestSuitesAreRead"},
		old: "\"model\", r.name, \"cause\", err)\n		return nil\n", new: "\"model\", r.name, \"cause\", err)\n		return err\n",
	},
	{
		name: "live-fluency-under-the-tier", file: "daemon/live_score.go", pkg: "daemon", tests: []string{"TestLiveFluency"},
		old: "if wanted, read, err = expectations(ctx, frozen, a); err != nil {", new: "if wanted, _, err = expectations(ctx, frozen, a); err != nil {",
	},
	{
		name: "live-fluency-is-drift", file: "daemon/drift.go", pkg: "daemon", tests: []string{"TestFluencyDrifts"},
		old: "row.Suite == liveSuite && row.Metric == group.Fluency:", new: "row.Suite == liveSuite && row.Metric == group.Fluency && row.Tag == \"none\":",
	},
	{
		name: "live-control-is-perfectly-fluent", file: "daemon/live.go", pkg: "daemon", tests: []string{"TestLiveFluency"},
		old: "known && tier != api.SourceTier {", new: "(known || ideal == 0) && tier != api.SourceTier {",
	},
}
