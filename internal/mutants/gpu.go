package main

// This file owns the entries for GPUs: what is made of their health, the ways out, and what backends are held to.

func init() { list = append(list, gpuList...) }

var gpuList = []mutant{
	{
		name: "foreign-xid-judged", file: "gpu/watch.go", pkg: "gpu", tests: []string{"TestScenarios"},
		old: "foreign := e.Instance != nil &&", new: "foreign := false &&",
	},
	{
		name: "own-xid-foreign", file: "gpu/watch.go", pkg: "gpu", tests: []string{"TestScenarios"},
		old: "&& !slices.Contains(own, *e.Instance)", new: "&& slices.Contains(own, *e.Instance)",
	},
	{
		name: "foreign-memory-error-judged", file: "gpu/judge.go", pkg: "gpu", tests: []string{"TestScenarios"},
		old: "if !o.Owned && grown(", new: "if grown(",
	},
	{
		name: "drain-p2p-ends", file: "gpu/judge.go", pkg: "gpu", tests: []string{"TestRecoveryActions", "TestScenarios"},
		old: "finding{Serve, Nothing, reason + ", new: "finding{Drain, Reset, reason + ",
	},
	{
		name: "slow-time-of-longer", file: "gpu/judge.go", pkg: "gpu", tests: []string{"TestScenarios"},
		old: "now.total-before.total > since/2", new: "now.total-before.total > 2*since",
	},
	{
		name: "margin-below-threshold", file: "gpu/judge.go", pkg: "gpu", tests: []string{"TestScenarios"},
		old: "*r.Margin <= *k.slowdownMargin", new: "*r.Margin < *k.slowdownMargin",
	},
	{
		name: "lost-gpu-waits-for-the-drain", file: "daemon/gpu.go", pkg: "daemon", tests: []string{"TestLostWhileLeaving"},
		old: "c.leaving = true\n\tif c.order != nil", new: "c.leaving = true\n\tif false && c.order != nil",
	},
	{
		name: "second-signal-unheard", file: "daemon/signal.go", pkg: "daemon", tests: []string{"TestAskedTwice"},
		old: "	close(s.hurried)\n", new: "",
	},
	{
		name: "last-resort-for-gpus-alone", file: "daemon/gpu.go", pkg: "daemon", tests: []string{"TestLastResort"},
		old: "end(max(1, ExitCode(err)))", new: "end(ExitCode(err))",
	},
	{
		name: "machine-error-restarts", file: "daemon/gpu.go", pkg: "daemon", tests: []string{"TestMachineErrorIsNoCrashLoop"},
		old: "case errors.As(err, &m), errors.As(err, &g) &&", new: "case errors.As(err, &m) && false, errors.As(err, &g) &&",
	},
	{
		name: "reload-keeps-threads", file: "daemon/device_held.go", pkg: "daemon", tests: []string{"TestReloadCountsThreads"},
		old: "d.backend.SetActive(n)", new: "_ = d.backend",
	},
	{
		name: "reference-caps-before-scale", file: "engine/reference/rows.go", pkg: "engine/reference", tests: []string{"TestHead"},
		old: "row[i] = r.capped(row[i], o.Softcap)", new: "row[i] = r.capped(row[i]/float64(o.Scale), o.Softcap)",
	},
	{
		name: "retired-newest", file: "engine/lowering/generations.go", pkg: "engine/lowering", tests: []string{"TestGenerations"},
		old: "if err == nil && id == s.newest {", new: "if err == nil && id > s.newest {",
	},
}
