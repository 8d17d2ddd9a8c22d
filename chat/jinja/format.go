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
func (e *evaluation) percent(t text, args Value) Value {
	s := t.s
	values := []Value{args}
	if l, ok := args.(*List); ok && l.Tuple {
		values = l.Items
	}
	var b builder
	used := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.write(t.slice(i, i+1))
			continue
		}
		f := field{}
		i = e.percentField(s, i+1, &f)
		if f.kind == '%' {
			b.own("%")
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
		written := e.percentValue(f, v)
		e.allocate(len(written.s))
		b.write(written)
	}
	if _, isDict := args.(*Dict); used < len(values) && !isDict {
		e.fail("not all arguments converted during string formatting")
	}
	return b.text().value()
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
	separator     string // of groups of digits
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

func (e *evaluation) percentValue(f field, v Value) text {
	number := ""
	switch f.kind {
	case 's', 'r', 'a':
		t := e.text(v)
		if f.kind != 's' {
			t = e.reprText(v)
		}
		if f.hasDigits {
			t = t.first(f.digits)
		}
		return padText(t, f)
	case 'd', 'i', 'u', 'x', 'X', 'o':
		number = e.percentInt(v, f)
	case 'f', 'F', 'e', 'E', 'g', 'G':
		x, ok := floatOf(v)
		if !ok {
			e.fail("must be real number, not %s", typeName(v))
		}
		number = formatFloat(x, f)
	case 'c':
		if t, ok := asText(v); ok {
			return t
		}
		return text{s: string(rune(e.toInt(v)))}
	default:
		e.fail("unsupported format character %q", f.kind)
	}
	return padNumber(number, f)
}

// percentInt writes an integer: with digits it has so many at least, with # a base is written before it.
func (e *evaluation) percentInt(v Value, f field) string {
	base := map[byte]int{'x': 16, 'X': 16, 'o': 8}[f.kind]
	if _, isFloat := v.(float64); isFloat && base != 0 {
		e.fail("%%%c format: an integer is required, not float", f.kind)
	}
	number, negative := strings.CutPrefix(e.formatInt(v, base), "-")
	number = strings.Repeat("0", max(f.digits-len(number), 0)) + number
	if base != 0 && strings.Contains(f.flags, "#") {
		if zeros := f.width - len(number) - 2; strings.Contains(f.flags, "0") && !strings.Contains(f.flags, "-") {
			if negative || strings.ContainsAny(f.flags, "+ ") {
				zeros--
			}
			number = strings.Repeat("0", max(zeros, 0)) + number
		}
		number = "0" + string(f.kind|0x20) + number
	}
	if negative {
		number = "-" + number
	}
	if f.kind == 'X' {
		number = strings.ToUpper(number)
	}
	return number
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

func padNumber(number string, f field) text {
	if !strings.HasPrefix(number, "-") {
		if strings.Contains(f.flags, "+") {
			number = "+" + number
		} else if strings.Contains(f.flags, " ") {
			number = " " + number
		}
	}
	if strings.Contains(f.flags, "0") && !strings.Contains(f.flags, "-") {
		sign := ""
		if strings.IndexAny(number, "+- ") == 0 {
			sign, number = number[:1], number[1:]
		}
		return text{s: sign + strings.Repeat("0", max(f.width-len(sign)-len(number), 0)) + number}
	}
	return padText(text{s: number}, f)
}

func padText(t text, f field) text {
	missing := text{s: strings.Repeat(" ", max(f.width-utf8.RuneCountInString(t.s), 0))}
	if strings.Contains(f.flags, "-") {
		return joined(t, missing)
	}
	return joined(missing, t)
}

// format is s.format(...): fields by position, number or name, with attributes, items and a spec.
func (e *evaluation) format(t text, a *callArgs) Value {
	var b builder
	s, next := t.s, 0
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "{{"), strings.HasPrefix(s[i:], "}}"):
			b.write(t.slice(i, i+1))
			i++
		case s[i] == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				e.fail("expected '}' before end of string")
			}
			written := e.formatField(s[i+1:i+end], a, &next)
			e.allocate(len(written.s))
			b.write(written)
			i += end
		case s[i] == '}':
			e.fail("single '}' encountered in format string")
		default:
			b.write(t.slice(i, i+1))
		}
	}
	return b.text().value()
}

func (e *evaluation) formatField(name string, a *callArgs, next *int) text {
	name, spec, _ := strings.Cut(name, ":")
	name, conversion, _ := strings.Cut(name, "!")
	path := strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
	first := ""
	if len(path) > 0 && !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "[") {
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
		v = e.reprText(v).value()
	}
	return e.formatSpec(v, spec)
}

// formatSpec is Python's format mini-language: [[fill]align][sign][0][width][,][.digits][type].
func (e *evaluation) formatSpec(v Value, spec string) text {
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
		f.separator = spec[i : i+1]
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

func (e *evaluation) specText(v Value, f field) text {
	number := ""
	switch {
	case f.kind == '%':
		x, _ := floatOf(v)
		f.kind = 'f'
		number = formatFloat(x*100, f) + "%"
	case strings.IndexByte("fFeEgG", f.kind) >= 0 && f.kind != 0:
		x, ok := floatOf(v)
		if !ok {
			e.fail("unknown format code %q for %s", f.kind, typeName(v))
		}
		number = formatFloat(x, f)
	case strings.IndexByte("dxXob", f.kind) >= 0 && f.kind != 0:
		if !isInt(v) {
			e.fail("unknown format code %q for %s", f.kind, typeName(v))
		}
		number = e.formatInt(v, map[byte]int{'x': 16, 'X': 16, 'o': 8, 'b': 2}[f.kind])
	case isNumber(v):
		number = e.str(v)
	default:
		t := e.text(v)
		if _, isText := textOf(v); isText && f.hasDigits {
			return t.first(f.digits)
		}
		return t
	}
	if f.separator != "" {
		number = groupDigits(number, f.separator)
	}
	if f.sign != 0 && f.sign != '-' && !strings.HasPrefix(number, "-") {
		number = string(f.sign) + number
	}
	return text{s: number}
}

func groupDigits(s, separator string) string {
	whole, rest, _ := strings.Cut(s, ".")
	start := len(whole) - len(strings.TrimLeft(whole, "-+"))
	for i := len(whole) - 3; i > start; i -= 3 {
		whole = whole[:i] + separator + whole[i:]
	}
	if rest != "" {
		return whole + "." + rest
	}
	return whole
}

func (e *evaluation) align(t text, v Value, f field) text {
	missing := max(f.width-utf8.RuneCountInString(t.s), 0)
	align := f.align
	if align == 0 {
		align = '<'
		if isNumber(v) {
			align = '>'
		}
	}
	before := map[byte]int{'>': missing, '=': missing, '^': missing / 2}[align]
	fill := func(n int) text { return text{s: strings.Repeat(f.fill, n)} }
	sign := 0
	if align == '=' && strings.IndexAny(t.s, "+-") == 0 {
		sign = 1
	}
	return joined(t.slice(0, sign), fill(before), t.slice(sign, len(t.s)), fill(missing-before))
}
