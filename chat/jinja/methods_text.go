package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file owns what the methods of strings compute.

func (e *evaluation) strip(t text, set Value, left, right bool) text {
	in := unicode.IsSpace
	if set != nil {
		chars, ok := textOf(set)
		if !ok {
			e.fail("strip arg must be None or str")
		}
		in = func(r rune) bool { return strings.ContainsRune(chars, r) }
	}
	if left {
		t = t.suffix(len(strings.TrimLeftFunc(t.s, in)))
	}
	if right {
		t = t.slice(0, len(strings.TrimRightFunc(t.s, in)))
	}
	return t
}

func (e *evaluation) list(parts []text) *List {
	e.allocate(16 * len(parts))
	out := &List{}
	for _, p := range parts {
		out.Items = append(out.Items, p.value())
	}
	return out
}

func (e *evaluation) split(t text, a *callArgs, right bool) Value {
	sep, limit := a.or(0, "sep", nil), e.toInt(a.or(1, "maxsplit", int64(-1)))
	if sep == nil {
		e.allocate(16 * len(t.s)) // a word of every other byte
		return e.list(splitSpace(t, limit, right))
	}
	by, ok := textOf(sep)
	if !ok || by == "" {
		e.fail("split needs a separator that is a string and not empty")
	}
	e.allocate(32 * (1 + strings.Count(t.s, by)))
	if !right {
		return e.list(t.split(by, limit))
	}
	var parts []text
	for limit != 0 {
		i := strings.LastIndex(t.s, by)
		if i < 0 {
			break
		}
		parts, t, limit = append(parts, t.slice(i+len(by), len(t.s))), t.slice(0, i), limit-1
	}
	parts = append(parts, t)
	slices.Reverse(parts)
	return e.list(parts)
}

// splitSpace splits at runs of whitespace, at most limit times, from one end; beyond the last split only the white
// space at that end goes.
func splitSpace(t text, limit int, right bool) []text {
	words := t.fields()
	if limit < 0 || len(words) <= limit {
		return words
	}
	var parts []text
	if right {
		rest := t.slice(0, len(strings.TrimRightFunc(t.s, unicode.IsSpace)))
		for range limit {
			i := strings.LastIndexFunc(rest.s, unicode.IsSpace)
			_, n := utf8.DecodeRuneInString(rest.s[i:])
			parts = append(parts, rest.slice(i+n, len(rest.s)))
			rest = rest.slice(0, len(strings.TrimRightFunc(rest.s[:i], unicode.IsSpace)))
		}
		parts = append(parts, rest)
		slices.Reverse(parts)
		return parts
	}
	rest := t.suffix(len(strings.TrimLeftFunc(t.s, unicode.IsSpace)))
	for range limit {
		i := strings.IndexFunc(rest.s, unicode.IsSpace)
		parts = append(parts, rest.slice(0, i))
		rest = rest.suffix(len(strings.TrimLeftFunc(rest.s[i:], unicode.IsSpace)))
	}
	return append(parts, rest)
}

