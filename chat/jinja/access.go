package jinja

import (
	"fmt"
	"slices"
)

// This file owns attributes, items and slices.

// attribute is v.name: a method first, then an item, as jinja2 looks.
func (e *evaluation) attribute(v Value, n string) Value {
	if u, ok := v.(*undefined); ok {
		e.fail("%s", u.hint)
	}
	if m, ok := e.method(v, n); ok {
		return m
	}
	switch x := v.(type) {
	case *Dict:
		if value, ok := x.Get(n); ok {
			return value
		}
	case *List:
		if i := slices.Index(x.fields, n); i >= 0 {
			return x.Items[i]
		}
	case *namespace:
		if value, ok := x.vars.Get(n); ok {
			return value
		}
	case *loop:
		if value, ok := e.loopAttribute(x, n); ok {
			return value
		}
	}
	if isInt(v) && (n == "real" || n == "numerator") {
		return v
	}
	return missing(v, n)
}

func missing(v Value, n string) *undefined {
	if v == nil {
		return &undefined{fmt.Sprintf("'None' has no attribute %q", n)}
	}
	return &undefined{fmt.Sprintf("'%s object' has no attribute %q", typeName(v), n)}
}

// item is v[key]: an item first, then an attribute.
func (e *evaluation) item(v, key Value) Value {
	if u, ok := v.(*undefined); ok {
		e.fail("%s", u.hint)
	}
	if d, ok := v.(*Dict); ok {
		if value, found := d.Get(e.hashable(key)); found {
			return value
		}
	}
	if i, ok := bigOf(key); ok && i.IsInt64() {
		if value, found := e.at(v, i.Int64()); found {
			return value
		}
	}
	if n, ok := textOf(key); ok {
		return e.attribute(v, n)
	}
	return missing(v, e.reprText(key).s)
}

// at is element i of a sequence, from the end if negative.
func (e *evaluation) at(v Value, i int64) (Value, bool) {
	var items []Value
	switch x := v.(type) {
	case *List:
		items = x.Items
	case string, text:
		items = e.iterate(x)
	default:
		return nil, false
	}
	if i < 0 {
		i += int64(len(items))
	}
	if i < 0 || i >= int64(len(items)) {
		return nil, false
	}
	return items[i], true
}

// slice is v[start:stop:step] by Python's rules.
func (e *evaluation) slice(x sliceExpr) Value {
	v := e.defined(e.eval(x.of))
	items := e.iterate(v)
	step := e.bound(x.step, 1)
	if step == 0 {
		e.fail("slice step cannot be zero")
	}
	n := int64(len(items))
	start, stop := int64(0), n
	if step < 0 {
		start, stop = n-1, -1
	}
	if x.start != nil {
		start = clampIndex(e.bound(x.start, start), n, step)
	}
	if x.stop != nil {
		stop = clampIndex(e.bound(x.stop, stop), n, step)
	}
	var out []Value
	for i := start; (step > 0 && i < stop) || (step < 0 && i > stop); i += step {
		out = append(out, items[i])
	}
	e.allocate(16 * len(out))
	if _, ok := textOf(v); ok {
		return e.joinStrings(text{}, out)
	}
	l, ok := v.(*List)
	if !ok {
		e.fail("%s object is not sliceable", typeName(v))
	}
	return &List{Items: out, Tuple: l.Tuple}
}

// bound evaluates a slice's bound; None is absent.
func (e *evaluation) bound(x expr, otherwise int64) int64 {
	if x == nil {
		return otherwise
	}
	v := e.eval(x)
	if v == nil {
		return otherwise
	}
	n, ok := bigOf(v)
	if !ok {
		e.fail("slice indices must be integers or None")
	}
	if !n.IsInt64() {
		return int64(n.Sign()) << 40
	}
	return min(max(n.Int64(), -1<<40), 1<<40)
}

func clampIndex(i, n, step int64) int64 {
	if i < 0 {
		i += n
	}
	if step < 0 {
		return min(max(i, -1), n-1)
	}
	return min(max(i, 0), n)
}

// loopAttribute is a property of the loop variable.
func (e *evaluation) loopAttribute(l *loop, n string) (Value, bool) {
	at, length := int64(l.at), int64(len(l.items))
	switch n {
	case "index":
		return at + 1, true
	case "index0":
		return at, true
	case "revindex":
		return length - at, true
	case "revindex0":
		return length - at - 1, true
	case "first":
		return at == 0, true
	case "last":
		return at == length-1, true
	case "length":
		return length, true
	case "depth":
		return int64(l.depth) + 1, true
	case "depth0":
		return int64(l.depth), true
	case "previtem", "nextitem":
		next := l.at + map[string]int{"previtem": -1, "nextitem": 1}[n]
		if next < 0 || next >= len(l.items) {
			return &undefined{"there is no " + n}, true
		}
		return l.items[next], true
	case "cycle":
		return function{n, func(e *evaluation, a *callArgs) Value {
			if len(a.positional) == 0 {
				e.fail("no items for cycling given")
			}
			return a.positional[l.at%len(a.positional)]
		}}, true
	case "changed":
		return function{n, func(e *evaluation, a *callArgs) Value {
			same := l.hasSeen && e.equalItems(l.changed, a.positional)
			l.changed, l.hasSeen = slices.Clone(a.positional), true
			return !same
		}}, true
	}
	return nil, false
}
