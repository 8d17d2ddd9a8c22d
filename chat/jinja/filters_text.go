package jinja

import (
	"cmp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// This file owns the filters of text.

// mapText applies a string function, keeping markup what it is.
func (e *evaluation) mapText(v Value, f func(string) string) Value {
	text := e.str(v)
	e.allocate(len(text))
	if _, ok := v.(safe); ok {
		return safe(f(text))
	}
	return f(text)
}

// filterTitle capitalises after spaces, hyphens and brackets.
func filterTitle(s string) string {
	start := true
	return strings.Map(func(r rune) rune {
		up := start
		start = strings.ContainsRune("-([{<", r) || strings.TrimSpace(string(r)) == ""
		if up {
			return []rune(strings.ToUpper(string(r)))[0]
		}
		return []rune(strings.ToLower(string(r)))[0]
	}, s)
}

func filterCenter(e *evaluation, v Value, a *callArgs) Value {
	return e.justify(e.str(v), &callArgs{positional: []Value{a.or(0, "width", int64(80))}}, 1)
}

func filterEscape(e *evaluation, v Value, _ *callArgs) Value { return e.escape(v) }

func filterForceEscape(e *evaluation, v Value, _ *callArgs) Value { return e.escape(e.str(v)) }

func filterFormat(e *evaluation, v Value, a *callArgs) Value {
	if len(a.names) > 0 {
		d := NewDict()
		for i, n := range a.names {
			d.Set(n, a.keywords[i])
		}
		return e.percent(e.str(v), d)
	}
	return e.percent(e.str(v), newTuple(a.positional...))
}

func filterIndent(e *evaluation, v Value, a *callArgs) Value {
	by := ""
	if s, ok := textOf(a.or(0, "width", int64(4))); ok {
		by = s
	} else {
		by = e.pad(e.toInt(a.or(0, "width", int64(4))))
	}
	text := e.str(v)
	first, blank := truth(a.or(1, "first", false)), truth(a.or(2, "blank", false))
	lines := strings.Split(text, "\n")
	if len(lines)*len(by) > maxMemory {
		e.fail("the template takes too much memory")
	}
	e.allocate(len(text) + len(lines)*len(by))
	for i := range lines {
		if (i > 0 || first) && (i == 0 || blank || lines[i] != "") {
			lines[i] = by + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}

func filterReplace(e *evaluation, v Value, a *callArgs) Value {
	count := -1
	if n, ok := a.get(2, "count"); ok && n != nil {
		count = e.toInt(n)
	}
	old, _ := a.get(0, "old")
	with, _ := a.get(1, "new")
	return e.replaceText(e.str(v), e.str(old), e.str(with), count)
}

func filterSafe(e *evaluation, v Value, _ *callArgs) Value { return safe(e.str(v)) }

func filterString(e *evaluation, v Value, _ *callArgs) Value {
	if s, ok := v.(safe); ok {
		return s
	}
	return e.str(v)
}

func filterStripTags(e *evaluation, v Value, _ *callArgs) Value {
	var b strings.Builder
	inside := false
	for _, r := range e.str(v) {
		switch {
		case r == '<':
			inside = true
		case r == '>' && inside:
			inside = false
		case !inside:
			b.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func filterTrim(e *evaluation, v Value, a *callArgs) Value {
	text := e.strip(e.str(v), a.or(0, "chars", nil), true, true)
	if _, ok := v.(safe); ok {
		return safe(text.(string))
	}
	return text
}

func filterTruncate(e *evaluation, v Value, a *callArgs) Value {
	s, length := e.str(v), e.toInt(a.or(0, "length", int64(255)))
	kill, end := truth(a.or(1, "killwords", false)), e.str(a.or(2, "end", "..."))
	leeway := e.toInt(a.or(3, "leeway", int64(5)))
	if utf8.RuneCountInString(s) <= length+leeway {
		return s
	}
	cut := firstRunes(s, max(length-utf8.RuneCountInString(end), 0))
	if !kill {
		if i := strings.LastIndexByte(cut, ' '); i >= 0 {
			cut = cut[:i]
		}
	}
	return cut + end
}

func filterURLEncode(e *evaluation, v Value, _ *callArgs) Value {
	if d, ok := v.(*Dict); ok {
		var pairs []string
		for _, k := range d.keys {
			value, _ := d.Get(k)
			pairs = append(pairs, e.percentEncode(e.str(k), "")+"="+e.percentEncode(e.str(value), ""))
		}
		return strings.Join(pairs, "&")
	}
	return e.percentEncode(e.str(v), "/")
}

func (e *evaluation) percentEncode(s, keep string) string {
	e.allocate(3 * len(s))
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c < utf8.RuneSelf && (strings.IndexByte("_.-~"+keep, c) >= 0 || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z') {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + strings.ToUpper(strconv.FormatInt(int64(c)+256, 16)[1:]))
		}
	}
	return b.String()
}

func filterWordCount(e *evaluation, v Value, _ *callArgs) Value {
	return int64(len(strings.FieldsFunc(e.str(v), func(r rune) bool {
		return r != '_' && !(r >= '0' && r <= '9') && strings.ToUpper(string(r)) == strings.ToLower(string(r)) && r < 0x2e80
	})))
}

func filterWordWrap(e *evaluation, v Value, a *callArgs) Value {
	width := max(e.toInt(a.or(0, "width", int64(79))), 1)
	var lines []string
	for line := range strings.SplitSeq(e.str(v), "\n") {
		current := ""
		for _, word := range strings.Fields(line) {
			for n := width; utf8.RuneCountInString(word) > n; {
				if current != "" {
					lines, current = append(lines, current), ""
				}
				head := firstRunes(word, n)
				lines, word = append(lines, head), word[len(head):]
			}
			switch {
			case current == "":
				current = word
			case utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) <= width:
				current += " " + word
			default:
				lines, current = append(lines, current), word
			}
		}
		lines = append(lines, current)
	}
	return strings.Join(lines, "\n")
}

func filterXMLAttr(e *evaluation, v Value, a *callArgs) Value {
	d, ok := v.(*Dict)
	if !ok {
		e.fail("xmlattr needs a mapping")
	}
	var parts []string
	for _, k := range d.keys {
		value, _ := d.Get(k)
		if _, missing := value.(*undefined); value == nil || missing {
			continue
		}
		if strings.ContainsAny(e.str(k), " \t\n\f\r/>=") {
			e.fail("invalid character in attribute name: %q", e.str(k))
		}
		parts = append(parts, string(e.escape(k))+`="`+string(e.escape(value))+`"`)
	}
	out := strings.Join(parts, " ")
	if out != "" && truth(a.or(0, "autospace", true)) {
		out = " " + out
	}
	return safe(out)
}

func filterFileSize(e *evaluation, v Value, a *callArgs) Value {
	bytes, ok := floatOf(v)
	if !ok {
		e.fail("filesizeformat needs a number")
	}
	base, units := 1000.0, []string{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"}
	if truth(a.or(0, "binary", false)) {
		base, units = 1024, []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}
	}
	if cmp.Compare(bytes, base) < 0 {
		if bytes == 1 {
			return "1 Byte"
		}
		return strconv.FormatInt(int64(bytes), 10) + " Bytes"
	}
	i := 0
	for bytes /= base; bytes >= base && i < len(units)-1; i++ {
		bytes /= base
	}
	return strconv.FormatFloat(bytes, 'f', 1, 64) + " " + units[i]
}
