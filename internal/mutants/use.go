package main

// This file owns the part of the list that is the command line: what a terminal is given, and what is refused before anything is done.

func init() { list = append(list, use...) }

var use = []mutant{
	// What a terminal is given.
	{
		name: "terminal-obeys-c1", file: "client/visible.go", pkg: "client", tests: []string{"TestVisible"},
		old: "return unicode.IsControl(r) ||", new: "return r < 0x80 && unicode.IsControl(r) ||",
	},
	{
		name: "terminal-obeys-overrides", file: "client/visible.go", pkg: "client", tests: []string{"TestVisible"},
		old: "r <= 0x202e", new: "r <= 0x202d",
	},
	{
		name: "terminal-obeys-bare-bytes", file: "client/visible.go", pkg: "client", tests: []string{"TestVisible"},
		old: "case r == utf8.RuneError && n == 1:", new: "case false:",
	},
	{
		name: "terminal-gets-cut-characters", file: "client/visible.go", pkg: "client", tests: []string{"TestVisibleInPieces"},
		old: "keep := len(text) - unfinished(text)", new: "keep := len(text)",
	},
	{
		name: "terminal-unfiltered", file: "cmd/chimera/output.go", pkg: "cmd/chimera", tests: []string{"TestTerminalsAreNotGivenControls"},
		old: "if isTerminal(raw) {", new: "if false {",
	},
	{
		name: "pipe-filtered", file: "cmd/chimera/output.go", pkg: "cmd/chimera", tests: []string{"TestPipesGetBytesAsTheyAre"},
		old: "if isTerminal(raw) {", new: "if true {",
	},
	{
		name: "log-unfiltered", file: "cmd/chimera/output.go", pkg: "cmd/chimera", tests: []string{"TestLogOnATerminal"},
		old: "return o.terminal\n", new: "return o.raw\n",
	},
	{
		name: "names-break-tables", file: "client/visible.go", pkg: "client", tests: []string{"TestVisible"},
		old: `"\n", "^J", `, new: "",
	},
	{
		name: "full-disk-unseen", file: "cmd/chimera/root.go", pkg: "cmd/chimera", tests: []string{"TestFullDisk"},
		old: "err == nil || errors.Is(err, stdout.failed)", new: "false && failed != nil",
	},

	// Lines and the conversation.
	{
		name: "wrap-cuts-words", file: "client/wrap.go", pkg: "client", tests: []string{"TestWrap"},
		old: `cluster != " " && border > 0`, new: "false",
	},
	{
		name: "wrap-holds-all", file: "client/wrap.go", pkg: "client", tests: []string{"TestWrapOfEndlessLines"},
		old: "len(text) > limit", new: "false",
	},
	{
		name: "partial-answer-forgotten", file: "client/chat.go", pkg: "cmd/chimera", tests: []string{"TestChatKeepsPartialAnswers"},
		old: `done.answer == "" && done.err != nil`, new: "done.err != nil",
	},
	{
		name: "second-interrupt-swallowed", file: "cmd/chimera/root.go", pkg: "cmd/chimera", tests: []string{"TestSecondInterruptEnds"},
		old: "context.AfterFunc(ctx, stop)", new: "_ = context.AfterFunc",
	},
	{
		name: "load-not-waited-for", file: "client/loading.go", pkg: "client", tests: []string{"TestWaitsForALoad"},
		old: "!errors.As(err, &refused) || !refused.loading", new: "true || !errors.As(err, &refused)",
	},
	{
		name: "load-waited-for-ever", file: "client/loading.go", pkg: "client", tests: []string{"TestPatienceEnds"},
		old: "if left <= 0 {", new: "if false {",
	},

	// What is refused.
	{
		name: "number-below", file: "cmd/chimera/number.go", pkg: "cmd/chimera", tests: []string{"TestNumbersHaveBounds"},
		old: "!(v >= n.low && v <= n.high)", new: "v > n.high",
	},
	{
		name: "number-above", file: "cmd/chimera/number.go", pkg: "cmd/chimera", tests: []string{"TestNumbersHaveBounds"},
		old: "v <= n.high", new: "true",
	},
	{
		name: "near-variable-passes", file: "config/config.go", pkg: "config", tests: []string{"TestVariablesThatAreNoSettings"},
		old: ", checkEnvironment(os.Environ(), all)", new: "",
	},
	{
		name: "near-swap", file: "config/near.go", pkg: "config", tests: []string{"TestDistance"},
		old: "earlier[j-1]+1", new: "earlier[j-1]+2",
	},
	{
		name: "near-to-all", file: "config/near.go", pkg: "config", tests: []string{"TestNear"},
		old: "max(len(typed)/3, 1)", new: "max(len(typed)/3, 2)",
	},
}
