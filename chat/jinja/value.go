package jinja

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// This file owns values: Python's, as far as templates see them.

// Value is nil (None), bool, int64, *big.Int (beyond int64), float64, string, text, *List, *Dict,
// *undefined, *namespace, *loop, or function.
type Value any

// List is a list or, if Tuple, a tuple.
type List struct {
	Items  []Value
	Tuple  bool
	fields []string // of a named tuple
	// printed is how str() writes what is no list in Python, "" for one: "range(0, 3)", or "dict_items(" and ")" around it as a list.
	printed, shut string
}

// Dict keeps the order of insertion.
type Dict struct {
	keys   []Value
	values map[any]Value
}

// NewDict returns an empty dict.
func NewDict() *Dict { return &Dict{values: map[any]Value{}} }

// Set adds or replaces a key, which must be a scalar.
func (d *Dict) Set(key, value Value) {
	h := hashKey(key)
	if _, ok := d.values[h]; !ok {
		d.keys = append(d.keys, key)
	}
	d.values[h] = value
}

// Get returns a key's value.
func (d *Dict) Get(key Value) (Value, bool) {
	v, ok := d.values[hashKey(key)]
	return v, ok
}

// Keys lists the keys in order.
func (d *Dict) Keys() []Value { return d.keys }

// Copy returns a dict with the same keys and values.
func (d *Dict) Copy() *Dict {
	c := NewDict()
	for _, k := range d.keys {
		c.Set(k, d.values[hashKey(k)])
	}
	return c
}

// hashKey makes equal keys equal: 1, 1.0 and true are one key, and a tuple is its content.
func hashKey(v Value) any {
	switch x := v.(type) {
	case bool:
		return boolInt(x)
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			return int64(x)
		}
	case *big.Int:
		return "big:" + x.String()
	case string:
		return "s" + x
	case text:
		return "s" + x.s
	case *List:
		parts := make([]string, len(x.Items))
		for i, item := range x.Items {
			parts[i] = fmt.Sprintf("%T%v", item, hashKey(item))
		}
		return "t" + strings.Join(parts, "\x00")
	}
	return v
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// undefined is a missing name or attribute; it prints as nothing and refuses to be used.
type undefined struct{ hint string }

// namespace is a mutable bag: the one thing that assignments inside loops reach.
type namespace struct{ vars *Dict }

// function is anything callable.
type function struct {
	name string
	call func(*evaluation, *callArgs) Value
}

// callArgs are evaluated arguments.
type callArgs struct {
	positional []Value
	names      []string
	keywords   []Value
}

func (a *callArgs) keyword(n string) (Value, bool) {
	if i := slices.Index(a.names, n); i >= 0 {
		return a.keywords[i], true
	}
	return nil, false
}

// get is the argument at position i or by name.
func (a *callArgs) get(i int, n string) (Value, bool) {
	if i >= 0 && i < len(a.positional) {
		return a.positional[i], true
	}
	return a.keyword(n)
}

func (a *callArgs) or(i int, n string, otherwise Value) Value {
	if v, ok := a.get(i, n); ok {
		return v
	}
	return otherwise
}

// maxIntBits bounds big integers; no template needs more.
const maxIntBits = 4096

// shrink gives a big integer its smallest form.
func shrink(n *big.Int) Value {
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}

func bigOf(v Value) (*big.Int, bool) {
	switch x := v.(type) {
	case int64:
		return big.NewInt(x), true
	case bool:
		return big.NewInt(boolInt(x)), true
	case *big.Int:
		return x, true
	}
	return nil, false
}

func isInt(v Value) bool { _, ok := bigOf(v); return ok }

func isNumber(v Value) bool {
	_, f := v.(float64)
	return f || isInt(v)
}

func floatOf(v Value) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case int64:
		return float64(x), true
	case bool:
		return float64(boolInt(x)), true
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		return f, true
	}
	return 0, false
}

