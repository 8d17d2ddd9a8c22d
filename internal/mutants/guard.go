package main

// This file owns the part of the list that is the guard's rule.

func init() { list = append(list, guardRule...) }

var guardRule = []mutant{
	{
		name: "guard-holds-by-the-estimate", file: "quality/guard/guard.go", pkg: "quality/guard", tests: []string{"TestDecide"},
		old: "case e.Difference.Low > -c.MaxLoss:", new: "case e.Difference.Estimate > -c.MaxLoss:",
	},
	{
		name: "guard-holds-on-the-bound", file: "quality/guard/guard.go", pkg: "quality/guard", tests: []string{"TestDecide"},
		old: "case e.Difference.Low > -c.MaxLoss:", new: "case e.Difference.Low >= -c.MaxLoss:",
	},
	{
		name: "guard-fails-by-the-lower-bound", file: "quality/guard/guard.go", pkg: "quality/guard", tests: []string{"TestDecide", "TestPaired"},
		old: "!(e.Difference.Estimate >= -c.MaxLoss)", new: "!(e.Difference.Low >= -c.MaxLoss)",
	},
	{
		name: "guard-no-number-passes", file: "quality/guard/guard.go", pkg: "quality/guard", tests: []string{"TestDecide"},
		old: "case !(e.Value >= c.Floor), !(e.Difference.Estimate >= -c.MaxLoss):", new: "case e.Value < c.Floor, e.Difference.Estimate < -c.MaxLoss:",
	},
	{
		name: "guard-any-criterion-will-do", file: "quality/guard/guard.go", pkg: "quality/guard", tests: []string{"TestDecideRefuses"},
		old: "		if !known {\n			return Unmeasured\n		}\n", new: "		_ = known\n",
	},
	{
		name: "guard-a-loss-of-nothing", file: "quality/guard/guard.go", pkg: "quality/guard", tests: []string{"TestDecideRefuses"},
		old: "if !(c.MaxLoss > 0) {", new: "if c.MaxLoss < 0 {",
	},
	{
		name: "guard-climbs-from-the-top", file: "quality/guard/rule.go", pkg: "quality/guard", tests: []string{"TestDecide"},
		old: "		case Holds:\n			return l.up(at, to, why)\n", new: "		case Holds:\n			return l.up(at, 0, why)\n",
	},
	{
		name: "guard-climbs-onto-the-unsure", file: "quality/guard/rule.go", pkg: "quality/guard", tests: []string{"TestDecide"},
		old: "		case Holds:\n			return l.up(at, to, why)\n", new: "		case Holds, Unsure:\n			return l.up(at, to, why)\n",
	},
	{
		name: "guard-goes-down-to-the-unsure", file: "quality/guard/rule.go", pkg: "quality/guard", tests: []string{"TestDecide"},
		old: "if verdict == Holds {", new: "if verdict != Fails {",
	},
	{
		name: "guard-leaves-the-unsure", file: "quality/guard/rule.go", pkg: "quality/guard", tests: []string{"TestDecide"},
		old: "	case Fails:\n		if at > 0 && !s.Verified {\n", new: "	case Fails, Unsure:\n		if at > 0 && !s.Verified {\n",
	},
	{
		name: "guard-noise-is-speed", file: "quality/guard/rule.go", pkg: "quality/guard", tests: []string{"TestDecide"},
		old: "to.Speed >= from.Speed*leastGain", new: "to.Speed >= from.Speed",
	},
	{
		name: "guard-skips-what-does-not-hold", file: "quality/guard/rule.go", pkg: "quality/guard", tests: []string{"TestDecide"},
		old: "r.Evidence\n		return stay\n", new: "r.Evidence\n",
	},
	{
		name: "guard-ignores-the-control", file: "quality/guard/rule.go", pkg: "quality/guard", tests: []string{"TestFloors"},
		old: "if e, missed := c.missedFloor(source.Evidence); e != nil {", new: "if e, missed := c.missedFloor(source.Evidence); e != nil && at < 0 {",
	},
	{
		name: "guard-any-objective-twice", file: "quality/guard/pressure.go", pkg: "quality/guard", tests: []string{"TestPressure"},
		old: "if slices.Contains(p.last, m) {", new: "if len(p.last) > 0 {",
	},
	{
		name: "guard-remembers-the-tier-before", file: "quality/guard/pressure.go", pkg: "quality/guard", tests: []string{"TestPressure"},
		old: "*p = Pressure{}", new: "p.running = nil",
	},
	{
		name: "guard-evidence-of-sums-alone", file: "quality/guard/guard.go", pkg: "quality/guard", tests: []string{"TestPaired"},
		old: "		items[i] = i\n", new: "		items[i] = i % 2\n",
	},
}
