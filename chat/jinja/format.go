package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// This file owns Python's two ways of formatting: "%s" % x and "{}".format(x).

// maxWidth bounds a field's width and precision.
const maxWidth = 4096

// percent is s % args.
func (e *evaluation) percent(s string, args Value) string {
	values := []Value{args}
	if l, ok := args.(*List); ok && l.Tuple {
		values = l.Items
	}
	var b strings.Builder
	used := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		f := field{}
		i = e.percentField(s, i+1, &f)
		if f.kind == '%' {
			b.WriteByte('%')
			continue
		}
		var v Value
		if f.key != "" {
			d, ok := args.(*Dict)
			if !ok {
				e.fail("format requires a mapping")
			}
			v, _ = d.Get(f.key)
		} else if used < len(values) {
			v = values[used]
			used++
		} else {
			e.fail("not enough arguments for format string")
		}
		text := e.percentValue(f, v)
		e.allocate(len(text))
		b.WriteString(text)
	}
	if _, isDict := args.(*Dict); used < len(values) && !isDict {
		e.fail("not all arguments converted during string formatting")
	}
	return b.String()
}

// field is one conversion.
type field struct {
	key           string
	flags         string
	width, digits int
	hasDigits     bool
	kind          byte
	fill          string
	align         byte
	comma         bool
	sign          byte
}

func (e *evaluation) percentField(s string, i int, f *field) int {
	if i < len(s) && s[i] == '(' {
		end := strings.IndexByte(s[i:], ')')
		if end < 0 {
			e.fail("incomplete format key")
		}
		f.key = s[i+1 : i+end]
		i += end + 1
	}
	for i < len(s) && strings.IndexByte("-+ #0", s[i]) >= 0 {
		f.flags += s[i : i+1]
		i++
	}
	i = e.number(s, i, &f.width)
	if i < len(s) && s[i] == '.' {
		f.hasDigits = true
		i = e.number(s, i+1, &f.digits)
	}
	if i >= len(s) {
		e.fail("incomplete format")
	}
	f.kind = s[i]
	return i
}

func (e *evaluation) number(s string, i int, into *int) int {
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		if *into = *into*10 + int(s[i]-'0'); *into > maxWidth {
			e.fail("a format's width is too large")
		}
	}
	return i
}

func (e *evaluation) percentValue(f field, v Value) string {
	text := ""
	switch f.kind {
	case 's', 'r', 'a':
		if text = e.str(v); f.kind != 's' {
			text = e.reprString(v)
		}
		if f.hasDigits {
			text = firstRunes(text, f.digits)
		}
		return padText(text, f.width, strings.Contains(f.flags, "-"), " ")
	case 'd', 'i', 'u', 'x', 'X', 'o':
		text = e.formatInt(v, map[byte]int{'x': 16, 'X': 16, 'o': 8}[f.kind])
		if f.kind == 'X' {
			text = strings.ToUpper(text)
		}
	case 'f', 'F', 'e', 'E', 'g', 'G':
		x, ok := floatOf(v)
		if !ok {
			e.fail("must be real number, not %s", typeName(v))
		}
		text = formatFloat(x, f)
	case 'c':
		if s, ok := textOf(v); ok {
			return s
		}
		return string(rune(e.toInt(v)))
	default:
		e.fail("unsupported format character %q", f.kind)
	}
	return padNumber(text, f)
}

func (e *evaluation) formatInt(v Value, base int) string {
	if base == 0 {
		base = 10
	}
	if x, ok := v.(float64); ok {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			e.fail("cannot convert float to integer")
		}
		n, _ := big.NewFloat(math.Trunc(x)).Int(nil)
		return n.Text(base)
	}
	n, ok := bigOf(v)
	if !ok {
		e.fail("a number is required, not %s", typeName(v))
	}
	return n.Text(base)
}

func formatFloat(x float64, f field) string {
	digits := 6
	if f.hasDigits {
		digits = f.digits
	}
	if k := f.kind | 0x20; k == 'g' {
		digits = max(digits, 1)
	}
	return strings.Replace(strconv.FormatFloat(x, f.kind, digits, 64), "+Inf", "inf", 1)
}

func padNumber(text string, f field) string {
	if !strings.HasPrefix(text, "-") {
		if strings.Contains(f.flags, "+") {
			text = "+" + text
		} else if strings.Contains(f.flags, " ") {
			text = " " + text
		}
	}
	if strings.Contains(f.flags, "0") && !strings.Contains(f.flags, "-") {
		sign := ""
		if strings.IndexAny(text, "+- ") == 0 {
			sign, text = text[:1], text[1:]
		}
		return sign + strings.Repeat("0", max(f.width-len(sign)-len(text), 0)) + text
	}
	return padText(text, f.width, strings.Contains(f.flags, "-"), " ")
}

