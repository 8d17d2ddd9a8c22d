package main

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// This file owns what --json prints. What a file or a server says may be nothing that JSON has; all else is printed then, too.

func printJSON(w io.Writer, v any) error {
	text, err := json.Marshal(v, json.Deterministic(true), jsontext.Multiline(true),
		jsontext.AllowInvalidUTF8(true),    // which becomes U+FFFD
		jsontext.AllowDuplicateNames(true), // as names may have become
		json.WithMarshalers(json.MarshalToFunc(notFinite)))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

// notFinite writes a number that JSON does not have as a string.
func notFinite(e *jsontext.Encoder, x float64) error {
	switch {
	case math.IsNaN(x):
		return e.WriteToken(jsontext.String("NaN"))
	case math.IsInf(x, 1):
		return e.WriteToken(jsontext.String("Infinity"))
	case math.IsInf(x, -1):
		return e.WriteToken(jsontext.String("-Infinity"))
	}
	return errors.ErrUnsupported // as usual
}
