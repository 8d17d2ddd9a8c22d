package jinja

import (
	"slices"
	"strings"
	"unicode"
)

// This file owns the methods of strings, lists and dicts: which there are. Those that change their object
// raise, as in the immutable sandbox. What string methods compute is in methods_text.go.

// method finds a bound method.
func (e *evaluation) method(v Value, n string) (Value, bool) {
	var f func(*evaluation, *callArgs) Value
	if t, ok := asText(v); ok {
		t.safe = false
		f = stringMethod(t, n)
	}
	switch x := v.(type) {
	case *List:
		f = listMethod(x, n)
	case *Dict:
		f = dictMethod(x, n)
	}
	if f == nil {
		return nil, false
	}
	e.read(v) // it is called next
	s, listed := methodSignatures[n]
	if !listed {
		return function{n, f}, true
	}
	return function{n, func(e *evaluation, a *callArgs) Value {
		e.checkArguments("the method "+n, s, a)
		return f(e, a)
	}}, true
}

func forbidden(n string) func(*evaluation, *callArgs) Value {
	return func(e *evaluation, _ *callArgs) Value {
		e.fail("%q would change a value, which a template may not", n)
		return nil
	}
}

func listMethod(l *List, n string) func(*evaluation, *callArgs) Value {
	switch n {
	case "append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove":
		if l.Tuple {
			return nil
		}
		return forbidden(n)
	case "index", "count":
		return func(e *evaluation, a *callArgs) Value {
			want, count := a.or(0, "value", nil), int64(0)
			begin, end := 0, len(l.Items)
			if n == "index" {
				begin, end = e.bounds(len(l.Items), a)
				end = max(begin, end)
			}
			for i, item := range l.Items[begin:end] {
				if e.equal(item, want) {
					if n == "index" {
						return int64(begin + i)
					}
					count++
				}
			}
			if n == "index" {
				e.fail("the value is not in the list")
			}
			return count
		}
	case "copy":
		return func(e *evaluation, _ *callArgs) Value {
			e.allocate(16 * len(l.Items))
			return newList(slices.Clone(l.Items))
		}
	}
	return nil
}

func dictMethod(d *Dict, n string) func(*evaluation, *callArgs) Value {
	switch n {
	case "clear", "pop", "popitem", "setdefault", "update":
		return forbidden(n)
	case "keys":
		return func(e *evaluation, _ *callArgs) Value {
			e.allocate(16 * len(d.keys))
			return view("dict_keys", slices.Clone(d.keys))
		}
	case "values":
		return func(e *evaluation, _ *callArgs) Value {
			out := &List{}
			for _, k := range d.keys {
				v, _ := d.Get(k)
				out.Items = append(out.Items, v)
			}
			e.allocate(16 * len(out.Items))
			return view("dict_values", out.Items)
		}
	case "items":
		return func(e *evaluation, _ *callArgs) Value { return view("dict_items", e.items(d).Items) }
	case "get":
		return func(e *evaluation, a *callArgs) Value {
			if v, ok := d.Get(e.hashable(a.or(0, "key", nil))); ok {
				return v
			}
			return a.or(1, "default", nil)
		}
	case "copy":
		return func(e *evaluation, _ *callArgs) Value {
			e.allocate(32 * len(d.keys))
			return d.Copy()
		}
	}
	return nil
}

// view is what Python's dicts give: it is used as a list and prints its kind.
func view(kind string, items []Value) *List {
	return &List{Items: items, printed: kind + "(", shut: ")"}
}

func (e *evaluation) items(d *Dict) *List {
	e.allocate(48 * len(d.keys))
	out := &List{}
	for _, k := range d.keys {
		v, _ := d.Get(k)
		out.Items = append(out.Items, newTuple(k, v))
	}
	return out
}

// stringPredicates hold for every character of a string that is not empty.
var stringPredicates = map[string]func(rune) bool{
	"isdigit": isDigit, "isdecimal": unicode.IsDigit, "isnumeric": unicode.IsNumber, "isalpha": unicode.IsLetter, "isspace": unicode.IsSpace,
	"isalnum": func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) },
}

func stringMethod(t text, n string) func(*evaluation, *callArgs) Value {
	if f, ok := stringMapping[n]; ok {
		return func(e *evaluation, _ *callArgs) Value {
			return e.cased(t, f).value()
		}
	}
	if f, ok := stringPredicates[n]; ok {
		return func(*evaluation, *callArgs) Value {
			return t.s != "" && strings.IndexFunc(t.s, func(r rune) bool { return !f(r) }) < 0
		}
	}
	if f, ok := stringMethods[n]; ok {
		return func(e *evaluation, a *callArgs) Value { return f(e, t, a) }
	}
	return nil
}

