package jinja

import "slices"

// This file owns parsing expressions, with jinja2's own precedences: or, and, not, comparisons, + -, ~,
// * / // %, **, unary, then attributes, calls, filters and tests.

// tupleOrExpr parses an expression or a tuple without parentheses.
func (p *parser) tupleOrExpr() expr { return p.tuple(p.expression) }

// tupleNoCondition is the same where "if" belongs to the statement.
func (p *parser) tupleNoCondition() expr { return p.tuple(p.or) }

func (p *parser) tuple(element func() expr) expr {
	first := element()
	if !p.isOp(",") {
		return first
	}
	t := listExpr{items: []expr{first}, tuple: true}
	for p.skipOp(",") {
		if k := p.peek().kind; k == tokenVariableEnd || k == tokenBlockEnd || p.isOp(")") || p.isName("recursive") || p.isName("if") {
			break
		}
		t.items = append(t.items, element())
	}
	return t
}

func (p *parser) expression() expr {
	defer p.enter()()
	before := len(p.unknown)
	e := p.or()
	for p.skipName("if") {
		c := condExpr{yes: e, test: p.or()}
		if p.skipName("else") {
			c.no = p.expression()
		}
		e = c
		p.unknown = p.unknown[:before] // known to be a condition only now
	}
	return e
}

func (p *parser) or() expr {
	left := p.and()
	for p.skipName("or") {
		left = binaryExpr{"or", left, p.and()}
	}
	return left
}

func (p *parser) and() expr {
	left := p.not()
	for p.skipName("and") {
		left = binaryExpr{"and", left, p.not()}
	}
	return left
}

func (p *parser) not() expr {
	if p.skipName("not") {
		defer p.enter()()
		return unaryExpr{"not", p.not()}
	}
	return p.compare()
}

var comparisons = []string{"==", "!=", "<", "<=", ">", ">="}

func (p *parser) compare() expr {
	c := compareExpr{first: p.sum()}
	left := c.first
	line := p.peek().line
	for {
		t := p.peek()
		switch {
		case t.kind == tokenOperator && slices.Contains(comparisons, t.text):
			p.at++
			c.ops = append(c.ops, t.text)
		case p.isName("in"):
			p.at++
			c.ops = append(c.ops, "in")
		case p.isName("not") && p.tokens[p.at+1].kind == tokenName && p.tokens[p.at+1].text == "in":
			p.at += 2
			c.ops = append(c.ops, "not in")
		default:
			if len(c.ops) == 0 {
				return c.first
			}
			return located{c, line}
		}
		right := p.sum()
		if op := c.ops[len(c.rest)]; op == "==" || op == "!=" || op == "in" || op == "not in" {
			p.compares(left, right)
		}
		c.rest = append(c.rest, right)
		left = right
	}
}

// binary parses a left-associative level.
func (p *parser) binary(next func() expr, ops ...string) expr {
	left := next()
	for t := p.peek(); t.kind == tokenOperator && slices.Contains(ops, t.text); t = p.peek() {
		p.at++
		left = located{binaryExpr{t.text, left, next()}, t.line}
	}
	return left
}

func (p *parser) sum() expr { return p.binary(p.concat, "+", "-") }

