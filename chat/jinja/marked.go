package jinja

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// This file owns text: strings that know, byte by byte, where they come from. What a template writes itself may
// become control tokens; what a client has typed may not, however it was cut, joined or rewritten on the way.
//
// Rejected: a mark for whole strings, which a template that joins before it trims would lose or spread; breaking
// up the texts of control tokens in what comes in, which templates that look for some of them would not find.

// text is a string with marks, or one that is safe (not escaped again), or both. A string with neither is a
// Go string, so that a Value is a text only where there is something to say.
type text struct {
	s     string
	marks []uint16 // one for each byte of s: 0 is the template's own, all else a value's; nil if all are the template's
	safe  bool
}

// Mark is a value's string, marked as that. mark is not 0.
func Mark(s string, mark uint16) Value { return text{s: s, marks: repeatedMark(mark, len(s))}.value() }

func repeatedMark(mark uint16, n int) []uint16 { return slices.Repeat([]uint16{mark}, n) }

// Concat joins string values, each with its marks.
func Concat(values ...Value) Value {
	var b builder
	for _, v := range values {
		t, _ := asText(v)
		b.write(t)
	}
	return b.text().value()
}

// TextOf returns a string value without its marks.
func TextOf(v Value) (string, bool) { return textOf(v) }

// TextBytes is the length of all strings in a value, those in lists and dicts included.
func TextBytes(v Value) (n int) {
	switch x := v.(type) {
	case *List:
		for _, item := range x.Items {
			n += TextBytes(item)
		}
	case *Dict:
		for _, k := range x.keys {
			value, _ := x.Get(k)
			n += TextBytes(k) + TextBytes(value)
		}
	default:
		s, _ := textOf(v)
		n = len(s)
	}
	return n
}

// Rendered is what a template wrote. Marks has one for each byte of Text: 0 where it is the template's own, else the
// mark of the value that it comes from; it is empty where all is the template's own.
type Rendered struct {
	Text  string
	Marks []uint16
}

// Stretches lists where values stand in the text: first bytes and those behind the last, ascending.
func (r Rendered) Stretches() (list [][2]int) {
	for i := range len(r.Marks) {
		switch n := len(list); {
		case r.Marks[i] == 0:
		case n > 0 && list[n-1][1] == i:
			list[n-1][1]++
		default:
			list = append(list, [2]int{i, i + 1})
		}
	}
	return list
}

// value is the simplest value that says as much.
func (t text) value() Value {
	if len(t.marks) == 0 && !t.safe {
		return t.s
	}
	return t
}

func asText(v Value) (text, bool) {
	switch x := v.(type) {
	case string:
		return text{s: x}, true
	case text:
		return x, true
	}
	return text{}, false
}

func textOf(v Value) (string, bool) {
	t, ok := asText(v)
	return t.s, ok
}

func isSafe(v Value) bool {
	t, ok := v.(text)
	return ok && t.safe
}

// slice is the bytes from i to before j; what is cut out of a safe text is not safe.
func (t text) slice(i, j int) text {
	cut := text{s: t.s[i:j]}
	if len(t.marks) > 0 {
		cut.marks = t.marks[i:j]
	}
	return cut
}

// mark is the mark of the byte at i.
func (t text) mark(i int) uint16 {
	if len(t.marks) == 0 {
		return 0
	}
	return t.marks[i]
}

// suffix is the last n bytes.
func (t text) suffix(n int) text { return t.slice(len(t.s)-n, len(t.s)) }

// replaced writes each character anew, by f, or as it is where f says no.
func (t text) replaced(f func(r rune) (string, bool)) text {
	var b builder
	begin := 0
	for i, r := range t.s {
		if s, ok := f(r); ok {
			b.write(t.slice(begin, i))
			b.marked(s, t.mark(i))
			begin = i + utf8.RuneLen(r)
		}
	}
	b.write(t.slice(begin, len(t.s)))
	return b.text()
}

// spread marks all of s as t's first marked byte: for what is computed from t as a whole.
func (t text) spread(s string) text {
	for i := range len(t.marks) {
		if t.marks[i] != 0 {
			return text{s: s, marks: repeatedMark(t.marks[i], len(s))}
		}
	}
	return text{s: s}
}

// without is the text without what begins with open and ends with shut.
func (t text) without(open, shut string) text {
	var b builder
	for {
		begin := strings.Index(t.s, open)
		length := strings.Index(t.s[max(begin, 0):], shut)
		if begin < 0 || length < 0 {
			b.write(t)
			return b.text()
		}
		b.write(t.slice(0, begin))
		t = t.slice(begin+length+len(shut), len(t.s))
	}
}

// split cuts at each separator, at most limit times; limit < 0: always.
func (t text) split(separator string, limit int) (parts []text) {
	begin := 0
	for limit != 0 {
		i := strings.Index(t.s[begin:], separator)
		if i < 0 {
			break
		}
		parts = append(parts, t.slice(begin, begin+i))
		begin, limit = begin+i+len(separator), limit-1
	}
	return append(parts, t.slice(begin, len(t.s)))
}

// fields are the words between white space.
func (t text) fields() (words []text) {
	begin := 0
	for _, word := range strings.Fields(t.s) {
		begin += strings.Index(t.s[begin:], word)
		words = append(words, t.slice(begin, begin+len(word)))
		begin += len(word)
	}
	return words
}

// characters cuts into single ones.
func (t text) characters() []Value {
	out := make([]Value, 0, len(t.s))
	for i := 0; i < len(t.s); {
		_, n := utf8.DecodeRuneInString(t.s[i:])
		out = append(out, t.slice(i, i+n).value())
		i += n
	}
	return out
}

// first is the first n characters.
func (t text) first(n int) text {
	for i := range t.s {
		if n--; n < 0 {
			return t.slice(0, i)
		}
	}
	return t
}

// builder joins texts.
type builder struct {
	s     strings.Builder
	marks []uint16 // of what was written up to the last text with marks
}

func (b *builder) Len() int { return b.s.Len() }

func (b *builder) write(parts ...text) {
	for _, t := range parts {
		if len(t.marks) > 0 {
			b.pad()
			b.marks = append(b.marks, t.marks...)
		}
		b.s.WriteString(t.s)
	}
}

// own writes what is the template's or comes of no value's text.
func (b *builder) own(s string) { b.s.WriteString(s) }

// marked writes what stands for a byte or character with that mark.
func (b *builder) marked(s string, mark uint16) {
	if mark != 0 {
		b.pad()
		for range len(s) {
			b.marks = append(b.marks, mark)
		}
	}
	b.s.WriteString(s)
}

func (b *builder) pad() { b.marks = append(b.marks, make([]uint16, b.s.Len()-len(b.marks))...) }

func (b *builder) text() text {
	if b.marks == nil {
		return text{s: b.s.String()}
	}
	b.pad()
	return text{s: b.s.String(), marks: b.marks}
}

func joined(parts ...text) text {
	var b builder
	b.write(parts...)
	return b.text()
}
