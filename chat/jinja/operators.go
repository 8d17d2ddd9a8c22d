package jinja

import (
	"math"
	"math/big"
	"slices"
	"strings"
)

// This file owns the operators: arithmetic with Python's integers and floats, and comparisons.

func (e *evaluation) unary(op string, v Value) Value {
	if op != "not" {
		e.defined(v)
	}
	switch op {
	case "not":
		return !truth(v)
	case "-", "+":
		sign := int64(1)
		if op == "-" {
			sign = -1
		}
		if n, ok := bigOf(v); ok {
			return shrink(new(big.Int).Mul(n, big.NewInt(sign)))
		}
		if f, ok := v.(float64); ok {
			return f * float64(sign)
		}
	}
	e.fail("bad operand type for unary %s: %s", op, typeName(v))
	return nil
}

// defined refuses an undefined operand.
func (e *evaluation) defined(v Value) Value {
	if u, ok := v.(*undefined); ok {
		e.fail("%s", u.hint)
	}
	return v
}

func (e *evaluation) binary(x binaryExpr) Value {
	left := e.eval(x.left)
	switch x.op {
	case "and":
		if !truth(left) {
			return left
		}
		return e.eval(x.right)
	case "or":
		if truth(left) {
			return left
		}
		return e.eval(x.right)
	}
	return e.arithmetic(x.op, e.defined(left), e.defined(e.eval(x.right)))
}

func (e *evaluation) arithmetic(op string, a, b Value) Value {
	x, okA := bigOf(a)
	y, okB := bigOf(b)
	if okA && okB {
		return e.integers(op, x, y)
	}
	f, okF := floatOf(a)
	g, okG := floatOf(b)
	if okF && okG {
		return e.floats(op, f, g)
	}
	switch op {
	case "+":
		return e.add(a, b)
	case "*":
		return e.repeat(a, b)
	case "%":
		if t, ok := asText(a); ok {
			return e.percent(t, b)
		}
	}
	e.fail("unsupported operand type(s) for %s: %s and %s", op, typeName(a), typeName(b))
	return nil
}

func (e *evaluation) integers(op string, x, y *big.Int) Value {
	r := new(big.Int)
	switch op {
	case "+":
		r.Add(x, y)
	case "-":
		r.Sub(x, y)
	case "*":
		r.Mul(x, y)
	case "/":
		f, _ := floatOf(x)
		g, _ := floatOf(y)
		return e.floats(op, f, g)
	case "//", "%":
		if y.Sign() == 0 {
			e.fail("integer division or modulo by zero")
		}
		q, m := new(big.Int).DivMod(x, y, new(big.Int)) // Euclidean: m >= 0
		if m.Sign() != 0 && y.Sign() < 0 {              // Python's follows the divisor's sign
			q.Sub(q, big.NewInt(1))
			m.Add(m, y)
		}
		r = q
		if op == "%" {
			r = m
		}
	case "**":
		return e.power(x, y)
	}
	if r.BitLen() > maxIntBits {
		e.fail("an integer that is too large")
	}
	return shrink(r)
}

func (e *evaluation) power(x, y *big.Int) Value {
	if y.Sign() < 0 {
		f, _ := floatOf(x)
		g, _ := floatOf(y)
		return e.floats("**", f, g)
	}
	if !y.IsInt64() || int64(x.BitLen())*y.Int64() > maxIntBits || (y.Int64() > maxIntBits && x.BitLen() > 1) {
		e.fail("an integer that is too large")
	}
	if x.BitLen() <= 1 { // -1, 0 and 1 to whatever power
		y = new(big.Int).Add(big.NewInt(2), new(big.Int).And(y, big.NewInt(1)))
	}
	return shrink(new(big.Int).Exp(x, y, nil))
}

