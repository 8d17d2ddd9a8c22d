package main

// This file owns the part of the list that is what verbs write, what they show, and what a GPU's lost figures are taken for.

func init() { list = append(list, outputs...) }

var outputs = []mutant{
	// Where a file is written, and whose it is.
	{
		name: "link-replaced", file: "daemon/output.go", pkg: "daemon", tests: []string{"TestOutputModes"},
		old: "place, err := placeOf(path, old)", new: "place, err := path, error(nil)",
	},
	{
		name: "links-of-folders-cleaned", file: "daemon/output.go", pkg: "daemon", tests: []string{"TestOutputThroughLinkedFolders"},
		old: "filepath.EvalSymlinks(cmp.Or(folder, \".\"))", new: "filepath.Clean(cmp.Or(folder, \".\")), error(nil)",
	},
	{
		name: "path-cleaned-first", file: "daemon/output.go", pkg: "daemon", tests: []string{"TestOutputThroughLinkedFolders"},
		old: "filepath.Split(path)", new: "filepath.Split(filepath.Clean(path))",
	},
	{
		name: "shards-of-a-cleaned-path", file: "weights/shards.go", pkg: "weights", tests: []string{"TestShardsThroughLinkedFolders"},
		old: "filepath.Split(path)", new: "filepath.Split(filepath.Clean(path))",
	},
	{
		name: "socket-of-a-cleaned-path-trusted", file: "paths/trust.go", pkg: "paths", tests: []string{"TestCheckSocket"},
		old: "at, rest := \"/\", path", new: "at, rest := \"/\", filepath.Clean(path)",
	},
	{
		name: "folder-of-a-cleaned-path-private", file: "paths/trust.go", pkg: "paths", tests: []string{"TestIsPrivateThroughALink"},
		old: "folder, _ := filepath.Split(path)", new: "folder := filepath.Dir(path)",
	},
	{
		name: "place-not-held-against-the-kernel", file: "daemon/output.go", pkg: "daemon", tests: []string{"TestOutputToARemovedFile"},
		old: "!os.SameFile(old, there)", new: "false",
	},
	{
		name: "mode-lost", file: "daemon/output.go", pkg: "daemon", tests: []string{"TestOutputModes", "TestOutputIsNoMoreOpenThanWhatItReplaces"},
		old: "return f.Chmod(mode)", new: "return nil",
	},
	{
		name: "owner-lost", file: "daemon/output.go", pkg: "daemon", tests: []string{"TestOutputIsNoMoreOpenThanWhatItReplaces"},
		old: "f.Chown(int(s.Uid), int(s.Gid)) != nil && ", new: "",
	},
	{
		name: "group-lost", file: "daemon/output.go", pkg: "daemon", tests: []string{"TestOutputOfAnotherOwner"},
		old: " && f.Chown(-1, int(s.Gid)) != nil", new: "",
	},
	{
		name: "another-group-reads", file: "daemon/output.go", pkg: "daemon", tests: []string{"TestOutputOfAnotherOwner"},
		old: "mode &^= 0o070 &^ (mode & 0o007 << 3)", new: "mode &^= 0",
	},
	{
		name: "protected-file-replaced", file: "daemon/output.go", pkg: "daemon", tests: []string{"TestOutputIsProtected"},
		old: "unix.Access(path, unix.W_OK)", new: "unix.Access(path, unix.F_OK)",
	},

	// What a GPU's lost figures are taken for.
	{
		name: "lost-error-count-forgotten", file: "gpu/known.go", pkg: "gpu", tests: []string{"TestLostFields"},
		old: `cmp.Or(r.ECCUncorrected, k.uncorrected)`, new: `r.ECCUncorrected`,
	},
	{
		name: "lost-remapping-forgotten", file: "gpu/known.go", pkg: "gpu", tests: []string{"TestLostFields"},
		old: `cmp.Or(r.Remapped, k.remapped)`, new: `r.Remapped`,
	},
	{
		name: "lost-retirement-forgotten", file: "gpu/known.go", pkg: "gpu", tests: []string{"TestLostFields"},
		old: `cmp.Or(r.Retired, k.retired)`, new: `r.Retired`,
	},
	{
		name: "lost-recovery-forgotten", file: "gpu/known.go", pkg: "gpu", tests: []string{"TestLostFields"},
		old: `cmp.Or(r.Recovery, k.recovery)`, new: `r.Recovery`,
	},
	{
		name: "lost-threshold-forgotten", file: "gpu/known.go", pkg: "gpu", tests: []string{"TestLostFields"},
		old: `cmp.Or(r.SlowdownAt, k.slowdownAt)`, new: `r.SlowdownAt`,
	},
	{
		name: "lost-margin-forgotten", file: "gpu/known.go", pkg: "gpu", tests: []string{"TestLostFields"},
		old: `cmp.Or(r.SlowdownMargin, k.slowdownMargin)`, new: `r.SlowdownMargin`,
	},
	{
		name: "slow-time-since-the-reading-before", file: "gpu/judge.go", pkg: "gpu", tests: []string{"TestLostFields"},
		old: "since := now.at.Sub(before.at)", new: "since := Interval",
	},
	{
		name: "first-repairs-told-are-news", file: "gpu/judge.go", pkg: "gpu", tests: []string{"TestLostFields"},
		old: `told && pending`, new: `(told || true) && pending`,
	},
	{
		name: "deaf-reading-is-calm", file: "gpu/judge.go", pkg: "gpu", tests: []string{"TestLostFields"},
		old: `slow != "" || !before.deaf(r, o.At)`, new: `true`,
	},
	{
		name: "deaf-for-ever", file: "gpu/known.go", pkg: "gpu", tests: []string{"TestLostFields"},
		old: `at.Sub(heard) < calmReadings*Interval`, new: `true`,
	},
	{
		name: "known-is-written-to", file: "gpu/known.go", pkg: "gpu", tests: []string{"TestKnownIsPure"},
		old: `k.slowed = maps.Clone(k.slowed)`, new: `_ = maps.Clone(k.slowed)`,
	},

	// What verbs show and take.
	{
		name: "json-of-bytes-refused", file: "cmd/chimera/json.go", pkg: "cmd/chimera", tests: []string{"TestShowOfOddValues"},
		old: `jsontext.AllowInvalidUTF8(true),`, new: ``,
	},
	{
		name: "json-of-names-that-are-one-refused", file: "cmd/chimera/json.go", pkg: "cmd/chimera", tests: []string{"TestShowOfOddValues"},
		old: `jsontext.AllowDuplicateNames(true),`, new: ``,
	},
	{
		name: "json-of-infinity-negative", file: "cmd/chimera/json.go", pkg: "cmd/chimera", tests: []string{"TestShowOfOddValues"},
		old: `jsontext.String("-Infinity")`, new: `jsontext.String("Infinity")`,
	},
	{
		name: "keys-forge-lines", file: "cmd/chimera/show.go", pkg: "cmd/chimera", tests: []string{"TestShowOfOddValues"},
		old: `visible(key), preview(`, new: `key, preview(`,
	},
	{
		name: "tensor-names-break-the-table", file: "cmd/chimera/show.go", pkg: "cmd/chimera", tests: []string{"TestShowOfOddValues"},
		old: `visible(row.Name)`, new: `row.Name`,
	},
	{
		name: "empty-id-passes", file: "cmd/chimera/offline.go", pkg: "cmd/chimera", tests: []string{"TestParseIDs"},
		old: `len(fields) == 0`, new: `false`,
	},
	{
		name: "large-seed-refused", file: "cmd/chimera/number.go", pkg: "cmd/chimera", tests: []string{"TestSeeds", "TestNumbersHaveBounds"},
		old: `strconv.ParseUint(text, 10, 64); err == nil {
		*s`, new: `strconv.ParseUint(text, 10, 63); err == nil {
		*s`,
	},
	{
		name: "hidden-pattern-finds-none", file: "weights/conversion.go", pkg: "weights", tests: []string{"TestChoices"},
		old: `c.unused(src, i)`, new: `c.unused(src, i*0)`,
	},
	{
		name: "tensor-named-twice", file: "weights/errors.go", pkg: "weights", tests: []string{"TestConvertRefusesNotFinite"},
		old: `if errors.As(err, &format) {
		return err
	}
	return fmt.Errorf("tensor`, new: `if errors.As(err, &format) && false {
		return err
	}
	return fmt.Errorf("tensor`,
	},
	{
		name: "file-named-twice", file: "loader/vocabulary.go", pkg: "daemon", tests: []string{"TestErrorsNameTheFileOnce"},
		old: `OfFile(f, fmt.Errorf("%w: %w", r.err, engine.ErrModelFile))`, new: `fmt.Errorf("%s: %w: %w", f.Name(), r.err, engine.ErrModelFile)`,
	},
	{
		name: "history-replaces-its-link", file: "client/history.go", pkg: "client", tests: []string{"TestHistoryThroughALink"},
		old: `filepath.EvalSymlinks(h.path)`, new: `filepath.Abs(h.path)`,
	},
	{
		name: "uptime-overflows", file: "client/status.go", pkg: "client", tests: []string{"TestStatusOfOddFigures"},
		old: `n >= math.MaxInt64/float64(time.Second)`, new: `n >= 1e301`,
	},
	{
		name: "one-word-more-passes", file: "config/near.go", pkg: "config", tests: []string{"TestNear", "TestVariablesThatAreNoSettings"},
		old: ` || oneMore(typed, plainName(candidate))`, new: ``,
	},
	{
		name: "services-refused", file: "config/environment.go", pkg: "config", tests: []string{"TestVariablesOfServices"},
		old: ` || ofService(name, value)`, new: ` || false && ofService(name, value)`,
	},
	{
		name: "window-of-minus-one-refused", file: "model/hyper.go", pkg: "model", tests: []string{"TestWindows"},
		old: ` || v.Any == minusOne(v.Type)`, new: ``,
	},
	{
		name: "layers-of-two-sizes-taken", file: "model/layers.go", pkg: "model", tests: []string{"TestNumbersByLayer"},
		old: `n != list[0] && h.err == nil`, new: `false`,
	},
	{
		name: "list-for-fewer-layers-taken", file: "model/layers.go", pkg: "model", tests: []string{"TestNumbersByLayer"},
		old: `len(list) != layers`, new: `len(list) > layers`,
	},
}