func truth(v Value) bool {
	switch x := v.(type) {
	case nil, *undefined:
		return false
	case bool:
		return x
	case int64:
		return x != 0
	case float64:
		return x != 0
	case string:
		return x != ""
	case text:
		return x.s != ""
	case *List:
		return len(x.Items) > 0
	case *Dict:
		return len(x.keys) > 0
	}
	return true
}

func typeName(v Value) string {
	switch x := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string, text:
		return "str"
	case *List:
		switch kind, _, _ := strings.Cut(x.printed, "("); {
		case kind != "":
			return kind
		case x.Tuple:
			return "tuple"
		}
		return "list"
	case *Dict:
		return "dict"
	case *undefined:
		return "Undefined"
	case function:
		return "function"
	}
	return "object"
}

// equal is Python's ==.
func (e *evaluation) equal(a, b Value) bool {
	defer e.enter()()
	if x, ok := floatOf(a); ok {
		y, ok := floatOf(b)
		if bx, isInt := bigOf(a); isInt && ok {
			if by, isInt := bigOf(b); isInt {
				return bx.Cmp(by) == 0
			}
		}
		return ok && x == y
	}
	if x, ok := textOf(a); ok {
		y, ok := textOf(b)
		e.read(a)
		return ok && x == y
	}
	switch x := a.(type) {
	case nil:
		return b == nil
	case *undefined:
		_, ok := b.(*undefined)
		return ok
	case *List:
		y, ok := b.(*List)
		return ok && x.Tuple == y.Tuple && (x.printed == "") == (y.printed == "") && e.equalItems(x.Items, y.Items)
	case *Dict:
		y, ok := b.(*Dict)
		if !ok || len(x.keys) != len(y.keys) {
			return false
		}
		for _, k := range x.keys {
			v, found := y.Get(k)
			mine, _ := x.Get(k)
			if !found || !e.equal(mine, v) {
				return false
			}
		}
		return true
	case *namespace:
		y, ok := b.(*namespace)
		return ok && x == y
	}
	return false
}

func (e *evaluation) equalItems(a, b []Value) bool {
	e.spend(int64(len(a)))
	return slices.EqualFunc(a, b, e.equal)
}

// less is Python's <; unlike types have no order.
func (e *evaluation) less(a, b Value) bool {
	defer e.enter()()
	if x, ok := bigOf(a); ok {
		if y, ok := bigOf(b); ok {
			return x.Cmp(y) < 0
		}
	}
	if x, ok := floatOf(a); ok {
		if y, ok := floatOf(b); ok {
			return x < y
		}
	}
	if x, ok := textOf(a); ok {
		if y, ok := textOf(b); ok {
			e.read(a)
			return x < y // UTF-8 keeps the order of code points
		}
	}
	x, isList := a.(*List)
	if y, ok := b.(*List); ok && isList && x.Tuple == y.Tuple {
		for i := range min(len(x.Items), len(y.Items)) {
			if !e.equal(x.Items[i], y.Items[i]) {
				return e.less(x.Items[i], y.Items[i])
			}
		}
		return len(x.Items) < len(y.Items)
	}
	e.fail("'<' not supported between %s and %s", typeName(a), typeName(b))
	return false
}

// length is len(v).
func (e *evaluation) length(v Value) int {
	if s, ok := textOf(v); ok {
		return utf8.RuneCountInString(s)
	}
	switch x := v.(type) {
	case *List:
		return len(x.Items)
	case *Dict:
		return len(x.keys)
	case *undefined:
		return 0
	case *loop:
		return len(x.items)
	}
	e.fail("object of type %s has no len()", typeName(v))
	return 0
}

// iterate is what a for loop over v sees.
func (e *evaluation) iterate(v Value) []Value {
	if t, ok := asText(v); ok {
		e.spend(int64(len(t.s)))
		return t.characters()
	}
	switch x := v.(type) {
	case *List:
		return x.Items
	case *Dict:
		return x.keys
	case *undefined:
		return nil
	}
	e.fail("%s object is not iterable", typeName(v))
	return nil
}

func newList(items []Value) *List { return &List{Items: items} }

func newTuple(items ...Value) *List { return &List{Items: items, Tuple: true} }
