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
	if s, ok := textOf(v); ok {
		f = stringMethod(s, n)
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
	return function{n, f}, true
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
			for i, item := range l.Items {
				if e.equal(item, want) {
					if n == "index" {
						return int64(i)
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
			return newList(slices.Clone(d.keys))
		}
	case "values":
		return func(e *evaluation, _ *callArgs) Value {
			out := &List{}
			for _, k := range d.keys {
				v, _ := d.Get(k)
				out.Items = append(out.Items, v)
			}
			e.allocate(16 * len(out.Items))
			return out
		}
	case "items":
		return func(e *evaluation, _ *callArgs) Value { return e.items(d) }
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
			return d.copy()
		}
	}
	return nil
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

// stringMapping are methods from string to string without arguments.
var stringMapping = map[string]func(string) string{
	"upper": strings.ToUpper, "lower": strings.ToLower, "title": title, "capitalize": capitalize, "swapcase": swapCase,
	"casefold": strings.ToLower,
}

// stringPredicates hold for every character of a string that is not empty.
var stringPredicates = map[string]func(rune) bool{
	"isdigit": unicode.IsDigit, "isdecimal": unicode.IsDigit, "isnumeric": unicode.IsNumber, "isalpha": unicode.IsLetter, "isspace": unicode.IsSpace,
	"isalnum": func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) },
}

func stringMethod(s, n string) func(*evaluation, *callArgs) Value {
	if f, ok := stringMapping[n]; ok {
		return func(e *evaluation, _ *callArgs) Value {
			e.allocate(len(s))
			return f(s)
		}
	}
	if f, ok := stringPredicates[n]; ok {
		return func(*evaluation, *callArgs) Value {
			return s != "" && strings.IndexFunc(s, func(r rune) bool { return !f(r) }) < 0
		}
	}
	if f, ok := stringMethods[n]; ok {
		return func(e *evaluation, a *callArgs) Value { return f(e, s, a) }
	}
	return nil
}

type stringFunc func(e *evaluation, s string, a *callArgs) Value

var stringMethods map[string]stringFunc

func init() { // the table refers to functions that refer to it
	stringMethods = map[string]stringFunc{
		"strip":  func(e *evaluation, s string, a *callArgs) Value { return e.strip(s, a.or(0, "", nil), true, true) },
		"lstrip": func(e *evaluation, s string, a *callArgs) Value { return e.strip(s, a.or(0, "", nil), true, false) },
		"rstrip": func(e *evaluation, s string, a *callArgs) Value { return e.strip(s, a.or(0, "", nil), false, true) },
		"split":  func(e *evaluation, s string, a *callArgs) Value { return e.split(s, a, false) },
		"rsplit": func(e *evaluation, s string, a *callArgs) Value { return e.split(s, a, true) },
		"splitlines": func(e *evaluation, s string, a *callArgs) Value {
			return e.splitLines(s, truth(a.or(0, "keepends", false)))
		},
		"partition":    func(e *evaluation, s string, a *callArgs) Value { return e.partition(s, e.wantText(a, 0), false) },
		"rpartition":   func(e *evaluation, s string, a *callArgs) Value { return e.partition(s, e.wantText(a, 0), true) },
		"join":         func(e *evaluation, s string, a *callArgs) Value { return e.joinStrings(s, e.iterate(a.or(0, "", nil))) },
		"startswith":   func(e *evaluation, s string, a *callArgs) Value { return e.affix(s, a, strings.HasPrefix) },
		"endswith":     func(e *evaluation, s string, a *callArgs) Value { return e.affix(s, a, strings.HasSuffix) },
		"find":         func(e *evaluation, s string, a *callArgs) Value { return e.find(s, a, strings.Index) },
		"rfind":        func(e *evaluation, s string, a *callArgs) Value { return e.find(s, a, strings.LastIndex) },
		"index":        func(e *evaluation, s string, a *callArgs) Value { return e.index(s, a, strings.Index) },
		"rindex":       func(e *evaluation, s string, a *callArgs) Value { return e.index(s, a, strings.LastIndex) },
		"count":        func(e *evaluation, s string, a *callArgs) Value { return int64(strings.Count(s, e.wantText(a, 0))) },
		"replace":      func(e *evaluation, s string, a *callArgs) Value { return e.replace(s, a) },
		"removeprefix": func(e *evaluation, s string, a *callArgs) Value { return strings.TrimPrefix(s, e.wantText(a, 0)) },
		"removesuffix": func(e *evaluation, s string, a *callArgs) Value { return strings.TrimSuffix(s, e.wantText(a, 0)) },
		"zfill":        func(e *evaluation, s string, a *callArgs) Value { return e.zfill(s, e.wantInt(a, 0)) },
		"ljust":        func(e *evaluation, s string, a *callArgs) Value { return e.justify(s, a, 0) },
		"rjust":        func(e *evaluation, s string, a *callArgs) Value { return e.justify(s, a, 2) },
		"center":       func(e *evaluation, s string, a *callArgs) Value { return e.justify(s, a, 1) },
		"format":       func(e *evaluation, s string, a *callArgs) Value { return e.format(s, a) },
		"isupper": func(_ *evaluation, s string, _ *callArgs) Value {
			return strings.ToUpper(s) == s && strings.ToLower(s) != s
		},
		"islower": func(_ *evaluation, s string, _ *callArgs) Value {
			return strings.ToLower(s) == s && strings.ToUpper(s) != s
		},
		"istitle":    func(_ *evaluation, s string, _ *callArgs) Value { return s != "" && title(s) == s },
		"expandtabs": func(e *evaluation, s string, _ *callArgs) Value { return e.replaceText(s, "\t", "        ", -1) },
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
