package main

// This file owns the part of the list about the door: steps that are held back for clients who come back.

func init() { list = append(list, door...) }

var door = []mutant{
	{
		name: "door-held-whatever-it-costs", file: "scheduler/door.go", pkg: "scheduler", tests: []string{"TestForWhomTheDoorIsHeld"},
		old: "!(gain > d.time(r).Seconds()*float64(running))", new: "!(gain > 0)",
	},
	{
		name: "door-held-for-who-is-back", file: "scheduler/door.go", pkg: "scheduler", tests: []string{"TestForWhomTheDoorIsHeld"},
		old: "d.back >= d.ended || ", new: "",
	},
	{
		name: "door-held-without-a-place", file: "scheduler/door.go", pkg: "scheduler", tests: []string{"TestForWhomTheDoorIsHeld"},
		old: "free <= 0 || ", new: "",
	},
	{
		name: "door-counts-who-is-late", file: "scheduler/door.go", pkg: "scheduler", tests: []string{"TestForWhomTheDoorIsHeld"},
		old: "	if !d.held {\n		in", new: "	{\n		in",
	},
	{
		name: "door-not-held-is-as-good", file: "scheduler/door.go", pkg: "scheduler", tests: []string{"TestForWhomTheDoorIsHeld"},
		old: "		if d.held {\n			keep", new: "		{\n			keep",
	},
	{
		name: "door-held-and-forgotten", file: "scheduler/door.go", pkg: "scheduler", tests: []string{"TestForWhomTheDoorIsHeld"},
		old: "	d.held = true\n", new: "",
	},
	{
		name: "door-never-forgets", file: "scheduler/door.go", pkg: "scheduler", tests: []string{"TestForWhomTheDoorIsHeld"},
		old: "keep*d.misses + (1-keep)*", new: "d.misses + (1-keep)*",
	},
	{
		name: "door-counts-crowds", file: "scheduler/door.go", pkg: "scheduler", tests: []string{"TestDoorCountsEndsNotCrowds"},
		old: "max(0, 1-float64(d.back)/float64(d.ended))", new: "(1 - float64(d.back)/float64(d.ended))",
	},
	{
		name: "door-for-those-before", file: "scheduler/commit.go", pkg: "scheduler", tests: []string{"TestDoorIsNotForThoseBefore"},
		old: "		s.arrivals() // these did not come after this end\n", new: "",
	},
	{
		name: "door-of-one-for-all", file: "scheduler/door.go", pkg: "scheduler", tests: []string{"TestForWhomTheDoorIsHeld"},
		old: "r.DoorTime*time.Duration(d.ended), d.step/2", new: "r.DoorTime, d.step/2",
	},
	{
		name: "door-held-however-long", file: "scheduler/door.go", pkg: "scheduler", tests: []string{"TestForWhomTheDoorIsHeld"},
		old: "return min(r.DoorTime*time.Duration(d.ended), d.step/2)", new: "return r.DoorTime * time.Duration(d.ended)",
	},
	{
		name: "door-for-ends-of-batch", file: "scheduler/commit.go", pkg: "scheduler", tests: []string{"TestDoorIsForInteractive"},
		old: "if c.seq.request.Class == Interactive {", new: "if c.seq.request.Class != Background {",
	},
	{
		name: "door-counts-batch", file: "scheduler/queue.go", pkg: "scheduler", tests: []string{"TestDoorIsForInteractive"},
		old: "	if c == Interactive {\n		s.door", new: "	if c != Background {\n		s.door",
	},
	{
		name: "door-beside-a-step", file: "scheduler/loop.go", pkg: "scheduler", tests: []string{"TestDoorIsNotHeldInVain"},
		old: "lane == nil || len(l.underWay) > 0 || ", new: "lane == nil || ",
	},
	{
		name: "door-before-who-waits", file: "scheduler/loop.go", pkg: "scheduler", tests: []string{"TestDoorIsNotHeldInVain"},
		old: "lane.places()-running-len(lane.waiting)", new: "lane.places()-running",
	},
	{
		name: "door-not-held", file: "scheduler/loop.go", pkg: "scheduler", tests: []string{"TestDoorIsHeld"},
		old: "		if until.IsZero() || left <= 0 {", new: "		if true {",
	},
	{
		name: "door-held-though-left-out", file: "scheduler/loop.go", pkg: "scheduler", tests: []string{"TestWithoutTheDoor"},
		old: " || !lane.policy.with(withDoor)", new: "",
	},
	{
		name: "door-of-several-lanes", file: "scheduler/loop.go", pkg: "scheduler", tests: []string{"TestDoorOfOneLaneAlone"},
		old: "		if one != nil {\n			return nil\n		}\n", new: "",
	},
	{
		name: "door-lets-in-its-own-lane", file: "scheduler/loop.go", pkg: "scheduler", tests: []string{"TestDoorLetsInAllLanes"},
		old: "			timer.Stop()\n			l.arrivals()", new: "			timer.Stop()\n			lane.arrivals()",
	},
	{
		name: "loop-rests-though-its-context-is-done", file: "scheduler/loop.go", pkg: "scheduler", tests: []string{"TestALoopEndsThoughItsWakeupWasTaken"},
		old: "worked || ctx.Err() != nil {", new: "worked {",
	},
}
