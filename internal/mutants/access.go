package main

// This file owns the part of the list that is access: what settings mean, for whom a request counts, how urgent it is, and who may
// change what the daemon holds.

func init() { list = append(list, access...) }

var access = []mutant{
	// Settings.
	{
		name: "ranges-of-tables-unchecked", file: "config/file.go", pkg: "config", tests: []string{"TestBadTables"},
		old: "for i, row := range t.rows {", new: "for i, row := range t.rows[:0] {",
	},
	{
		name: "places-without-elements", file: "config/places.go", pkg: "config", tests: []string{"TestBadTables"},
		old: "	s.offsets[key] = at\n	if bare", new: "	if bare",
	},
	{
		name: "second-table-takes-the-firsts-place", file: "config/places.go", pkg: "config", tests: []string{"TestBadTables"},
		old: "			s.tables[key]++\n", new: "",
	},
	{
		name: "numbers-are-durations", file: "config/places.go", pkg: "config", tests: []string{"TestBadTables"},
		old: "n.Kind != unstable.String && slices.Contains(durations, bare)", new: "n.Kind == unstable.Bool && slices.Contains(durations, bare)",
	},
	{
		name: "file-blamed-for-flags", file: "config/places.go", pkg: "config", tests: []string{"TestErrorsNameTheirSource"},
		old: "	p.later[key] = by\n", new: "	_ = by\n",
	},
	{
		name: "tenants-share-a-uid", file: "config/tables.go", pkg: "config", tests: []string{"TestBadTables"},
		old: "			uids[uid] = t.Name\n", new: "",
	},
	{
		name: "tenants-share-a-key", file: "config/tables.go", pkg: "config", tests: []string{"TestBadTables"},
		old: "t.Keys[n] = strings.ToLower(digest)", new: "t.Keys[n] = digest",
	},
	{
		name: "plain-keys-accepted", file: "config/tables.go", pkg: "config", tests: []string{"TestBadTables"},
		old: "err != nil || len(raw) != 32", new: "err != nil && len(raw) != 32",
	},
	{
		name: "all-models-at-the-start", file: "config/tables.go", pkg: "config", tests: []string{"TestTables"},
		old: "m.Load = LoadOnDemand", new: "m.Load = LoadAtStart",
	},
	{
		name: "reload-applies-all", file: "config/compare.go", pkg: "config", tests: []string{"TestAdopt"},
		old: "if slices.Contains(live, key) {", new: "if len(live) > 0 {",
	},
	{
		name: "reload-tells-nobody", file: "daemon/reload.go", pkg: "daemon", tests: []string{"TestReloadTellsWhoIsToKnow"},
		old: "		apply(s.config)\n", new: "		_ = apply\n",
	},

	// For whom.
	{
		name: "user-before-key", file: "daemon/tenants.go", pkg: "daemon", tests: []string{"TestTenantsOfRequests"},
		old: "if tenant == \"\" && p.Unix {", new: "if t.uids[p.UID] != \"\" && p.Unix {",
	},
	{
		name: "tcp-has-users", file: "daemon/tenants.go", pkg: "daemon", tests: []string{"TestTenantsOfRequests"},
		old: "if tenant == \"\" && p.Unix {", new: "if tenant == \"\" {",
	},
	{
		name: "anybody-administers", file: "daemon/tenants.go", pkg: "daemon", tests: []string{"TestAdministers"},
		old: "p.Unix && p.Known && (p.UID == 0 || p.UID == uint32(os.Geteuid()))", new: "p.Unix && p.Known",
	},
	{
		name: "unknown-peers-administer", file: "daemon/tenants.go", pkg: "daemon", tests: []string{"TestAdministers"},
		old: "p.Unix && p.Known && (", new: "p.Unix && (",
	},
	{
		name: "administration-for-all", file: "api/models.go", pkg: "api", tests: []string{"TestWhoAdministers"},
		old: "if c.peer.Administers {", new: "if true {",
	},
	{
		name: "hot-prefixes-of-others", file: "api/cache.go", pkg: "api", tests: []string{"TestWhoAdministers"},
		old: "if s.IsolateTenants {\n		if err", new: "if false {\n		if err",
	},
	{
		name: "basic-is-a-key", file: "api/call.go", pkg: "api", tests: []string{"TestKeys"},
		old: "			if !ok {\n", new: "			if !ok && token == \"\" {\n",
	},
	{
		name: "tenant-untold", file: "api/generate.go", pkg: "api", tests: []string{"TestUrgencyHeaders"},
		old: "r.Salt, r.Tenant = c.salt(), c.urgency.tenant", new: "r.Salt = c.salt()",
	},

	// How urgent.
	{
		name: "class-untold", file: "api/generate.go", pkg: "api", tests: []string{"TestUrgencyHeaders"},
		old: "r.Class, r.Priority, r.Deadline = c.urgency.class,", new: "r.Class, r.Priority, r.Deadline = 0,",
	},
	{
		name: "priority-untold", file: "api/generate.go", pkg: "api", tests: []string{"TestUrgencyHeaders"},
		old: "= c.urgency.class, c.urgency.priority,", new: "= c.urgency.class, 5,",
	},
	{
		name: "deadline-of-another-class", file: "api/class.go", pkg: "api", tests: []string{"TestUrgencyHeaders"},
		old: "c.server.Deadline(u.class)", new: "c.server.Deadline(0)",
	},
	{
		name: "deadline-from-the-first-byte", file: "api/body.go", pkg: "api", tests: []string{"TestDeadlinesCountFromTheLastByte"},
		old: "	c.started = time.Now()\n", new: "	_ = time.Now()\n",
	},
	{
		name: "deadline-unbounded", file: "api/class.go", pkg: "api", tests: []string{"TestUrgencyHeaders"},
		old: "ms == 0 || ms > most", new: "ms == 0 && ms > most",
	},
	{
		name: "first-of-two-lines", file: "api/class.go", pkg: "api", tests: []string{"TestUrgencyLineTwice"},
		old: "case len(lines) > 1:", new: "case len(lines) > 2:",
	},
	{
		name: "loading-beyond-the-deadline", file: "api/hold.go", pkg: "api", tests: []string{"TestRequestsHoldTheirModel"},
		old: "cmp.Or(c.urgency.patience, loadingPatience)", new: "cmp.Or(loadingPatience, c.urgency.patience)",
	},

	// Refusals.
	{
		name: "tokenised-before-it-is-refused", file: "api/class.go", pkg: "api", tests: []string{"TestRefusedBeforeTokenising"},
		old: "	if !can {", new: "	if !can || size.bytes > 1<<19 {",
	},
	{
		name: "escapes-count-whole", file: "api/class.go", pkg: "api", tests: []string{"TestPromptSizes"},
		old: "					i += 4\n", new: "",
	},
	{
		name: "names-count-as-text", file: "api/class.go", pkg: "api", tests: []string{"TestPromptSizes"},
		old: "counts = name == \"content\" || name == \"text\"", new: "counts = name != \"\"",
	},
	{
		name: "come-again-too-soon", file: "api/errors.go", pkg: "api", tests: []string{"TestRetrySeconds", "TestOverload"},
		old: "math.Ceil(min(", new: "math.Floor(min(",
	},
	{
		name: "prediction-untold", file: "api/errors.go", pkg: "api", tests: []string{"TestOverload"},
		old: "Code: \"queue_full\", RetryAfter: o.RetryAfter}", new: "Code: \"queue_full\"}",
	},
	{
		name: "stream-begins-before-its-first-event", file: "api/generate.go", pkg: "api", tests: []string{"TestDeadlineBeforeTheFirstToken"},
		old: "	if err := r.await(); err != nil {\n		r.stop()\n		return err\n	}\n	r = j.", new: "	r.kept = append(r.kept, piece{})\n	r = j.",
	},
	{
		name: "first-piece-lost", file: "api/generate.go", pkg: "api", tests: []string{"TestChatStream"},
		old: "	for left := len(r.job.requests); left > 0; {\n		if len(r.kept) == 0 {", new: "	r.kept = nil\n	for left := len(r.job.requests); left > 0; {\n		if len(r.kept) == 0 {",
	},
	{
		name: "verb-takes-a-models-name", file: "api/models.go", pkg: "api", tests: []string{"TestLoadAndUnload"},
		old: "s.Registry.Lookup(whole); known {", new: "s.Registry.Lookup(whole); false && known {",
	},
	{
		name: "pin-ends-like-a-prompt", file: "api/cache.go", pkg: "api", tests: []string{"TestPrefixIDs"},
		old: "	if n := len(ids); ids[n-1] != last {", new: "	if n := len(ids); false && ids[n-1] != last {",
	},
	{
		name: "pins-refused-in-silence", file: "daemon/cache.go", pkg: "daemon", tests: []string{"TestPinsThatDoNotFit"},
		old: "			return &config.Error{Err: fmt.Errorf(\"cache.pins: %w\", err)}", new: "			continue",
	},
}
