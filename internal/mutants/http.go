package main

// This file owns the part of the list that is the edge: who may ask, how an answer ends that does not come to its end, and what
// is said of it. Clients that behave would never notice.

func init() { list = append(list, edge...) }

var edge = []mutant{
	// How answers end.
	{
		name: "cut-stream-looks-complete", file: "api/stream.go", pkg: "api", tests: []string{"TestCutAnswers", "TestChunkedEnd"},
		old: "		write.CloseWithError(err)", new: "		_ = err\n		write.Close()",
	},
	{
		name: "cut-stream-says-nothing", file: "api/stream.go", pkg: "api", tests: []string{"TestCutAnswers"},
		old: "	_ = s.frame(h.body()) // nobody may be there to read it\n", new: "",
	},
	{
		name: "stop-is-the-clients-doing", file: "api/call.go", pkg: "api", tests: []string{"TestCutAnswers"},
		old: "cmp.Or(context.Cause(c.ctx), err)", new: "cmp.Or(err, context.Cause(c.ctx))",
	},
	{
		name: "stop-without-a-cause", file: "socket/server.go", pkg: "socket", tests: []string{"TestWhoseDoing"},
		old: "cancel(c.Stopped)", new: "cancel(nil)",
	},
	{
		name: "cut-off-without-a-reason", file: "daemon/start.go", pkg: "daemon", tests: []string{"TestStopAnswersWhoWaits"},
		old: ", Stopped: scheduler.ErrDraining", new: "",
	},
	{
		name: "stop-waits-for-no-last-word", file: "socket/server.go", pkg: "socket", tests: []string{"TestShutdownWaitsForLastWords"},
		old: "time.AfterFunc(s.limits.end, giveUp)", new: "giveUp()",
	},
	{
		name: "slow-reader-is-our-fault", file: "api/stream.go", pkg: "api", tests: []string{"TestSlowReaderIsAtFault"},
		old: "fmt.Errorf(\"%w: %w\", errClientGone, err)", new: "fmt.Errorf(\"%w\", err)",
	},
	{
		name: "broken-http10-is-whole", file: "socket/server.go", pkg: "socket", tests: []string{"TestBrokenStreamsOfHTTP10"},
		old: "	case err == nil:\n		ctx.SetBody(body)", new: "	case err == nil || true:\n		ctx.SetBody(body)",
	},
	{
		name: "followers-unprotected", file: "api/generate.go", pkg: "api", tests: []string{"TestPanicsEndOneRequest"},
		old: "		r.follows.Go(func() { r.follow(i, seq) })", new: "		r.follows.Go(func() { j.follow(r.ctx, i, seq, r.pieces) })",
	},
	{
		name: "streams-unprotected", file: "api/stream.go", pkg: "api", tests: []string{"TestPanicsEndOneRequest"},
		old: "protect(func() error { return produce(s) })", new: "produce(s)",
	},

	// Who may ask.
	{
		name: "any-host-on-loopback", file: "api/site.go", pkg: "api", tests: []string{"TestSites"},
		old: "(c.peer.Loopback || len(s.Hosts) > 0)", new: "len(s.Hosts) > 0",
	},
	{
		name: "host-of-the-request-line-unchecked", file: "api/site.go", pkg: "api", tests: []string{"TestSitesCannotBeGoneAround"},
		old: "[]string{host, string(c.URI().Host())}", new: "[]string{host}",
	},
	{
		name: "rebound-page-is-ours", file: "api/site.go", pkg: "api", tests: []string{"TestSites"},
		old: " && s.isOurs(host)\n", new: "\n",
	},
	{
		name: "first-origin-counts", file: "api/site.go", pkg: "api", tests: []string{"TestSitesCannotBeGoneAround"},
		old: "len(origins) == 1 &&", new: "len(origins) > 0 &&",
	},
	{
		name: "below-an-allowed-name-by-letters", file: "api/site.go", pkg: "api", tests: []string{"TestSites"},
		old: "strings.HasPrefix(allowed, \".\") && strings.HasSuffix", new: "strings.HasSuffix",
	},
	{
		name: "routes-have-spellings", file: "api/call.go", pkg: "api", tests: []string{"TestOneSpelling"},
		old: "string(ctx.URI().PathOriginal())", new: "string(ctx.Path())",
	},
	{
		name: "one-tenant-for-all-users", file: "api/call.go", pkg: "api", tests: []string{"TestTenants"},
		old: "c.peer.UID)", new: "0)",
	},
	{
		name: "one-tenant-for-all-keys", file: "api/call.go", pkg: "api", tests: []string{"TestTenants"},
		old: "		who += fmt.Sprintf(\" %q\", c.Request.Header.Peek(name))\n", new: "		_ = name\n",
	},
	{
		name: "squatted-folder", file: "paths/trust.go", pkg: "paths", tests: []string{"TestCheckSocket"},
		old: "owner != uid && openToAll", new: "owner != uid && !openToAll",
	},
	{
		name: "squatter-answers", file: "client/trust.go", pkg: "client", tests: []string{"TestWhomTheClientTalksTo"},
		old: "cred.Uid != owner {", new: "false {",
	},
	{
		name: "private-socket-serves-all", file: "socket/listen.go", pkg: "socket", tests: []string{"TestPrivateSocketServesItsUserAlone"},
		old: "if paths.IsPrivate(path) {", new: "if false {",
	},

	// When and how heads are refused.
	{
		name: "bare-lf-waits", file: "socket/conn.go", pkg: "socket", tests: []string{"TestBareLFIsRefusedAtOnce"},
		old: "	if c.scan.bad {\n		return 0, errBareLF\n	}\n", new: "",
	},
	{
		name: "bodies-taken-for-heads", file: "socket/line.go", pkg: "socket", tests: []string{"TestBodyBehindAHeadThatCameEarly"},
		old: "s.state == behindHead && s.behind == 0 {", new: "s.state == behindHead {",
	},
	{
		name: "compressed-bodies-pass", file: "api/call.go", pkg: "api", tests: []string{"TestEncodedBodies"},
		old: "encoding == \"\" ||", new: "encoding != \"\" ||",
	},

	// What is said.
	{
		name: "load-looks-like-death", file: "daemon/ready.go", pkg: "daemon", tests: []string{"TestBusyIsReady"},
		old: "now.Running == 0 {", new: "now.Running >= 0 {",
	},
	{
		name: "hanging-is-ready", file: "daemon/ready.go", pkg: "daemon", tests: []string{"TestBusyIsReady"},
		old: "still > p.limit", new: "still > 100*p.limit",
	},
	{
		name: "running-from-the-steps-end", file: "scheduler/steps.go", pkg: "daemon", tests: []string{"TestBusyIsReady"},
		old: "		s.publishSnapshot() // whoever is in the step runs from now on, not from its end\n", new: "",
	},
	{
		name: "probes-fill-the-log", file: "api/call.go", pkg: "api", tests: []string{"TestAccessLog"},
		old: "level = slog.LevelDebug", new: "level = slog.LevelInfo",
	},
	{
		name: "loading-is-ready", file: "api/native.go", pkg: "api", tests: []string{"TestLoadingIsSaid"},
		old: "if err := s.Loading.check(); err != nil {", new: "if err := s.Loading.check(); false {",
	},
}
