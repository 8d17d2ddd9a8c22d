package main

// This file owns the part of the list that is the history: what is damaged, lost, kept too long, or read by others.

func init() { list = append(list, history...) }

var history = []mutant{
	// What is damaged is said.
	{
		name: "sum-leaves-out-a-column", file: "store/checksum.go", pkg: "store", tests: []string{"TestEveryColumnIsSummed"},
		old: "range columns {", new: "range columns[:len(columns)-1] {",
	},
	{
		name: "sum-without-its-row", file: "store/checksum.go", pkg: "store", tests: []string{"TestEveryColumnIsSummed"},
		old: "uint64(row))", new: "0)",
	},
	{
		name: "sum-of-empty-and-absent-texts", file: "store/checksum.go", pkg: "store", tests: []string{"TestEmptyTextIsNotAbsent"},
		old: `v != "" || optional`, new: `v != "" || optional && false`,
	},
	{
		name: "sum-not-compared", file: "store/table.go", pkg: "store", tests: []string{"TestEveryColumnIsSummed", "TestDamagedRowIsFound", "TestChangedBytes"},
		old: "if read.raw[len(read.raw)-1] != any(", new: "if false && read.raw[len(read.raw)-1] != any(",
	},
	{
		name: "sums-change-with-a-version", file: "store/checksum.go", pkg: "store", tests: []string{"TestEarlierVersions"},
		old: "			b = append(appendText(b, c.name), tagInteger)", new: "			b = append(appendText(b, c.name+\" \"), tagInteger)",
	},
	{
		name: "file-cut-off-filled-up", file: "store/place.go", pkg: "store", tests: []string{"TestTruncatedAnywhere"},
		old: "info.Size()%page != 0 && !hasLog", new: "false",
	},
	{
		name: "damaged-file-removed", file: "store/open.go", pkg: "store", tests: []string{"TestDamagedIsSetAside"},
		old: "os.Rename(path+beside, aside+beside)", new: "os.Remove(path + beside)",
	},

	// What was taken is written.
	{
		name: "decisions-dropped-when-full", file: "store/writer.go", pkg: "store", tests: []string{"TestFullQueue"},
		old: "	r := request{do, make(chan error, 1)}\n", new: "	r := request{do, make(chan error, 1)}\n	if n, _ := s.queue.counts(); n == maxRows {\n		return ErrFull\n	}\n",
	},
	{
		name: "decisions-not-synced", file: "store/writer.go", pkg: "store", tests: []string{"TestDurable"},
		old: "PRAGMA synchronous = FULL", new: "PRAGMA synchronous = NORMAL",
	},
	{
		name: "decisions-settled-twice", file: "store/decisions.go", pkg: "store", tests: []string{"TestDecisions"},
		old: "if r.State != Begun {", new: "if false {",
	},
	{
		name: "rows-lost-on-a-full-disk", file: "store/writer.go", pkg: "store", tests: []string{"TestReadOnlyDisk"},
		old: "		w.due.Reset(w.wait)\n", new: "		w.queue.done(w.batch)\n		w.batch, w.spare = nil, w.batch[:0]\n",
	},
	{
		name: "refused-row-stops-all", file: "store/writer.go", pkg: "store", tests: []string{"TestSecondReceipt"},
		old: "case saysRefused(err):", new: "case false:",
	},
	{
		name: "texts-queued-without-bound", file: "store/queue.go", pkg: "store", tests: []string{"TestQueueOfTexts"},
		old: " || q.bytes+size > maxBytes", new: "",
	},
	{
		name: "numbers-given-again", file: "store/writer.go", pkg: "store", tests: []string{"TestStoreHoldsWhatAListHolds"},
		old: "SELECT max(seq) FROM", new: "SELECT 0 * max(seq) FROM",
	},
	{
		name: "two-processes-write", file: "store/place.go", pkg: "store", tests: []string{"TestOneAtATime"},
		old: "unix.LOCK_EX|", new: "unix.LOCK_SH|",
	},

	// The schema.
	{
		name: "migrations-one-by-one", file: "store/migrate.go", pkg: "store", tests: []string{"TestMigration"},
		old: "c.ExecContext(ctx, text)", new: "c.ExecContext(ctx, \"COMMIT; BEGIN; \"+text)",
	},
	{
		name: "newer-history-opened", file: "store/migrate.go", pkg: "store", tests: []string{"TestMigration"},
		old: "case i.schema > ours:", new: "case false:",
	},

	// What must not be kept, or be read.
	{
		name: "texts-kept-against-the-settings", file: "store/receipts.go", pkg: "store", tests: []string{"TestPrivacy"},
		old: "if !s.privacy.keepsTexts(r.Sampled) {", new: "if false {",
	},
	{
		name: "forget-leaves-the-log", file: "store/forget.go", pkg: "store", tests: []string{"TestForgetAnswer", "TestForgetTenant"},
		old: "wal_checkpoint(TRUNCATE)", new: "wal_checkpoint(PASSIVE)",
	},
	{
		name: "forget-leaves-copies", file: "store/forget.go", pkg: "store", tests: []string{"TestForgetLeavesNoCopies"},
		old: `"VACUUM"`, new: `"SELECT 1"`,
	},
	{
		name: "rebuilding-not-owed", file: "store/forget.go", pkg: "store", tests: []string{"TestForgetLeavesNoCopies"},
		old: "if texts > 0 {", new: "if false {",
	},
	{
		name: "forget-leaves-what-is-queued", file: "store/forget.go", pkg: "store", tests: []string{"TestForgetWhatIsQueued"},
		old: "	if err := w.flushAll(); err != nil {\n		return 0, err\n	}\n", new: "",
	},
	{
		name: "retention-by-the-beginning", file: "store/table.go", pkg: "store", tests: []string{"TestRetention"},
		old: `{name: Windows, time: "ended"`, new: `{name: Windows, time: "began"`,
	},
	{
		name: "retention-of-what-is-under-way", file: "store/retention.go", pkg: "store", tests: []string{"TestRetention"},
		old: `if k.keep != "" {`, new: "if false {",
	},
	{
		name: "tenants-hashed-without-a-key", file: "store/id.go", pkg: "store", tests: []string{"TestTenantsHaveNoNames"},
		old: "hmac.New(sha256.New, s.tenantKey)", new: "hmac.New(sha256.New, nil)",
	},
	{
		name: "history-through-a-link", file: "store/place.go", pkg: "store", tests: []string{"TestPlacesThatAreRefused"},
		old: "unix.O_NOFOLLOW|", new: "",
	},
	{
		name: "tables-that-are-gone-are-no-damage", file: "store/writer.go", pkg: "store", tests: []string{"TestTablesThatAreNotThere"},
		old: "			return &DamagedError{w.store.path, err}\n", new: "			return err\n",
	},
}
