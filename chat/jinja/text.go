package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// This file owns Python's str() and repr().

// str is what {{ v }} prints.
func (e *evaluation) str(v Value) string {
	switch x := v.(type) {
	case string:
		return x
	case safe:
		return string(x)
	case *undefined:
		return ""
	}
	var b strings.Builder
	e.repr(&b, v)
	return b.String()
}

func (e *evaluation) reprString(v Value) string {
	var b strings.Builder
	e.repr(&b, v)
	return b.String()
}

func (e *evaluation) repr(b *strings.Builder, v Value) {
	defer e.enter()()
	before := b.Len()
	switch x := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[x])
	case int64:
		b.WriteString(strconv.FormatInt(x, 10))
	case *big.Int:
		b.WriteString(x.String())
	case float64:
		b.WriteString(floatRepr(x))
	case string:
		stringRepr(b, x)
	case safe:
		b.WriteString("Markup(")
		stringRepr(b, string(x))
		b.WriteString(")")
	case *List:
		e.reprList(b, x)
	case *Dict:
		b.WriteString("{")
		for i, k := range x.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			e.repr(b, k)
			b.WriteString(": ")
			value, _ := x.Get(k)
			e.repr(b, value)
		}
		b.WriteString("}")
	case *undefined:
		b.WriteString("Undefined")
	case *namespace:
		b.WriteString("<Namespace ")
		e.repr(b, x.vars)
		b.WriteString(">")
	default:
		fmt.Fprintf(b, "<%s object>", typeName(v))
	}
	e.allocate(b.Len() - before)
}

func (e *evaluation) reprList(b *strings.Builder, l *List) {
	open, shut := "[", "]"
	if l.Tuple {
		open, shut = "(", ")"
		if len(l.Items) == 1 {
			shut = ",)"
		}
	}
	b.WriteString(open)
	for i, item := range l.Items {
		if i > 0 {
			b.WriteString(", ")
		}
		e.repr(b, item)
	}
	b.WriteString(shut)
}

// floatRepr is Python's shortest form: an exponent below 1e-4 and from 1e16 on.
func floatRepr(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// stringRepr quotes with ' unless the string has ' and no ".
func stringRepr(b *strings.Builder, s string) {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, "\"") {
		quote = '"'
	}
	b.WriteByte(quote)
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(b, `\x%02x`, r)
		case r > 0x7f && !printable(r):
			writeEscape(b, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte(quote)
}

// printable is Python's str.isprintable for one character.
func printable(r rune) bool { return unicode.IsPrint(r) }

func writeEscape(b *strings.Builder, r rune) {
	switch {
	case r <= 0xff:
		fmt.Fprintf(b, `\x%02x`, r)
	case r <= 0xffff:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}

var htmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;")

// escape makes v safe in HTML; what is safe already stays.
func (e *evaluation) escape(v Value) safe {
	if s, ok := v.(safe); ok {
		return s
	}
	return safe(htmlEscapes.Replace(e.str(v)))
}
