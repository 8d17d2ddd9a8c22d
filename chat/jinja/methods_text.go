package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file owns what the methods of strings compute.

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
