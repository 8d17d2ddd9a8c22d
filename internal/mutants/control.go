package main

// This file owns the part of the list that is the control group: who is drawn, what is kept, how answers are compared, what is pinned.

func init() { list = append(append(list, controlRules...), controlAtWork...) }

var controlRules = []mutant{
	{
		name: "control-draws-by-the-bare-name", file: "quality/control/draw.go", pkg: "quality/control", tests: []string{"TestDraw"},
		old: "	rand.Read(d.key[:]) // never fails\n", new: "	_ = rand.Read\n",
	},
	{
		name: "control-draws-the-others", file: "quality/control/draw.go", pkg: "quality/control", tests: []string{"TestDraw"},
		old: "return float64(part)/parts < share", new: "return float64(part)/parts >= 1-share && share < 0.15 || float64(part)/parts < share && share >= 0.15",
	},
	{
		name: "control-queued-passes-for-busy", file: "quality/control/control.go", pkg: "quality/control", tests: []string{"TestStrata"},
		old: "	case waiting > 0:\n		return Queued\n", new: "	case waiting > 1:\n		return Queued\n",
	},
	{
		name: "control-any-letter-makes-a-script", file: "quality/control/control.go", pkg: "quality/control", tests: []string{"TestStrata"},
		old: "const mostScript = 0.7", new: "const mostScript = 0.8",
	},
	{
		name: "control-drops-the-newest", file: "quality/control/memory.go", pkg: "quality/control", tests: []string{"TestMemory"},
		old: "s, m.waiting[0] = m.waiting[0], none\n	m.waiting = m.waiting[1:]", new: "last := len(m.waiting) - 1\n	s, m.waiting[last] = m.waiting[last], none\n	m.waiting = m.waiting[:last]",
	},
	{
		name: "control-holds-one-too-many", file: "quality/control/memory.go", pkg: "quality/control", tests: []string{"TestMemory"},
		old: "for len(m.waiting) == m.MostSamples ||", new: "for len(m.waiting) > m.MostSamples ||",
	},
	{
		name: "control-holds-too-many-bytes", file: "quality/control/memory.go", pkg: "quality/control", tests: []string{"TestMemory"},
		old: "m.bytes+size > m.MostBytes {\n		oldest", new: "m.bytes > m.MostBytes {\n		oldest",
	},
	{
		name: "control-loses-without-erasing", file: "quality/control/memory.go", pkg: "quality/control", tests: []string{"TestMemory"},
		old: "		oldest.Erase()\n", new: "",
	},
	{
		name: "control-drops-without-erasing", file: "quality/control/memory.go", pkg: "quality/control", tests: []string{"TestMemory"},
		old: "		s.Erase()\n		lost = append(lost, s)", new: "		lost = append(lost, s)",
	},
	{
		name: "control-returns-what-has-no-room", file: "quality/control/memory.go", pkg: "quality/control", tests: []string{"TestMemory"},
		old: "|| m.bytes+s.Bytes() > m.MostBytes {\n		return false", new: "{\n		return false",
	},
	{
		name: "control-agrees-on-any-likely-token", file: "quality/control/compare.go", pkg: "quality/control", tests: []string{"TestCompare"},
		old: "if control[i][0].Token == tier[i][0].Token {", new: "if control[i][0].Token == tier[i][0].Token || control[i][0].Token == tier[i][len(tier[i])-1].Token {",
	},
	{
		name: "control-divergence-the-other-way", file: "quality/control/compare.go", pkg: "quality/control", tests: []string{"TestCompare"},
		old: "return score.Divergence(p, q)", new: "return score.Divergence(q, p)",
	},
	{
		name: "control-divergence-beyond-what-is-known", file: "quality/control/compare.go", pkg: "quality/control", tests: []string{"TestCompare"},
		old: "if last >= control[0].LogProbability {", new: "if last > 0 {",
	},
	{
		name: "control-fewer-positions-will-do", file: "quality/control/compare.go", pkg: "quality/control", tests: []string{"TestCompare"},
		old: "if len(control) != len(tier) || len(control) == 0 {", new: "if len(control) > len(tier) || len(control) == 0 {",
	},
	{
		name: "control-the-scored-stand-for-themselves", file: "quality/control/window.go", pkg: "quality/control", tests: []string{"TestWeightedEstimate", "TestWeights"},
		old: "list[i] += rest[of] * w.scored[i].stands / there[of]", new: "_ = rest[of] * w.scored[i].stands / there[of]",
	},
	{
		name: "control-the-lost-are-laid-on-all", file: "quality/control/window.go", pkg: "quality/control", tests: []string{"TestWeightedEstimate", "TestWeights"},
		old: "func(s Stratum) Stratum { return s }, func(s Stratum) Stratum { return Stratum{Load: s.Load} }, ", new: "",
	},
	{
		name: "control-the-lost-are-laid-on-twice", file: "quality/control/window.go", pkg: "quality/control", tests: []string{"TestWeights"},
		old: "		for s := range there {\n			delete(rest, s)\n		}\n", new: "",
	},
	{
		name: "control-a-smaller-share-counts-alike", file: "quality/control/window.go", pkg: "quality/control", tests: []string{"TestWeights"},
		old: "scored{s, 1 / share, together", new: "scored{s, share / share, together",
	},
	{
		name: "control-answers-count-for-themselves", file: "quality/control/window.go", pkg: "quality/control", tests: []string{"TestEstimatesByTag"},
		old: "	for _, a := range answers {\n		sum.Tokens,", new: "	for _, a := range answers[:1] {\n		sum.Tokens,",
	},
	{
		name: "control-a-handful-is-an-estimate", file: "quality/control/window.go", pkg: "quality/control", tests: []string{"TestEstimatesByTag"},
		old: "if len(rows) < LeastRequests {", new: "if len(rows) < 2 {",
	},
	{
		name: "canaries-prompts-run-together", file: "quality/control/canaries.go", pkg: "quality/control", tests: []string{"TestCanaries"},
		old: "		word(int32(len(p)))\n", new: "",
	},
	{
		name: "canaries-any-length-is-one", file: "quality/control/canaries.go", pkg: "quality/control", tests: []string{"TestCanaries"},
		old: "	word(int32(maxTokens))\n", new: "",
	},
	{
		name: "canaries-that-are-missing-sing", file: "quality/control/canaries.go", pkg: "quality/control", tests: []string{"TestCanaries"},
		old: "for i := range max(len(golden), len(now)) {", new: "for i := range min(len(golden), len(now)) {",
	},
	{
		name: "golden-is-pinned-anew", file: "store/goldens.go", pkg: "store", tests: []string{"TestPin"},
		old: "if !errors.Is(err, ErrNone) {", new: "if err != nil && !errors.Is(err, ErrNone) {",
	},
	{
		name: "golden-that-is-damaged-is-none", file: "store/goldens.go", pkg: "store", tests: []string{"TestPin"},
		old: "if !errors.Is(err, ErrNone) {", new: "if damaged := (*DamagedRowError)(nil); !errors.Is(err, ErrNone) && !errors.As(err, &damaged) {",
	},
	{
		name: "scored-prompt-from-its-beginning", file: "scheduler/sequence.go", pkg: "scheduler", tests: []string{"TestPromptScoresFrom"},
		old: "scored:  max(0, r.ScoreFrom-1),", new: "scored:  min(0, r.ScoreFrom),",
	},
	{
		name: "scored-prompt-one-token-late", file: "scheduler/sequence.go", pkg: "scheduler", tests: []string{"TestPromptScoresFrom"},
		old: "scored:  max(0, r.ScoreFrom-1),", new: "scored:  max(0, r.ScoreFrom),",
	},
	{
		name: "drawn-answers-without-tokens", file: "api/generate.go", pkg: "api", tests: []string{"TestDrawn"},
		old: "keepsIDs: j.id != (AnswerID{})", new: "keepsIDs: j.keepsTexts && j.drawn == nil",
	},
	{
		name: "drawn-answers-keep-no-text", file: "api/generate.go", pkg: "api", tests: []string{"TestDrawn"},
		old: "j.keepsTexts = j.keepsTexts || j.drawn.KeepsText", new: "_ = j.drawn.KeepsText",
	},
}

