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
		name: "chunks-for-http10", file: "api/stream.go", pkg: "api", tests: []string{"TestStreamsOfHTTP10"},
		old: "!c.Request.Header.IsHTTP11()", new: "false",
	},
	{
		name: "broken-http10-is-whole", file: "api/stream.go", pkg: "api", tests: []string{"TestStreamsOfHTTP10"},
		old: "if err := produce(s); err != nil {", new: "if err := produce(s); false {",
	},
	{
		name: "answers-count-before-they-are-written", file: "api/call.go", pkg: "api", tests: []string{"TestAnswersThatAreNotTaken"},
		old: "if c.server.Written == nil {", new: "if true {",
	},
	{
		name: "untaken-answers-are-successes", file: "api/call.go", pkg: "api", tests: []string{"TestAnswersThatAreNotTaken"},
		old: "status = StatusClientGone", new: "_ = StatusClientGone",
	},
	{
		name: "untaken-errors-are-the-clients", file: "api/call.go", pkg: "api", tests: []string{"TestAnswersThatAreNotTaken"},
		old: "err != nil && status < 400", new: "err != nil",
	},
	{
		name: "failed-writes-untold", file: "socket/conn.go", pkg: "socket", tests: []string{"TestOnWritten"},
		old: "written(failed)", new: "_ = failed\n		written(nil)",
	},
	{
		name: "answers-told-after-the-end", file: "socket/server.go", pkg: "socket", tests: []string{"TestOnWritten"},
		old: "		s.answers.Wait()\n", new: "",
	},
	{
		name: "who-went-midway-sends-bad-http", file: "socket/server.go", pkg: "socket", tests: []string{"TestClientsThatGoMidway"},
		old: "conn != nil && errors.Is(conn.cutShort(), context.Canceled)", new: "conn == nil",
	},
	{
		name: "who-went-midway-waits", file: "socket/conn.go", pkg: "socket", tests: []string{"TestClientsThatGoMidway"},
		old: "why := c.cutShort(); why != nil", new: "why := c.cutShort(); false",
	},
	{
		name: "late-clients-have-gone", file: "socket/conn.go", pkg: "socket", tests: []string{"TestClientsThatGoMidway"},
		old: "		return os.ErrDeadlineExceeded", new: "		return context.Canceled",
	},
	{
		name: "late-bodies-are-our-fault", file: "api/errors.go", pkg: "api", tests: []string{"TestBodiesThatDoNotCome"},
		old: "case errors.Is(err, os.ErrDeadlineExceeded):", new: "case err == os.ErrDeadlineExceeded && false:",
	},
	{
		name: "short-bodies-are-whole", file: "api/body.go", pkg: "api", tests: []string{"TestBodiesThatDoNotCome"},
		old: "len(raw) < c.Request.Header.ContentLength()", new: "false",
	},
	{
		name: "null-is-an-object", file: "api/body.go", pkg: "api", tests: []string{"TestBadJSON"},
		old: "err == nil && jsontext.Value(raw).Kind() == '{'", new: "err == nil",
	},
	{
		name: "bodies-of-the-gone-are-bad", file: "api/body.go", pkg: "api", tests: []string{"TestBodiesThatDoNotCome"},
		old: "err := c.context().Err(); err != nil", new: "err := c.context().Err(); false",
	},
	{
		name: "closed-with-input-unread", file: "socket/conn.go", pkg: "socket", tests: []string{"TestWhoStillSendsGetsAnAnswer"},
		old: "		c.drain()\n", new: "",
	},
	{
		name: "input-behind-the-last-request-unread", file: "socket/drain.go", pkg: "socket", tests: []string{"TestUnreadRequestsBehindTheLast"},
		old: "!c.midway.Load() && !c.hasInput()", new: "!c.midway.Load()",
	},
	{
		name: "one-too-many-holds-up-the-next", file: "socket/drain.go", pkg: "socket", tests: []string{"TestConnectionLimit"},
		old: "!c.read.Load() || ", new: "",
	},
	{
		name: "drains-without-bound", file: "socket/drain.go", pkg: "socket", tests: []string{"TestDrainingEnds"},
		old: "io.LimitReader(c.Conn, drainBytes)", new: "c.Conn",
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
		name: "routes-have-spellings", file: "api/server.go", pkg: "api", tests: []string{"TestOneSpelling"},
		old: "pathOf(c.RequestURI())", new: "pathOf(c.Path())",
	},
	{
		name: "fragments-pass", file: "api/route.go", pkg: "api", tests: []string{"TestTargets"},
		old: "strings.Contains(target, \"#\")", new: "false",
	},
	{
		name: "another-scheme", file: "api/route.go", pkg: "api", tests: []string{"TestTargets"},
		old: "const scheme = \"http://\"", new: "const scheme = \"ftp://\"",
	},
	{
		name: "users-in-targets", file: "api/route.go", pkg: "api", tests: []string{"TestTargets"},
		old: " || strings.Contains(authority, \"@\")", new: "",
	},
	{
		name: "targets-of-no-host", file: "api/route.go", pkg: "api", tests: []string{"TestTargets"},
		old: "authority == \"\" || ", new: "",
	},
	{
		name: "one-tenant-for-all-users", file: "api/call.go", pkg: "api", tests: []string{"TestTenants"},
		old: "c.peer.UID)", new: "0)",
	},
	{
		name: "one-tenant-for-all-keys", file: "api/call.go", pkg: "api", tests: []string{"TestTenants"},
		old: "		who += fmt.Sprintf(\" %q\", values)\n", new: "		_ = name\n",
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
		name: "bad-heads-wait", file: "socket/conn.go", pkg: "socket", tests: []string{"TestBareLFInTrailers"},
		old: "	if c.framing.bad != nil {\n		return 0, c.framing.bad\n	}\n", new: "",
	},
	{
		name: "bad-first-bytes-get-no-answer", file: "socket/conn.go", pkg: "socket", tests: []string{"TestBadHeadsAreRefusedAtOnce"},
		old: "		b[passed] = '?'\n", new: "",
	},
	{
		name: "bare-cr-waits", file: "socket/line.go", pkg: "socket", tests: []string{"TestBadHeadsAreRefusedAtOnce"},
		old: "c != '\\n' && f.cr:", new: "false:",
	},
	{
		name: "tls-waits", file: "socket/line.go", pkg: "socket", tests: []string{"TestBadHeadsAreRefusedAtOnce"},
		old: "c < ' ' && c != '\\t' && c != '\\r' && c != '\\n', c == 0x7f:", new: "c == 0x7f:",
	},
	{
		name: "bodies-taken-for-heads", file: "socket/line.go", pkg: "socket", tests: []string{"TestFraming", "TestBareLFsOfBodies"},
		old: "	case f.left > 0:\n", new: "	case f.left < 0:\n",
	},
	{
		name: "chunks-taken-for-heads", file: "socket/line.go", pkg: "socket", tests: []string{"TestFraming", "TestBareLFsOfBodies"},
		old: "		f.chunks = true", new: "		f.chunks = false",
	},
	{
		name: "nothing-looked-for-behind-chunks", file: "socket/line.go", pkg: "socket", tests: []string{"TestFraming", "TestBadHeadsAreRefusedAtOnce"},
		old: "	case n == 0:\n		f.part = inTrailer\n", new: "	case n == 0:\n		f.part = lost\n",
	},
	{
		name: "compressed-bodies-pass", file: "api/call.go", pkg: "api", tests: []string{"TestEncodedBodies"},
		old: "encoding != \"\" && !strings", new: "encoding == \"\" && !strings",
	},
	{
		name: "first-encoding-counts", file: "api/call.go", pkg: "api", tests: []string{"TestEncodedBodies"},
		old: "c.Request.Header.PeekAll(fasthttp.HeaderContentEncoding)", new: "[][]byte{c.Request.Header.Peek(fasthttp.HeaderContentEncoding)}",
	},

	// What is said.
	{
		name: "load-looks-like-death", file: "daemon/ready.go", pkg: "daemon", tests: []string{"TestBusyIsReady"},
		old: "now.Running == 0 {", new: "now.Running >= 0 {",
	},
	{
		name: "probe-queues-behind-clients", file: "daemon/ready.go", pkg: "daemon", tests: []string{"TestReadinessDoesNotQueueBehindClients"},
		old: "case moved():", new: "case moved() && false:",
	},
	{
		name: "failed-looks-fine", file: "api/hold.go", pkg: "api", tests: []string{"TestState"},
		old: "	return \"failed\"", new: "	return \"serving\"",
	},
	{
		name: "stopped-load-is-served", file: "daemon/runtimes.go", pkg: "daemon", tests: []string{"TestEndOfAllModels"},
		old: "	if all.closed {\n		return scheduler.ErrDraining\n	}\n	var failed error", new: "	var failed error",
	},
	{
		name: "who-waits-for-the-model-unseen", file: "daemon/runtime.go", pkg: "daemon", tests: []string{"TestWaitingForTheModelIsSeen", "TestWaitingForAModel"},
		old: "	now.Waiting += len(r.waiters)\n", new: "",
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
		name: "loading-is-ready", file: "daemon/served.go", pkg: "daemon", tests: []string{"TestReadinessOfSeveral"},
		old: "			return nil, r.stillLoading()\n", new: "",
	},
}
