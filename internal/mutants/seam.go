package main

// This file owns the part of the list that is the seam between scheduler and backends: what a program, a batch and a request are
// held to, how steps give way and go on, and what instances share.

func init() { list = append(list, seam...) }

var seam = []mutant{
	// What programs are held to: C reads as far as these say.
	{
		name: "queries-of-any-rows", file: "engine/op_attend.go", pkg: "engine", tests: []string{"TestProgramsAreChecked"},
		old: "b.rows(PerToken, o.Q), b.rows(PerToken, o.Out),", new: "b.rows(PerToken, o.Out),",
	},
	{
		name: "attention-to-any-rows", file: "engine/op_attend.go", pkg: "engine", tests: []string{"TestProgramsAreChecked"},
		old: "b.rows(PerToken, o.Q), b.rows(PerToken, o.Out),", new: "b.rows(PerToken, o.Q),",
	},
	{
		name: "keys-of-any-rows", file: "engine/op_store.go", pkg: "engine", tests: []string{"TestProgramsAreChecked"},
		old: "		b.rows(PerToken, o.K),\n", new: "",
	},
	{
		name: "residual-of-any-rows", file: "engine/check.go", pkg: "engine", tests: []string{"TestProgramsAreChecked"},
		old: " && vx.Rows == vy.Rows", new: "",
	},
	{
		name: "norm-residual-unchecked", file: "engine/op_norm.go", pkg: "engine", tests: []string{"TestProgramsAreChecked"},
		old: "b.residual(o.Residual, o.Out),", new: "nil,",
	},
	{
		name: "product-residual-unchecked", file: "engine/op_linears.go", pkg: "engine", tests: []string{"TestProgramsAreChecked"},
		old: "b.residual(l.Residual, l.Out),", new: "nil,",
	},
	{
		name: "beta-of-any-length", file: "engine/op_norm.go", pkg: "engine", tests: []string{"TestProgramsAreChecked"},
		old: "b.optional(o.Gamma, 1, w), b.optional(o.Beta, 1, w),", new: "b.optional(o.Gamma, 1, w),",
	},
	{
		name: "bias-of-any-length", file: "engine/op_linears.go", pkg: "engine", tests: []string{"TestProgramsAreChecked"},
		old: "b.optional(l.Bias, 1, rows),", new: "nil,",
	},
	{
		name: "gate-bias-of-any-length", file: "engine/op_linears.go", pkg: "engine", tests: []string{"TestProgramsAreChecked"},
		old: "b.optional(l.GateBias, 1, rows),", new: "nil,",
	},
	{
		name: "heads-of-v-unbounded", file: "engine/group.go", pkg: "engine", tests: []string{"TestProgramsAreChecked"},
		old: "g.ValueWidth <= 0 || g.ValueWidth > maxHeadElements", new: "false",
	},
	{
		name: "values-beside-latent-keys", file: "engine/op_store.go", pkg: "engine", tests: []string{"TestProgramsAreChecked"},
		old: "holds(o.V == NoValue,", new: "holds(true,",
	},
	{
		name: "scale-forgotten", file: "engine/op_attend.go", pkg: "engine", tests: []string{"TestNumbersOfPrograms"},
		old: "checkScale(o.Scale), ", new: "",
	},
	{
		name: "softcap-of-nan", file: "engine/op_head.go", pkg: "engine", tests: []string{"TestNumbersOfPrograms"},
		old: "checkScale(o.Scale), notNegative(\"soft cap\", float64(o.Softcap)),", new: "checkScale(o.Scale),",
	},
	{
		name: "ramp-of-no-width", file: "engine/rope.go", pkg: "engine", tests: []string{"TestNumbersOfPrograms"},
		old: "r.Low < r.High", new: "r.Low <= r.High",
	},
	{
		name: "infinite-factors", file: "engine/check.go", pkg: "engine", tests: []string{"TestNumbersOfPrograms"},
		old: "math.Abs(x) <= math.MaxFloat64", new: "math.Abs(x) >= 0",
	},
	{
		name: "weight-laid-out-once-for-two", file: "engine/check.go", pkg: "engine", tests: []string{"TestProgramsAreChecked"},
		old: "holds(b.readAs[id] == as,", new: "holds(true,",
	},
	{
		name: "vectors-of-two-widths", file: "engine/op_embed.go", pkg: "engine", tests: []string{"TestProgramsAreChecked"},
		old: "holds(w == b.vectorWidth(),", new: "holds(true,",
	},
	{
		name: "groups-of-one-name", file: "engine/check.go", pkg: "engine", tests: []string{"TestProgramsAreChecked"},
		old: "g.Name == \"\" || names[g.Name]", new: "g.Name == \"\"",
	},

	// What batches and requests are held to.
	{
		name: "position-overflows", file: "engine/batch_fill.go", pkg: "engine", tests: []string{"TestPositionsOfNoTable"},
		old: "first > b.limits.MaxContext-len(tokens)", new: "first+len(tokens) > b.limits.MaxContext",
	},
	{
		name: "cross-length-overflows", file: "engine/batch_fill.go", pkg: "engine", tests: []string{"TestMasksOfTables"},
		old: "length > math.MaxInt32 || ", new: "length > math.MaxInt || ",
	},
	{
		name: "cross-without-positions", file: "engine/batch_fill.go", pkg: "engine", tests: []string{"TestMasksOfTables"},
		old: "g.Mask == Cross && length == 0", new: "false",
	},
	{
		name: "window-sees-one-more", file: "engine/group.go", pkg: "engine", tests: []string{"TestFirstSeen"},
		old: "position-window+1", new: "position-window",
	},
	{
		name: "generation-outlives-reset", file: "engine/batch_fill.go", pkg: "engine", tests: []string{"TestReset"},
		old: "b.Generation, b.Background = 0, false", new: "b.Background = false",
	},
	{
		name: "background-outlives-reset", file: "engine/batch_fill.go", pkg: "engine", tests: []string{"TestReset"},
		old: "b.Generation, b.Background = 0, false", new: "b.Generation = 0",
	},
	{
		name: "sampling-of-nan", file: "engine/output.go", pkg: "engine", tests: []string{"TestSamplingNumbers"},
		old: "!(value >= n.least && value <= n.most)", new: "value < n.least || value > n.most",
	},
	{
		name: "unknown-modes", file: "engine/output.go", pkg: "engine", tests: []string{"TestOutputsAreChecked"},
		old: "o.Mode&^allModes != 0", new: "false",
	},
	{
		name: "request-that-no-step-holds", file: "scheduler/admission.go", pkg: "scheduler", tests: []string{"TestWhatNoStepHoldsIsRefused"},
		old: "return r.output().Check(s.limits)", new: "return nil",
	},
	{
		name: "prompt-outside-vocabulary", file: "scheduler/admission.go", pkg: "scheduler", tests: []string{"TestWhatNoStepHoldsIsRefused"},
		old: "t < 0 || int(t) >= s.limits.Vocab", new: "int(t) > s.limits.Vocab",
	},
	{
		name: "batch-of-another", file: "cgo/instance.go", pkg: "cgo", tests: []string{"TestBatchesOfOthersAreRefused"},
		old: "in.batches[b] == nil", new: "false",
	},

	// What is lowered, and what models are told apart by.
	{
		name: "norm-rounds-anything", file: "engine/lowering/quantise.go", pkg: "engine/lowering", tests: []string{"TestNormsRoundTheirOwnRows"},
		old: "out[n-1].Op.(engine.Norm).Out == p.In", new: "true",
	},
	{
		name: "rounded-rows-of-these-types", file: "engine/lowering/quantise.go", pkg: "engine/lowering", tests: []string{"TestRoundedRowsHaveRoom"},
		old: "	l.ActCols = max(l.ActCols, l.Program.Value(v).Width)\n", new: "	if w != engine.NoWeight && Quantised(l.Type(w)) {\n		l.ActCols = max(l.ActCols, l.Program.Value(v).Width)\n	}\n",
	},
	{
		name: "digest-without-ops", file: "engine/lowering/reader.go", pkg: "engine/lowering", tests: []string{"TestDigestOfThePrograms"},
		old: "fmt.Fprintf(h, \"%T %+v\\n\", op, op)", new: "_ = op",
	},
	{
		name: "digest-without-part", file: "engine/lowering/reader.go", pkg: "engine/lowering", tests: []string{"TestDigestOfThePrograms"},
		old: "w.Name, t.Type, w.FirstRow,", new: "w.Name, t.Type, 0,",
	},
	{
		name: "newest-retired", file: "engine/lowering/generations.go", pkg: "cgo", tests: []string{"TestGenerationsComeAndGo"},
		old: "err == nil && id == s.newest", new: "false",
	},

	// How steps give way and go on.
	{
		name: "aborted-for-ever", file: "cgo/queue.go", pkg: "cgo", tests: []string{"TestBackgroundGetsOn", "TestPatience"},
		old: "s.setAside || q.inTurn || s.aborts >= patience", new: "false",
	},
	{
		name: "no-turns", file: "cgo/queue.go", pkg: "cgo", tests: []string{"TestBackgroundGetsOn"},
		old: "len(q.background) == 0 || !q.earned.enough()", new: "true",
	},
	{
		name: "turn-without-end", file: "cgo/queue.go", pkg: "cgo", tests: []string{"TestBackgroundGetsOn"},
		old: "q.running == s && q.inTurn", new: "false",
	},
	{
		name: "turns-unpaid", file: "cgo/credit.go", pkg: "cgo", tests: []string{"TestBackgroundGetsOn"},
		old: "c.saved -= turn", new: "_ = turn",
	},
	{
		name: "turns-beside-gaps", file: "cgo/credit.go", pkg: "cgo", tests: []string{"TestNoTurnsBesideGaps"},
		old: "c.saved -= min(gap, max(c.saved, 0))", new: "_ = gap",
	},
	{
		name: "set-aside-behind-all", file: "cgo/queue.go", pkg: "cgo", tests: []string{"TestPatience"},
		old: "slices.Insert(q.background, 0, s)", new: "append(q.background, s)",
	},
	{
		name: "withdrawn-goes-on", file: "cgo/queue.go", pkg: "cgo", tests: []string{"TestPatience"},
		old: "!s.withdrawn && (", new: "(",
	},
	{
		name: "close-waits-for-others", file: "cgo/instance.go", pkg: "cgo", tests: []string{"TestCloseWithdraws"},
		old: "		in.Withdraw()\n", new: "",
	},
	{
		name: "loop-waits-for-others", file: "scheduler/loop.go", pkg: "scheduler", tests: []string{"TestBackgroundLoopIsStopped"},
		old: "	if l.behind == lane {\n		lane.instance.Withdraw()\n", new: "	if l.behind == lane {\n",
	},
	{
		name: "load-ends-no-turn", file: "cgo/gate.go", pkg: "cgo", tests: []string{"TestTurnEndsWithItsLoad"},
		old: "g.loads > 0 && now.Before(g.turnEnds)", new: "now.Before(g.turnEnds)",
	},
	{
		name: "chunks-computed-twice", file: "cgo/step.c", pkg: "cgo", tests: []string{"TestStepGoesOnBehindClaimedChunks"},
		old: "pool_begin_at(in->pool, w.from.chunk);", new: "",
	},
	{
		name: "round-begun-again", file: "cgo/pool.c", pkg: "cgo/cgotest", tests: []string{"TestRunsGiveWay"},
		old: "p->claimed = atomic_load(&p->next_chunk);", new: "p->claimed = 0;",
	},
	{
		name: "background-rows-too-many", file: "scheduler/steps.go", pkg: "scheduler", tests: []string{"TestBackgroundStepsThatCannotAbort"},
		old: "return min(s.config.StepTokens, most)", new: "return most",
	},

	// What instances share, and the memory of pages.
	{
		name: "sharer-of-owners-mask", file: "cgo/fill.go", pkg: "cgo", tests: []string{"TestSharersKeepTheirMasks"},
		old: "mask: C.int32_t(in.Program.Groups[i].Mask), window: C.int32_t(in.Program.Groups[i].Window),", new: "mask: C.int32_t(g.Mask), window: C.int32_t(g.Window),",
	},
	{
		name: "sharer-of-any-layout", file: "cgo/cache.go", pkg: "cgo", tests: []string{"TestSharingIsRefused"},
		old: " && have.layout == groupLayout(g, o.Policy.KV)", new: "",
	},
	{
		name: "unmapped-under-a-transfer", file: "cgo/cache.go", pkg: "cgo", tests: []string{"TestCloseWaitsForTransfers"},
		old: "	c.copies.Wait()\n", new: "",
	},
	{
		name: "step-writes-what-leaves", file: "engine/group.go", pkg: "cgo", tests: []string{"TestSubmitMindsTransfers", "TestTransfersMindEachOther"},
		old: "page <= last/PageTokens", new: "page < last/PageTokens",
	},
	{
		name: "latent-values-from-the-start-of-keys", file: "cgo/page_body.h", pkg: "cgo", tests: []string{"TestReference"},
		old: "first = l->key_width - l->value_width;", new: "first = 0;",
	},
	{
		name: "window-attends-to-one-more", file: "cgo/attend_body.h", pkg: "cgo", tests: []string{"TestReference"},
		old: "position - a->window + 1, position + 1", new: "position - a->window, position + 1",
	},
	{
		name: "page-opened-by-one-token", file: "cgo/op_store.c", pkg: "cgo/cgotest", tests: []string{"TestPagesAreAsFresh"},
		old: "token - s->first_token >= slot", new: "token - s->first_token > slot",
	},
	{
		name: "cached-prefix-counted-twice", file: "scheduler/prefix.go", pkg: "scheduler", tests: []string{"TestRoomBesideACachedPrefix"},
		old: "pool.available()-cached", new: "pool.available()",
	},

	// Room.
	{
		name: "no-room-is-unknown", file: "cgo/room.go", pkg: "cgo", tests: []string{"TestReplaceNeedsRoom"},
		old: "bound != \"\" && need > left", new: "left > 0 && need > left",
	},
	{
		name: "room-claimed-twice", file: "cgo/room.go", pkg: "cgo", tests: []string{"TestLoadsClaimTheirRoom"},
		old: "	b.claimed += need\n", new: "",
	},
	{
		name: "claim-kept", file: "cgo/load.go", pkg: "cgo", tests: []string{"TestLoadsClaimTheirRoom"},
		old: "	defer c.release()\n	return in.addGeneration(l, w, c.progress(progress))", new: "	return in.addGeneration(l, w, c.progress(progress))",
	},
	{
		name: "full-group-is-unknown", file: "hostmem/available.go", pkg: "hostmem", tests: []string{"TestTheTighterBounds"},
		old: "ok && (!known || left < bytes)", new: "ok && left > 0 && (!known || left < bytes)",
	},
}
