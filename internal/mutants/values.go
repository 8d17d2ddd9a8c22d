package main

// This file owns the part of the list that is values and files: what is no number, what a type does not hold, what may be
// overwritten, and where limits and paths come from.

func init() { list = append(list, values...) }

var values = []mutant{
	// What is no number.
	{
		name: "second-half-of-block-unseen", file: "weights/finite.go", pkg: "weights", tests: []string{"TestNotFiniteEveryHalf"},
		old: "Q4_K: {0, 2}", new: "Q4_K: {0}",
	},
	{
		name: "last-floats-unseen", file: "weights/finite.go", pkg: "weights", tests: []string{"TestNotFiniteEveryHalf", "TestNotFiniteFloats"},
		old: "for ; at < len(rows); at += int(bytes) {", new: "for ; at+8 <= len(rows); at += int(bytes) {",
	},
	{
		name: "load-reads-what-is-not-finite", file: "model/source.go", pkg: "daemon", tests: []string{"TestWeightsThatAreNoNumbers"},
		old: "s.file.ReadFinite(t, uint64(firstRow), dst)", new: "s.file.Read(t, uint64(firstRow), dst)",
	},
	{
		name: "copied-tensors-unseen", file: "weights/convert.go", pkg: "weights", tests: []string{"TestConvertRefusesNotFinite"},
		old: "return src.finitePieces(t, func", new: "return src.Pieces(t, func",
	},
	{
		name: "infinite-logits-pass", file: "cgo/sample_body.h", pkg: "cgo/cgotest", tests: []string{"TestNotFinite"},
		old: "sum = v_add(sum, v_sub(v, v));", new: "sum = v_add(sum, v);",
	},
	{
		name: "scored-rows-not-looked-at", file: "scheduler/commit.go", pkg: "scheduler", tests: []string{"TestLogitsThatAreNoNumbers"},
		old: "b.OutputError(c.score + i)", new: "b.OutputError(c.score + i*0)",
	},
	{
		name: "evaluator-takes-any-logits", file: "daemon/evaluate.go", pkg: "daemon", tests: []string{"TestLogitsThatAreNoNumbers"},
		old: "range e.batch.Outputs {\n\t\tif err := e.batch.OutputError", new: "range e.batch.Outputs[:0] {\n\t\tif err := e.batch.OutputError",
	},

	// What a type holds.
	{
		name: "half-overflows", file: "weights/conversion.go", pkg: "weights", tests: []string{"TestFallbacks", "TestChoices"},
		old: "case largest > most:", new: "case false:",
	},
	{
		name: "scale-underflows", file: "weights/conversion.go", pkg: "weights", tests: []string{"TestFallbacks"},
		old: "case largest > 0 && largest < least:", new: "case false:",
	},
	{
		name: "fallback-untold", file: "weights/conversion.go", pkg: "weights", tests: []string{"TestFallbacks"},
		old: "if reason != \"\" && c.Notice != nil {", new: "if false {",
	},
	{
		name: "file-type-of-the-last", file: "weights/convert.go", pkg: "weights", tests: []string{"TestDescribeTypes"},
		old: "n > values[most] ||", new: "n > 0 ||",
	},
	{
		name: "version-of-no-blocks", file: "weights/convert.go", pkg: "weights", tests: []string{"TestFallbacks", "TestDescribeTypes"},
		old: "\t\tm.dropPrefix(version)", new: "\t\tm.dropPrefix(\"no\")",
	},
	{
		name: "routers-rounded", file: "model/roles.go", pkg: "model", tests: []string{"TestKeeps"},
		old: `"ffn_gate_inp", "ffn_gate_inp_*"`, new: `"ffn_gate_inp_*"`,
	},
	{
		name: "biases-of-experts-rounded", file: "model/roles.go", pkg: "model", tests: []string{"TestKeeps"},
		old: "if !isWeight {", new: "if isWeight && false {",
	},

	// What may be overwritten.
	{
		name: "hard-link-to-the-model", file: "daemon/output.go", pkg: "daemon", tests: []string{"TestOutputRefuses", "TestLogitsOutput", "TestOutputIsNoShard"},
		old: "case model.Holds(old):", new: "case false:",
	},
	{
		name: "first-shard-alone-is-the-model", file: "weights/file.go", pkg: "daemon", tests: []string{"TestOutputIsNoShard"},
		old: "range f.shards {\n\t\tif s.info != nil && os", new: "range f.shards[:1] {\n\t\tif s.info != nil && os",
	},
	{
		name: "device-replaced", file: "daemon/output.go", pkg: "daemon", tests: []string{"TestOutputRefuses"},
		old: "case !old.Mode().IsRegular():", new: "case false:",
	},
	{
		name: "umask-ignored", file: "daemon/output.go", pkg: "daemon", tests: []string{"TestOutputModes"},
		old: "mode := fs.FileMode(0o666)", new: "mode := fs.FileMode(0o600)",
	},

	// Where limits and paths come from.
	{
		name: "legacy-limit-unread", file: "hostmem/available.go", pkg: "hostmem", tests: []string{"TestLegacyCgroupLeft"},
		old: "[]limits{unified(fsys), legacy(fsys)}", new: "[]limits{unified(fsys)}",
	},
	{
		name: "hidden-parent-unread", file: "hostmem/available.go", pkg: "hostmem", tests: []string{"TestLegacyCgroupLeft"},
		old: "ok && (err != nil || above < most)", new: "ok && err != nil",
	},
	{
		name: "limit-of-no-hierarchy", file: "hostmem/available.go", pkg: "hostmem", tests: []string{"TestLegacyCgroupLeft"},
		old: "return folders[:i]", new: "return folders",
	},
	{
		name: "pinned-at-once", file: "hostmem/pin.go", pkg: "hostmem", tests: []string{"TestPinnedInPieces"},
		old: "if bytes > PinnedPiece {", new: "if false {",
	},
	{
		name: "piece-stays-pinned", file: "hostmem/pin.go", pkg: "hostmem", tests: []string{"TestPieceFails"},
		old: "err = errors.Join(err, u())", new: "_ = u",
	},
	{
		name: "equals-in-a-path", file: "config/models.go", pkg: "config", tests: []string{"TestModelPaths"},
		old: "if present(setting) {", new: "if false {",
	},
	{
		name: "comma-in-a-name", file: "config/models.go", pkg: "config", tests: []string{"TestModelPaths"},
		old: `present(path) && !strings.Contains(name, ",")`, new: "present(path) && name != \",\"",
	},
	{
		name: "name-is-no-text", file: "config/models.go", pkg: "config", tests: []string{"TestModelNames"},
		old: "!utf8.ValidString(name) ||", new: "!utf8.ValidString(path) && false ||",
	},
}
