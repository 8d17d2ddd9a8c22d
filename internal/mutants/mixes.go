package main

// This file owns the part of the list that is mixes of types, tiers on disk, swaps of what does not fit twice, and damage that scores find.

func init() { list = append(list, mixes...) }

var mixes = []mutant{
	// The knapsack, and what it is given.
	{
		name: "mix-a-cell-too-few", file: "quality/mix/mix.go", pkg: "quality/mix", tests: []string{"TestChooseIsBest"},
		old: "t.best = make([]float64, room/t.unit+1)", new: "t.best = make([]float64, room/t.unit+1-min(room/t.unit, 1))",
	},
	{
		name: "mix-rounds-sizes-down", file: "quality/mix/mix.go", pkg: "quality/mix", tests: []string{"TestChooseOfManySteps"},
		old: "return int((bytes + t.unit - 1) / t.unit)", new: "return int(bytes / t.unit)",
	},
	{
		name: "mix-takes-the-later-of-equals", file: "quality/mix/mix.go", pkg: "quality/mix", tests: []string{"TestChooseIsOne"},
		old: "cost < best[room]", new: "cost <= best[room]",
	},
	{
		name: "mix-costs-that-are-no-numbers", file: "quality/mix/mix.go", pkg: "quality/mix", tests: []string{"TestChooseRefuses"},
		old: "!(o.Cost >= 0 && o.Cost <= math.MaxFloat64)", new: "o.Cost < 0 || o.Cost > math.MaxFloat64",
	},
	{
		name: "mix-reads-the-sealed-half", file: "daemon/mix.go", pkg: "daemon", tests: []string{"TestMixRefuses"},
		old: "r.Calibration.Of(suite.Tuning)", new: "r.Calibration",
	},
	{
		name: "mix-forgets-what-is-no-matrix", file: "daemon/mix.go", pkg: "daemon", tests: []string{"TestMix"},
		old: "budget := s.Bytes - others", new: "budget := s.Bytes",
	},
	// Tiers on disk.
	{
		name: "shelf-trusts-the-disk", file: "quality/tier/shelf.go", pkg: "quality/tier", tests: []string{"TestShelfFindsDamage"},
		old: "if is != sum {", new: "if len(is) != len(sum) {",
	},
	{
		name: "shelf-keeps-what-was-half-read", file: "quality/tier/keep.go", pkg: "quality/tier", tests: []string{"TestShelfKeepsNothingHalf"},
		old: "if err == nil && p.left > 0 {", new: "if err == nil && p.left < 0 {",
	},
	{
		name: "shelf-counts-rows-twice", file: "quality/tier/keep.go", pkg: "quality/tier", tests: []string{"TestShelfKeepsNothingHalf"},
		old: "if !p.written[firstRow+row] {", new: "if p.left > -1000 {",
	},
	{
		name: "shelf-ends-a-load-for-the-disk", file: "quality/tier/keep.go", pkg: "quality/tier", tests: []string{"TestShelfKeepsNothingHalf"},
		old: "m.failed != nil {\n		return nil", new: "m.failed != nil {\n		return m.failed",
	},
	{
		name: "shelf-the-newest-goes-first", file: "quality/tier/shelf.go", pkg: "quality/tier", tests: []string{"TestShelfQuota"},
		old: "cmp.Or(a.Used.Compare(b.Used)", new: "cmp.Or(b.Used.Compare(a.Used)",
	},
	{
		name: "shelf-removes-what-is-used", file: "quality/tier/shelf.go", pkg: "quality/tier", tests: []string{"TestShelfQuota"},
		old: "if !inUse(k.Key) {", new: "if !inUse(k.Key) || true {",
	},
	{
		name: "shelf-removes-in-vain", file: "quality/tier/shelf.go", pkg: "quality/tier", tests: []string{"TestShelfQuota"},
		old: "if left+could < 0 {", new: "if len(may) == 0 && left < 0 {",
	},
	{
		name: "shelf-forgets-what-is-being-made", file: "quality/tier/shelf.go", pkg: "quality/tier", tests: []string{"TestShelfQuota"},
		old: "left := s.quota - s.making - bytes", new: "left := s.quota - bytes",
	},
	{
		name: "shelf-two-of-one-key", file: "quality/tier/shelf.go", pkg: "quality/tier", tests: []string{"TestShelfKeeps"},
		old: "if old.Key == k.Key {", new: "if old.Key == k.Key && old.sum == k.sum {",
	},
	{
		name: "shelf-leaves-what-a-crash-left", file: "quality/tier/shelf.go", pkg: "quality/tier", tests: []string{"TestShelfKeepsNothingHalf"},
		old: "if strings.HasPrefix(e.Name(), unfinished) {", new: "if e.Name() == unfinished {",
	},
	{
		name: "shelf-one-key-for-all-searches", file: "quality/tier/shelf.go", pkg: "quality/tier", tests: []string{"TestKeyOf"},
		old: `fmt.Fprintf(h, "%s %d\n", source, search)`, new: `fmt.Fprintf(h, "%s %d\n", source, search*0)`,
	},
	{
		name: "identity-without-the-time", file: "weights/identity.go", pkg: "daemon", tests: []string{"TestTierFromDiskAfterAStart"},
		old: "fmt.Fprintln(h, at.Ino, at.Size, at.Ctim.Sec, at.Ctim.Nsec)", new: "fmt.Fprintln(h, at.Ino, at.Size)",
	},
	{
		name: "tier-is-kept-that-only-rounds", file: "daemon/tier_shelf.go", pkg: "daemon", tests: []string{"TestTierFromDisk"},
		old: "if !t.Searched() || !computes", new: "if t.Smaller(t) || !computes",
	},
	// Swaps of what does not fit twice.
	{
		name: "drain-cuts-off-who-is-answered", file: "daemon/runtime_drain.go", pkg: "daemon", tests: []string{"TestTierIsPutOff"},
		old: "case late == nil && !all.closed:", new: "case (late == nil || s.drains) && !all.closed:",
	},
	{
		name: "drain-leaves-nothing-to-go-back-to", file: "daemon/runtime_drain.go", pkg: "daemon", tests: []string{"TestTierDrainsInVain"},
		old: "if s == nil || s.back == \"\" {", new: "if s == nil || s.back != \"\" {",
	},
	{
		name: "drain-for-what-never-fits", file: "daemon/runtime_drain.go", pkg: "daemon", tests: []string{"TestTierFails"},
		old: "if beside.need > beside.available+up.generations.newest().bytes {", new: "if beside.need < 0 {",
	},
	{
		name: "drain-says-nothing", file: "daemon/runtime_tier.go", pkg: "daemon", tests: []string{"TestTierDrains"},
		old: "if s.waited > 0 {", new: "if s.waited < 0 {",
	},
	// Damage that scores find.
	{
		name: "guard-leaves-a-tier-for-its-damage", file: "quality/guard/rule.go", pkg: "quality/guard", tests: []string{"TestDecide", "TestComesToRest"},
		old: "if at > 0 && !s.Verified {", new: "if at > 0 && s.Verified {",
	},
	{
		name: "guard-mends-from-the-disk", file: "daemon/tier_shelf.go", pkg: "daemon", tests: []string{"TestGuardVerifies"},
		old: "	if !anew {\n", new: "	if !anew || true {\n",
	},
	{
		name: "guard-mends-what-is-whole", file: "daemon/guardian_verify.go", pkg: "daemon", tests: []string{"TestGuardVerifies"},
		old: "if serves == own || g.mode != config.ModeGuard {", new: "if g.mode != config.ModeGuard {",
	},
	{
		name: "guard-mends-without-leave", file: "daemon/guardian_verify.go", pkg: "daemon", tests: []string{"TestGuardAdvisesToMend"},
		old: "if serves == own || g.mode != config.ModeGuard {", new: "if serves == own {",
	},
	{
		name: "guard-keeps-scores-of-damage", file: "daemon/guardian_verify.go", pkg: "daemon", tests: []string{"TestGuardVerifies"},
		old: "	delete(r.watched.known, d.Tier)\n", new: "",
	},
}
