package main

// This file owns the part of the list that is tails: pages that are shared by their beginning.

func init() { list = append(list, tails...) }

var tails = []mutant{
	{
		name: "tail-never-found", file: "scheduler/tails.go", pkg: "scheduler", tests: []string{"TestFullHitComputesOneToken", "TestPromptsPartInsideAPage", "TestAnswersInAnyMix"},
		old: "	return max(0, to-from)\n", new: "	return 0\n",
	},
	{
		name: "tail-longer-than-what-is-there", file: "scheduler/tails.go", pkg: "scheduler", tests: []string{"TestPromptsPartInsideAPage", "TestTailProperties"},
		old: "if to = from + found; found > 0 {", new: "if to = min(to, from+2*found); found > 0 {",
	},
	{
		name: "last-token-not-computed", file: "scheduler/prefix.go", pkg: "scheduler", tests: []string{"TestFullHitComputesOneToken"},
		old: "n := len(s.tokens) - 1\n", new: "n := len(s.tokens)\n",
	},
	{
		name: "scores-of-a-tail-left-out", file: "scheduler/prefix.go", pkg: "scheduler", tests: []string{"TestAnswersInAnyMix"},
		old: "		n = min(n, s.scored)\n", new: "		n = min(n, s.scored+3)\n",
	},
	{
		name: "page-written-where-it-is-shared", file: "scheduler/tails.go", pkg: "scheduler", tests: []string{"TestFullHitComputesOneToken", "TestTailProperties"},
		old: "{{From: from, To: to}}", new: "{{From: to, To: from}}",
	},
	{
		name: "tail-copied-in-one-group", file: "scheduler/tails.go", pkg: "scheduler", tests: []string{"TestFullHitComputesOneToken"},
		old: "for g, from := range s.tails {", new: "for g, from := range s.tails[:1] {",
	},
	{
		name: "tail-of-a-sequence-that-goes-is-lost", file: "scheduler/table.go", pkg: "scheduler", tests: []string{"TestFullHitComputesOneToken", "TestWaiterInheritsATail"},
		old: "if ok && t.base+i == tail {", new: "if ok && false {",
	},
	{
		name: "turns-leave-their-ends", file: "scheduler/tails.go", pkg: "scheduler", tests: []string{"TestTurnsLeaveNoEnds"},
		old: "if nd := &p.nodes[n]; nd.isTail() && ", new: "if nd := &p.nodes[n]; nd == nil && ",
	},
	{
		name: "end-of-a-turn-taken-from-who-has-it", file: "scheduler/tails.go", pkg: "scheduler", tests: []string{"TestHitOnAPageThatGrows"},
		old: "nd.isTail() && p.pages[id].references == 0 && tokens", new: "nd.isTail() && tokens",
	},
	{
		name: "tail-of-a-sequence-that-runs-is-unknown", file: "scheduler/commit.go", pkg: "scheduler", tests: []string{"TestHitOnAPageThatGrows"},
		old: "			s.groups[g].announceTail(&seq.tables[g], seq)\n", new: "			_ = g\n",
	},
	{
		name: "grown-page-known-as-it-was", file: "scheduler/pages.go", pkg: "scheduler", tests: []string{"TestHitOnAPageThatGrows", "TestTailProperties"},
		old: "if pg.node != none && p.nodes[pg.node].key != c.key {", new: "if false {",
	},
	{
		name: "page-found-before-it-is-computed", file: "scheduler/families.go", pkg: "scheduler", tests: []string{"TestAnswersInAnyMix", "TestTailProperties"},
		old: "(nd.isTail() || p.pages[nd.page].state == ready)", new: "true",
	},
	{
		name: "families-of-all-prefixes", file: "scheduler/families.go", pkg: "scheduler", tests: []string{"TestTailsAreApart"},
		old: "if nd.before == *before && (", new: "if (",
	},
	{
		name: "families-searched-to-their-end", file: "scheduler/families.go", pkg: "scheduler", tests: []string{"TestFamiliesAreSearchedInBounds"},
		old: "	for range mostSiblings {\n", new: "	for {\n",
	},
	{
		name: "first-sibling-taken", file: "scheduler/families.go", pkg: "scheduler", tests: []string{"TestFamiliesAreSearchedInBounds"},
		old: "if at == none || most == len(tokens) {", new: "if at == none || most > 0 {",
	},
	{
		name: "tail-used-twice", file: "scheduler/pages.go", pkg: "scheduler", tests: []string{"TestTailIsUsedOnce"},
		old: "return pg.owner.isUse() && !pg.counted", new: "return pg.owner.isUse()",
	},
	{
		name: "tail-not-used", file: "scheduler/tails.go", pkg: "scheduler", tests: []string{"TestTailIsUsedOnce"},
		old: "	if use {\n", new: "	if false {\n",
	},
	{
		name: "hit-waits-for-prompts", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestHitWaitsForNoPrompt"},
		old: "		budget -= s.planFound(g, budget)\n", new: "",
	},
	{
		name: "refused-copy-goes-on", file: "scheduler/tails.go", pkg: "scheduler", tests: []string{"TestRefusedCopy"},
		old: "return fmt.Errorf(\"page not copied: %w\", err)", new: "_ = fmt.Errorf(\"page not copied: %w\", err)",
	},
	{
		name: "copies-before-the-step-under-way", file: "engine/enginetest/transfer.go", pkg: "engine/enginetest", tests: []string{"TestCopiesComeBehindTheStep"},
		old: "last >= 0 {", new: "last >= 99 {",
	},
}
