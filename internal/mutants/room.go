package main

// This file owns the part of the list that is room for several models: who waits for it behind whom, who goes for whom, and what a model
// keeps while it is away.

func init() { list = append(append(list, room...), keeps...) }

var room = []mutant{
	aModel("background-evicts-what-is-wanted", "runtime_room.go", "left = max(left, r.attention())", "left = max(left, 0)", "TestBackgroundWaitsForRoom"),
	aModel("background-models-go-last", "runtime_room.go", "lately(a)-lately(b)", "lately(b)-lately(a)", "TestBackgroundModelsGoFirst"),
	aModel("wanted-load-stays-in-the-background", "runtimes.go", "		r.load.front = true\n", "", "TestBackgroundWaitsForRoom"),
	aModel("background-loads-ahead", "runtime_room.go", "case front && !r.load.front, front == r.load.front && !waits:", "case (front || !front) && !waits:", "TestBackgroundWaitsForRoom"),
	aModel("evicted-while-somebody-reads", "runtime_room.go", "	if r.inFront > 0 {\n		return stay\n	}\n", "", "TestBackgroundWaitsForRoom"),
	aModel("waiting-counts-as-loading", "runtime_room.go", "	r.load.began.Store(&now)\n", "	_ = now\n", "TestBackgroundWaitsForRoom"),
	aModel("waiting-for-room-holds-up-others", "runtime_room.go", "	if all.busy == r {\n		all.busy = nil\n		all.loadNext()\n	}\n", "", "TestLoadsPassWhatWaitsForRoom"),
	aModel("passes-to-the-loss-of-the-first", "runtime_room.go", "return max(0, claimed)", "return 0", "TestLoadsPassWhatWaitsForRoom"),
	aModel("ended-load-waits-on", "runtime_room.go", "	all.waitNoMore(r)\n	if all.busy", "	if all.busy", "TestUnloadEndsWaitingForRoom"),
	aModel("two-are-read-at-once", "runtime_room.go", "	r.load.reads = true\n", "	<-all.reading\n", "TestRoomInTurns"),
	aModel("pools-never-shared", "runtime_share.go", "if all.contexts = contexts; contexts", "if contexts", "TestModelsShareMemory"),
	aModel("share-of-one-for-all", "runtime_share.go", "sum.KVBytes += plan.KVBytes", "sum.KVBytes = plan.KVBytes", "TestModelsShareMemory"),
	aModel("memory-of-the-settings-ignored", "runtime_room.go", "	if left == 0 {", "	if true {", "TestMemoryOfTheSettings"),
}

var keeps = []mutant{
	aModel("pins-end-with-the-lane", "runtime_load.go", "	r.kept.restore(r.name, up.lane)\n", "", "TestPinsOutliveTheirLane", "TestPinsThatCannotComeBack"),
	aModel("pins-come-back-for-all", "cache.go", "lane.Pin(p.name, p.prompt, p.tenant)", "lane.Pin(p.name, p.prompt, \"\")", "TestPinsOutliveTheirLane"),
	aModel("unpinned-comes-back", "cache.go", "	c.kept.forget(name)\n	err := c.lane.Unpin", "	err := c.lane.Unpin", "TestPinsOutliveTheirLane"),
	{
		name: "pinned-for-all", file: "api/cache.go", pkg: "api", tests: []string{"TestPins"},
		old: "m.Cache.Pin(r.Name, ids, tenant)", new: "m.Cache.Pin(r.Name, ids, tenant[:0])",
	},
	{
		name: "answers-of-other-weights", file: "scheduler/sequence.go", pkg: "scheduler", tests: []string{"TestAnswersInAnyMix"},
		old: "	s.weights.Store(s.generation.digest)\n", new: "",
	},
	{
		name: "fingerprint-of-those-that-answer-now", file: "api/completions.go", pkg: "api", tests: []string{"TestFingerprint"},
		old: "	a.head.Fingerprint = a.model.Numerics(p.weights)\n", new: "",
	},
	{
		name: "stream-begins-with-another-fingerprint", file: "api/chat.go", pkg: "api", tests: []string{"TestFingerprint"},
		old: "		head.Fingerprint = j.model.Numerics(first.weights)\n", new: "",
	},
}
