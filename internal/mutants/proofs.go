package main

// This file owns the part of the list that is proofs of what is promised: replay of all answers.

func init() { list = append(list, proofs...) }

var proofs = []mutant{
	{
		name: "replay-of-the-same-choice", file: "api/replay.go", pkg: "daemon", tests: []string{"TestReplayOfMore"},
		old: "Choice: i % q.choices,", new: "Choice: 0,",
	},
	{
		name: "replay-of-the-first-prompt", file: "api/replay.go", pkg: "daemon", tests: []string{"TestReplayOfMore"},
		old: "q.prompts[i/q.choices]", new: "q.prompts[0]",
	},
	{
		name: "replay-without-biases", file: "api/replay.go", pkg: "daemon", tests: []string{"TestReplayOfMore"},
		old: "		Biases: q.biases,\n", new: "",
	},
	{
		name: "replay-of-another-logit-bias", file: "api/replay.go", pkg: "daemon", tests: []string{"TestReplay"},
		old: "case int64(len(q.biases)) != then.Biases:", new: "case false:",
	},
	{
		name: "replay-of-odd-prompts", file: "api/replay.go", pkg: "daemon", tests: []string{"TestReplay"},
		old: "case then.Answers%n != 0:", new: "case false:",
	},
	{
		name: "replay-of-lengths-that-overflow", file: "api/replay.go", pkg: "daemon", tests: []string{"TestReplay"},
		old: "if n < 0 || n > left {", new: "if false {",
	},
	{
		name: "replay-of-too-few-lengths", file: "api/replay.go", pkg: "daemon", tests: []string{"TestReplay"},
		old: "return left == 0 && int64(len(then.Lengths)) == then.Answers", new: "return left == 0",
	},
	{
		name: "receipt-without-lengths", file: "daemon/receipts.go", pkg: "daemon", tests: []string{"TestReplayOfMore"},
		old: "if len(w.Answers) < 2 {", new: "if true {",
	},
	{
		name: "biases-on-every-disk", file: "store/receipts.go", pkg: "store", tests: []string{"TestPrivacyOfReceipts"},
		old: "r.Prompt, r.Text, r.LogitBias = nil, nil, nil", new: "r.Prompt, r.Text = nil, nil",
	},
	{
		name: "endless-lengths-kept", file: "store/receipts.go", pkg: "store", tests: []string{"TestRowsThatAreRefused"},
		old: "{\"lengths\", len(r.Lengths), maxLengths},", new: "",
	},
}
