package jinja

import (
	"fmt"
	"time"
)

// This file owns rendering: limits, scopes and statements.

// Limits bound what one rendering may take. Every loop turn and every node costs a step; strings and
// lists cost the memory they are made of. They grow with what came in (Options.Input), since most of the work is to pass that
// on: a conversation that is too long is to be told so, not that its template is at fault.
const (
	maxSteps  = 1 << 19
	maxMemory = 12 << 20 // bytes of strings, and 16 for a list element
	maxOutput = 4 << 20
	maxDepth  = 256 // nested evaluations: a macro that calls itself, a list in a list

	// For each byte that came in: a template joins and trims a text in a few operations, each of which copies it, and looks at
	// it some ten times. Most write it once.
	memoryPerByte, outputPerByte, bytesPerInputStep = 8, 2, 4

	bytesPerStep, entriesPerStep = 64, 4 // that are looked at; about what a node costs
)

// Options of a rendering.
type Options struct {
	// Now is the clock of strftime_now; nil: the system's.
	Now func() time.Time
	// Input is the bytes of what the variables were made of, which the limits grow with.
	Input int
}

// scope is a level of variables. Assignments go to the innermost; lookups walk outwards, so that a
// macro sees what is set later where it was defined, as closures do.
type scope struct {
	vars  map[string]Value
	outer *scope
}

// evaluation is one rendering.
type evaluation struct {
	options    Options
	scope      *scope
	out        *builder
	steps      int64
	memory     int64
	depth      int
	line       int
	autoescape bool
	control    string // "break" or "continue" on its way to the loop
}

// renderError is how an evaluation leaves its recursion.
type renderError struct{ err *Error }

// Render renders the template with the variables. An error is an *Error.
func (t *Template) Render(vars *Dict, o Options) (rendered Rendered, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	e := &evaluation{options: o, out: &builder{}, line: 1}
	e.scope = &scope{vars: globals()}
	e.push()
	for _, k := range vars.Keys() {
		if n, ok := textOf(k); ok {
			e.scope.vars[n], _ = vars.Get(k)
		}
	}
	e.push()
	defer func() {
		if r := recover(); r != nil {
			failed, ours := r.(renderError)
			if !ours {
				panic(r)
			}
			rendered, err = Rendered{}, failed.err
		}
	}()
	e.run(t.body)
	out := e.out.text()
	return Rendered{out.s, out.marks}, nil
}

func (e *evaluation) fail(format string, args ...any) {
	panic(renderError{&Error{e.line, fmt.Sprintf(format, args...)}})
}

// spend counts steps.
func (e *evaluation) spend(n int64) {
	if e.steps += n; e.steps > maxSteps+int64(e.options.Input/bytesPerInputStep) {
		e.fail("the template takes too many steps")
	}
}

// read counts the steps of an operation that looks at all of v, as most filters, tests and methods do.
// Without it a loop over one that allocates nothing (s.count, s|length) would take minutes of megabytes.
func (e *evaluation) read(v Value) {
	if s, ok := textOf(v); ok {
		e.spend(int64(len(s) / bytesPerStep))
		return
	}
	switch x := v.(type) {
	case *List:
		e.spend(int64(len(x.Items) / entriesPerStep))
	case *Dict:
		e.spend(int64(len(x.keys) / entriesPerStep))
	}
}

// allocate counts bytes; call it before they are taken where their number is known.
func (e *evaluation) allocate(bytes int) {
	if e.memory += int64(bytes); e.memory > maxMemory+memoryPerByte*int64(e.options.Input) || bytes < 0 {
		e.fail("the template takes too much memory")
	}
}

// enter bounds nesting.
func (e *evaluation) enter() func() {
	e.spend(1)
	if e.depth++; e.depth > maxDepth {
		e.fail("the template nests too deeply")
	}
	return e.leave
}

func (e *evaluation) leave() { e.depth-- }

func (e *evaluation) push() { e.scope = &scope{vars: map[string]Value{}, outer: e.scope} }

func (e *evaluation) pop() { e.scope = e.scope.outer }

func (e *evaluation) lookup(n string) (Value, bool) {
	for s := e.scope; s != nil; s = s.outer {
		if v, ok := s.vars[n]; ok {
			return v, true
		}
	}
	return nil, false
}

func (e *evaluation) write(t text) {
	e.allocate(len(t.s))
	if e.out.Len()+len(t.s) > maxOutput+outputPerByte*e.options.Input {
		e.fail("the template writes too much")
	}
	e.out.write(t)
}

// capture runs f and returns what it wrote.
func (e *evaluation) capture(f func()) text {
	outer := e.out
	e.out = &builder{}
	defer func() { e.out = outer }()
	f()
	return e.out.text()
}

