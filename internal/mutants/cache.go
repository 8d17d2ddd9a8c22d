package main

// This file owns the part of the list that is the cache: what pages hold, who shares them, and which are given away.

func init() { list = append(list, cache...) }

var cache = []mutant{
	// What pages hold.
	{
		name: "tenants-share", file: "scheduler/index.go", pkg: "scheduler", tests: []string{"TestTenantsShareNoPages"},
		old: `if tenant == "" {`, new: "if true {",
	},
	{
		name: "older-page-outranks-the-copy", file: "scheduler/pages.go", pkg: "scheduler", tests: []string{"TestPrefixIsEvictedFromItsEnd"},
		old: "		p.cached--\n		p.cool(n)\n		p.clear(other)\n		nd.page = id\n", new: "		pg.node = none\n",
	},
	{
		name: "copy-never-cached", file: "scheduler/pages.go", pkg: "scheduler", tests: []string{"TestCopyReplacesAnEvictedPage"},
		old: "case p.nodes[n].copies != none:", new: "case false:",
	},

	// Which are given away.
	{
		name: "hottest-evicted", file: "scheduler/hotness.go", pkg: "scheduler", tests: []string{"TestLeastRecentlyUsedPrefixIsEvicted"},
		old: "return n.value < other.value", new: "return n.value > other.value",
	},
}
