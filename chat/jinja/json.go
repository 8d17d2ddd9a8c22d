package jinja

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// This file owns JSON: variables coming in, with their order and kinds of numbers, and tojson going out.

// maxJSONDepth bounds the nesting of variables.
const maxJSONDepth = 128

// fromRequest marks strings that came in as JSON, until somebody marks them otherwise.
const fromRequest = 1

// FromJSON reads a JSON object as variables, whose strings are marked with 1.
func FromJSON(text []byte) (*Dict, error) {
	d := jsontext.NewDecoder(bytes.NewReader(text))
	v, err := readJSON(d, 0)
	if err != nil {
		return nil, err
	}
	object, ok := v.(*Dict)
	if !ok {
		return nil, fmt.Errorf("the context must be a JSON object")
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("text after the JSON object")
	}
	return object, nil
}

func readJSON(d *jsontext.Decoder, depth int) (Value, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("the JSON is nested too deeply")
	}
	t, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case 't', 'f':
		return t.Bool(), nil
	case '"':
		return Mark(t.String(), fromRequest), nil
	case '0':
		return readNumber(t.String())
	case '[':
		l := &List{}
		for d.PeekKind() != ']' {
			v, err := readJSON(d, depth+1)
			if err != nil {
				return nil, err
			}
			l.Items = append(l.Items, v)
		}
		_, err := d.ReadToken()
		return l, err
	case '{':
		return readObject(d, depth)
	}
	return nil, nil
}

func readObject(d *jsontext.Decoder, depth int) (Value, error) {
	o := NewDict()
	for d.PeekKind() != '}' {
		k, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		key := Mark(k.String(), fromRequest)
		v, err := readJSON(d, depth+1)
		if err != nil {
			return nil, err
		}
		o.Set(key, v)
	}
	_, err := d.ReadToken()
	return o, err
}

func readNumber(s string) (Value, error) {
	if strings.ContainsAny(s, ".eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil && !math.IsInf(f, 0) {
			return nil, err
		}
		return f, nil
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok || n.BitLen() > maxIntBits {
		return nil, fmt.Errorf("the number %.20s... is too large", s)
	}
	return shrink(n), nil
}

// jsonWriter is json.dumps.
type jsonWriter struct {
	e              *evaluation
	b              builder
	indent         text // "" and pretty false: one line
	pretty         bool
	comma, colon   text
	ascii, sortKey bool
}

func filterToJSON(e *evaluation, v Value, a *callArgs) Value {
	w := &jsonWriter{e: e, comma: text{s: ", "}, colon: text{s: ": "}}
	w.ascii = truth(a.or(0, "ensure_ascii", false))
	if n := a.or(1, "indent", nil); n != nil {
		var ok bool
		w.pretty, w.comma = true, text{s: ","}
		if w.indent, ok = asText(n); !ok {
			w.indent = e.pad(e.toInt(n))
		}
	}
	if s := a.or(2, "separators", nil); s != nil {
		items := e.iterate(s)
		if len(items) != 2 {
			e.fail("separators must be two strings")
		}
		w.comma, w.colon = e.text(items[0]), e.text(items[1])
	}
	w.sortKey = truth(a.or(3, "sort_keys", false))
	w.value(v, 1)
	return w.b.text().value()
}

func (w *jsonWriter) write(s string) { w.text(text{s: s}) }

func (w *jsonWriter) text(t text) {
	w.e.allocate(len(t.s))
	w.b.write(t)
}

func (w *jsonWriter) newline(depth int) {
	if w.pretty {
		w.write("\n")
		for range depth {
			w.text(w.indent)
		}
	}
}

func (w *jsonWriter) value(v Value, depth int) {
	defer w.e.enter()()
	switch x := v.(type) {
	case nil:
		w.write("null")
	case bool:
		w.write(strconv.FormatBool(x))
	case int64:
		w.write(strconv.FormatInt(x, 10))
	case *big.Int:
		w.write(x.String())
	case float64:
		w.write(jsonFloat(x))
	case string:
		w.string(text{s: x})
	case text:
		w.string(x)
	case *List:
		if x.printed != "" {
			w.e.fail("object of type %s is not JSON serializable: make a list of it first", typeName(v))
		}
		w.list(x, depth)
	case *Dict:
		w.dict(x, depth)
	default:
		w.e.fail("object of type %s is not JSON serializable", typeName(v))
	}
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 0):
		return strings.Replace(strings.Replace(floatRepr(f), "inf", "Infinity", 1), "+", "", 1)
	}
	return floatRepr(f)
}

func (w *jsonWriter) list(l *List, depth int) {
	if len(l.Items) == 0 {
		w.write("[]")
		return
	}
	w.write("[")
	for i, item := range l.Items {
		if i > 0 {
			w.text(w.comma)
		}
		w.newline(depth)
		w.value(item, depth+1)
	}
	w.newline(depth - 1)
	w.write("]")
}

func (w *jsonWriter) dict(d *Dict, depth int) {
	if len(d.keys) == 0 {
		w.write("{}")
		return
	}
	keys := d.keys
	if w.sortKey {
		keys = w.e.sorted(keys, func(k Value) Value { return k }, false)
	}
	w.write("{")
	for i, k := range keys {
		if i > 0 {
			w.text(w.comma)
		}
		w.newline(depth)
		w.key(k)
		w.text(w.colon)
		v, _ := d.Get(k)
		w.value(v, depth+1)
	}
	w.newline(depth - 1)
	w.write("}")
}

func (w *jsonWriter) key(k Value) {
	switch x := k.(type) {
	case string:
		w.string(text{s: x})
	case text:
		w.string(x)
	case nil:
		w.write(`"null"`)
	case bool:
		w.write(`"` + strconv.FormatBool(x) + `"`)
	case float64:
		w.write(`"` + jsonFloat(x) + `"`)
	case int64, *big.Int:
		w.write(`"` + w.e.str(x) + `"`)
	default:
		w.e.fail("keys must be str, int, float, bool or None, not %s", typeName(k))
	}
}

var jsonEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}

func (w *jsonWriter) string(t text) {
	w.e.allocate(len(t.s) + 2)
	w.b.own(`"`)
	w.b.write(t.replaced(func(r rune) (string, bool) {
		if escape, special := jsonEscapes[r]; special {
			return escape, true
		}
		switch {
		case r < 0x20 || r >= utf8.RuneSelf && r <= 0xffff && w.ascii:
			return fmt.Sprintf(`\u%04x`, r), true
		case r > 0xffff && w.ascii:
			high, low := utf16.EncodeRune(r)
			return fmt.Sprintf(`\u%04x\u%04x`, high, low), true
		}
		return "", false
	}))
	w.b.own(`"`)
}