// markup is captured text: safe where autoescape is on.
func (e *evaluation) markup(t text) Value {
	t.safe = e.autoescape
	return t.value()
}

func (e *evaluation) run(nodes []node) {
	defer e.enter()()
	for _, n := range nodes {
		if e.control != "" {
			return
		}
		e.spend(1)
		e.statement(n)
	}
}

func (e *evaluation) statement(n node) {
	switch n := n.(type) {
	case dataNode:
		e.write(text{s: n.text})
	case outputNode:
		e.line = n.line
		v := e.eval(n.value)
		if e.autoescape {
			v = e.escape(v)
		}
		e.write(e.text(v))
	case ifNode:
		e.ifStatement(n)
	case forNode:
		e.line = n.line
		e.forStatement(n, e.eval(n.iter), 0)
	case setNode:
		e.line = n.line
		e.assign(n.target, e.eval(n.value))
	case setBlockNode:
		e.line = n.line
		e.assign(n.target, e.applyFilters(n.filters, e.markup(e.scoped(n.body))))
	case *macroNode:
		e.scope.vars[n.name] = e.macro(n)
	case callNode:
		e.callStatement(n)
	case filterNode:
		e.line = n.line
		e.write(e.text(e.applyFilters(n.filters, e.markup(e.scoped(n.body)))))
	case withNode:
		e.withStatement(n)
	case autoescapeNode:
		outer := e.autoescape
		e.autoescape = truth(e.eval(n.on))
		e.run(n.body)
		e.autoescape = outer
	case groupNode:
		e.push()
		e.run(n.body)
		e.pop()
	case loopControl:
		e.control = map[bool]string{true: "break", false: "continue"}[n.isBreak]
	}
}

// scoped runs a body in a scope of its own and returns its text.
func (e *evaluation) scoped(body []node) text {
	return e.capture(func() {
		e.push()
		e.run(body)
		e.pop()
	})
}

func (e *evaluation) ifStatement(n ifNode) {
	for i, test := range n.tests {
		e.line = n.line
		if truth(e.eval(test)) {
			e.run(n.bodies[i])
			return
		}
	}
	e.run(n.orElse)
}

func (e *evaluation) withStatement(n withNode) {
	e.line = n.line
	var values []Value
	for _, v := range n.values {
		values = append(values, e.eval(v))
	}
	e.push()
	for i, t := range n.targets {
		e.assign(t, values[i])
	}
	e.run(n.body)
	e.pop()
}

func (e *evaluation) assign(t target, v Value) {
	switch {
	case t.parts != nil:
		items := e.iterate(v)
		if len(items) != len(t.parts) {
			e.fail("%d values for %d names", len(items), len(t.parts))
		}
		for i, part := range t.parts {
			e.assign(part, items[i])
		}
	case t.attr != "":
		owner, _ := e.lookup(t.name)
		ns, ok := owner.(*namespace)
		if !ok {
			e.fail("cannot assign attribute on non-namespace object %q", t.name)
		}
		ns.vars.Set(t.attr, v)
	default:
		e.scope.vars[t.name] = v
	}
}

// loop is the variable of that name.
type loop struct {
	items   []Value
	at      int
	depth   int
	changed []Value
	hasSeen bool
	recurse func(Value) Value // nil unless recursive
}

func (e *evaluation) forStatement(n forNode, over Value, depth int) {
	items := e.iterate(over)
	if n.filter != nil {
		items = e.filterItems(n, items)
	}
	if len(items) == 0 {
		e.push()
		e.run(n.orElse)
		e.pop()
		return
	}
	l := &loop{items: items, depth: depth}
	if n.recursive {
		l.recurse = func(v Value) Value {
			return e.markup(e.capture(func() { e.forStatement(n, v, depth+1) }))
		}
	}
	for i, item := range items {
		l.at = i
		e.spend(1)
		e.push()
		e.scope.vars["loop"] = l
		e.assign(n.target, item)
		e.run(n.body)
		e.pop()
		stop := e.control == "break"
		e.control = ""
		if stop {
			return
		}
	}
}

func (e *evaluation) filterItems(n forNode, items []Value) []Value {
	var kept []Value
	for _, item := range items {
		e.push()
		e.assign(n.target, item)
		if truth(e.eval(n.filter)) {
			kept = append(kept, item)
		}
		e.pop()
	}
	e.allocate(16 * len(kept))
	return kept
}

func (e *evaluation) applyFilters(list []filterExpr, v Value) Value {
	for _, f := range list {
		v = e.filter(f, v)
	}
	return v
}
