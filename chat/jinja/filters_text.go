package jinja

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// This file owns the filters of text.

func filterCenter(e *evaluation, v Value, a *callArgs) Value {
	return e.justify(e.text(v), &callArgs{positional: []Value{a.or(0, "width", int64(80))}}, 1)
}

func filterEscape(e *evaluation, v Value, _ *callArgs) Value { return e.escape(v) }

func filterForceEscape(e *evaluation, v Value, _ *callArgs) Value {
	t := e.text(v)
	t.safe = false
	return e.escape(t)
}

func filterFormat(e *evaluation, v Value, a *callArgs) Value {
	if len(a.names) > 0 {
		d := NewDict()
		for i, n := range a.names {
			d.Set(n, a.keywords[i])
		}
		return e.percent(e.text(v), d)
	}
	return e.percent(e.text(v), newTuple(a.positional...))
}

func filterIndent(e *evaluation, v Value, a *callArgs) Value {
	by, ok := asText(a.or(0, "width", int64(4)))
	if !ok {
		by = e.pad(e.toInt(a.or(0, "width", int64(4))))
	}
	t := e.text(v)
	first, blank := truth(a.or(1, "first", false)), truth(a.or(2, "blank", false))
	lines := 1 + strings.Count(t.s, "\n")
	e.allocate(len(t.s) + lines*len(by.s))
	var b builder
	for begin, i := 0, 0; i < lines; i++ {
		end := len(t.s)
		if at := strings.IndexByte(t.s[begin:], '\n'); at >= 0 {
			end = begin + at + 1
		}
		if (i > 0 || first) && (i == 0 || blank || strings.TrimSuffix(t.s[begin:end], "\n") != "") {
			b.write(by)
		}
		b.write(t.slice(begin, end))
		begin = end
	}
	return b.text().value()
}

func filterReplace(e *evaluation, v Value, a *callArgs) Value {
	count := -1
	if n, ok := a.get(2, "count"); ok && n != nil {
		count = e.toInt(n)
	}
	old, _ := a.get(0, "old")
	with, _ := a.get(1, "new")
	return e.replaceText(e.text(v), e.str(old), e.text(with), count).value()
}

func filterSafe(e *evaluation, v Value, _ *callArgs) Value {
	t := e.text(v)
	t.safe = true
	return t
}

func filterString(e *evaluation, v Value, _ *callArgs) Value { return e.text(v).value() }

func filterStripTags(e *evaluation, v Value, _ *callArgs) Value {
	bare := e.text(v).without("<!--", "-->").without("<", ">")
	var b builder
	for i, word := range bare.fields() {
		if i > 0 {
			b.own(" ")
		}
		b.write(word)
	}
	return b.text().value()
}

func filterTrim(e *evaluation, v Value, a *callArgs) Value {
	t := e.text(v)
	trimmed := e.strip(t, a.or(0, "chars", nil), true, true)
	trimmed.safe = t.safe
	return trimmed.value()
}

func filterTruncate(e *evaluation, v Value, a *callArgs) Value {
	t, length := e.text(v), e.toInt(a.or(0, "length", int64(255)))
	kill, end := truth(a.or(1, "killwords", false)), e.text(a.or(2, "end", "..."))
	leeway := 5
	if given := a.or(3, "leeway", nil); given != nil {
		leeway = e.toInt(given)
	}
	if shortest := utf8.RuneCountInString(end.s); length < shortest || leeway < 0 {
		e.fail("truncate needs a length of at least %d and a leeway of at least 0, not %d and %d", shortest, length, leeway)
	}
	if utf8.RuneCountInString(t.s) <= length+leeway {
		return t.value()
	}
	cut := t.first(max(length-utf8.RuneCountInString(end.s), 0))
	if !kill {
		if i := strings.LastIndexByte(cut.s, ' '); i >= 0 {
			cut = cut.slice(0, i)
		}
	}
	return joined(cut, end).value()
}

func filterURLEncode(e *evaluation, v Value, _ *callArgs) Value {
	pairs, isList := v.(*List)
	if d, ok := v.(*Dict); ok {
		pairs, isList = e.items(d), true
	}
	if isList {
		var b builder
		for i, item := range pairs.Items {
			pair, ok := item.(*List)
			if !ok || len(pair.Items) != 2 {
				e.fail("urlencode needs a string, a mapping or pairs")
			}
			if i > 0 {
				b.own("&")
			}
			b.write(e.queryPart(pair.Items[0]), text{s: "="}, e.queryPart(pair.Items[1]))
		}
		return b.text().value()
	}
	return e.percentEncode(e.text(v), "/").value()
}

// queryPart is a key or value of a query, where a space is a plus.
func (e *evaluation) queryPart(v Value) text {
	return e.replaceText(e.percentEncode(e.text(v), ""), "%20", text{s: "+"}, -1)
}

func (e *evaluation) percentEncode(t text, keep string) text {
	e.allocate(3 * len(t.s))
	return t.replaced(func(r rune) (string, bool) {
		if r < utf8.RuneSelf && (strings.ContainsRune("_.-~"+keep, r) || r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z') {
			return "", false
		}
		return "%" + strings.ReplaceAll(fmt.Sprintf("% X", string(r)), " ", "%"), true
	})
}

func filterWordCount(e *evaluation, v Value, _ *callArgs) Value {
	return int64(len(strings.FieldsFunc(e.str(v), func(r rune) bool {
		return r != '_' && !(r >= '0' && r <= '9') && strings.ToUpper(string(r)) == strings.ToLower(string(r)) && r < 0x2e80
	})))
}

func filterXMLAttr(e *evaluation, v Value, a *callArgs) Value {
	d, ok := v.(*Dict)
	if !ok {
		e.fail("xmlattr needs a mapping")
	}
	var b builder
	for _, k := range d.keys {
		value, _ := d.Get(k)
		if _, missing := value.(*undefined); value == nil || missing {
			continue
		}
		if strings.ContainsAny(e.str(k), " \t\n\f\r/>=") {
			e.fail("invalid character in attribute name: %q", e.str(k))
		}
		if b.Len() > 0 || truth(a.or(0, "autospace", true)) {
			b.own(" ")
		}
		b.write(e.escape(k), text{s: `="`}, e.escape(value), text{s: `"`})
	}
	out := b.text()
	out.safe = true
	return out
}

func filterFileSize(e *evaluation, v Value, a *callArgs) Value {
	bytes, ok := filterFloat(e, v, &callArgs{positional: []Value{nil}}).(float64)
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
