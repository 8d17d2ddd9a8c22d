package main

// This file owns the part of the list that is several models: who may have which, when each is loaded and when it goes.

func init() { list = append(list, models...) }

// aModel is an entry about the models' runtimes, whose tests are daemon's.
func aModel(name, file, old, new string, tests ...string) mutant {
	return mutant{name: name, file: "daemon/" + file, pkg: "daemon", tests: tests, old: old, new: new}
}

var models = []mutant{
	// A request's hold.
	{
		name: "streams-let-go-at-once", file: "api/hold.go", pkg: "api", tests: []string{"TestStreamsHoldTheirModel"},
		old: "	if !c.streams {\n		c.letGo()\n	}\n", new: "	c.letGo()\n",
	},
	{
		name: "streams-never-let-go", file: "api/stream.go", pkg: "api", tests: []string{"TestRequestsHoldTheirModel"},
		old: "		defer c.letGo()\n", new: "",
	},
	{
		name: "requests-outlive-their-model", file: "api/hold.go", pkg: "api", tests: []string{"TestModelGoesUnderARequest"},
		old: "	c.model, c.ctx = h, h.Context\n", new: "	c.model = h\n",
	},
	{
		name: "model-named-within", file: "api/hold.go", pkg: "api", tests: []string{"TestRequestsHoldTheirModel"},
		old: "if d.SkipValue() != nil {", new: "if false {",
	},
	{
		name: "poison-untold", file: "api/errors.go", pkg: "api", tests: []string{"TestPoisonIsTold"},
		old: "if errors.Is(err, engine.ErrPoisoned) {", new: "if false {",
	},
	{
		name: "causes-told", file: "api/errors.go", pkg: "api", tests: []string{"TestEngineFailure"},
		old: "if errors.Is(err, engine.ErrPoisoned) {", new: "if err != nil {",
	},
	aModel("held-is-idle", "runtime.go", "	r.holds++\n", "", "TestKeepAlive", "TestUnload"),
	aModel("never-released", "runtime.go", "if r.holds--; r.holds == 0 {", "if r.holds == 0 {", "TestKeepAlive"),
	aModel("waiters-hold-late", "runtime.go", "	for _, w := range r.takeWaiters() {\n		w.held", "	for _, w := range r.takeWaiters()[:0] {\n		w.held", "TestModelsAreLoadedOnDemand"),

	// Who waits.
	aModel("waiters-unbounded", "runtimes.go", "len(r.waiters) >= all.config.QueueLength || ", "", "TestWaitingForAModel"),
	aModel("waiting-bytes-unbounded", "runtimes.go", " || all.waiting+w.Bytes > mostWaiting*all.config.MaxBody", "", "TestWaitingForAModel"),
	aModel("waiting-bytes-for-ever", "runtimes.go", "	all.waiting -= w.bytes\n", "", "TestWaitingForAModel", "TestWaitingForTheModelIsSeen"),
	aModel("who-went-waits-on", "runtimes.go", "func(other *waiter) bool { return other == w })", "func(other *waiter) bool { return false })", "TestWaitingForAModel"),
	aModel("patience-without-end", "runtimes.go", "if patience > 0 {", "if false {", "TestWaitingForAModel"),
	aModel("rest-unknown", "runtime.go", "	if read > 0 {", "	if false {", "TestRestOfALoad"),

	// Loads.
	aModel("loads-twice", "runtime_load.go", "if r.state == api.StateLoading || r.up != nil {", "if r.up != nil {", "TestModelsAreLoadedOnDemand"),
	aModel("no-back-off", "runtimes.go", "r.state == api.StateFailed && time.Now().Before(r.failure.again)", "false", "TestFailedLoad"),
	aModel("back-off-stays-short", "runtime.go", "firstBackOff<<min(f.times-1, 16)", "firstBackOff", "TestFailedLoad"),
	aModel("one-failure-ends-the-start", "runtime_load.go", "if n > 0 && len(failed) == n {", "if len(failed) > 0 {", "TestStartOfSeveral"),
	aModel("failed-is-ready", "served.go", "			return nil, fmt.Errorf(\"model %s: %w\", r.name, r.failure.err)\n", "", "TestStartOfSeveral", "TestPoisonedModelFailsAlone"),
	aModel("poison-unseen", "runtime_load.go", "		all.work.Go(func() { all.watch(r, up) })\n", "", "TestPoisonedModelFailsAlone"),
	aModel("poisoned-keeps-its-memory", "runtime_load.go", "	all.work.Go(func() { all.dismantle(r, up) })\n}", "}", "TestPoisonedModelFailsAlone"),
	aModel("unwanted-load-goes-on", "runtime_load.go", "	if w.ctx.Err() != nil {\n		return context.Cause(w.ctx)\n	}\n", "", "TestUnloadEndsALoad"),
	aModel("new-lanes-ungoverned", "runtime.go", "	up.lane.Govern(all.governance)\n", "", "TestAllLanesAreGoverned"),

	// Room.
	aModel("pinned-goes", "runtime_room.go", "case !r.settings.Pin:", "default:", "TestLeastRecentlyUsedGoes"),
	aModel("most-recently-used-goes", "runtime_room.go", "a.used.Compare(b.used)", "b.used.Compare(a.used)", "TestLeastRecentlyUsedGoes"),
	aModel("evicts-in-vain", "runtime_room.go", "	if !controls && short > out.going+out.could {\n		return 0, false\n", "	if !controls && short > out.going+out.could {\n		all.empty(out.candidates[0], \"\")\n		return 0, false\n", "TestLeastRecentlyUsedGoes"),
	aModel("thrash", "runtime_room.go", "		if left <= 0 {", "		if true {", "TestNoThrash", "TestResidenceIsAsLongAsTheLoad"),
	aModel("busy-models-stay", "runtime_room.go", "		if left <= 0 {", "		if r.holds == 0 && r.served {", "TestNoThrash", "TestResidenceIsAsLongAsTheLoad"),
	aModel("promises-forgotten", "runtime_room.go", "all.promised(), ahead)", "0, ahead)", "TestWhatIsPromisedIsNotGivenAway"),
	aModel("for-ever-is-at-once", "runtime.go", "keep == 0 || ", "", "TestModelsAreLoadedOnDemand", "TestKeepAlive"),
	aModel("residence-is-short", "runtime_room.go", "return max(r.took, least) - ", "return least - ", "TestResidenceIsAsLongAsTheLoad"),

	// The end.
	aModel("unload-cuts-off", "runtime_unload.go", "return r.holds == 0 || all.ending })", "return true })", "TestUnload"),
	aModel("unload-waits-for-ever", "runtime_unload.go", "		up.end(api.Unloaded(r.name))\n", "", "TestUnload"),
	aModel("asked-meanwhile-forgotten", "runtime_unload.go", "if len(r.waiters) > 0 && !all.closed {", "if false {", "TestUnload"),
	aModel("the-end-waits-for-holders", "runtime_unload.go", "	all.ending = true\n", "", "TestEndOfAllModels"),
	aModel("the-end-lets-in", "runtimes.go", "	case all.closed:\n		return api.Held{}, nil, scheduler.ErrDraining\n", "", "TestEndOfAllModels"),
	aModel("counts-end-with-the-lane", "runtime_unload.go", "	r.past = withCounters(r.past, up.lane.Snapshot())\n", "", "TestPoisonedModelFailsAlone"),
	aModel("one-lane-that-hangs-passes", "served.go", "return still == 0 || moved && still < patientAsks", "return still == 0 || moved", "TestWatchdogNoticesOneLaneOfSeveral"),
}
