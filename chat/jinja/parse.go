package jinja

import (
	"fmt"
	"slices"
	"strings"
)

// This file owns parsing statements.

// Template is a parsed template. It never changes, so any number of goroutines may render it.
type Template struct {
	body        []node
	comparisons []comparison
}

// maxParseDepth bounds the nesting of expressions and blocks: the parser is recursive, and Go can't
// recover from a stack overflow.
const maxParseDepth = 200

type parser struct {
	tokens []token
	at     int
	depth  int
	loops  int
	// unknown are filters and tests that nothing has, named so far. In a condition they are an error when they run, as in
	// jinja2 (a template may ask whether it has one before it uses it); all others end the parsing.
	unknown []*Error
	// comparisons are those of the whole source.
	comparisons []comparison
}

// parseError is how the parser leaves its recursion.
type parseError struct{ err *Error }

// Parse parses a template.
func Parse(src string) (t *Template, err error) {
	tokens, err := lex(strings.ToValidUTF8(src, "\uFFFD"))
	if err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			p, ours := r.(parseError)
			if !ours {
				panic(r)
			}
			t, err = nil, p.err
		}
	}()
	p := &parser{tokens: tokens}
	var body []node
	p.firm(func() { body = p.body() })
	if p.peek().kind != tokenEOF {
		p.fail("unexpected end tag %q", p.tokens[min(p.at+1, len(p.tokens)-1)].text)
	}
	return &Template{body, p.comparisons}, nil
}

func (p *parser) fail(format string, args ...any) {
	panic(parseError{&Error{p.peek().line, fmt.Sprintf(format, args...)}})
}

func (p *parser) enter() func() {
	if p.depth++; p.depth > maxParseDepth {
		p.fail("the template is nested too deeply")
	}
	return func() { p.depth-- }
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEOF {
		p.at++
	}
	return t
}

func (p *parser) isOp(op string) bool { t := p.peek(); return t.kind == tokenOperator && t.text == op }

func (p *parser) isName(n string) bool { t := p.peek(); return t.kind == tokenName && t.text == n }

func (p *parser) skipOp(op string) bool {
	if p.isOp(op) {
		p.at++
		return true
	}
	return false
}

func (p *parser) skipName(n string) bool {
	if p.isName(n) {
		p.at++
		return true
	}
	return false
}

func (p *parser) wantOp(op string) {
	if !p.skipOp(op) {
		p.fail("expected %q, found %s", op, describe(p.peek()))
	}
}

func (p *parser) wantName() string {
	if t := p.peek(); t.kind == tokenName {
		p.at++
		return t.text
	}
	p.fail("expected a name, found %s", describe(p.peek()))
	return ""
}

func (p *parser) wantKind(k tokenKind, what string) {
	if p.next().kind != k {
		p.at--
		p.fail("expected %s, found %s", what, describe(p.peek()))
	}
}

func (p *parser) blockEnd() { p.wantKind(tokenBlockEnd, "the end of the block") }

func describe(t token) string {
	switch t.kind {
	case tokenEOF:
		return "the end of the template"
	case tokenVariableEnd, tokenBlockEnd:
		return "the end of the tag"
	case tokenName, tokenOperator, tokenString:
		return fmt.Sprintf("%q", t.text)
	}
	return "a value"
}

// body parses up to a block whose tag is one of ends; it stays unread.
func (p *parser) body(ends ...string) (nodes []node) {
	defer p.enter()()
	for {
		t := p.peek()
		switch t.kind {
		case tokenEOF:
			if len(ends) > 0 {
				p.fail("unexpected end of the template, %q is missing", ends[len(ends)-1])
			}
			return nodes
		case tokenData:
			p.at++
			nodes = append(nodes, dataNode{t.text})
		case tokenVariableBegin:
			p.at++
			value := p.tupleOrExpr()
			p.wantKind(tokenVariableEnd, "the end of the expression")
			nodes = append(nodes, outputNode{value, t.line})
		default:
			tag := p.tokens[min(p.at+1, len(p.tokens)-1)]
			if tag.kind == tokenName && (slices.Contains(ends, tag.text) || len(tag.text) > 3 && tag.text[:3] == "end") {
				if len(ends) > 0 && !slices.Contains(ends, tag.text) {
					p.fail("unexpected %q, expected %q", tag.text, ends[len(ends)-1])
				}
				return nodes
			}
			p.at++
			nodes = append(nodes, p.statement())
		}
	}
}

// closed parses a body and its end tag.
func (p *parser) closed(end string) []node {
	p.blockEnd()
	var body []node
	p.firm(func() { body = p.body(end) })
	p.at += 2
	p.blockEnd()
	return body
}