func (p *parser) concat() expr {
	parts := []expr{p.term()}
	for p.skipOp("~") {
		parts = append(parts, p.term())
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return concatExpr{parts}
}

func (p *parser) term() expr { return p.binary(p.power, "*", "/", "//", "%") }

func (p *parser) power() expr {
	return p.binary(func() expr { return p.unary(true) }, "**")
}

func (p *parser) unary(withFilter bool) expr {
	defer p.enter()()
	var e expr
	switch {
	case p.skipOp("-"):
		e = unaryExpr{"-", p.unary(false)}
	case p.skipOp("+"):
		e = unaryExpr{"+", p.unary(false)}
	default:
		e = p.primary()
	}
	e = p.postfix(e)
	if withFilter {
		e = p.filterOrTest(e)
	}
	return e
}

func (p *parser) primary() expr {
	t := p.next()
	switch t.kind {
	case tokenName:
		switch t.text {
		case "true", "True":
			return literal{true}
		case "false", "False":
			return literal{false}
		case "none", "None":
			return literal{nil}
		}
		return located{name{t.text}, t.line}
	case tokenString:
		text := t.text
		for p.peek().kind == tokenString { // adjacent strings are one
			text += p.next().text
		}
		return literal{text}
	case tokenInt, tokenFloat:
		return literal{t.value}
	case tokenOperator:
		switch t.text {
		case "(":
			return p.parenthesis()
		case "[":
			return p.list()
		case "{":
			return p.dict()
		}
	}
	if t.kind != tokenEOF {
		p.at--
	}
	p.fail("expected an expression, found %s", describe(t))
	return nil
}

func (p *parser) parenthesis() expr {
	if p.skipOp(")") {
		return listExpr{tuple: true}
	}
	e := p.tupleOrExpr()
	p.wantOp(")")
	return e
}

func (p *parser) list() expr {
	l := listExpr{}
	for !p.isOp("]") {
		if len(l.items) > 0 {
			p.wantOp(",")
			if p.isOp("]") {
				break
			}
		}
		l.items = append(l.items, p.expression())
	}
	p.wantOp("]")
	return l
}

func (p *parser) dict() expr {
	d := dictExpr{}
	for !p.isOp("}") {
		if len(d.keys) > 0 {
			p.wantOp(",")
			if p.isOp("}") {
				break
			}
		}
		d.keys = append(d.keys, p.expression())
		p.wantOp(":")
		d.values = append(d.values, p.expression())
	}
	p.wantOp("}")
	return d
}

// postfix parses .name, [key] and (call).
func (p *parser) postfix(e expr) expr {
	for {
		line := p.peek().line
		switch {
		case p.skipOp("."):
			t := p.next()
			switch t.kind {
			case tokenName:
				e = located{attrExpr{e, t.text}, line}
			case tokenInt:
				e = located{itemExpr{e, literal{t.value}}, line}
			default:
				p.at--
				p.fail("expected a name after \".\"")
			}
		case p.isOp("["):
			e = located{p.subscript(e), line}
		case p.isOp("("):
			call := callExpr{e, p.arguments()}
			p.noteCall(call.callee, call.args)
			e = call
		default:
			return e
		}
	}
}

func (p *parser) subscript(of expr) expr {
	p.wantOp("[")
	var parts [3]expr
	n, sliced := 0, false
	for !p.isOp("]") {
		if p.skipOp(":") {
			sliced = true
			if n++; n > 2 {
				p.fail("a slice has at most three parts")
			}
			continue
		}
		if parts[n] != nil {
			p.fail("unexpected %s in a subscript", describe(p.peek()))
		}
		parts[n] = p.expression()
		if p.isOp(",") {
			p.fail("a subscript of several keys is not supported")
		}
	}
	p.wantOp("]")
	if sliced {
		return sliceExpr{of, parts[0], parts[1], parts[2]}
	}
	if parts[0] == nil {
		p.fail("an empty subscript")
	}
	p.compares(parts[0], of) // of may be a dict that has what it looks for
	return itemExpr{of, parts[0]}
}

func (p *parser) arguments() (a arguments) {
	p.wantOp("(")
	for first := true; !p.isOp(")"); first = false {
		if !first {
			p.wantOp(",")
			if p.isOp(")") {
				break
			}
		}
		switch {
		case p.skipOp("**"):
			a.starKwargs = p.expression()
		case p.skipOp("*"):
			a.starArgs = p.expression()
		case p.peek().kind == tokenName && p.tokens[p.at+1].kind == tokenOperator && p.tokens[p.at+1].text == "=":
			n := p.wantName()
			p.at++
			a.names = append(a.names, n)
			a.keywords = append(a.keywords, p.expression())
		default:
			if len(a.names) > 0 || a.starKwargs != nil {
				p.fail("a positional argument after a keyword")
			}
			a.positional = append(a.positional, p.expression())
		}
	}
	p.wantOp(")")
	return a
}

func (p *parser) dottedName() string {
	n := p.wantName()
	for p.skipOp(".") {
		n += "." + p.wantName()
	}
	return n
}

func (p *parser) filterOrTest(e expr) expr {
	for {
		line := p.peek().line
		switch {
		case p.skipOp("|"):
			f := filterExpr{of: e, name: p.dottedName()}
			p.knownFilter(f.name)
			if p.isOp("(") {
				f.args = p.arguments()
			}
			e = located{f, line}
		case p.skipName("is"):
			e = located{p.test(e), line}
		case p.isOp("("):
			e = callExpr{e, p.arguments()}
		default:
			return e
		}
	}
}

func (p *parser) test(of expr) expr {
	t := testExpr{of: of, negate: p.skipName("not")}
	t.name = p.dottedName()
	if _, ok := tests[t.name]; !ok {
		p.unknown = append(p.unknown, &Error{p.peek().line, noTest(t.name)})
	}
	next := p.peek()
	switch {
	case p.isOp("("):
		t.args = p.arguments()
	case next.kind == tokenString, next.kind == tokenInt, next.kind == tokenFloat, p.isOp("["), p.isOp("{"),
		next.kind == tokenName && !slices.Contains([]string{"else", "or", "and", "if", "is", "in", "not", "recursive"}, next.text):
		t.args.positional = []expr{p.postfix(p.primary())}
	}
	p.noteTest(t)
	return t
}
