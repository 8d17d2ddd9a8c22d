package main

// This file owns the part of the list that is who is told what before a connection ends: by the second signal, of a body too large to
// be read; and that a key is one however its scheme is written.

func init() { list = append(list, lastWords...) }

var lastWords = []mutant{
	{
		name: "schemes-part-tenants", file: "api/call.go", pkg: "api", tests: []string{"TestTenantsOfOneKey"},
		old: "strings.EqualFold(scheme, \"Bearer\")", new: "scheme == \"Bearer\"",
	},
	{
		name: "every-key-has-a-scheme", file: "api/call.go", pkg: "api", tests: []string{"TestTenantsOfOneKey"},
		old: "ok && name == fasthttp.HeaderAuthorization {", new: "ok {",
	},
	{
		name: "second-signal-is-no-failure", file: "daemon/serve.go", pkg: "daemon", tests: []string{"TestSecondSignalLeavesTheLastWord"},
		old: "cmp.Or(s.gpus.last(err), s.inHurry())", new: "cmp.Or(s.gpus.last(err))",
	},
	{
		name: "second-signal-leaves-no-last-word", file: "daemon/signal.go", pkg: "daemon", tests: []string{"TestAskedTwice"},
		old: "case <-time.After(lastWordTime):", new: "default:",
	},
	{
		name: "second-signal-kills-nothing-that-hangs", file: "daemon/signal.go", pkg: "daemon", tests: []string{"TestAskedTwice"},
		old: "		kill()\n", new: "",
	},
	{
		name: "what-has-ended-is-killed", file: "daemon/signal.go", pkg: "daemon", tests: []string{"TestWhatHasEndedIsNotKilled"},
		old: "	case <-ended:\n", new: "",
	},
	{
		name: "one-ask-counts-twice", file: "daemon/signal.go", pkg: "daemon", tests: []string{"TestAskedTwice"},
		old: "for time.Since(s.asked) < oneAsk {", new: "for false {",
	},
	{
		name: "too-large-bodies-wait", file: "socket/early.go", pkg: "socket", tests: []string{"TestPromisedTooMuchIsRefusedAtOnce"},
		old: "			h.SetContentLength(0)\n", new: "",
	},
	{
		name: "too-large-bodies-asked-for", file: "socket/early.go", pkg: "socket", tests: []string{"TestPromisedTooMuchIsRefusedAtOnce"},
		old: "			h.Del(fasthttp.HeaderExpect)\n", new: "",
	},
	{
		name: "requests-read-from-bodies", file: "socket/early.go", pkg: "socket", tests: []string{"TestPromisedTooMuchIsRefusedAtOnce"},
		old: "		ctx.SetConnectionClose()\n", new: "",
	},
}
