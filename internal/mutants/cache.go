package main

// This file owns the part of the list that is the cache: what pages hold, who shares them, and which are given away.

func init() { list = append(list, cache...) }

var cache = []mutant{
	// What pages hold.
	{
		name: "tenants-share", file: "scheduler/index.go", pkg: "scheduler", tests: []string{"TestTenantsShareNoPages"},
		old: `if salt == "" {`, new: "if true {",
	},
	{
		name: "older-page-outranks-the-copy", file: "scheduler/pages.go", pkg: "scheduler", tests: []string{"TestPrefixIsEvictedFromItsEnd"},
		old: "		p.cached--\n		p.cool(n)\n		p.clear(other)\n		nd.page = id\n", new: "		pg.node = none\n",
	},
	{
		name: "copy-never-cached", file: "scheduler/pages.go", pkg: "scheduler", tests: []string{"TestCopyReplacesAnEvictedPage"},
		old: "case p.nodes[n].copies != none:", new: "case false:",
	},

	{
		name: "copies-used-beside-their-node", file: "scheduler/pages.go", pkg: "scheduler", tests: []string{"TestPoolProperties"},
		old: "	case p.nodes[n].page != id:\n		p.unlink(n, id)\n", new: "	case p.nodes[n].page != id:\n",
	},
	{
		name: "announced-behind-what-is-unknown", file: "scheduler/pages.go", pkg: "scheduler", tests: []string{"TestPoolProperties"},
		old: "if _, taken := p.find(c.key); taken || !ok {", new: "if _, taken := p.find(c.key); taken || !ok && false {",
	},

	// Which are given away.
	{
		name: "hottest-evicted", file: "scheduler/hotness.go", pkg: "scheduler", tests: []string{"TestLeastRecentlyUsedPrefixIsEvicted", "TestHotPrefixesStay", "TestHotnessClosesTheGap"},
		old: "return n.value < other.value", new: "return n.value > other.value",
	},
	{
		name: "uses-not-counted", file: "scheduler/hotness.go", pkg: "scheduler", tests: []string{"TestHotPrefixesStay", "TestHotnessClosesTheGap"},
		old: "u.decays, u.at = u.decayed(now)+1, now", new: "u.decays, u.at = 1, now",
	},
	{
		name: "uses-do-not-fade", file: "scheduler/hotness.go", pkg: "scheduler", tests: []string{"TestUsesFade"},
		old: "u.value = u.at*h.cooling + math.Log2(", new: "u.value = math.Log2(",
	},
	{
		name: "conversations-kept-for-their-turns", file: "scheduler/shadow.go", pkg: "scheduler", tests: []string{"TestHotnessInConversations"},
		old: "case fast.cost < slow.cost*(1-preference):", new: "case false:",
	},
	{
		name: "order-of-the-rule-before", file: "scheduler/cache.go", pkg: "scheduler", tests: []string{"TestRuleChanges"},
		old: "			s.groups[g].pool.rerate()\n", new: "			_ = g\n",
	},
	{
		name: "time-to-recompute-ignored", file: "scheduler/recompute.go", pkg: "scheduler", tests: []string{"TestDearPagesStay"},
		old: "return 1 + each/row*engine.PageTokens*float64(position)", new: "return 1 + 0*each",
	},
	{
		name: "page-evicted-before-its-leaves", file: "scheduler/pages.go", pkg: "scheduler", tests: []string{"TestPoolProperties", "TestHotPrefixesStay"},
		old: "if n != none && p.nodes[n].children == 0 && p.pages", new: "if n != none && p.pages",
	},
	{
		name: "one-off-kept", file: "scheduler/pages.go", pkg: "scheduler", tests: []string{"TestOneOffIsNotKept"},
		old: "if p.offer(n); displaces {", new: "if p.offer(n); displaces && false {",
	},
	{
		name: "evicted-uses-forgotten", file: "scheduler/ghosts.go", pkg: "scheduler", tests: []string{"TestWhatComesBackIsKnown"},
		old: "	entries[oldest] = ghost{tag, u}\n", new: "	_ = oldest\n",
	},
	{
		name: "preempted-counted-as-used-again", file: "scheduler/sequence.go", pkg: "scheduler", tests: []string{"TestOneRequestIsOneUse"},
		old: "return s.releases == 0 && s.request.Choice == 0", new: "return s.request.Choice == 0",
	},
	{
		name: "choices-counted-as-uses", file: "scheduler/sequence.go", pkg: "scheduler", tests: []string{"TestOneRequestIsOneUse"},
		old: "return s.releases == 0 && s.request.Choice == 0", new: "return s.releases == 0",
	},

	// Who waits for whom.
	{
		name: "waiter-not-woken", file: "scheduler/prefix.go", pkg: "scheduler", tests: []string{"TestFirstWaiterInherits"},
		old: "f.owner.releases != f.releases || ", new: "",
	},
	{
		name: "waiter-waits-for-all", file: "scheduler/prefix.go", pkg: "scheduler", tests: []string{"TestWaiterLendsItsClass"},
		old: " || f.owner.computed >= f.pages*engine.PageTokens) {", new: ") {",
	},
	{
		name: "class-not-lent", file: "scheduler/loans.go", pkg: "scheduler", tests: []string{"TestWaiterLendsItsClass"},
		old: "	if s.request.Class == Background {\n		return\n", new: "	if true {\n		return\n",
	},
	{
		name: "keys-of-weights-before", file: "scheduler/generations.go", pkg: "scheduler", tests: []string{"TestKeysAreComputedBySubmit"},
		old: "seq.generation, seq.keys, seq.found, seq.follows = g, nil, 0, following{}", new: "seq.generation = g",
	},
	{
		name: "keys-computed-by-the-loop", file: "scheduler/admission.go", pkg: "scheduler", tests: []string{"TestKeysAreComputedBySubmit"},
		old: "	s.hash(all)\n", new: "",
	},

	// What is pinned.
	{
		name: "pins-evictable", file: "scheduler/pins.go", pkg: "scheduler", tests: []string{"TestPins"},
		old: "s.groups[g].pool.share(id)", new: "_ = id",
	},
	{
		name: "pins-without-bound", file: "scheduler/pins.go", pkg: "scheduler", tests: []string{"TestPinsThatAreRefused"},
		old: "pinned+need > most {", new: "pinned+need > g.Pages {",
	},
	{
		name: "pins-of-old-weights", file: "scheduler/generations.go", pkg: "scheduler", tests: []string{"TestPinsOfNewWeights"},
		old: "		s.repin()\n", new: "",
	},
	{
		name: "unpinned-and-held", file: "scheduler/pins.go", pkg: "scheduler", tests: []string{"TestPins"},
		old: "		s.unhold(p)\n		s.offer()\n		err = nil", new: "		s.offer()\n		err = nil",
	},
}
