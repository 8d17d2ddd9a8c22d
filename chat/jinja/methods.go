package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file owns the methods of strings, lists and dicts. Those that change their object raise, as in
// the immutable sandbox.

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
		return func(e *evaluation, _ *callArgs) Value { return newList(slices.Clone(d.keys)) }
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

func title(s string) string {
	inside := false
	return strings.Map(func(r rune) rune {
		defer func() { inside = unicode.IsLetter(r) }()
		if inside {
			return unicode.ToLower(r)
		}
		return unicode.ToTitle(r)
	}, s)
}

func capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToTitle(r)) + strings.ToLower(s[n:])
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

func (e *evaluation) strip(s string, set Value, left, right bool) Value {
	in := unicode.IsSpace
	if set != nil {
		chars, ok := textOf(set)
		if !ok {
			e.fail("strip arg must be None or str")
		}
		in = func(r rune) bool { return strings.ContainsRune(chars, r) }
	}
	if left {
		s = strings.TrimLeftFunc(s, in)
	}
	if right {
		s = strings.TrimRightFunc(s, in)
	}
	return s
}

func (e *evaluation) strings(parts []string) *List {
	e.allocate(16 * len(parts))
	out := &List{}
	for _, p := range parts {
		out.Items = append(out.Items, p)
	}
	return out
}

func (e *evaluation) split(s string, a *callArgs, right bool) Value {
	sep, limit := a.or(0, "sep", nil), e.toInt(a.or(1, "maxsplit", int64(-1)))
	e.allocate(16 * len(s))
	if sep == nil {
		return e.strings(splitSpace(s, limit, right))
	}
	by, ok := textOf(sep)
	if !ok || by == "" {
		e.fail("split needs a separator that is a string and not empty")
	}
	if !right {
		return e.strings(strings.SplitN(s, by, splitCount(limit)))
	}
	var parts []string
	for limit != 0 {
		i := strings.LastIndex(s, by)
		if i < 0 {
			break
		}
		parts, s, limit = append(parts, s[i+len(by):]), s[:i], limit-1
	}
	parts = append(parts, s)
	slices.Reverse(parts)
	return e.strings(parts)
}

func splitCount(limit int) int {
	if limit < 0 {
		return -1
	}
	return limit + 1
}

// splitSpace splits at runs of whitespace, at most limit times, from one end.
func splitSpace(s string, limit int, right bool) []string {
	fields := strings.Fields(s)
	if limit < 0 || len(fields) <= limit+1 {
		return fields
	}
	var parts []string
	rest := strings.TrimSpace(s)
	for range limit {
		if right {
			i := strings.LastIndexFunc(rest, unicode.IsSpace)
			_, n := utf8.DecodeRuneInString(rest[i:])
			parts, rest = append(parts, rest[i+n:]), strings.TrimRightFunc(rest[:i], unicode.IsSpace)
		} else {
			i := strings.IndexFunc(rest, unicode.IsSpace)
			parts, rest = append(parts, rest[:i]), strings.TrimLeftFunc(rest[i:], unicode.IsSpace)
		}
	}
	if right {
		parts = append(parts, rest)
		slices.Reverse(parts)
		return parts
	}
	if strings.TrimRightFunc(s, unicode.IsSpace) != s { // Python keeps what follows the last field
		rest = strings.TrimRightFunc(rest, unicode.IsSpace) + s[len(strings.TrimRightFunc(s, unicode.IsSpace)):]
	}
	return append(parts, rest)
}

func (e *evaluation) splitLines(s string, keep bool) Value {
	var parts []string
	for s != "" {
		i := strings.IndexAny(s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if i < 0 {
			parts = append(parts, s)
			break
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		if strings.HasPrefix(s[i:], "\r\n") {
			n = 2
		}
		end := i
		if keep {
			end += n
		}
		parts, s = append(parts, s[:end]), s[i+n:]
	}
	return e.strings(parts)
}

func (e *evaluation) partition(s, sep string, right bool) Value {
	if sep == "" {
		e.fail("empty separator")
	}
	i := strings.Index(s, sep)
	if right {
		i = strings.LastIndex(s, sep)
	}
	switch {
	case i >= 0:
		return newTuple(s[:i], sep, s[i+len(sep):])
	case right:
		return newTuple("", "", s)
	}
	return newTuple(s, "", "")
}

func (e *evaluation) joinStrings(sep string, items []Value) Value {
	parts := make([]string, len(items))
	for i, item := range items {
		s, ok := textOf(item)
		if !ok {
			e.fail("sequence item %d: expected str instance, %s found", i, typeName(item))
		}
		parts[i] = s
		e.allocate(len(s) + len(sep))
	}
	return strings.Join(parts, sep)
}

func (e *evaluation) affix(s string, a *callArgs, has func(string, string) bool) Value {
	options := a.or(0, "", nil)
	if l, ok := options.(*List); ok && l.Tuple {
		for _, item := range l.Items {
			if t, ok := textOf(item); ok && has(s, t) {
				return true
			}
		}
		return false
	}
	return has(s, e.wantText(a, 0))
}

// find counts in characters.
func (e *evaluation) find(s string, a *callArgs, in func(string, string) int) Value {
	i := in(s, e.wantText(a, 0))
	if i < 0 {
		return int64(-1)
	}
	return int64(utf8.RuneCountInString(s[:i]))
}

func (e *evaluation) index(s string, a *callArgs, in func(string, string) int) Value {
	i := e.find(s, a, in)
	if i == int64(-1) {
		e.fail("substring not found")
	}
	return i
}

func (e *evaluation) replace(s string, a *callArgs) Value {
	count := -1
	if v, ok := a.get(2, "count"); ok && v != nil {
		count = e.toInt(v)
	}
	return e.replaceText(s, e.wantText(a, 0), e.wantText(a, 1), count)
}

// replaceText counts the result before it is made.
func (e *evaluation) replaceText(s, from, to string, count int) string {
	n := strings.Count(s, from)
	if count >= 0 {
		n = min(n, count)
	}
	if len(to) > 0 && n > maxMemory/len(to) {
		e.fail("the template takes too much memory")
	}
	e.allocate(len(s) + n*len(to))
	return strings.Replace(s, from, to, count)
}

func (e *evaluation) pad(n int) string {
	e.allocate(max(n, 0))
	return strings.Repeat(" ", max(n, 0))
}

func (e *evaluation) zfill(s string, width int) Value {
	missing := width - utf8.RuneCountInString(s)
	zeros := strings.ReplaceAll(e.pad(missing), " ", "0")
	if s != "" && (s[0] == '-' || s[0] == '+') {
		return s[:1] + zeros + s[1:]
	}
	return zeros + s
}

// justify pads to a width: 0 left, 1 centre, 2 right.
func (e *evaluation) justify(s string, a *callArgs, side int) Value {
	fill, ok := textOf(a.or(1, "fillchar", " "))
	if !ok || utf8.RuneCountInString(fill) != 1 {
		e.fail("the fill character must be exactly one character long")
	}
	width := e.wantInt(a, 0)
	missing := max(width-utf8.RuneCountInString(s), 0)
	left := 0
	switch side {
	case 1:
		left = missing/2 + missing&width&1
	case 2:
		left = missing
	}
	padding := strings.ReplaceAll(e.pad(missing), " ", fill)
	cut := left * len(fill)
	return padding[:cut] + s + padding[cut:]
}
