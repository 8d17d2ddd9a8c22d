package jinja

import "fmt"

// This file owns evaluating expressions: names, displays, calls. Operators are in operators.go.

func (e *evaluation) eval(x expr) Value {
	defer e.enter()()
	switch x := x.(type) {
	case located:
		e.line = x.line
		return e.eval(x.expr)
	case literal:
		return x.value
	case name:
		if v, ok := e.lookup(x.id); ok {
			return v
		}
		return &undefined{fmt.Sprintf("%q is undefined", x.id)}
	case listExpr:
		l := &List{Tuple: x.tuple, Items: make([]Value, 0, len(x.items))}
		e.allocate(16 * len(x.items))
		for _, item := range x.items {
			l.Items = append(l.Items, e.eval(item))
		}
		return l
	case dictExpr:
		return e.dictDisplay(x)
	case attrExpr:
		return e.attribute(e.eval(x.of), x.name)
	case itemExpr:
		return e.item(e.eval(x.of), e.eval(x.key))
	case sliceExpr:
		return e.slice(x)
	case callExpr:
		callee := e.eval(x.callee)
		return e.call(callee, e.arguments(x.args))
	case filterExpr:
		return e.filter(x, e.eval(x.of))
	case testExpr:
		v := e.eval(x.of)
		e.read(v)
		t, ok := tests[x.name]
		if !ok {
			e.fail("%s", noTest(x.name))
		}
		return t(e, v, e.arguments(x.args)) != x.negate
	case condExpr:
		if truth(e.eval(x.test)) {
			return e.eval(x.yes)
		}
		if x.no == nil {
			return &undefined{"the inline if-expression has no else"}
		}
		return e.eval(x.no)
	case unaryExpr:
		return e.unary(x.op, e.eval(x.of))
	case binaryExpr:
		return e.binary(x)
	case compareExpr:
		return e.compare(x)
	case concatExpr:
		return e.concat(x)
	}
	e.fail("unknown expression %T", x)
	return nil
}

func (e *evaluation) filter(x filterExpr, v Value) Value {
	e.read(v)
	f, ok := filters[x.name]
	if !ok {
		e.fail("%s", noFilter(x.name))
	}
	return f(e, v, e.arguments(x.args))
}

func (e *evaluation) dictDisplay(x dictExpr) Value {
	d := NewDict()
	e.allocate(32 * len(x.keys))
	for i := range x.keys {
		d.Set(e.hashable(e.eval(x.keys[i])), e.eval(x.values[i]))
	}
	return d
}

// hashable refuses keys that Python has no hash for.
func (e *evaluation) hashable(v Value) Value {
	switch x := v.(type) {
	case *Dict:
		e.fail("unhashable type: 'dict'")
	case *List:
		if !x.Tuple {
			e.fail("unhashable type: 'list'")
		}
		for _, item := range x.Items {
			e.hashable(item)
		}
	}
	e.read(v)
	return v
}

func (e *evaluation) concat(x concatExpr) Value {
	var b builder
	for _, part := range x.parts {
		v := e.eval(part)
		t := e.text(v)
		if e.autoescape {
			t = e.escape(v)
		}
		e.allocate(len(t.s))
		b.write(t)
	}
	return e.markup(b.text())
}

func (e *evaluation) arguments(a arguments) *callArgs {
	c := &callArgs{}
	for _, x := range a.positional {
		c.positional = append(c.positional, e.eval(x))
	}
	if a.starArgs != nil {
		c.positional = append(c.positional, e.iterate(e.eval(a.starArgs))...)
	}
	for i, x := range a.keywords {
		c.names = append(c.names, a.names[i])
		c.keywords = append(c.keywords, e.eval(x))
	}
	if a.starKwargs != nil {
		d, ok := e.eval(a.starKwargs).(*Dict)
		if !ok {
			e.fail("the argument after ** must be a mapping")
		}
		for _, k := range d.keys {
			v, _ := d.Get(k)
			c.names = append(c.names, e.str(k))
			c.keywords = append(c.keywords, v)
		}
	}
	for _, v := range c.positional {
		e.read(v)
	}
	for _, v := range c.keywords {
		e.read(v)
	}
	e.allocate(16 * (len(c.positional) + len(c.keywords)))
	return c
}

func (e *evaluation) call(callee Value, a *callArgs) Value {
	e.spend(1)
	switch f := callee.(type) {
	case function:
		return f.call(e, a)
	case *loop:
		if f.recurse == nil {
			e.fail("the loop is not recursive")
		}
		v, _ := a.get(0, "iterable")
		return f.recurse(v)
	case *undefined:
		e.fail("%s", f.hint)
	}
	e.fail("%s object is not callable", typeName(callee))
	return nil
}
