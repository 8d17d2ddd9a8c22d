package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file owns wordwrap, as Python's textwrap.

// wrapper has one filter's arguments.
type wrapper struct {
	width               int
	breakLong, onHyphen bool
	between             text // lines
}

func filterWordWrap(e *evaluation, v Value, a *callArgs) Value {
	w := wrapper{
		width: e.toInt(a.or(0, "width", int64(79))), breakLong: truth(a.or(1, "break_long_words", true)),
		onHyphen: truth(a.or(3, "break_on_hyphens", true)), between: text{s: "\n"},
	}
	if w.width < 1 {
		e.fail("wordwrap needs a width of at least 1, not %d", w.width)
	}
	if given := a.or(2, "wrapstring", nil); given != nil {
		w.between = e.text(given)
	}
	var b builder
	for i, line := range e.splitLines(e.text(v), false).(*List).Items {
		if i > 0 {
			b.write(w.between)
		}
		t, _ := asText(line)
		e.allocate(64 * (1 + strings.Count(t.s, " ") + strings.Count(t.s, "-")))
		for j, wrapped := range w.wrap(w.chunks(t)) {
			if j > 0 {
				b.write(w.between)
			}
			e.allocate(len(wrapped.s) + len(w.between.s))
			b.write(wrapped)
		}
	}
	return b.text().value()
}

// chunks cuts a line into words, the white space between them and, if that is asked for, the parts of words with hyphens.
func (w wrapper) chunks(t text) (list []text) {
	runes := []rune(t.s)
	begin, at := 0, 0
	for i, r := range runes {
		next := at + utf8.RuneLen(r)
		if i+1 == len(runes) || unicode.IsSpace(r) != unicode.IsSpace(runes[i+1]) || w.onHyphen && splitsAt(runes, i) {
			list = append(list, t.slice(begin, next))
			begin = next
		}
		at = next
	}
	return list
}

// splitsAt tells whether a line may end behind a hyphen: two letters are before it, and a letter and another behind.
func splitsAt(runes []rune, i int) bool {
	is := func(at int) bool {
		return at >= 0 && at < len(runes) && (unicode.IsLetter(runes[at]) || runes[at] == '_')
	}
	hyphen := func(at int) bool { return at >= 0 && at < len(runes) && runes[at] == '-' }
	return hyphen(i) && is(i-1) && (is(i-2) || hyphen(i-2) && is(i-3)) && is(i+1) && (is(i+2) || hyphen(i+2) && is(i+3))
}

// wrap joins chunks to lines of at most the width; white space at their ends goes.
func (w wrapper) wrap(chunks []text) (lines []text) {
	blank := func(t text) bool { return strings.TrimSpace(t.s) == "" }
	for len(chunks) > 0 {
		if blank(chunks[0]) && len(lines) > 0 {
			chunks = chunks[1:]
			continue
		}
		var line []text
		used := 0
		for len(chunks) > 0 {
			fit := chunks[0].first(w.width - used) // not all is counted: a word may be long
			if len(fit.s) < len(chunks[0].s) {
				break
			}
			line, chunks, used = append(line, fit), chunks[1:], used+utf8.RuneCountInString(fit.s)
		}
		if len(chunks) > 0 && len(chunks[0].first(w.width).s) < len(chunks[0].s) {
			if head := w.head(chunks[0], w.width-used); w.breakLong {
				line, chunks[0] = append(line, head), chunks[0].suffix(len(chunks[0].s)-len(head.s))
			} else if len(line) == 0 {
				line, chunks = append(line, chunks[0]), chunks[1:]
			}
		}
		if n := len(line); n > 0 && blank(line[n-1]) {
			line = line[:n-1]
		}
		if len(line) > 0 {
			lines = append(lines, joined(line...))
		}
	}
	return lines
}

// head is what of a long word goes into the rest of a line: up to a hyphen if it has one there that something is before.
func (w wrapper) head(word text, room int) text {
	head := word.first(room)
	if hyphen := strings.LastIndexByte(head.s, '-'); w.onHyphen && hyphen > 0 && strings.Trim(head.s[:hyphen], "-") != "" {
		return head.slice(0, hyphen+1)
	}
	return head
}
