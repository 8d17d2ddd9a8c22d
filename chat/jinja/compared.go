package jinja

import "maps"

// This file owns what a template's source says of a value by its name: the strings that it compares it with.

// ComparedWith lists the strings that the template compares values of that name with: m.role == "x", m['role'] in ['x', 'y'],
// role is eq 'x', {'x': 1}[m.role]. Strings that only stand beside the name, as in '<|im_start|>' + m.role + '\n', are not of them.
func (t *Template) ComparedWith(valueName string) map[string]bool {
	found := map[string]bool{}
	for _, c := range t.comparisons {
		for _, pair := range [2]comparison{c, {c.right, c.left}} {
			if isNamed(pair.left, valueName) {
				maps.Copy(found, stringsIn(pair.right))
			}
		}
	}
	return found
}

// comparison is two expressions that a template compares, or one that it looks for in the other.
type comparison struct{ left, right expr }

func (p *parser) compares(left, right expr) {
	p.comparisons = append(p.comparisons, comparison{left, right})
}

// noteCall notes {'x': 1}.get(value).
func (p *parser) noteCall(callee expr, a arguments) {
	if method, ok := bare(callee).(attrExpr); ok && method.name == "get" && len(a.positional) > 0 {
		p.compares(a.positional[0], method.of)
	}
}

// noteTest notes value is eq 'x', and value is in ['x'].
func (p *parser) noteTest(t testExpr) {
	switch t.name {
	case "eq", "equalto", "==", "ne", "!=", "sameas", "in":
		if len(t.args.positional) > 0 {
			p.compares(t.of, t.args.positional[0])
		}
	}
}

// bare is an expression without its place in the source.
func bare(e expr) expr {
	if l, ok := e.(located); ok {
		return bare(l.expr)
	}
	return e
}

// isNamed tells whether an expression is a variable of that name, or an attribute or item, also trimmed or in another case.
func isNamed(e expr, valueName string) bool {
	switch x := bare(e).(type) {
	case name:
		return x.id == valueName
	case attrExpr:
		return x.name == valueName
	case itemExpr:
		return isString(x.key, valueName)
	case filterExpr:
		return x.of != nil && isNamed(x.of, valueName)
	case callExpr:
		method, ok := bare(x.callee).(attrExpr)
		if !ok {
			return false
		}
		if method.name == "get" {
			return len(x.args.positional) > 0 && isString(x.args.positional[0], valueName)
		}
		return isNamed(method.of, valueName) // .strip(), .lower()
	}
	return false
}

func isString(e expr, want string) bool {
	l, ok := bare(e).(literal)
	s, isText := textOf(l.value)
	return ok && isText && s == want
}

// stringsIn lists the string that an expression is, or those in the list or the keys that it is.
func stringsIn(e expr) map[string]bool {
	found := map[string]bool{}
	switch x := bare(e).(type) {
	case literal:
		if s, ok := textOf(x.value); ok {
			found[s] = true
		}
	case listExpr:
		for _, item := range x.items {
			maps.Copy(found, stringsIn(item))
		}
	case dictExpr:
		for _, key := range x.keys {
			maps.Copy(found, stringsIn(key))
		}
	}
	return found
}
