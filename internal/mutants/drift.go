package main

// This file owns the part of the list that is drift: what is an alarm, who is told of it, and what suites lack.

func init() { list = append(append(list, driftRules...), toldRules...) }

var driftRules = []mutant{
	{
		name: "drift-better-is-worse", file: "quality/drift/drift.go", pkg: "quality/drift", tests: []string{"TestWindow"},
		old: "	if lessIsBetter[metric] {", new: "	if !lessIsBetter[metric] {",
	},
	{
		name: "drift-one-window-is-enough", file: "quality/drift/series.go", pkg: "quality/drift", tests: []string{"TestWindow"},
		old: "z = max(-mostStep, min(mostStep, z))", new: "z = max(-10*mostStep, min(10*mostStep, z))",
	},
	{
		name: "drift-alarms-go-on", file: "quality/drift/series.go", pkg: "quality/drift", tests: []string{"TestWindow"},
		old: "		s.alarms++\n		s.anew()\n", new: "		s.alarms++\n",
	},
	{
		name: "drift-learns-nothing-better", file: "quality/drift/series.go", pkg: "quality/drift", tests: []string{"TestWindow"},
		old: "the next are what is learnt\n		s.anew()\n", new: "the next are what is learnt\n",
	},
	{
		name: "drift-few-requests-are-judged", file: "quality/drift/series.go", pkg: "quality/drift", tests: []string{"TestWindow"},
		old: "leastJudged = 100", new: "leastJudged = 10",
	},
	{
		name: "drift-no-scatter-is-certain", file: "quality/drift/drift.go", pkg: "quality/drift", tests: []string{"TestNoScatter"},
		old: "	return 0.001\n", new: "	return 1e-9\n",
	},
	{
		name: "drift-forgives-the-same-weights", file: "quality/drift/series.go", pkg: "quality/drift", tests: []string{"TestRun"},
		old: "const same = 1e-9", new: "const same = 1e-2",
	},
	{
		name: "drift-the-same-weights-may-improve", file: "quality/drift/series.go", pkg: "quality/drift", tests: []string{"TestRun"},
		old: "return math.Abs(p.Value-q.Value) <= same*", new: "return q.Value-p.Value <= same*",
	},
	{
		name: "drift-other-weights-are-the-same", file: "quality/drift/series.go", pkg: "quality/drift", tests: []string{"TestRun"},
		old: "case p.Numerics == before.Numerics:", new: "case p.Numerics >= before.Numerics:",
	},
	{
		name: "drift-reference-is-the-last-run", file: "quality/drift/series.go", pkg: "quality/drift", tests: []string{"TestReference"},
		old: "	if math.Abs(f.Sum) > limit {\n		s.refer(p)\n	}\n", new: "	s.refer(p)\n",
	},
	{
		name: "drift-reference-never-gets-better", file: "quality/drift/series.go", pkg: "quality/drift", tests: []string{"TestReference"},
		old: "if math.Abs(f.Sum) > limit {", new: "if f.Sum > limit {",
	},
	{
		name: "drift-what-is-mended-has-changed", file: "quality/drift/series.go", pkg: "quality/drift", tests: []string{"TestReference"},
		old: "case p.Numerics == s.reference.Numerics && p.isSame(s.reference):", new: "case p.Numerics == \"\" && p.isSame(s.reference):",
	},
	{
		name: "drift-runs-share-the-windows-budget", file: "quality/drift/watch.go", pkg: "quality/drift", tests: []string{"TestBudgetOfRuns"},
		old: "if s.isRun || of.isRun {", new: "if s.isRun && of.isRun {",
	},
	{
		name: "drift-agreement-shares-with-scores", file: "quality/drift/watch.go", pkg: "quality/drift", tests: []string{"TestBudgetOfRuns"},
		old: "s.isRun == of.isRun && partOf(s.key.Metric) == partOf(of.key.Metric)", new: "s.isRun == of.isRun",
	},
	{
		name: "drift-runs-by-bleu", file: "quality/drift/budget.go", pkg: "quality/drift", tests: []string{"TestBudgetOfRuns"},
		old: "return metric != \"bleu\" &&", new: "return metric != \"\" &&",
	},
	{
		name: "drift-runs-are-not-pinned", file: "daemon/guardian_reference.go", pkg: "daemon", tests: []string{"TestRunsBesideTheirReference"},
		old: "	if err := g.pinRun(ctx, m, done, s); err != nil {\n		return err\n	}\n", new: "",
	},
	{
		name: "drift-agreement-by-itself", file: "daemon/guardian_reference.go", pkg: "daemon", tests: []string{"TestRunsBesideTheirReference"},
		old: "stats.PairedBootstrap(now, then,", new: "stats.PairedBootstrap(then, now,",
	},
	{
		name: "drift-unpaired-errors-of-one-run", file: "daemon/drift.go", pkg: "daemon", tests: []string{"TestRunsBesideTheirReference"},
		old: "return standardError(row) * math.Sqrt2", new: "return standardError(row)",
	},
	{
		name: "drift-judges-what-is-no-number", file: "quality/drift/watch.go", pkg: "quality/drift", tests: []string{"TestNoFigure"},
		old: "	if !p.valid() {\n		return nil\n	}\n", new: "",
	},
	{
		name: "drift-one-series-for-all-tiers", file: "quality/drift/watch.go", pkg: "quality/drift", tests: []string{"TestTiers"},
		old: "w.now[k.Model] = standing{k.Source, k.Tier}\n	s := w.all[k]", new: "w.now[k.Model] = standing{k.Source, k.Tier}\n	k.Tier = \"\"\n	s := w.all[k]",
	},
	{
		name: "drift-one-series-for-all-files", file: "quality/drift/watch.go", pkg: "quality/drift", tests: []string{"TestTiers"},
		old: "w.now[k.Model] = standing{k.Source, k.Tier}\n	s := w.all[k]", new: "k.Source = \"\"\n	w.now[k.Model] = standing{k.Source, k.Tier}\n	s := w.all[k]",
	},
	{
		name: "drift-each-has-the-budget", file: "quality/drift/budget.go", pkg: "quality/drift", tests: []string{"TestBudget"},
		old: "return Budget * share / float64(max(1, alike))", new: "return Budget * share / float64(min(1, alike))",
	},
	{
		name: "drift-threshold-without-its-overshoot", file: "quality/drift/budget.go", pkg: "quality/drift", tests: []string{"TestBudget"},
		old: "(h + 1.166)", new: "(h + 2)",
	},
	{
		name: "drift-drops-the-newest-series", file: "quality/drift/watch.go", pkg: "quality/drift", tests: []string{"TestMostSeries"},
		old: "s.last.Time.Before(oldest.last.Time)", new: "s.last.Time.After(oldest.last.Time)",
	},
	{
		name: "drift-forgets-at-a-restart", file: "daemon/drift.go", pkg: "daemon", tests: []string{"TestDriftIsKnownAfterARestart"},
		old: "		d.add(row, unpairedError(row))\n", new: "		_ = row\n",
	},
	{
		name: "drift-an-alarm-for-each-series", file: "daemon/drift.go", pkg: "daemon", tests: []string{"TestDriftIsKnownAfterARestart"},
		old: "if first.Tag != \"\" && d.Tag == \"\" {", new: "if d.Tag != \"\" {",
	},
	{
		name: "drift-of-what-does-not-serve", file: "daemon/scores.go", pkg: "daemon", tests: []string{"TestDriftOfRuns"},
		old: "	if serves || row.Suite == liveSuite || row.Tier == api.SourceTier {", new: "	{",
	},
	{
		name: "drift-asks-no-suite", file: "daemon/live.go", pkg: "daemon", tests: []string{"TestLiveDriftAsksSuites"},
		old: "	if l.all.tellDrift(worse) || trigger {", new: "	if l.all.tellDrift(worse) && trigger {",
	},
}

