package main

// This file owns the part of the list that is what answers say beside their text.

func init() { list = append(list, said...) }

var said = []mutant{
	{
		name: "calls-vanish", file: "chat/answers.go", pkg: "chat", tests: []string{"TestAnswersThatTemplatesLack"},
		old: "err == nil && other.Text == text", new: "err == nil && other.Text == \"\"",
	},
	{
		name: "all-calls-are-refused", file: "chat/answers.go", pkg: "chat", tests: []string{"TestAnswersThatTemplatesLack"},
		old: "err == nil && other.Text == text", new: "err == nil && other.Text != \"-\"",
	},
	{
		name: "null-says-something", file: "chat/answers.go", pkg: "chat", tests: []string{"TestAnswersThatTemplatesLack"},
		old: "isFilled(value) || text != \"\"", new: "isFilled(value) || text != \"-\"",
	},
}
