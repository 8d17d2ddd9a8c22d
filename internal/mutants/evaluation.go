package main

// This file owns the part of the list that is suites, and runs of them.

func init() { list = append(list, evaluation...) }

var evaluation = []mutant{
	// Suites.
	{
		name: "suite-takes-ids-twice", file: "quality/suite/read.go", pkg: "quality/suite", tests: []string{"TestRefuses"},
		old: "case first[item.ID] > 0:", new: "case first[item.ID] > at:",
	},
	{
		name: "suite-file-has-no-end", file: "quality/suite/read.go", pkg: "quality/suite", tests: []string{"TestBounds"},
		old: "size > l.file", new: "size < 0",
	},
	{
		name: "suite-digest-without-answers", file: "quality/suite/suite.go", pkg: "quality/suite", tests: []string{"TestDigest"},
		old: "`json:\"right\"`", new: "`json:\"-\"`",
	},
	{
		name: "suite-digest-of-tags-as-written", file: "quality/suite/item.go", pkg: "quality/suite", tests: []string{"TestDigest", "TestForms"},
		old: "	slices.Sort(i.Tags)\n", new: "",
	},
	{
		name: "suite-letters-before-texts", file: "quality/suite/item.go", pkg: "quality/suite", tests: []string{"TestForms"},
		old: "at < 0 && len(text) == 1", new: "len(text) == 1",
	},
	{
		name: "suite-all-references-of-translations", file: "quality/suite/suite.go", pkg: "quality/suite", tests: []string{"TestReferences"},
		old: "n < least)", new: "n > least)",
	},
	{
		name: "checks-within-words", file: "quality/suite/check.go", pkg: "quality/suite", tests: []string{"TestChecks"},
		old: "!goesOn(answer[:at], text) && ", new: "",
	},
	{
		name: "checks-pass-silence", file: "quality/suite/check.go", pkg: "quality/suite", tests: []string{"TestChecks", "TestPassesIsACount"},
		old: "	if text == \"\" {\n		return 0\n	}\n	for _, c := range", new: "	for _, c := range",
	},
	{
		name: "numbers-without-signs", file: "quality/suite/numbers.go", pkg: "quality/suite", tests: []string{"TestChecks"},
		old: `if m[1] == "-" {`, new: `if m[1] == "+" {`,
	},
	{
		name: "numbers-without-thousands", file: "quality/suite/numbers.go", pkg: "quality/suite", tests: []string{"TestChecks", "TestNumbersInAllForms"},
		old: "		add(without(digits))\n", new: "",
	},

	{
		name: "suites-choices-in-one-place", file: "quality/suites/suites.go", pkg: "quality/suites", tests: []string{"TestRightAnswersVary", "TestDigests"},
		old: "right := n / 2 % len(q.choices)", new: "right := 0 * n",
	},
	{
		name: "suites-ask-twice", file: "quality/suites/suites.go", pkg: "quality/suites", tests: []string{"TestSizes"},
		old: "asked[q.input] = true", new: "asked[q.input] = false",
	},
	{
		name: "suites-halves-alike", file: "quality/suites/suites.go", pkg: "quality/suites", tests: []string{"TestSizes"},
		old: "suite.Tuning, suite.Sealed}[n%2]", new: "suite.Tuning, suite.Sealed}[n%4/3]",
	},

	// Runs.
	{
		name: "journal-of-any-key", file: "quality/eval/journal.go", pkg: "quality/eval", tests: []string{"TestJournalIsOneRuns"},
		old: "|| k.Key != key", new: "",
	},
	{
		name: "journal-without-checksum", file: "quality/eval/journal.go", pkg: "quality/eval", tests: []string{"TestGoesOn"},
		old: "|| sumOf(l.Entry) != l.Sum", new: "",
	},
	{
		name: "journal-forgets", file: "quality/eval/run.go", pkg: "quality/eval", tests: []string{"TestGoesOn"},
		old: "if o, ok := j.done[asked{item.ID, repeat}]; ok {", new: "if o, ok := j.done[asked{item.ID, repeat}]; ok && n < 0 {",
	},
	{
		name: "journal-open-to-two", file: "quality/eval/journal.go", pkg: "quality/eval", tests: []string{"TestJournalIsOneRuns"},
		old: "unix.LOCK_EX|unix.LOCK_NB", new: "unix.LOCK_SH|unix.LOCK_NB",
	},
	{
		name: "eval-key-without-numerics", file: "quality/eval/run.go", pkg: "quality/eval", tests: []string{"TestKey"},
		old: "r.Who.Model, r.Who.Numerics,", new: "r.Who.Model, r.Who.Model,",
	},
	{
		name: "eval-model-replaced-unseen", file: "quality/eval/outcome.go", pkg: "quality/eval", tests: []string{"TestFailures"},
		old: "reply.Numerics != r.Who.Numerics {", new: "reply.Numerics == r.Who.Model {",
	},
	{
		name: "eval-fails-quietly", file: "quality/eval/run.go", pkg: "quality/eval", tests: []string{"TestGoesOn", "TestFailures"},
		old: "return list, context.Cause(ctx)", new: "return list, nil",
	},
	{
		name: "eval-blanks-in-choices", file: "quality/eval/outcome.go", pkg: "quality/eval", tests: []string{"TestKinds"},
		old: `texts = append(texts, " "+c)`, new: "texts = append(texts, c)",
	},
	{
		name: "eval-first-letter-counts", file: "quality/eval/outcome.go", pkg: "quality/eval", tests: []string{"TestChoicesByLetter"},
		old: "letter = all[len(all)-1]", new: "letter = all[0]",
	},
	{
		name: "eval-calibration-higher-is-better", file: "quality/eval/metrics.go", pkg: "quality/eval", tests: []string{"TestCompareCalibration"},
		old: "calibration.lower, calibration.rows[n] = true, counts", new: "calibration.rows[n] = counts",
	},
	{
		name: "baseline-equal-is-worse", file: "quality/eval/baseline.go", pkg: "quality/eval", tests: []string{"TestCompare"},
		old: "!m.lower && difference.High < 0", new: "!m.lower && difference.High <= 0",
	},
	{
		name: "baseline-of-any-suite", file: "quality/eval/baseline.go", pkg: "quality/eval", tests: []string{"TestBaselineRefuses"},
		old: "case b.Digest != digest:", new: "case b.Digest == \"\":",
	},
	{
		name: "gap-the-other-way", file: "quality/stats/paired.go", pkg: "quality/stats", tests: []string{"TestPairedGapOfMeans"},
		old: "t.seen(score)-s.seen(score)", new: "s.seen(score)-t.seen(score)",
	},
	{
		name: "gap-halves-drawn-as-one", file: "quality/stats/bootstrap.go", pkg: "quality/stats", tests: []string{"TestPairedGapOfMeans"},
		old: "			from += n\n", new: "",
	},
	{
		name: "likelihood-counts-what-was-generated", file: "client/prompt.go", pkg: "client", tests: []string{"TestLogLikelihood"},
		old: "offset >= last || ", new: "",
	},
	{
		name: "likelihood-drops-shared-tokens", file: "client/prompt.go", pkg: "client", tests: []string{"TestLogLikelihood"},
		old: "offset < first && end <= first", new: "offset < first && end >= 0",
	},
	{
		name: "private-daemon-leaves-its-folder", file: "daemon/private.go", pkg: "daemon", tests: []string{"TestServePrivatelyNoModel"},
		old: "return os.RemoveAll(folder)", new: "return nil",
	},
	{
		name: "answerer-gives-up-at-once", file: "client/answerer/answerer.go", pkg: "client/answerer", tests: []string{"TestAnswers"},
		old: "if time.Until(end) < wait {", new: "if time.Until(end) > wait {",
	},
}
