package main

// This file owns the mutants of the way from a conversation to tokens.

func init() { list = append(list, textMutants...) }

var textMutants = []mutant{
	{
		name: "literal-text-is-parsed", file: "tokenizer/special.go", pkg: "tokenizer", tests: []string{"TestLiteralStretches"},
		old: "&& !t.touches(start, i+1)", new: "",
	},
	{
		name: "literal-turns-of-users", file: "tokenizer/special.go", pkg: "tokenizer", tests: []string{"TestLiteralStretches"},
		old: " && !separates(text)", new: "",
	},
	{
		name: "bos-twice", file: "tokenizer/special.go", pkg: "tokenizer", tests: []string{"TestOneBOS"},
		old: "blank < len(ids) && ids[blank] == t.bos", new: "false",
	},
	{
		name: "marks-lost-in-joins", file: "chat/jinja/marked.go", pkg: "chat/jinja", tests: []string{"TestMarksFollowText"},
		old: "b.marks = append(b.marks, t.marks...)", new: "b.marks = append(b.marks, make([]uint16, len(t.marks))...)",
	},
	{
		name: "marks-lost-in-case", file: "chat/jinja/case.go", pkg: "chat/jinja", tests: []string{"TestMarksFollowText"},
		old: "b.marked(f(i, r), t.mark(i))", new: "b.own(f(i, r))",
	},
	{
		name: "empty-calls-count", file: "chat/messages.go", pkg: "chat", tests: []string{"TestAnswerThatIsContinued"},
		old: "return ok && len(list.Items) > 0", new: "return ok && list != nil",
	},
	{
		name: "continue-false-is-absent", file: "chat/messages.go", pkg: "chat", tests: []string{"TestAnswerThatIsContinued"},
		old: " || wish == false {", new: " {",
	},
	{
		name: "system-vanishes", file: "chat/roles.go", pkg: "chat", tests: []string{"TestRolesThatTemplatesLack", "TestWellKnownTemplatesKeepAllText"},
		old: "err == nil && lost[i] && role != ", new: "err != nil && lost[i] && role != ",
	},
	{
		name: "switches-become-the-users", file: "chat/roles.go", pkg: "chat", tests: []string{"TestRolesThatTemplatesLack"},
		old: "err == nil && without.Text != text", new: "err == nil && without.Text == text && false",
	},
	{
		name: "system-is-the-assistants", file: "chat/roles.go", pkg: "chat", tests: []string{"TestRolesThatTemplatesLack"},
		old: "ok[0] && ok[1] && texts[0] == texts[1]", new: "false",
	},
	{
		name: "unknown-filters-at-once", file: "chat/jinja/unknown.go", pkg: "chat/jinja", tests: []string{"TestAsJinja2"},
		old: "p.unknown = p.unknown[:before]", new: "_ = before",
	},
	{
		name: "unknown-filters-never", file: "chat/jinja/unknown.go", pkg: "chat/jinja", tests: []string{"TestAsJinja2"},
		old: "if len(p.unknown) > before {", new: "if false {",
	},
	{
		name: "tool-use-always", file: "chat/chat.go", pkg: "chat", tests: []string{"TestToolUseTemplate"},
		old: "t.hasToolUse() && isFilled(tools)", new: "t.hasToolUse() && tools != true",
	},
	{
		name: "ids-of-another-kind", file: "tokenizer/vocab.go", pkg: "tokenizer", tests: []string{"TestFaultsThatArePassedOver"},
		old: "(kinds[usual]&special.ofKinds != 0 || v.Types == nil)", new: "true",
	},
	{
		name: "window-of-nothing", file: "model/hyper.go", pkg: "model", tests: []string{"TestWindows"},
		old: "v.Any == uint64(0) || ", new: "",
	},
}