func (p *parser) statement() node {
	line := p.peek().line
	switch tag := p.wantName(); tag {
	case "if":
		var n node
		p.soft(func() { n = p.ifStatement(line) })
		return n
	case "for":
		return p.forStatement(line)
	case "set":
		return p.setStatement(line)
	case "macro":
		n := p.wantName()
		m := p.signature(n, line)
		p.macroBody(m, "endmacro")
		return m
	case "call":
		return p.callStatement(line)
	case "filter":
		var f []filterExpr
		p.firm(func() { f = p.filters(nil) })
		return filterNode{f, p.closed("endfilter"), line}
	case "with":
		return p.withStatement(line)
	case "autoescape":
		on := p.expression()
		return autoescapeNode{on, p.closed("endautoescape"), line}
	case "generation":
		return groupNode{p.closed("endgeneration")}
	case "block":
		p.wantName()
		for p.skipName("scoped") || p.skipName("required") {
		}
		p.blockEnd()
		var body []node
		p.firm(func() { body = p.body("endblock") })
		p.at += 2
		if p.peek().kind == tokenName {
			p.at++
		}
		p.blockEnd()
		return groupNode{body}
	case "break", "continue":
		if p.loops == 0 {
			p.fail("%q outside a loop", tag)
		}
		p.blockEnd()
		return loopControl{tag == "break"}
	case "include", "import", "from", "extends":
		p.fail("%q is not allowed: a template may not read others", tag)
	default:
		p.fail("unknown tag %q", tag)
	}
	return nil
}

func (p *parser) ifStatement(line int) node {
	n := ifNode{line: line}
	n.tests = append(n.tests, p.tupleOrCondition())
	p.blockEnd()
	for {
		n.bodies = append(n.bodies, p.body("elif", "else", "endif"))
		p.at++
		switch p.wantName() {
		case "elif":
			n.tests = append(n.tests, p.tupleOrCondition())
			p.blockEnd()
		case "else":
			p.blockEnd()
			n.orElse = p.body("endif")
			p.at += 2
			p.blockEnd()
			return n
		default:
			p.blockEnd()
			return n
		}
	}
}

func (p *parser) tupleOrCondition() expr { return p.expression() }

func (p *parser) forStatement(line int) node {
	n := forNode{line: line, target: p.targets()}
	if !p.skipName("in") {
		p.fail("expected \"in\", found %s", describe(p.peek()))
	}
	n.iter = p.tupleNoCondition()
	if p.skipName("if") {
		p.firm(func() { n.filter = p.expression() })
	}
	n.recursive = p.skipName("recursive")
	p.blockEnd()
	p.loops++
	p.firm(func() { n.body = p.body("else", "endfor") })
	p.loops--
	p.at++
	if p.wantName() == "else" {
		n.orElse = p.closed("endfor")
		return n
	}
	p.blockEnd()
	return n
}

// targets parses what a for or set assigns: a name, a namespace's attribute, or several.
func (p *parser) targets() target {
	first := p.oneTarget()
	if !p.isOp(",") {
		return first
	}
	all := target{parts: []target{first}}
	for p.skipOp(",") {
		if p.isName("in") || p.isOp("=") || p.peek().kind == tokenBlockEnd {
			break
		}
		all.parts = append(all.parts, p.oneTarget())
	}
	return all
}

func (p *parser) oneTarget() target {
	defer p.enter()()
	if p.skipOp("(") {
		t := p.targets()
		p.wantOp(")")
		if t.parts == nil {
			return t
		}
		return t
	}
	n := p.wantName()
	if slices.Contains([]string{"true", "false", "none", "True", "False", "None"}, n) {
		p.fail("can't assign to %q", n)
	}
	if p.skipOp(".") {
		return target{name: n, attr: p.wantName()}
	}
	return target{name: n}
}

func (p *parser) setStatement(line int) node {
	t := p.targets()
	if p.skipOp("=") {
		value := p.tupleOrExpr()
		p.blockEnd()
		return setNode{t, value, line}
	}
	var f []filterExpr
	if p.isOp("|") {
		p.at++
		p.firm(func() { f = p.filters(nil) })
	}
	return setBlockNode{t, f, p.closed("endset"), line}
}

// filters parses name(args) | name(args) ...
func (p *parser) filters(list []filterExpr) []filterExpr {
	for {
		f := filterExpr{name: p.dottedName()}
		p.knownFilter(f.name)
		if p.isOp("(") {
			f.args = p.arguments()
		}
		list = append(list, f)
		if !p.skipOp("|") {
			return list
		}
	}
}

// signature parses (a, b=1).
func (p *parser) signature(n string, line int) *macroNode {
	m := &macroNode{name: n, line: line}
	p.wantOp("(")
	for !p.isOp(")") {
		if len(m.params) > 0 {
			p.wantOp(",")
		}
		m.params = append(m.params, p.wantName())
		if p.skipOp("=") {
			m.defaults = append(m.defaults, p.expression())
		} else if len(m.defaults) > 0 {
			p.fail("a parameter without default after one with a default")
		}
	}
	p.wantOp(")")
	return m
}

func (p *parser) callStatement(line int) node {
	caller := &macroNode{name: "caller", line: line}
	if p.isOp("(") {
		caller = p.signature("caller", line)
	}
	call := p.expression()
	if _, ok := call.(callExpr); !ok {
		p.fail("expected a call")
	}
	p.macroBody(caller, "endcall")
	return callNode{call, caller, line}
}

func (p *parser) withStatement(line int) node {
	n := withNode{line: line}
	for p.peek().kind != tokenBlockEnd {
		if len(n.targets) > 0 {
			p.wantOp(",")
		}
		n.targets = append(n.targets, p.oneTarget())
		p.wantOp("=")
		n.values = append(n.values, p.expression())
	}
	n.body = p.closed("endwith")
	return n
}