// Those that take a daemon are quick: no arithmetic, or a model of six million parameters.
var controlAtWork = []mutant{
	{
		name: "live-draws-background-work", file: "daemon/live.go", pkg: "daemon", tests: []string{"TestLiveDraws"},
		old: "if class == scheduler.Background || !l.draw.Takes(id, share) {", new: "if !l.draw.Takes(id, share) {",
	},
	{
		name: "live-share-waits-for-a-restart", file: "daemon/live.go", pkg: "daemon", tests: []string{"TestLiveDraws"},
		old: "	s.whenReloaded(l.follow)\n", new: "",
	},
	{
		name: "live-keeps-all-texts", file: "daemon/receipts.go", pkg: "daemon", tests: []string{"TestLiveDraws"},
		old: "h.keepsTexts || r.Sampled && h.privacy == store.Samples {", new: "h.keepsTexts {",
	},
	{
		name: "live-lost-samples-go-uncounted", file: "daemon/live.go", pkg: "daemon", tests: []string{"TestLiveFlood", "TestLiveSamplesAreErased"},
		old: "	m.counts.Of(s.stratum).Lost++\n", new: "",
	},
	{
		name: "live-size-of-nothing", file: "daemon/live.go", pkg: "daemon", tests: []string{"TestLiveFlood"},
		old: "4*(cap(r.Prompt)+cap(s.answers[i].tokens))", new: "0*(len(r.Prompt)+len(s.answers[i].tokens))",
	},
	{
		name: "live-samples-outlive-their-score", file: "daemon/live_score.go", pkg: "daemon", tests: []string{"TestLiveSamplesAreErased"},
		old: "	s.Erase()\n	return 0\n", new: "	return 0\n",
	},
	{
		name: "live-erases-what-waits-for-a-control", file: "daemon/live_score.go", pkg: "daemon", tests: []string{"TestLiveSamplesAreErased"},
		old: "			err = &noControlError{err}\n", new: "			err = errors.Join(err)\n",
	},
	{
		name: "live-scores-by-other-weights", file: "daemon/live_score.go", pkg: "daemon", tests: []string{"TestLiveSamplesAreErased"},
		old: "if tier.Model.Numerics(\"\") != s.numerics {", new: "if s.numerics = tier.Model.Numerics(\"\"); s.numerics == \"\" {",
	},
	{
		name: "live-difference-passes", file: "daemon/live_score.go", pkg: "daemon", tests: []string{"TestLiveDifferenceIsAnAlarm"},
		old: "== s.numerics && !slices.Equal(own.Tokens, a.tokens) {", new: "== s.numerics && len(own.Tokens) != len(a.tokens) {",
	},
	{
		name: "live-any-difference-is-an-alarm", file: "daemon/live_score.go", pkg: "daemon", tests: []string{"TestLiveOnASmallModel"},
		old: "if frozen.Numerics(own.Weights) == s.numerics && ", new: "if ",
	},
	{
		name: "live-tier-beside-itself", file: "daemon/live_score.go", pkg: "daemon", tests: []string{"TestLiveOnASmallModel"},
		old: "if frozen.Numerics(\"\") != s.numerics {", new: "if frozen.Numerics(\"\") == s.numerics {",
	},
	{
		name: "live-alarm-is-not-written", file: "daemon/alarms.go", pkg: "daemon", tests: []string{"TestLiveDifferenceIsAnAlarm"},
		old: "	if all.history.keepsNothing() {\n		return\n	}\n	if err := all.history.store.AddAlarm", new: "	if !all.history.keepsNothing() {\n		return\n	}\n	if err := all.history.store.AddAlarm",
	},
	{
		name: "live-triggers-at-every-window", file: "daemon/live.go", pkg: "daemon", tests: []string{"TestLiveOnlyTriggersSuites"},
		old: "trigger := below && now.Sub(m.triggered) >= l.all.config.Quality.Interval.Duration", new: "trigger := below && now.Sub(m.triggered) >= 0",
	},
	{
		name: "live-triggers-nothing", file: "daemon/live.go", pkg: "daemon", tests: []string{"TestLiveOnlyTriggersSuites"},
		old: "		l.all.guardian.doubt(model)\n", new: "",
	},
	{
		name: "canaries-are-not-asked-again", file: "daemon/guardian.go", pkg: "daemon", tests: []string{"TestCanariesFindChangedWeights"},
		old: "r.watched.fresh, r.watched.canaries.of = true, \"\"", new: "r.watched.fresh = true",
	},
	{
		name: "canaries-alarm-each-time", file: "daemon/canaries.go", pkg: "daemon", tests: []string{"TestCanariesFindChangedWeights"},
		old: "if len(places) == 0 || slices.Equal(places, before) {", new: "if len(places) == 0 {",
	},
	{
		name: "canaries-golden-of-any-weights", file: "daemon/canaries.go", pkg: "daemon", tests: []string{"TestDamagedGoldenIsNotReplaced"},
		old: "content, err := all.golden(ctx, store.Canaries, digest, numerics)", new: "content, err := all.golden(ctx, store.Canaries, digest, \"n\")",
	},
	{
		name: "suites-sealed-half-is-tuning", file: "daemon/guardian.go", pkg: "daemon", tests: []string{"TestSuitesInHalves"},
		old: "halfOf(s, suite.Sealed)", new: "halfOf(s, suite.Tuning)",
	},
	{
		name: "suites-rule-sees-all", file: "daemon/guardian.go", pkg: "daemon", tests: []string{"TestSuitesInHalves"},
		old: "if g.suites, err = tuningHalves(&c.Quality, g.wholes); err == nil {", new: "if g.suites = g.wholes; err == nil {",
	},
	{
		name: "suites-source-is-asked-at-each-start", file: "daemon/guardian_suites.go", pkg: "daemon", tests: []string{"TestSuitesInHalves"},
		old: "	ask := known\n", new: "	ask := map[string]pinnedAnswer{}\n",
	},
	{
		name: "suites-source-is-never-doubted", file: "daemon/guardian_suites.go", pkg: "daemon", tests: []string{"TestSuitesInHalves"},
		old: "	if fresh {\n		ask = nil\n	}\n", new: "	_ = fresh\n",
	},
	{
		name: "suites-fixed-tiers-are-not-measured", file: "daemon/guardian.go", pkg: "daemon", tests: []string{"TestSuitesInHalves"},
		old: "	if r.manual || g.mode == config.ModeFixed {\n		return w.missing(r.tier), true, nil\n	}\n", new: "	if r.manual || g.mode == config.ModeFixed {\n		return d, false, nil\n	}\n",
	},
	{
		name: "suites-last-score-is-the-sources", file: "daemon/guardian_publish.go", pkg: "daemon", tests: []string{"TestSuitesInHalves"},
		old: "serves, err := g.all.addWhole(runs, whole, tier)", new: "serves, err := g.all.addWhole(source, whole, api.SourceTier)",
	},
}