// isDigit is Python's, which raised and lowered digits are too.
func isDigit(r rune) bool {
	return unicode.IsDigit(r) || strings.ContainsRune("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", r)
}

type stringFunc func(e *evaluation, t text, a *callArgs) Value

var stringMethods map[string]stringFunc

func init() { // the table refers to functions that refer to it
	strip := func(left, right bool) stringFunc {
		return func(e *evaluation, t text, a *callArgs) Value {
			return e.strip(t, a.or(0, "", nil), left, right).value()
		}
	}
	split := func(right bool) stringFunc {
		return func(e *evaluation, t text, a *callArgs) Value { return e.split(t, a, right) }
	}
	partition := func(index func(string, string) int, right bool) stringFunc {
		return func(e *evaluation, t text, a *callArgs) Value { return e.partition(t, e.wantText(a, 0), index, right) }
	}
	justify := func(side int) stringFunc {
		return func(e *evaluation, t text, a *callArgs) Value { return e.justify(t, a, side) }
	}
	stringMethods = map[string]stringFunc{
		"strip": strip(true, true), "lstrip": strip(true, false), "rstrip": strip(false, true),
		"split": split(false), "rsplit": split(true),
		"splitlines": func(e *evaluation, t text, a *callArgs) Value {
			return e.splitLines(t, truth(a.or(0, "keepends", false)))
		},
		"partition": partition(strings.Index, false), "rpartition": partition(strings.LastIndex, true),
		"join":       func(e *evaluation, t text, a *callArgs) Value { return e.joinStrings(t, e.iterate(a.or(0, "", nil))) },
		"startswith": func(e *evaluation, t text, a *callArgs) Value { return e.affix(t.s, a, strings.HasPrefix) },
		"endswith":   func(e *evaluation, t text, a *callArgs) Value { return e.affix(t.s, a, strings.HasSuffix) },
		"find":       func(e *evaluation, t text, a *callArgs) Value { return e.find(t.s, a, strings.Index) },
		"rfind":      func(e *evaluation, t text, a *callArgs) Value { return e.find(t.s, a, strings.LastIndex) },
		"index":      func(e *evaluation, t text, a *callArgs) Value { return e.index(t.s, a, strings.Index) },
		"rindex":     func(e *evaluation, t text, a *callArgs) Value { return e.index(t.s, a, strings.LastIndex) },
		"count": func(e *evaluation, t text, a *callArgs) Value {
			part, _ := e.window(t.s, a)
			return int64(strings.Count(part, e.wantText(a, 0)))
		},
		"replace": func(e *evaluation, t text, a *callArgs) Value { return e.replace(t, a) },
		"removeprefix": func(e *evaluation, t text, a *callArgs) Value {
			return t.suffix(len(strings.TrimPrefix(t.s, e.wantText(a, 0)))).value()
		},
		"removesuffix": func(e *evaluation, t text, a *callArgs) Value {
			return t.slice(0, len(strings.TrimSuffix(t.s, e.wantText(a, 0)))).value()
		},
		"zfill": func(e *evaluation, t text, a *callArgs) Value { return e.zfill(t, e.wantInt(a, 0)) },
		"ljust": justify(0), "center": justify(1), "rjust": justify(2),
		"format":  func(e *evaluation, t text, a *callArgs) Value { return e.format(t, a) },
		"isupper": func(_ *evaluation, t text, _ *callArgs) Value { return isUpper(t.s) },
		"islower": func(_ *evaluation, t text, _ *callArgs) Value { return isLower(t.s) },
		"istitle": func(_ *evaluation, t text, _ *callArgs) Value { return t.s != "" && recased(t.s, titleCase) == t.s },
		"expandtabs": func(e *evaluation, t text, a *callArgs) Value {
			return e.expandTabs(t, e.toInt(a.or(0, "tabsize", int64(8)))).value()
		},
	}
}

// wantText is argument i, which must be a string.
func (e *evaluation) wantText(a *callArgs, i int) string {
	if i < len(a.positional) {
		if s, ok := textOf(a.positional[i]); ok {
			return s
		}
	}
	e.fail("argument %d must be a string", i+1)
	return ""
}

// wantInt is argument i, which must be an integer.
func (e *evaluation) wantInt(a *callArgs, i int) int {
	if i < len(a.positional) {
		return e.toInt(a.positional[i])
	}
	e.fail("argument %d is missing", i+1)
	return 0
}

// toInt clamps an integer to what sizes may be.
func (e *evaluation) toInt(v Value) int {
	n, ok := bigOf(v)
	if !ok {
		e.fail("%s object cannot be interpreted as an integer", typeName(v))
	}
	if !n.IsInt64() {
		return n.Sign() << 40
	}
	return int(min(max(n.Int64(), -1<<40), 1<<40))
}