func (e *evaluation) splitLines(t text, keep bool) Value {
	var parts []text
	for t.s != "" {
		i := strings.IndexAny(t.s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if i < 0 {
			parts = append(parts, t)
			break
		}
		_, n := utf8.DecodeRuneInString(t.s[i:])
		if strings.HasPrefix(t.s[i:], "\r\n") {
			n = 2
		}
		end := i
		if keep {
			end += n
		}
		parts, t = append(parts, t.slice(0, end)), t.slice(i+n, len(t.s))
	}
	return e.list(parts)
}

func (e *evaluation) partition(t text, sep string, index func(string, string) int, right bool) Value {
	if sep == "" {
		e.fail("empty separator")
	}
	i := index(t.s, sep)
	switch {
	case i >= 0:
		end := i + len(sep)
		return newTuple(t.slice(0, i).value(), t.slice(i, end).value(), t.slice(end, len(t.s)).value())
	case right:
		return newTuple("", "", t.value())
	}
	return newTuple(t.value(), "", "")
}

func (e *evaluation) joinStrings(sep text, items []Value) Value {
	var b builder
	for i, item := range items {
		t, ok := asText(item)
		if !ok {
			e.fail("sequence item %d: expected str instance, %s found", i, typeName(item))
		}
		e.allocate(len(t.s) + len(sep.s))
		if i > 0 {
			b.write(sep)
		}
		b.write(t)
	}
	return b.text().value()
}

func (e *evaluation) affix(s string, a *callArgs, has func(string, string) bool) Value {
	options := a.or(0, "", nil)
	s, begin := e.window(s, a)
	if begin < 0 {
		return false
	}
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
	part, begin := e.window(s, a)
	i := in(part, e.wantText(a, 0))
	if i < 0 || begin < 0 {
		return int64(-1)
	}
	return int64(begin + utf8.RuneCountInString(part[:i]))
}

// window is the part of a string between a method's arguments start and end, and how many characters are before it, -1 if it
// begins behind its end.
func (e *evaluation) window(s string, a *callArgs) (part string, begin int) {
	if len(a.positional) < 2 {
		return s, 0
	}
	characters := []rune(s)
	e.allocate(4 * len(characters))
	begin, end := e.bounds(len(characters), a)
	if n, ok := bigOf(a.positional[1]); begin > end || ok && n.IsInt64() && n.Int64() > int64(len(characters)) {
		return "", -1
	}
	return string(characters[begin:end]), begin
}

// bounds are a method's arguments start and end as Python's slices have them, for n entries.
func (e *evaluation) bounds(n int, a *callArgs) (begin, end int) {
	end = n
	for i, bound := range []*int{&begin, &end} {
		if v, given := a.get(1+i, []string{"start", "end"}[i]); given && v != nil {
			at := e.toInt(v)
			if at < 0 {
				at += n
			}
			*bound = min(max(at, 0), n)
		}
	}
	return begin, end
}

func (e *evaluation) index(s string, a *callArgs, in func(string, string) int) Value {
	i := e.find(s, a, in)
	if i == int64(-1) {
		e.fail("substring not found")
	}
	return i
}

func (e *evaluation) replace(t text, a *callArgs) Value {
	count := -1
	if v, ok := a.get(2, "count"); ok && v != nil {
		count = e.toInt(v)
	}
	from := e.wantText(a, 0)
	e.wantText(a, 1)
	return e.replaceText(t, from, e.text(a.positional[1]), count).value()
}

// replaceText counts the result before it is made.
func (e *evaluation) replaceText(t text, from string, to text, count int) text {
	n := strings.Count(t.s, from)
	if count >= 0 {
		n = min(n, count)
	}
	if len(to.s) > 0 && n > maxMemory/len(to.s) {
		e.fail("the template takes too much memory")
	}
	e.allocate(len(t.s) + n*len(to.s))
	var b builder
	at := 0
	for i := range n {
		next := at + strings.Index(t.s[at:], from)
		if from == "" && i > 0 { // between any two characters, and at the ends
			_, size := utf8.DecodeRuneInString(t.s[at:])
			next = at + size
		}
		b.write(t.slice(at, next), to)
		at = next + len(from)
	}
	b.write(t.slice(at, len(t.s)))
	return b.text()
}

// expandTabs fills up to columns that are multiples of size.
func (e *evaluation) expandTabs(t text, size int) text {
	column := 0
	return t.replaced(func(r rune) (string, bool) {
		switch {
		case r == '\t' && size > 0:
			spaces := e.pad(size - column%size).s
			column = 0
			return spaces, true
		case r == '\t':
			return "", true
		case r == '\n' || r == '\r':
			column = 0
		default:
			column++
		}
		return "", false
	})
}

func (e *evaluation) pad(n int) text {
	e.allocate(max(n, 0))
	return text{s: strings.Repeat(" ", max(n, 0))}
}

func (e *evaluation) zfill(t text, width int) Value {
	zeros := text{s: strings.ReplaceAll(e.pad(width-utf8.RuneCountInString(t.s)).s, " ", "0")}
	sign := 0
	if t.s != "" && (t.s[0] == '-' || t.s[0] == '+') {
		sign = 1
	}
	return joined(t.slice(0, sign), zeros, t.slice(sign, len(t.s))).value()
}

// justify pads to a width: 0 left, 1 centre, 2 right.
func (e *evaluation) justify(t text, a *callArgs, side int) Value {
	fill, ok := asText(a.or(1, "fillchar", " "))
	if !ok || utf8.RuneCountInString(fill.s) != 1 {
		e.fail("the fill character must be exactly one character long")
	}
	width := e.wantInt(a, 0)
	missing := max(width-utf8.RuneCountInString(t.s), 0)
	left := 0
	switch side {
	case 1:
		left = missing/2 + missing&width&1
	case 2:
		left = missing
	}
	padding := fill.spread(strings.ReplaceAll(e.pad(missing).s, " ", fill.s))
	cut := left * len(fill.s)
	return joined(padding.slice(0, cut), t, padding.slice(cut, len(padding.s))).value()
}
