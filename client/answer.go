package client

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// This file owns telling a daemon's answers from those of whatever else listens at an address: any server may say 200, and
// what it says then must not be shown as if nothing ran there, nor taken for a thing done.

// maxAnswer bounds an answer that is read whole, in bytes. The longest of a daemon's, with 4096 models, has a few MiB.
const maxAnswer = 64 << 20

// notChimera is the error of an answer that no daemon gives.
func (c *Client) notChimera(problem any) error {
	return fmt.Errorf("%s answered something that is no Chimera's: %v", c.address, problem)
}

// fetch returns an answer byte for byte, once parse has found it to be a daemon's.
func fetch[T any](ctx context.Context, c *Client, path string, parse func([]byte) (T, error)) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	body, err := c.get(ctx, path)
	if err != nil {
		return nil, err
	}
	return readWhole(c, body, parse)
}

// readWhole reads an answer to its end and closes it.
func readWhole[T any](c *Client, body io.ReadCloser, parse func([]byte) (T, error)) ([]byte, error) {
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("%s broke off its answer: %w", c.address, err)
	}
	if len(text) > maxAnswer {
		return nil, c.notChimera(fmt.Sprintf("it is longer than %d MiB", maxAnswer>>20))
	}
	if _, err := parse(text); err != nil {
		return nil, c.notChimera(err)
	}
	return text, nil
}

// parseAnswer reads an object into a T. member is one that a daemon always sends, and of which kind: by it such an answer is known.
func parseAnswer[T any](text []byte, member string, kind jsontext.Kind) (v T, err error) {
	var members map[string]jsontext.Value
	if err := decode(text, &members); err != nil {
		return v, err
	}
	value, has := members[member]
	switch {
	case members == nil:
		return v, errors.New("it is null, not an object")
	case !has:
		return v, fmt.Errorf("it has no %s", member)
	case value.Kind() != kind:
		return v, fmt.Errorf("%s can't be %s", member, kindWords[value.Kind()])
	}
	return v, decode(text, &v)
}

// decode is json.Unmarshal with errors that say what is wrong with the text, not which of our types it does not fit.
func decode(text []byte, v any) error {
	err := json.Unmarshal(text, v)
	var unfit *json.SemanticError
	if !errors.As(err, &unfit) {
		if err != nil {
			return fmt.Errorf("it is no JSON: %w", err)
		}
		return nil
	}
	place, kind := string(unfit.JSONPointer), jsontext.Value(text).Kind()
	if place == "" {
		return fmt.Errorf("it is %s, not an object", kindWords[kind])
	}
	what := kindWords[unfit.JSONKind]
	if unfit.JSONKind == '0' && len(unfit.JSONValue) > 0 { // which may be too large, or have a fraction
		what = fmt.Sprintf("the number %.32s", string(unfit.JSONValue))
	}
	return fmt.Errorf("%s can't be %s", VisibleLine(place), what)
}

var kindWords = map[jsontext.Kind]string{
	'n': "null", 'f': "false", 't': "true", '"': "a string", '0': "a number", '{': "an object", '[': "a list",
}