func (e *evaluation) floats(op string, f, g float64) Value {
	if g == 0 && (op == "/" || op == "//" || op == "%") {
		e.fail("division by zero")
	}
	switch op {
	case "+":
		return f + g
	case "-":
		return f - g
	case "*":
		return f * g
	case "/":
		return f / g
	case "//":
		return math.Floor(f / g)
	case "%":
		m := math.Mod(f, g)
		if m != 0 && (m < 0) != (g < 0) {
			m += g
		}
		return m
	}
	return math.Pow(f, g)
}

func (e *evaluation) add(a, b Value) Value {
	if s, ok := asText(a); ok {
		t, ok := asText(b)
		if !ok {
			e.fail("can only concatenate str (not %q) to str", typeName(b))
		}
		e.allocate(len(s.s) + len(t.s))
		if s.safe || t.safe {
			sum := joined(e.escape(a), e.escape(b))
			sum.safe = true
			return sum
		}
		return joined(s, t).value()
	}
	x, okA := a.(*List)
	y, okB := b.(*List)
	if okA && okB && x.Tuple == y.Tuple {
		e.allocate(16 * (len(x.Items) + len(y.Items)))
		return &List{Items: append(append([]Value{}, x.Items...), y.Items...), Tuple: x.Tuple}
	}
	e.fail("unsupported operand type(s) for +: %s and %s", typeName(a), typeName(b))
	return nil
}

// repeat is a string or list times an integer, either way round.
func (e *evaluation) repeat(a, b Value) Value {
	if isInt(a) {
		a, b = b, a
	}
	n, ok := bigOf(b)
	if !ok || (!n.IsInt64() && n.Sign() > 0) {
		e.fail("can't multiply sequence by %s", typeName(b))
	}
	times := max(n.Int64(), 0)
	if t, ok := asText(a); ok {
		if len(t.s) > 0 && times > maxMemory/int64(len(t.s)) {
			e.fail("the template takes too much memory")
		}
		e.allocate(len(t.s) * int(times))
		return text{s: strings.Repeat(t.s, int(times)), marks: slices.Repeat(t.marks, int(times))}.value()
	}
	l, ok := a.(*List)
	if !ok {
		e.fail("unsupported operand type(s) for *: %s and %s", typeName(a), typeName(b))
	}
	if len(l.Items) > 0 && times > maxMemory/16/int64(len(l.Items)) {
		e.fail("the template takes too much memory")
	}
	e.allocate(16 * len(l.Items) * int(times))
	out := &List{Tuple: l.Tuple}
	for range times {
		if len(l.Items) == 0 {
			break
		}
		out.Items = append(out.Items, l.Items...)
	}
	return out
}

func (e *evaluation) compare(x compareExpr) Value {
	left := e.eval(x.first)
	for i, op := range x.ops {
		right := e.eval(x.rest[i])
		if !e.compareOne(op, left, right) {
			return false
		}
		left = right
	}
	return true
}

func (e *evaluation) compareOne(op string, a, b Value) bool {
	switch op {
	case "==":
		return e.equal(a, b)
	case "!=":
		return !e.equal(a, b)
	case "in":
		return e.contains(b, a)
	case "not in":
		return !e.contains(b, a)
	}
	e.defined(a)
	e.defined(b)
	switch op {
	case "<":
		return e.less(a, b)
	case ">":
		return e.less(b, a)
	case "<=":
		return e.less(a, b) || e.equal(a, b)
	}
	return e.less(b, a) || e.equal(a, b)
}

// contains is v in container.
func (e *evaluation) contains(container, v Value) bool {
	if s, ok := textOf(container); ok {
		t, ok := textOf(v)
		if !ok {
			e.fail("'in <string>' requires string as left operand, not %s", typeName(v))
		}
		e.read(container)
		return strings.Contains(s, t)
	}
	switch c := container.(type) {
	case *Dict:
		_, ok := c.Get(e.hashable(v))
		return ok
	case *List:
		e.spend(int64(len(c.Items)))
		for _, item := range c.Items {
			if e.equal(item, v) {
				return true
			}
		}
		return false
	case *undefined:
		return false
	}
	e.fail("argument of type %s is not iterable", typeName(container))
	return false
}
