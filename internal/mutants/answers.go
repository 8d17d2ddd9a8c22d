package main

// This file owns the mutants of answers that are not what they are taken for: those that never ended, and those of servers that are no daemon.

func init() { list = append(list, answers...) }

var answers = []mutant{
	{
		name: "done-is-whole", file: "client/stream.go", pkg: "client", tests: []string{"TestStreams"},
		old: "case err == nil && s.Finish == \"\":", new: "case false:",
	},
	{
		name: "answers-of-anybody", file: "client/answer.go", pkg: "client", tests: []string{"TestAnswersOfNoChimera"},
		old: "if _, err := parse(text); err != nil {", new: "if _, err := parse(text); err != nil && false {",
	},
	{
		name: "answers-without-end", file: "client/answer.go", pkg: "client", tests: []string{"TestAnswersAreBounded"},
		old: "io.LimitReader(body, maxAnswer+1)", new: "io.LimitReader(body, maxAnswer)",
	},
	{
		name: "no-http-is-raw", file: "client/client.go", pkg: "client", tests: []string{"TestNoHTTP"},
		old: "case connected && ", new: "case false && connected && ",
	},
	{
		name: "server-of-no-name", file: "cmd/chimera/server.go", pkg: "cmd/chimera", tests: []string{"TestExitCodes"},
		old: "strings.TrimSpace(flag) == \"\"", new: "strings.TrimSpace(flag) == \"x\"",
	},
	{
		name: "beams-passed-over", file: "api/foreign.go", pkg: "api", tests: []string{"TestForeignFieldsThatWereReported"},
		old: "\"beam_width\": onlyDefault(\"1\"), ", new: "",
	},
}
