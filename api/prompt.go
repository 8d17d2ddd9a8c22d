package api

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// This file owns the fields that take several forms: strings, token ids, and lists of them.

// stringOrList reads a string or a list of at most limit strings; absent and null give none.
func stringOrList(field string, raw jsontext.Value, limit int) ([]string, error) {
	switch raw.Kind() {
	case 0, 'n':
		return nil, nil
	case '"':
		var one string
		err := json.Unmarshal(raw, &one)
		return []string{one}, err
	case '[':
		var list []string
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, badField(field, "it must be a string or a list of strings")
		}
		if len(list) > limit {
			return nil, badField(field, "%d entries, at most %d are allowed", len(list), limit)
		}
		return list, nil
	}
	return nil, badField(field, "it must be a string or a list of strings")
}

// textOrIDs is one prompt: text, or token ids as they are.
type textOrIDs struct {
	text string
	ids  []int32 // nil for text
}

// prompts reads the field prompt: a string, token ids, or a list of either.
func prompts(raw jsontext.Value, vocab int) ([]textOrIDs, error) {
	const field = "prompt"
	switch raw.Kind() {
	case '"':
		texts, err := stringOrList(field, raw, 1)
		return []textOrIDs{{text: texts[0]}}, err
	case '[':
	default:
		return nil, badField(field, "it must be a string, a list of token ids, or a list of either")
	}
	var items []jsontext.Value
	if err := json.Unmarshal(raw, &items); err != nil || len(items) == 0 {
		return nil, badField(field, "it must not be an empty list")
	}
	if items[0].Kind() == '0' {
		ids, err := tokenIDs(field, raw, vocab)
		return []textOrIDs{{ids: ids}}, err
	}
	if len(items) > maxPrompts {
		return nil, badField(field, "%d prompts, at most %d are allowed", len(items), maxPrompts)
	}
	var list []textOrIDs
	for _, item := range items {
		p, err := onePrompt(field, item, vocab)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

func onePrompt(field string, raw jsontext.Value, vocab int) (textOrIDs, error) {
	switch raw.Kind() {
	case '"':
		texts, err := stringOrList(field, raw, 1)
		return textOrIDs{text: texts[0]}, err
	case '[':
		ids, err := tokenIDs(field, raw, vocab)
		return textOrIDs{ids: ids}, err
	}
	return textOrIDs{}, badField(field, "every entry must be a string or a list of token ids")
}

// tokenIDs reads a list of ids of the vocabulary.
func tokenIDs(field string, raw jsontext.Value, vocab int) ([]int32, error) {
	ids := []int32{}
	if err := json.Unmarshal(raw, &ids); err != nil {
		return nil, badField(field, "token ids must be integers")
	}
	for _, id := range ids {
		if id < 0 || int(id) >= vocab {
			return nil, badField(field, "token id %d lies outside the vocabulary of %d", id, vocab)
		}
	}
	return ids, nil
}
