package main

// This file owns the mutants of how many workers a step has beside other programs.

func init() { list = append(list, crowding...) }

var crowding = []mutant{
	{
		name: "sleep-alone-is-a-crowd", file: "cgo/crowd.go", pkg: "cgo", tests: []string{"TestCrowded"},
		old: " && c.stolen > c.took/8", new: "",
	},
	{
		name: "stolen-alone-is-a-crowd", file: "cgo/crowd.go", pkg: "cgo", tests: []string{"TestCrowded"},
		old: "c.slept > c.took*2/5 && ", new: "",
	},
	{
		name: "crowd-of-one-step", file: "cgo/crowd.go", pkg: "cgo", tests: []string{"TestCrowdIsNoMoment"},
		old: "crowdedSteps = 4", new: "crowdedSteps = 1",
	},
	{
		name: "rests-never-grow", file: "cgo/crowd.go", pkg: "cgo", tests: []string{"TestCrowdIsTriedAgain"},
		old: "max(2*c.rest, shortestRest)", new: "max(c.rest, shortestRest)",
	},
	{
		name: "rests-never-shrink", file: "cgo/crowd.go", pkg: "cgo", tests: []string{"TestCrowdIsTriedAgain"},
		old: "c.rest = 0", new: "c.rest += 0",
	},
	{
		name: "nobody-computes", file: "cgo/crowd.go", pkg: "cgo", tests: []string{"TestCrowdLeavesOne"},
		old: "workers > 1 && ", new: "",
	},
}