var toldRules = []mutant{
	{
		name: "webhook-signs-the-body-alone", file: "webhook/sign.go", pkg: "webhook", tests: []string{"TestSignature"},
		old: "	h.Write([]byte(at + \".\"))\n", new: "",
	},
	{
		name: "webhook-follows-redirects", file: "webhook/address.go", pkg: "webhook", tests: []string{"TestNoRedirect"},
		old: "{ return http.ErrUseLastResponse }", new: "{ return nil }",
	},
	{
		name: "webhook-looks-at-no-address", file: "webhook/address.go", pkg: "webhook", tests: []string{"TestRebinding"},
		old: "	return u.check(at.Addr())\n", new: "	_ = at\n	return nil\n",
	},
	{
		name: "webhook-mapped-addresses-pass", file: "webhook/address.go", pkg: "webhook", tests: []string{"TestAddresses"},
		old: "plain := a.Unmap().WithZone(\"\")", new: "plain := a.WithZone(\"\")",
	},
	{
		name: "webhook-translated-addresses-pass", file: "webhook/address.go", pkg: "webhook", tests: []string{"TestAddresses"},
		old: "	if nat64.Contains(plain) {", new: "	if false {",
	},
	{
		name: "webhook-keys-that-all-can-read", file: "webhook/sign.go", pkg: "webhook", tests: []string{"TestReadKey"},
		old: "Perm()&0o077 != 0", new: "Perm()&0o007 != 0",
	},
	{
		name: "webhook-repeats-what-is-refused", file: "webhook/webhook.go", pkg: "webhook", tests: []string{"TestTries"},
		old: "code >= 400 && code < 500 &&", new: "code > 400 && code < 404 &&",
	},
	{
		name: "webhook-each-failure-is-logged", file: "webhook/webhook.go", pkg: "webhook", tests: []string{"TestTriesEnd"},
		old: "	s.silent = true\n", new: "",
	},
	{
		name: "webhook-a-try-is-another-event", file: "webhook/webhook.go", pkg: "webhook", tests: []string{"TestTries"},
		old: "s.post(id, body)", new: "s.post(id+hex.EncodeToString([]byte{byte(try)}), body)",
	},
	{
		name: "webhook-needs-no-key", file: "config/tiers.go", pkg: "config", tests: []string{"TestWebhookSettings"},
		old: "	if q.WebhookKey == \"\" {", new: "	if q.WebhookKey == \"none\" {",
	},
	{
		name: "coverage-any-share-counts", file: "quality/coverage/parts.go", pkg: "quality/coverage", tests: []string{"TestUncovered"},
		old: "p.Low > leastShare", new: "p.Share > leastShare",
	},
	{
		name: "coverage-one-item-covers", file: "quality/coverage/parts.go", pkg: "quality/coverage", tests: []string{"TestUncovered"},
		old: "p.Items) < lack*p.Share*float64(len(items))", new: "p.Items) < min(1, lack*p.Share*float64(len(items)))",
	},
	{
		name: "coverage-one-word-is-a-language", file: "quality/coverage/language.go", pkg: "quality/coverage", tests: []string{"TestLanguageOf"},
		old: "lead = 1.25", new: "lead = 0.2",
	},
	{
		name: "coverage-kana-are-chinese", file: "quality/coverage/language.go", pkg: "quality/coverage", tests: []string{"TestLanguageOf"},
		old: "kanaShare = 0.1", new: "kanaShare = 0.9",
	},
	{
		name: "coverage-remembers-the-oldest", file: "quality/coverage/coverage.go", pkg: "quality/coverage", tests: []string{"TestTrafficForgets"},
		old: "	t.newest[t.next] = f\n", new: "",
	},
	{
		name: "coverage-one-group-for-all", file: "quality/coverage/topics.go", pkg: "quality/coverage", tests: []string{"TestTopics"},
		old: "	groups = 8\n", new: "	groups = 1\n",
	},
}
