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

// text is what {{ v }} prints.
func (e *evaluation) text(v Value) text {
	if t, ok := asText(v); ok {
		return t
	}
	if _, missing := v.(*undefined); missing {
		return text{}
	}
	return e.reprText(v)
}

// str is text without marks, for what only looks at it.
func (e *evaluation) str(v Value) string { return e.text(v).s }

func (e *evaluation) reprText(v Value) text {
	var b builder
	e.repr(&b, v)
	return b.text()
}

func (e *evaluation) repr(b *builder, v Value) {
	defer e.enter()()
	before := b.Len()
	switch x := v.(type) {
	case nil:
		b.own("None")
	case bool:
		b.own(map[bool]string{true: "True", false: "False"}[x])
	case int64:
		b.own(strconv.FormatInt(x, 10))
	case *big.Int:
		b.own(x.String())
	case float64:
		b.own(floatRepr(x))
	case string:
		b.write(stringRepr(text{s: x}))
	case text:
		if x.safe {
			b.own("Markup(")
			defer b.own(")")
		}
		b.write(stringRepr(x))
	case *List:
		e.reprList(b, x)
	case *Dict:
		b.own("{")
		for i, k := range x.keys {
			if i > 0 {
				b.own(", ")
			}
			e.repr(b, k)
			b.own(": ")
			value, _ := x.Get(k)
			e.repr(b, value)
		}
		b.own("}")
	case *undefined:
		b.own("Undefined")
	case *namespace:
		b.own("<Namespace ")
		e.repr(b, x.vars)
		b.own(">")
	default:
		b.own("<" + typeName(v) + " object>")
	}
	e.allocate(b.Len() - before)
}

func (e *evaluation) reprList(b *builder, l *List) {
	b.own(l.printed)
	if l.printed != "" && l.shut == "" {
		return
	}
	defer b.own(l.shut)
	open, shut := "[", "]"
	if l.Tuple {
		open, shut = "(", ")"
		if len(l.Items) == 1 {
			shut = ",)"
		}
	}
	b.own(open)
	for i, item := range l.Items {
		if i > 0 {
			b.own(", ")
		}
		e.repr(b, item)
	}
	b.own(shut)
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
func stringRepr(t text) text {
	quote := "'"
	if strings.Contains(t.s, "'") && !strings.Contains(t.s, "\"") {
		quote = `"`
	}
	return joined(text{s: quote}, t.replaced(func(r rune) (string, bool) {
		switch {
		case string(r) == quote || r == '\\':
			return `\` + string(r), true
		case r == '\n':
			return `\n`, true
		case r == '\r':
			return `\r`, true
		case r == '\t':
			return `\t`, true
		case r < 0x20 || r >= 0x7f && !printable(r):
			return escaped(r), true
		}
		return "", false
	}), text{s: quote})
}

// printable is Python's str.isprintable for one character.
func printable(r rune) bool { return r != 0x7f && unicode.IsPrint(r) }

func escaped(r rune) string {
	switch {
	case r <= 0xff:
		return fmt.Sprintf(`\x%02x`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

var htmlEscapes = map[rune]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '\'': "&#39;", '"': "&#34;"}

// escape makes v safe in HTML; what is safe already stays.
func (e *evaluation) escape(v Value) text {
	t := e.text(v)
	if !t.safe {
		t = t.replaced(func(r rune) (string, bool) { s, ok := htmlEscapes[r]; return s, ok })
		t.safe = true
	}
	return t
}