func padText(s string, width int, left bool, fill string) string {
	missing := strings.Repeat(fill, max(width-utf8.RuneCountInString(s), 0))
	if left {
		return s + missing
	}
	return missing + s
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

// format is s.format(...): fields by position, number or name, with attributes, items and a spec.
func (e *evaluation) format(s string, a *callArgs) string {
	var b strings.Builder
	next := 0
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "{{"), strings.HasPrefix(s[i:], "}}"):
			b.WriteByte(s[i])
			i++
		case s[i] == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				e.fail("expected '}' before end of string")
			}
			text := e.formatField(s[i+1:i+end], a, &next)
			e.allocate(len(text))
			b.WriteString(text)
			i += end
		case s[i] == '}':
			e.fail("single '}' encountered in format string")
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func (e *evaluation) formatField(text string, a *callArgs, next *int) string {
	text, spec, _ := strings.Cut(text, ":")
	text, conversion, _ := strings.Cut(text, "!")
	path := strings.FieldsFunc(text, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
	first := ""
	if len(path) > 0 && !strings.HasPrefix(text, ".") && !strings.HasPrefix(text, "[") {
		first, path = path[0], path[1:]
	}
	v, ok := a.keyword(first)
	if first == "" {
		v, ok = a.get(*next, "")
		*next++
	} else if n, err := strconv.Atoi(first); err == nil {
		v, ok = a.get(n, "")
	}
	if !ok {
		e.fail("format has no argument %q", first)
	}
	for _, step := range path {
		if strings.HasPrefix(step, "_") {
			e.fail("access to %q is unsafe", step)
		}
		if n, err := strconv.ParseInt(step, 10, 64); err == nil {
			v = e.item(v, n)
		} else {
			v = e.item(v, step)
		}
	}
	if conversion == "r" {
		v = e.reprString(v)
	}
	return e.formatSpec(v, spec)
}

// formatSpec is Python's format mini-language: [[fill]align][sign][0][width][,][.digits][type].
func (e *evaluation) formatSpec(v Value, spec string) string {
	f := field{fill: " "}
	if r, n := utf8.DecodeRuneInString(spec); n > 0 && len(spec) > n && strings.IndexByte("<>^=", spec[n]) >= 0 {
		f.fill, f.align, spec = string(r), spec[n], spec[n+1:]
	} else if spec != "" && strings.IndexByte("<>^=", spec[0]) >= 0 {
		f.align, spec = spec[0], spec[1:]
	}
	if spec != "" && strings.IndexByte("+- ", spec[0]) >= 0 {
		f.sign, spec = spec[0], spec[1:]
	}
	if strings.HasPrefix(spec, "0") && f.align == 0 {
		f.fill, f.align, spec = "0", '=', spec[1:]
	}
	i := e.number(spec, 0, &f.width)
	if i < len(spec) && (spec[i] == ',' || spec[i] == '_') {
		f.comma = true
		i++
	}
	if i < len(spec) && spec[i] == '.' {
		f.hasDigits = true
		i = e.number(spec, i+1, &f.digits)
	}
	if i < len(spec) {
		f.kind = spec[i]
	}
	return e.align(e.specText(v, f), v, f)
}

func (e *evaluation) specText(v Value, f field) string {
	text := ""
	switch {
	case f.kind == '%':
		x, _ := floatOf(v)
		f.kind = 'f'
		text = formatFloat(x*100, f) + "%"
	case strings.IndexByte("fFeEgG", f.kind) >= 0 && f.kind != 0:
		x, ok := floatOf(v)
		if !ok {
			e.fail("unknown format code %q for %s", f.kind, typeName(v))
		}
		text = formatFloat(x, f)
	case strings.IndexByte("dxXob", f.kind) >= 0 && f.kind != 0:
		if !isInt(v) {
			e.fail("unknown format code %q for %s", f.kind, typeName(v))
		}
		text = e.formatInt(v, map[byte]int{'x': 16, 'X': 16, 'o': 8, 'b': 2}[f.kind])
	default:
		text = e.str(v)
		if _, isText := textOf(v); isText && f.hasDigits {
			return firstRunes(text, f.digits)
		}
	}
	if f.comma {
		text = groupDigits(text)
	}
	if isNumber(v) && f.sign != 0 && f.sign != '-' && !strings.HasPrefix(text, "-") {
		text = string(f.sign) + text
	}
	return text
}

func groupDigits(s string) string {
	whole, rest, _ := strings.Cut(s, ".")
	start := len(whole) - len(strings.TrimLeft(whole, "-+"))
	for i := len(whole) - 3; i > start; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		return whole + "." + rest
	}
	return whole
}

func (e *evaluation) align(text string, v Value, f field) string {
	missing := max(f.width-utf8.RuneCountInString(text), 0)
	align := f.align
	if align == 0 {
		align = '<'
		if isNumber(v) {
			align = '>'
		}
	}
	switch align {
	case '>':
		return strings.Repeat(f.fill, missing) + text
	case '^':
		return strings.Repeat(f.fill, missing/2) + text + strings.Repeat(f.fill, missing-missing/2)
	case '=':
		if strings.IndexAny(text, "+-") == 0 {
			return text[:1] + strings.Repeat(f.fill, missing) + text[1:]
		}
		return strings.Repeat(f.fill, missing) + text
	}
	return text + strings.Repeat(f.fill, missing)
}
