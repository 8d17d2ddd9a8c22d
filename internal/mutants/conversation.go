package main

// This file owns the mutants of conversations: their roles, that no text of theirs is lost, and the turn that is continued.

func init() { list = append(list, conversations...) }

var conversations = []mutant{
	{
		name: "roles-are-any-string", file: "chat/roles.go", pkg: "chat", tests: []string{"TestNamesRole"},
		old: "return !roleWord.MatchString(role)", new: "return role == \"\"",
	},
	{
		name: "roles-beside-the-name", file: "chat/jinja/compared.go", pkg: "chat", tests: []string{"TestNamesRole"},
		old: "if isNamed(pair.left, valueName) {", new: "if true {",
	},
	{
		name: "marks-of-a-byte", file: "chat/messages.go", pkg: "chat", tests: []string{"TestNoTextVanishes"},
		old: "message%(placeholderMark-2)", new: "message%254",
	},
	{
		name: "texts-may-vanish", file: "chat/roles.go", pkg: "chat", tests: []string{"TestNoTextVanishes"},
		old: "if len(of) > 0 && !t.differsWithout(", new: "if len(of) > 5000 && !t.differsWithout(",
	},
	{
		name: "written-turns-are-lost", file: "chat/roles.go", pkg: "chat", tests: []string{"TestNoTextVanishes"},
		old: "if len(of) > 0 && !t.differsWithout(vars, messages, strange, of, rendered.Text) {", new: "if len(of) > 0 {",
	},
	{
		name: "continued-behind-the-generation-prompt", file: "chat/messages.go", pkg: "chat", tests: []string{"TestContinuedTurnIsTheTemplates"},
		old: `vars.Set("add_generation_prompt", false)`, new: `vars.Set("add_generation_prompt", true)`,
	},
	{
		name: "continued-with-the-turns-end", file: "chat/messages.go", pkg: "chat", tests: []string{"TestContinuedTurnIsTheTemplates"},
		old: "for at >= 0 && rendered.Marks[at] != mark {", new: "for false {",
	},
	{
		name: "placeholder-stays", file: "chat/messages.go", pkg: "chat", tests: []string{"TestContinuedTurnIsTheTemplates"},
		old: "if !blank {\n\t\tat++", new: "if true {\n\t\tat++",
	},
	{
		name: "limits-do-not-grow", file: "chat/chat.go", pkg: "chat", tests: []string{"TestLongConversations"},
		old: "jinja.TextBytes(vars) + messageBytes*len(messages)", new: "0 * jinja.TextBytes(vars)",
	},
	{
		name: "blanks-before-bos", file: "tokenizer/special.go", pkg: "tokenizer", tests: []string{"TestOneBOS"},
		old: "return ids[blank:]", new: "return ids",
	},
	{
		name: "only-bars-separate", file: "tokenizer/special.go", pkg: "tokenizer", tests: []string{"TestLiteralStretches"},
		old: "return named && signed", new: "return named && signed && strings.Contains(text, \"|\")",
	},
	{
		name: "all-tags-are-words", file: "tokenizer/special.go", pkg: "tokenizer", tests: []string{"TestLiteralStretches"},
		old: "return turnTag.MatchString(text)", new: "return false",
	},
	{
		name: "offline-bos-twice", file: "cmd/chimera/text.go", pkg: "cmd/chimera", tests: []string{"TestOfflineVerbsAddOneBOS"},
		old: "ids := t.Encode(text, false, parseSpecial)", new: "ids := t.Encode(text, addSpecial, parseSpecial)",
	},
	{
		name: "empty-template-is-none", file: "loader/template.go", pkg: "daemon", tests: []string{"TestChoiceOfTemplate"},
		old: "problem = noDefault(named)", new: "problem = \"\"",
	},
}
