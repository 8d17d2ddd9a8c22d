package api

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// This file owns the fields that take several forms: strings, token ids, and lists of them.

// elements cuts a list into its elements, at most limit of them. raw has been decoded before: it is JSON.
func elements(field string, raw jsontext.Value, limit int) (list []jsontext.Value, err error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true))
	for _, err = d.ReadToken(); err == nil && d.PeekKind() != ']'; {
		var v jsontext.Value
		if v, err = d.ReadValue(); err != nil {
			break
		}
		if len(list) == limit {
			return nil, badField(field, "it has more than the %d entries that are allowed", limit)
		}
		end := d.InputOffset()
		list = append(list, raw[end-int64(len(v)):end])
	}
	return list, err
}

// stringOrList reads a string or a list of at most limit strings; absent and empty values give none.
func stringOrList(field string, raw jsontext.Value, limit int) ([]string, error) {
	list := []jsontext.Value{raw}
	switch kind := raw.Kind(); {
	case kind == 0 || asksNothing(raw, nil):
		return nil, nil
	case kind == '[':
		var err error
		if list, err = elements(field, raw, limit); err != nil {
			return nil, err
		}
	}
	texts := make([]string, len(list))
	for i, v := range list {
		if v.Kind() != '"' {
			return nil, badField(field, "it must be a string or a list of strings")
		}
		if err := json.Unmarshal(v, &texts[i]); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// textOrIDs is one prompt: text, or token ids as they are.
type textOrIDs struct {
	text string
	ids  []int32 // nil for text
}

// prompts reads a field of texts: a string, token ids, or a list of either.
func prompts(field string, raw jsontext.Value, vocab int) ([]textOrIDs, error) {
	items := []jsontext.Value{raw}
	if raw.Kind() == '[' && !isIDs(raw) {
		var err error
		if items, err = elements(field, raw, maxPrompts); err != nil {
			return nil, err
		}
	}
	list := make([]textOrIDs, len(items))
	for i, item := range items {
		name := entryOf(field, i, len(items))
		var err error
		switch item.Kind() {
		case '"':
			err = json.Unmarshal(item, &list[i].text)
		case '[':
			list[i].ids, err = tokenIDs(name, item, vocab)
		default:
			err = badField(name, "it must be a string, a list of token ids, or a list of either")
		}
		if err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, badField(field, "it must not be an empty list")
	}
	return list, nil
}

// entryOf names entry i of so many in a field, or the field of a single one.
func entryOf(field string, i, of int) string {
	if of == 1 {
		return field
	}
	return fmt.Sprintf("%s[%d]", field, i)
}

// isIDs tells a list of token ids from a list of prompts: by its first element.
func isIDs(list jsontext.Value) bool {
	d := jsontext.NewDecoder(bytes.NewBuffer(list))
	_, err := d.ReadToken()
	return err == nil && d.PeekKind() == '0'
}

// tokenIDs reads a list of ids of the vocabulary.
func tokenIDs(field string, raw jsontext.Value, vocab int) ([]int32, error) {
	ids := []int32{}
	d := jsontext.NewDecoder(bytes.NewBuffer(raw))
	for _, err := d.ReadToken(); err == nil && d.PeekKind() != ']'; {
		var v jsontext.Value
		if v, err = d.ReadValue(); err != nil {
			return nil, err
		}
		id, err := tokenID(field, v, vocab)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// tokenID reads an id of the vocabulary; null and 1.5 are none.
func tokenID(field string, raw jsontext.Value, vocab int) (int32, error) {
	id, err := strconv.ParseInt(string(raw), 10, 32)
	if digits, ok := integerText(string(raw)); err != nil && raw.Kind() == '0' && ok {
		id, err = strconv.ParseInt(digits, 10, 32)
	}
	if err != nil || id < 0 || id >= int64(vocab) {
		return 0, badField(field, "%s is no token id: they are integers from 0 to %d", raw, vocab-1)
	}
	return int32(id), nil
}
