package api

import (
	"errors"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// This file owns reading request bodies: bounded, strict JSON, with errors that name the field.

// maxDepth bounds nesting; tool schemas are the deepest thing that clients send.
const maxDepth = 128

// decode reads the body into v. Unknown fields pass: clients send many that mean nothing here.
func (c *call) decode(v any) error {
	raw, err := c.read()
	c.started = time.Now()
	if err != nil {
		return err
	}
	return decodeJSON(raw, v)
}

func (c *call) read() ([]byte, error) {
	limit := c.server.MaxBody
	tooLarge := &HTTPError{Status: 413, Type: "invalid_request_error", Code: "body_too_large", Message: "the request body is too large"}
	if c.Request.Header.ContentLength() > limit {
		return nil, tooLarge
	}
	stream := c.RequestBodyStream()
	if stream == nil {
		if body := c.PostBody(); len(body) <= limit {
			return body, nil
		}
		return nil, tooLarge
	}
	raw, err := io.ReadAll(io.LimitReader(stream, int64(limit)+1))
	if err != nil {
		return nil, &HTTPError{Status: 400, Type: "invalid_request_error", Code: "bad_body", Message: "the request body could not be read", Cause: err}
	}
	if len(raw) > limit {
		return nil, tooLarge
	}
	return raw, nil
}

// decodeJSON is strict: duplicate names, invalid UTF-8 and text behind the value are refused.
func decodeJSON(raw []byte, v any) error {
	if len(raw) == 0 {
		return &HTTPError{Status: 400, Type: "invalid_request_error", Code: "invalid_json", Message: "the request has no body: send a JSON object"}
	}
	if depth(raw) > maxDepth {
		return &HTTPError{Status: 400, Type: "invalid_request_error", Code: "invalid_json", Message: "the JSON body is nested too deeply"}
	}
	err := json.Unmarshal(raw, v)
	if err == nil {
		return nil
	}
	var field *HTTPError
	if errors.As(err, &field) {
		return field
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		name := fieldOf(semantic.JSONPointer)
		if name == "" {
			return &HTTPError{Status: 400, Type: "invalid_request_error", Code: "invalid_json", Message: "the body must be a JSON object", Cause: err}
		}
		return badField(name, "it has the wrong type (%s)", jsonKind(semantic.JSONKind))
	}
	return &HTTPError{Status: 400, Type: "invalid_request_error", Code: "invalid_json", Message: "the body is not valid JSON: " + err.Error()}
}

func jsonKind(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number out of range or not of the kind wanted"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "an unexpected value"
}

// fieldOf turns /messages/0/role into messages[0].role.
func fieldOf(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		switch {
		case b.Len() == 0:
			b.WriteString(token)
		case token[0] >= '0' && token[0] <= '9':
			b.WriteString("[" + token + "]")
		default:
			b.WriteString("." + token)
		}
	}
	return b.String()
}

// depth is the deepest nesting, found without recursion before anything recursive sees the text.
func depth(raw []byte) (deepest int) {
	level, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch b := raw[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{' || b == '[':
			level++
			deepest = max(deepest, level)
		case b == '}' || b == ']':
			level--
		}
	}
	return deepest
}
