package main

// This file owns the part of the list about lanes that share a loop.

func init() { list = append(list, lanes...) }

var lanes = []mutant{
	{
		name: "always-the-same-lane", file: "scheduler/loop.go", pkg: "scheduler", tests: []string{"TestLanesTakeTurns"},
		old: "		lane.used[lane.class] += lane.next.predicted.Seconds()\n", new: "",
	},
	{
		name: "one-broken-ends-all", file: "scheduler/loop.go", pkg: "scheduler", tests: []string{"TestABrokenLaneEndsAlone"},
		old: "errors.Is(lane.broken, engine.ErrDevicePoisoned)", new: "lane.broken != nil",
	},
	{
		name: "device-poisoned-and-gone-on", file: "scheduler/loop.go", pkg: "scheduler", tests: []string{"TestAPoisonedDeviceEndsAllLanes"},
		old: "errors.Is(lane.broken, engine.ErrDevicePoisoned)", new: "false",
	},
	{
		name: "background-not-called-back", file: "scheduler/loop.go", pkg: "scheduler", tests: []string{"TestBackgroundIsCalledBack"},
		old: "(l.behind.serves() || l.behind.anyStopped() ||", new: "(l.behind.anyStopped() ||",
	},
	{
		name: "stopped-background-goes-on", file: "scheduler/loop.go", pkg: "scheduler", tests: []string{"TestBackgroundIsCalledBack"},
		old: "l.behind.anyStopped() || l.behind.outstays()", new: "l.behind.outstays()",
	},
	{
		name: "lanes-wait-for-one-another", file: "scheduler/loop.go", pkg: "scheduler", tests: []string{"TestLanesAreAheadOfTheDevice"},
		old: "len(l.underWay) < maxDepth && l.start()", new: "len(l.underWay) < 1 && l.start()",
	},
}
