package api

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// This file owns reading request bodies: bounded, strict JSON, with errors that name the field.

// maxDepth bounds nesting; tool schemas are the deepest thing that clients send.
const maxDepth = 128

// decode reads the body into v, and has the model that is to serve it loaded. Fields that nobody knows pass: clients send many
// that mean nothing here. The model comes before the body is taken apart, so that a request which waits holds its text alone.
func (c *call) decode(v any) error {
	raw, err := c.read()
	c.started = time.Now()
	if err != nil {
		return err
	}
	if err := c.hold(raw); err != nil {
		return err
	}
	if err := decodeJSON(raw, v); err != nil {
		return err
	}
	if r, ok := v.(interface {
		unknown() map[string]jsontext.Value
	}); ok {
		c.server.unknown.note(c.path, r.unknown())
	}
	return nil
}

func (c *call) read() ([]byte, error) {
	limit := c.server.MaxBody
	tooLarge := &HTTPError{Status: 413, Type: "invalid_request_error", Code: "body_too_large",
		Message: fmt.Sprintf("the request body has more than the %d bytes that are allowed (max_body)", limit)}
	if c.Request.Header.ContentLength() > limit {
		return nil, tooLarge
	}
	stream := c.RequestBodyStream()
	if stream == nil {
		body := c.PostBody()
		if len(body) > limit {
			return nil, tooLarge
		}
		return body, c.count(len(body))
	}
	raw, err := c.readAll(stream, limit)
	switch {
	case err != nil:
		return nil, err
	case len(raw) > limit:
		return nil, tooLarge
	case len(raw) < c.Request.Header.ContentLength():
		return nil, c.unreadable(io.ErrUnexpectedEOF)
	}
	return raw, nil
}

// unreadable is a body's that did not come whole. The request's context knows why, if that is the client's doing.
func (c *call) unreadable(cause error) error {
	if err := c.context().Err(); err != nil {
		return err
	}
	return &HTTPError{Status: 400, Type: "invalid_request_error", Code: "bad_body", Message: "the request body could not be read", Cause: cause}
}

// maxValues bounds the names and values of a body that are not numbers: each costs many times its text
// once it is decoded, or once a template walks it. Numbers are not counted, since a list of prompts as
// token ids is mostly numbers, and those are kept in four bytes.
const maxValues = 1 << 18

func badJSON(cause error, format string, args ...any) *HTTPError {
	return &HTTPError{Status: 400, Type: "invalid_request_error", Code: "invalid_json", Message: fmt.Sprintf(format, args...), Cause: cause}
}

// decodeJSON is strict: duplicate names, invalid UTF-8 and text behind the value are refused.
func decodeJSON(raw []byte, v any) error {
	if len(raw) == 0 {
		return badJSON(nil, "the request has no body: send a JSON object")
	}
	switch s := measure(raw); {
	case s.depth > maxDepth:
		return badJSON(nil, "the JSON body is nested too deeply: at most %d levels are allowed", maxDepth)
	case s.values > maxValues:
		return badJSON(nil, "the JSON body has too many names and values: at most %d are allowed, numbers not counted", maxValues)
	}
	err := json.Unmarshal(raw, v, json.WithUnmarshalers(fieldForms))
	var fraction *fractionError
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case err == nil && jsontext.Value(raw).Kind() == '{':
		return nil
	case err == nil: // null, which leaves every type as it is
		return badJSON(nil, "the body must be a JSON object")
	case errors.As(err, &fraction):
		return badField(fieldOf(fraction.at), "it must be an integer, not %s", fraction.value)
	case errors.As(err, &syntactic):
		h := badJSON(nil, "the body is not valid JSON: %v", err)
		h.Param = fieldOf(syntactic.JSONPointer)
		return h
	case errors.As(err, &semantic) && semantic.JSONPointer != "":
		return badField(fieldOf(semantic.JSONPointer), "it must be %s, not %s", wanted(semantic.GoType), given(semantic.JSONKind, semantic.JSONValue))
	}
	return badJSON(err, "the body must be a JSON object")
}

// fieldForms read fields that take more forms than Go's types.
var fieldForms = json.JoinUnmarshalers(integers, emptyObject[streamOptions](), emptyObject[responseFormat](), emptyObject[templateFields]())

// emptyObject reads a field that takes an object: other values that ask for nothing are an empty one.
func emptyObject[T any]() *json.Unmarshalers {
	return json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *T) error {
		if k := d.PeekKind(); k == '{' || k == 'n' {
			return errors.ErrUnsupported
		}
		value, err := d.ReadValue()
		if err != nil || asksNothing(value, nil) {
			return err
		}
		return &json.SemanticError{JSONPointer: d.StackPointer(), JSONKind: value.Kind(), JSONValue: value.Clone(), GoType: reflect.TypeFor[T]()}
	})
}

// wanted says what a field of type t takes.
func wanted(t reflect.Type) string {
	if t == nil {
		return "of another type"
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Int64, reflect.Int32:
		return "an integer"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// given says what came instead.
func given(kind jsontext.Kind, value jsontext.Value) string {
	switch kind {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		if len(value) > 0 {
			return clip(string(value), maxParam)
		}
		return "a number"
	case '{':
		return "an object"
	}
	return "a list"
}

// fieldOf turns /messages/0/role into messages[0].role.
func fieldOf(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		switch {
		case b.Len() == 0:
			b.WriteString(token)
		case token != "" && strings.Trim(token, "0123456789") == "":
			b.WriteString("[" + token + "]")
		default:
			b.WriteString("." + token)
		}
	}
	return b.String()
}

// shape is what a JSON text costs to decode. For a text that is not JSON it means nothing.
type shape struct {
	depth  int // the deepest nesting
	values int // names, and values that are not numbers
	commas int // bounds the numbers
}

// measure needs no recursion, and comes before anything recursive sees the text.
func measure(raw []byte) (s shape) {
	level, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch b := raw[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
			if quoted {
				s.values++
			}
		case quoted:
		case b == '{' || b == '[':
			s.values++
			level++
			s.depth = max(s.depth, level)
		case b == '}' || b == ']':
			level--
		case b == 't' || b == 'f' || b == 'n': // true, false, null
			s.values++
		case b == ',':
			s.commas++
		}
	}
	return s
}
