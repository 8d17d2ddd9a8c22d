// Package jinja interprets Jinja2 templates as chat templates use them, byte for byte like Python's
// jinja2 3.1 in the immutable sandbox with trim_blocks, lstrip_blocks and loop controls.
//
// A template comes out of a model file, so it is hostile until proven otherwise: parsing and rendering
// are bounded in depth, steps, memory and output, and nothing outside the given variables is reachable.
//
// This file owns the lexer: text outside tags with its whitespace control, and tokens inside.
package jinja

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error is a template that can't be parsed or rendered.
type Error struct {
	Line   int
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

type tokenKind int

const (
	tokenEOF tokenKind = iota
	tokenData
	tokenVariableBegin
	tokenVariableEnd
	tokenBlockBegin
	tokenBlockEnd
	tokenName
	tokenString
	tokenInt
	tokenFloat
	tokenOperator
)

type token struct {
	kind  tokenKind
	text  string // name, operator or string value
	value Value  // of numbers
	line  int
}

type lexer struct {
	src          string
	at, line     int
	tokens       []token
	lineStarting bool // the last tag's end took a newline, or nothing came yet
	err          error
}

// Bounds of a template; the largest published ones have some 30 kB and 8,000 tokens.
const (
	maxTemplate = 1 << 20
	maxTokens   = 1 << 15
)

func lex(src string) ([]token, error) {
	if len(src) > maxTemplate {
		return nil, &Error{1, "the template is too large"}
	}
	src = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(src)
	src = strings.TrimSuffix(src, "\n")
	l := &lexer{src: src, line: 1, lineStarting: true}
	for l.at < len(l.src) && l.err == nil {
		l.data()
	}
	l.emit(token{kind: tokenEOF})
	return l.tokens, l.err
}

func (l *lexer) fail(format string, args ...any) {
	if l.err == nil {
		l.err = &Error{l.line, fmt.Sprintf(format, args...)}
	}
}

func (l *lexer) emit(t token) {
	t.line = l.line
	if len(l.tokens) == maxTokens {
		l.fail("the template has too many tokens")
	}
	l.tokens = append(l.tokens, t)
}

// advance moves over n bytes and counts lines.
func (l *lexer) advance(n int) {
	l.line += strings.Count(l.src[l.at:l.at+n], "\n")
	l.at += n
}

// nextTag is where the next tag begins, or the end.
func (l *lexer) nextTag() int {
	for i := l.at; i+1 < len(l.src); i++ {
		if l.src[i] == '{' && (l.src[i+1] == '{' || l.src[i+1] == '%' || l.src[i+1] == '#') {
			return i
		}
	}
	return len(l.src)
}

// data handles text up to a tag, and the tag.
func (l *lexer) data() {
	end := l.nextTag()
	text := l.src[l.at:end]
	if end == len(l.src) {
		l.text(text)
		l.advance(len(text))
		return
	}
	kind, sign := l.src[end+1], byte(0)
	if end+2 < len(l.src) {
		sign = l.src[end+2]
	}
	kept := text
	switch {
	case sign == '-':
		kept = strings.TrimRightFunc(text, unicode.IsSpace)
	case kind != '{' && sign != '+': // lstrip_blocks: a block alone at a line's beginning takes its indent along
		start := strings.LastIndexByte(text, '\n') + 1
		if (start > 0 || l.lineStarting) && strings.TrimSpace(text[start:]) == "" {
			kept = text[:start]
		}
	}
	l.text(kept)
	l.advance(len(text) + 2)
	if sign == '-' || sign == '+' {
		l.advance(1)
	}
	switch kind {
	case '#':
		l.comment()
	case '{':
		l.emit(token{kind: tokenVariableBegin})
		l.inside("}}", tokenVariableEnd)
	default:
		l.block()
	}
}

func (l *lexer) text(s string) {
	if s != "" {
		l.emit(token{kind: tokenData, text: s})
	}
}

func (l *lexer) comment() {
	end := strings.Index(l.src[l.at:], "#}")
	if end < 0 {
		l.fail("a comment is not closed")
		return
	}
	minus := end > 0 && l.src[l.at+end-1] == '-'
	plus := end > 0 && l.src[l.at+end-1] == '+'
	l.advance(end + 2)
	l.afterBlock(minus, plus)
}

// afterBlock takes the whitespace that a block's or comment's end takes with it.
func (l *lexer) afterBlock(minus, plus bool) {
	before := l.at
	switch {
	case minus:
		l.skipSpace()
	case !plus && l.at < len(l.src) && l.src[l.at] == '\n': // trim_blocks
		l.advance(1)
	}
	l.lineStarting = l.at > before && l.src[l.at-1] == '\n'
}

func (l *lexer) skipSpace() {
	rest := l.src[l.at:]
	l.advance(len(rest) - len(strings.TrimLeftFunc(rest, unicode.IsSpace)))
}

var (
	rawBegin = regexp.MustCompile(`^\s*raw\s*(-%}\s*|%})`)
	rawEnd   = regexp.MustCompile(`\{%([-+]?)\s*endraw\s*(\+%}|-%}\s*|%}\n?)`)
)

func (l *lexer) block() {
	if m := rawBegin.FindString(l.src[l.at:]); m != "" {
		l.advance(len(m))
		l.raw()
		return
	}
	l.emit(token{kind: tokenBlockBegin})
	l.inside("%}", tokenBlockEnd)
}

func (l *lexer) raw() {
	m := rawEnd.FindStringSubmatchIndex(l.src[l.at:])
	if m == nil {
		l.fail("a raw block is not closed")
		return
	}
	text := l.src[l.at : l.at+m[0]]
	switch sign := l.src[l.at+m[2] : l.at+m[3]]; {
	case sign == "-":
		text = strings.TrimRightFunc(text, unicode.IsSpace)
	case sign == "":
		start := strings.LastIndexByte(text, '\n') + 1
		if start > 0 && strings.TrimSpace(text[start:]) == "" {
			text = text[:start]
		}
	}
	l.text(text)
	l.advance(m[1])
	l.lineStarting = strings.HasSuffix(l.src[:l.at], "\n")
}

// inside reads tokens up to the end mark, which counts only outside all brackets.
func (l *lexer) inside(end string, kind tokenKind) {
	depth := 0
	for l.err == nil {
		l.skipSpace()
		rest := l.src[l.at:]
		if rest == "" {
			l.fail("unexpected end of the template inside a tag")
			return
		}
		if depth == 0 {
			if sign := strings.HasPrefix(rest, "-"+end); sign || strings.HasPrefix(rest, end) || (end == "%}" && strings.HasPrefix(rest, "+"+end)) {
				l.endTag(rest, end, kind)
				return
			}
		}
		depth += l.token(rest)
		if depth < 0 {
			l.fail("unexpected closing bracket")
		}
	}
}

func (l *lexer) endTag(rest, end string, kind tokenKind) {
	minus, plus := rest[0] == '-', rest[0] == '+'
	n := len(end)
	if minus || plus {
		n++
	}
	l.advance(n)
	l.emit(token{kind: kind})
	if kind == tokenVariableEnd {
		before := l.at
		if minus {
			l.skipSpace()
		}
		l.lineStarting = l.at > before && l.src[l.at-1] == '\n'
		return
	}
	l.afterBlock(minus, plus)
}

var (
	floatPattern  = regexp.MustCompile(`^(\d+_)*\d+((\.(\d+_)*\d+)?[eE][+\-]?(\d+_)*\d+|\.(\d+_)*\d+)`)
	intPattern    = regexp.MustCompile(`^(0[bB](_?[01])+|0[oO](_?[0-7])+|0[xX](_?[0-9a-fA-F])+|[1-9](_?\d)*|0(_?0)*)`)
	stringPattern = regexp.MustCompile(`^(?s:'([^'\\]|\\.)*'|"([^"\\]|\\.)*")`)
	operators     = []string{"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"}
)

// token reads one token and returns how much deeper it goes into brackets.
func (l *lexer) token(rest string) (depth int) {
	if m := floatPattern.FindString(rest); m != "" && !strings.HasSuffix(l.src[:l.at], ".") {
		f, _ := strconv.ParseFloat(strings.ReplaceAll(m, "_", ""), 64)
		l.emit(token{kind: tokenFloat, value: f})
		l.advance(len(m))
		return 0
	}
	if m := intPattern.FindString(rest); m != "" {
		n, ok := new(big.Int).SetString(strings.ReplaceAll(m, "_", ""), 0)
		if !ok || n.BitLen() > maxIntBits {
			l.fail("a number that is too large")
		}
		l.emit(token{kind: tokenInt, value: shrink(n)})
		l.advance(len(m))
		return 0
	}
	if m := stringPattern.FindString(rest); m != "" {
		l.emit(token{kind: tokenString, text: unescape(m[1 : len(m)-1])})
		l.advance(len(m))
		return 0
	}
	if n := nameLength(rest); n > 0 {
		l.emit(token{kind: tokenName, text: rest[:n]})
		l.advance(n)
		return 0
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			l.emit(token{kind: tokenOperator, text: op})
			l.advance(len(op))
			switch op {
			case "(", "[", "{":
				return 1
			case ")", "]", "}":
				return -1
			}
			return 0
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	l.fail("unexpected character %q", r)
	return 0
}

func nameLength(s string) int {
	for i, r := range s {
		if r == '_' || unicode.IsLetter(r) || (i > 0 && (unicode.IsDigit(r) || unicode.IsMark(r))) {
			continue
		}
		return i
	}
	return len(s)
}

var simpleEscapes = map[byte]string{'n': "\n", 't': "\t", 'r': "\r", 'a': "\a", 'b': "\b", 'f': "\f", 'v': "\v", '\\': "\\", '\'': "'", '"': "\"", '\n': ""}

// unescape is Python's unicode-escape; unknown escapes stay as they are.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if text, ok := simpleEscapes[s[i]]; ok {
			b.WriteString(text)
			continue
		}
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
		if n, err := strconv.ParseUint(s[min(i+1, len(s)):min(i+1+digits, len(s))], 16, 32); digits > 0 && err == nil {
			b.WriteRune(rune(n))
			i += digits
			continue
		}
		if s[i] >= '0' && s[i] <= '7' {
			j := i
			for j < len(s) && j < i+3 && s[j] >= '0' && s[j] <= '7' {
				j++
			}
			n, _ := strconv.ParseUint(s[i:j], 8, 32)
			b.WriteRune(rune(n))
			i = j - 1
			continue
		}
		b.WriteByte('\\')
		b.WriteByte(s[i])
	}
	return b.String()
}
