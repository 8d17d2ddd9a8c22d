package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// This file owns switches: mutants of Go functions stand side by side in one copy of the module, and the environment says which of them
// is in force. So a package's tests are built once for all of them: building is what a mutant else takes, some six seconds of a core.
//
// Of a function f that a mutant changes the copy has f as it is and the changed one beside it:
//
//	func f(n int) int { if mutantOn == "name" { return f__name(n) }; ...
//
// What no switch can be made of is changed in a copy of its own (tree.apply): C, declarations, signatures, and a function that calls
// recover, which works in the deferred function itself alone.

// switchVariable is the environment variable that names the mutant in force.
const switchVariable = "MUTANT"

// switched is one function with a mutant.
type switched struct {
	mutant mutant
	at     int    // where the call of the changed function stands, in the file's text
	call   string // with what leads to it
	change string // the changed function
}

// switchable makes the switch of m in the text of its file; ok is false if none can be made.
func switchable(m mutant, text string) (s switched, ok bool) {
	if !strings.HasSuffix(m.file, ".go") || strings.HasSuffix(m.file, "_test.go") || m.tags != "" {
		return s, false
	}
	from := strings.Index(text, m.old)
	changed := text[:from] + m.new + text[from+len(m.old):]
	f, before := functionAt(text, from, from+len(m.old))
	g, after := functionAt(changed, from, from+len(m.new))
	if f == nil || g == nil || text[before.start:before.open] != changed[after.start:after.open] || callsRecover(f) || callsRecover(g) {
		return s, false
	}
	name := f.Name.Name + "__" + strings.ReplaceAll(m.name, "-", "_")
	call, ok := callOf(f, name, text, before.offset)
	if !ok {
		return s, false
	}
	if f.Type.Results.NumFields() > 0 {
		call = "return " + call
	} else {
		call += "; return"
	}
	at := before.name - before.start
	change := changed[after.start:after.end]
	return switched{
		mutant: m, at: before.open + 1, call: fmt.Sprintf(" if mutantOn == %q { %s };", m.name, call),
		change: "\n" + change[:at] + name + change[at+len(f.Name.Name):] + "\n",
	}, true
}

// span is where a function's parts lie in a text.
type span struct {
	start, name, open, end int
	offset                 func(token.Pos) int
}

// functionAt is the function in whose body [from, to) lies, or nil.
func functionAt(text string, from, to int) (*ast.FuncDecl, span) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "", text, parser.SkipObjectResolution)
	if err != nil {
		return nil, span{}
	}
	offset := func(p token.Pos) int { return set.Position(p).Offset }
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if ok && f.Body != nil && offset(f.Body.Lbrace) < from && to <= offset(f.Body.Rbrace) {
			return f, span{offset(f.Type.Func), offset(f.Name.Pos()), offset(f.Body.Lbrace), offset(f.End()), offset}
		}
	}
	return nil, span{}
}

func callsRecover(f *ast.FuncDecl) (calls bool) {
	ast.Inspect(f.Body, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		if ok {
			id, named := c.Fun.(*ast.Ident)
			calls = calls || named && id.Name == "recover"
		}
		return true
	})
	return calls
}

// callOf calls name with what f was called with. It is not ok where a parameter has no name.
func callOf(f *ast.FuncDecl, name, text string, offset func(token.Pos) int) (call string, ok bool) {
	if f.Recv != nil {
		receiver, named := namesOf(f.Recv)
		if !named {
			return "", false
		}
		name = receiver[0] + "." + name
	}
	if f.Type.TypeParams != nil {
		types, _ := namesOf(f.Type.TypeParams)
		name += "[" + strings.Join(types, ", ") + "]"
	}
	names, ok := namesOf(f.Type.Params)
	if n := f.Type.Params.List; ok && len(n) > 0 {
		if _, variadic := n[len(n)-1].Type.(*ast.Ellipsis); variadic {
			names[len(names)-1] += "..."
		}
	}
	return name + "(" + strings.Join(names, ", ") + ")", ok
}

func namesOf(l *ast.FieldList) (names []string, ok bool) {
	ok = true
	for _, field := range l.List {
		ok = ok && len(field.Names) > 0
		for _, name := range field.Names {
			ok = ok && name.Name != "_"
			names = append(names, name.Name)
		}
	}
	return names, ok
}

// addSwitches writes all switches that can be made into the copy, and returns the mutants that have one by their names.
func (t *tree) addSwitches(list []mutant) (map[string]bool, error) {
	byFile := map[string][]switched{}
	has := map[string]bool{}
	for _, m := range list {
		text, err := os.ReadFile(filepath.Join(t.dir, m.file))
		if err != nil {
			return nil, err
		}
		if s, ok := switchable(m, string(text)); ok {
			byFile[m.file] = append(byFile[m.file], s)
			has[m.name] = true
		}
	}
	for file, all := range byFile {
		if err := t.writeSwitches(file, all); err != nil {
			return nil, err
		}
	}
	return has, nil
}

// writeSwitches puts a file's switches in, the last first, since each moves what is behind it.
func (t *tree) writeSwitches(file string, all []switched) error {
	path := filepath.Join(t.dir, file)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := string(data)
	slices.SortStableFunc(all, func(a, b switched) int { return b.at - a.at })
	changes := ""
	for _, s := range all {
		text = text[:s.at] + s.call + text[s.at:]
		changes += s.change
	}
	if err := os.WriteFile(path, []byte(text+changes), 0o644); err != nil {
		return err
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, data, parser.PackageClauseOnly)
	if err != nil {
		return err
	}
	on := fmt.Sprintf("package %s\n\nimport \"os\"\n\nvar mutantOn = os.Getenv(%q)\n", parsed.Name.Name, switchVariable)
	return os.WriteFile(filepath.Join(filepath.Dir(path), "mutant_on.go"), []byte(on), 0o644)
}
