package main

// This file owns the part of the list that is policy: who is before whom, what a request may ask, and what it holds. Little
// of it would show in a single answer.

func init() { list = append(list, policy...) }

var policy = []mutant{
	// Who is in a step.
	{
		name: "longest-prompt-first", file: "scheduler/policy.go", pkg: "scheduler", tests: []string{"TestPromptsShareAStep", "TestOrder"},
		old: "return a.remaining - b.remaining", new: "return b.remaining - a.remaining",
	},
	{
		name: "prompts-share-evenly", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestPromptsShareAStep", "TestFirstComeAmongEquals"},
		old: "s.schedule(seq, left.rows(seq, long))", new: "s.schedule(seq, min(left.rows(seq, long), max(1, budget/len(prompts))))",
	},
	{
		name: "oldest-always-first", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestNobodyStarvesInSmallSteps"},
		old: "	seq.turn = s.turns\n", new: "",
	},
	{
		name: "more-prompts-than-rows", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestNobodyStarvesInSmallSteps"},
		old: "prompts := longestWaiting(s.unplanned(g), budget)", new: "prompts := longestWaiting(s.unplanned(g), len(s.running))",
	},
	{
		name: "biases-beyond-a-step", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestBiasesBeyondAStep"},
		old: "cap(b.Biases)-len(b.Biases) >= len(seq.biases())", new: "true",
	},
	{
		name: "newcomers-first", file: "scheduler/queue.go", pkg: "scheduler", tests: []string{"TestNewcomersGoBehind"},
		old: "	s.takeTurn(seq)\n	seq.admitted()", new: "	seq.admitted()",
	},

	// Who waits.
	{
		name: "stop-ignored-while-waiting", file: "scheduler/queue.go", pkg: "scheduler", tests: []string{"TestStopWhileWaiting"},
		old: "		last := Event{Finish: Cancelled}\n		if !seq.stopped.Load() {", new: "		last := Event{Finish: Cancelled}\n		if true {",
	},
	{
		name: "overtakes-who-lacks-pages", file: "scheduler/queue.go", pkg: "scheduler", tests: []string{"TestNobodyOvertakesWhoLacksPages"},
		old: "			line = nil\n			continue\n", new: "			line.from++\n",
	},
	{
		name: "preempted-to-the-tail", file: "scheduler/policy.go", pkg: "scheduler", tests: []string{"TestPreemptedGoBeforeThoseThatWait", "TestOrder"},
		old: "		return goesFirst(a.returned)", new: "		return goesFirst(b.returned)",
	},
	{
		name: "oldest-preempted", file: "scheduler/policy.go", pkg: "scheduler", tests: []string{"TestYoungestIsPreempted"},
		old: "		return b.priority() - a.priority()\n	}\n	return cmp.Compare(a.number, b.number)", new: "		return b.priority() - a.priority()\n	}\n	return cmp.Compare(b.number, a.number)",
	},
	{
		name: "follower-lets-nobody-pass", file: "scheduler/queue.go", pkg: "scheduler", tests: []string{"TestFollowersLetOthersPass"},
		old: "		case follow:\n			line.from++\n", new: "		case follow:\n			return\n",
	},
	{
		name: "group-in-part", file: "scheduler/forecast.go", pkg: "scheduler", tests: []string{"TestGroupsAreAdmittedWhole"},
		old: "before+requests <= most || othersDid &&", new: "before < most || othersDid &&",
	},
	{
		name: "group-never-fits", file: "scheduler/admission.go", pkg: "scheduler", tests: []string{"TestGroupsAreAdmittedWhole"},
		old: "if len(requests) > s.config.QueueLength", new: "if false",
	},

	{
		name: "refused-step-passed-over", file: "scheduler/steps.go", pkg: "scheduler", tests: []string{"TestRefusedStepWaitsForTheOneUnderWay"},
		old: "s.broken = fmt.Errorf(\"step refused: %w\", err)", new: "_ = fmt.Errorf(\"step refused: %w\", err)",
	},

	// What a prefix was found to be.
	{
		name: "cached-tokens-told-again", file: "scheduler/prefix.go", pkg: "scheduler", tests: []string{"TestCachedTokensAreThoseOfTheFirstTime"},
		old: "if seq.generated == 0 {", new: "if true {",
	},

	// What is sampled.
	{
		name: "end-before-least-length", file: "scheduler/sequence.go", pkg: "scheduler", tests: []string{"TestEndTokensAreMaskedBeforeTheLeastLength"},
		old: "Value: float32(math.Inf(-1))", new: "Value: float32(math.Abs(0))",
	},
	{
		name: "bias-on-a-masked-end", file: "scheduler/sequence.go", pkg: "scheduler", tests: []string{"TestEndTokensAreMaskedBeforeTheLeastLength"},
		old: "if !slices.Contains(s.request.Ends, b.Token) {", new: "if !slices.Contains([]int32{}, b.Token) {",
	},

	// What a request may ask.
	{
		name: "defaults-refused", file: "api/fields.go", pkg: "api", tests: []string{"TestForeignFields"},
		old: "return asksNothing(v, f.nothing)", new: "return asksNothing(v, nil)",
	},
	{
		name: "exact-defaults-loose", file: "api/fields.go", pkg: "api", tests: []string{"TestForeignFields"},
		old: "	case f.exact:", new: "	case false:",
	},
	{
		name: "unknown-fields-logged-each-time", file: "api/unknown.go", pkg: "api", tests: []string{"TestUnknownFieldsAreLoggedOnce"},
		old: "	u.seen[name] = true\n", new: "",
	},
	{
		name: "made-up-names-hide-others", file: "api/unknown.go", pkg: "api", tests: []string{"TestUnknownFieldsAreLoggedOnce"},
		old: "known || u.seen[name] {", new: "known || u.seen[name] || len(u.seen) == maxUnknown {",
	},
	{
		name: "pictures-in-parts-dropped", file: "api/fields.go", pkg: "api", tests: []string{"TestMessageFields"},
		old: "			err = checkObjects(d)\n", new: "			err = d.SkipValue()\n",
	},
	{
		name: "pictures-dropped", file: "api/fields.go", pkg: "api", tests: []string{"TestMessageFields"},
		old: "			err = f.check(d)\n", new: "			_, err = f, d.SkipValue()\n",
	},
	{
		name: "tools-told-with-none", file: "api/chat.go", pkg: "api", tests: []string{"TestToolsThatAreNotTold", "TestHabitualFields"},
		old: "		r.Tools = nil\n", new: "",
	},
	{
		name: "no-limit-refused", file: "api/params.go", pkg: "api", tests: []string{"TestCeilings"},
		old: "*most == -1", new: "false",
	},
	{
		name: "seed-minus-one", file: "api/integer.go", pkg: "api", tests: []string{"TestSeeds"},
		old: `if digits == "-1" {`, new: "if false {",
	},
	{
		name: "fraction-dropped", file: "api/integer.go", pkg: "api", tests: []string{"TestIntegerText"},
		old: "digits[len(digits)-1] != '0'", new: "false",
	},
	{
		name: "ceiling-not-cut", file: "api/params.go", pkg: "api", tests: []string{"TestCeilings"},
		old: "return int(min(asked, int64(room))), nil", new: "return int(asked), nil",
	},
	{
		name: "no-room-for-a-token", file: "api/params.go", pkg: "api", tests: []string{"TestCeilings"},
		old: "room < least", new: "room < 0",
	},
	{
		name: "top-k-beyond-vocabulary", file: "api/params.go", pkg: "api", tests: []string{"TestCeilings"},
		old: "min(max(or(g.TopK, 0), 0), int64(vocab))", new: "max(or(g.TopK, 0), 0)",
	},

	// What stops an answer.
	{
		name: "no-stop-after-a-stop-string", file: "api/generate.go", pkg: "api", tests: []string{"TestStoppedChoiceIsNotComputedOn"},
		old: "			seq.Stop() // after", new: "			// after",
	},
	{
		name: "control-token-no-stop", file: "api/decoder.go", pkg: "api", tests: []string{"TestStops"},
		old: "		d.stop.hide(", new: "		new(stopMatcher).hide(",
	},
	{
		name: "stop-string-in-a-hidden-name", file: "api/stop.go", pkg: "api", tests: []string{"TestStopMatcherOfHiddenTokens", "TestStops"},
		old: "			i, hidden = hidden[0].to, hidden[1:]\n			if i == len(m.held) {", new: "			hidden = hidden[1:]\n			if i == len(m.held) {",
	},
	{
		name: "stop-string-broken-by-a-hidden-token", file: "api/stop.go", pkg: "api", tests: []string{"TestStopMatcherOfHiddenTokens", "TestStops"},
		old: "case h.from == place:", new: "case h.from < len(m.held):",
	},
	{
		name: "stop-strings-do-not-wait", file: "api/decoder.go", pkg: "api", tests: []string{"TestStops"},
		old: "if d.tokens <= d.least {", new: "if false {",
	},
	{
		name: "stop-string-forgotten-while-waiting", file: "api/stop.go", pkg: "api", tests: []string{"TestStops"},
		old: "			return m.letOut(i)\n		}\n	}\n	return m.letOut(len(m.held))\n", new: "			return m.letOut(len(m.held))\n		}\n	}\n	return m.letOut(len(m.held))\n",
	},
	{
		name: "end-token-listed", file: "api/decoder.go", pkg: "api", tests: []string{"TestCompletionLogprobs", "TestChatAnswer"},
		old: "t.unlisted = (isEnd || stopped && hidden) && !d.job.stopInAnswer", new: "t.unlisted = false",
	},

	// What a request holds.
	{
		name: "bodies-not-counted", file: "api/memory.go", pkg: "api", tests: []string{"TestBodiesTogetherAreBounded", "TestReadAll"},
		old: "	c.counted += more\n", new: "",
	},
	{
		name: "bodies-counted-for-ever", file: "api/memory.go", pkg: "api", tests: []string{"TestBodiesTogetherAreBounded"},
		old: "	c.server.budgets.bodies.Release(c.counted)\n", new: "",
	},
	{
		name: "bodies-counted-while-answered", file: "api/completions.go", pkg: "api", tests: []string{"TestAnswersHoldNoBodies"},
		old: "	c.release()\n", new: "",
	},
	{
		name: "normalised-texts-refused", file: "api/memory.go", pkg: "api", tests: []string{"TestNormalisedTextsAreNotRefused"},
		old: "m.Tokenizer.LongestPiece() * shrink", new: "m.Tokenizer.LongestPiece()",
	},
	{
		name: "tokenised-to-be-refused", file: "api/memory.go", pkg: "api", tests: []string{"TestTokenisingIsBounded"},
		old: "len(text) > most", new: "len(text) > most && false",
	},
	{
		name: "too-many-answers-again", file: "api/generate.go", pkg: "api", tests: []string{"TestGroups"},
		old: "if !errors.As(err, &tooLarge) {\n		return err", new: "if !errors.As(err, &tooLarge) {\n		return err\n	}\n	if err != nil {\n		return scheduler.ErrQueueFull",
	},
	{
		name: "small-texts-wait-for-large", file: "api/memory.go", pkg: "api", tests: []string{"TestTokenisingIsBounded"},
		old: "if bytes > smallText {", new: "if true {",
	},
}
