package jinja

import (
	"fmt"
	"slices"
)

// This file owns macros: what their bodies take, and how they are called.

// macroBody parses a macro's body, which says by naming them whether it takes arguments beyond its parameters.
func (p *parser) macroBody(m *macroNode, end string) {
	begin := p.at
	m.body = p.closed(end)
	names := func(n string) bool {
		return slices.ContainsFunc(p.tokens[begin:p.at], func(t token) bool { return t.kind == tokenName && t.text == n })
	}
	m.varargs, m.kwargs, m.caller = names("varargs"), names("kwargs"), names("caller")
}

// macro makes a callable of a definition; it closes over the scope it stands in.
func (e *evaluation) macro(m *macroNode) function {
	home := e.scope
	return function{name: m.name, call: func(e *evaluation, a *callArgs) Value {
		defer e.enter()()
		outer, line := e.scope, e.line
		e.scope = home
		e.push()
		e.bind(m, a)
		text := e.capture(func() { e.run(m.body) })
		e.scope, e.line, e.control = outer, line, ""
		return e.markup(text)
	}}
}

// bind gives a macro's parameters their values.
func (e *evaluation) bind(m *macroNode, a *callArgs) {
	vars := e.scope.vars
	if n := len(a.positional); n > len(m.params) && !m.varargs {
		e.fail("the macro %s takes at most %d arguments, it has %d", m.name, len(m.params), n)
	}
	for _, n := range a.names {
		at := slices.Index(m.params, n)
		if at < 0 && !m.kwargs && !(n == "caller" && m.caller) {
			e.fail("the macro %s has no argument %q", m.name, n)
		}
		if at >= 0 && at < len(a.positional) {
			e.fail("the macro %s has two values for its argument %q", m.name, n)
		}
	}
	for i, p := range m.params {
		v, given := a.get(i, p)
		if first := len(m.params) - len(m.defaults); !given && i >= first {
			v = e.eval(m.defaults[i-first])
		} else if !given {
			v = &undefined{fmt.Sprintf("parameter %q was not provided", p)}
		}
		vars[p] = v
	}
	rest := &List{Tuple: true}
	if len(a.positional) > len(m.params) {
		rest.Items = a.positional[len(m.params):]
	}
	kwargs := NewDict()
	for i, n := range a.names {
		if _, taken := vars[n]; !taken && n != "caller" {
			kwargs.Set(n, a.keywords[i])
		}
	}
	vars["varargs"], vars["kwargs"] = rest, kwargs
	if caller, ok := a.keyword("caller"); ok {
		vars["caller"] = caller
	} else if _, taken := vars["caller"]; !taken {
		vars["caller"] = &undefined{"No caller defined"}
	}
}

func (e *evaluation) callStatement(n callNode) {
	e.line = n.line
	call := n.call.(callExpr)
	args := e.arguments(call.args)
	args.names = append(args.names, "caller")
	args.keywords = append(args.keywords, e.macro(n.macro))
	e.write(e.text(e.call(e.eval(call.callee), args)))
}
