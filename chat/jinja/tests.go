package jinja

import "math/big"

// This file owns the tests: what stands behind "is".

type test func(e *evaluation, v Value, a *callArgs) bool

// tests is filled by init, since "is test" refers to the table.
var tests map[string]test

func init() {
	compare := func(op string) test {
		return func(e *evaluation, v Value, a *callArgs) bool { return e.compareOne(op, v, a.or(0, "b", nil)) }
	}
	is := func(f func(Value) bool) test { return func(_ *evaluation, v Value, _ *callArgs) bool { return f(v) } }
	t := map[string]test{
		"defined":   is(func(v Value) bool { _, u := v.(*undefined); return !u }),
		"undefined": is(func(v Value) bool { _, u := v.(*undefined); return u }),
		"none":      is(func(v Value) bool { return v == nil }),
		"boolean":   is(func(v Value) bool { _, ok := v.(bool); return ok }),
		"true":      is(func(v Value) bool { return v == true }),
		"false":     is(func(v Value) bool { return v == false }),
		"integer":   is(func(v Value) bool { _, b := v.(bool); return isInt(v) && !b }),
		"float":     is(func(v Value) bool { _, ok := v.(float64); return ok }),
		"number":    is(isNumber),
		"string":    is(func(v Value) bool { _, ok := textOf(v); return ok }),
		"escaped":   is(isSafe),
		"mapping":   is(func(v Value) bool { _, ok := v.(*Dict); return ok }),
		"sequence":  is(isSequence),
		"iterable":  is(isIterable),
		"callable":  is(func(v Value) bool { _, ok := v.(function); return ok }),
		"lower":     testCase(isLower),
		"upper":     testCase(isUpper),
		"odd":       testRemainder(2, 1),
		"even":      testRemainder(2, 0),
		"divisibleby": func(e *evaluation, v Value, a *callArgs) bool {
			return e.equal(e.arithmetic("%", v, a.or(0, "num", nil)), int64(0))
		},
		"sameas": func(e *evaluation, v Value, a *callArgs) bool { return same(e, v, a.or(0, "other", nil)) },
		"filter": func(e *evaluation, v Value, _ *callArgs) bool { _, ok := filters[e.str(v)]; return ok },
		"test":   func(e *evaluation, v Value, _ *callArgs) bool { _, ok := tests[e.str(v)]; return ok },
		"in":     func(e *evaluation, v Value, a *callArgs) bool { return e.contains(a.or(0, "seq", nil), v) },
	}
	comparisons := map[string][]string{
		"==": {"eq", "equalto"}, "!=": {"ne"}, "<": {"lt", "lessthan"}, "<=": {"le"}, ">": {"gt", "greaterthan"}, ">=": {"ge"},
	}
	for op, names := range comparisons {
		t[names[0]] = compare(op)
	}
	for n, s := range testSignatures {
		f := t[n]
		t[n] = func(e *evaluation, v Value, a *callArgs) bool {
			e.checkArguments("the test "+n, s, a)
			return f(e, v, a)
		}
	}
	for op, names := range comparisons {
		for _, n := range append(names, op) { // select('>=', 3) names it as it is written
			t[n] = t[names[0]]
		}
	}
	tests = t
}

func isSequence(v Value) bool {
	switch x := v.(type) {
	case *List:
		return x.shut == "" // views of dicts have no places
	case string, text, *Dict, *undefined:
		return true
	}
	return false
}

func isIterable(v Value) bool {
	switch v.(type) {
	case *loop, *List:
		return true
	}
	return isSequence(v)
}

func testCase(f func(string) bool) test {
	return func(e *evaluation, v Value, _ *callArgs) bool { return f(e.str(v)) }
}

func testRemainder(by, want int64) test {
	return func(e *evaluation, v Value, _ *callArgs) bool {
		return e.equal(e.arithmetic("%", v, by), want)
	}
}

// same is identity, which values without one answer by equality and type.
func same(e *evaluation, a, b Value) bool {
	switch x := a.(type) {
	case *List:
		y, ok := b.(*List)
		return ok && x == y
	case *Dict:
		y, ok := b.(*Dict)
		return ok && x == y
	case *big.Int:
		return false
	}
	return typeName(a) == typeName(b) && e.equal(a, b)
}
