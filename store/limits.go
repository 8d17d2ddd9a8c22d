package store

import (
	"encoding/json"
	"fmt"
)

// This file owns what a row may hold at most. What is too long is refused when it is added, with the field's name: it is the
// caller's fault, and must neither fill the queue nor fail a batch with others' rows.

const (
	maxName     = 512      // bytes of a model's, suite's or tier's name; models are named by paths at most
	maxEvidence = 64 << 10 // bytes of a decision's figures, which a person should be able to read
	maxLengths  = 64 << 10 // bytes of a list of answers' lengths: 4096 of seven digits, and as much again
	maxText     = 4 << 20  // bytes of a prompt, answer or correction: a context of a million tokens
)

// FieldError says which field of a row can't be stored.
type FieldError struct {
	Table Table
	Field string // as the column is called
	Why   string
}

func (e *FieldError) Error() string { return fmt.Sprintf("%s.%s: %s", e.Table, e.Field, e.Why) }

// check refuses names that are too long; pairs are a field and its text.
func checkNames(t Table, pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		if err := checkLength(t, pairs[i], len(pairs[i+1]), maxName); err != nil {
			return err
		}
	}
	return nil
}

func checkLength(t Table, field string, have, most int) error {
	if have > most {
		return &FieldError{t, field, fmt.Sprintf("%d bytes, at most %d are kept", have, most)}
	}
	return nil
}

// checkEvidence wants JSON, or nothing.
func checkEvidence(t Table, e json.RawMessage) error {
	if len(e) > 0 && len(e) <= maxEvidence && !json.Valid(e) {
		return &FieldError{t, "evidence", "it is no JSON"}
	}
	return checkLength(t, "evidence", len(e), maxEvidence)
}

// checkAnswer wants a row of an answer to name it.
func checkAnswer(t Table, id ID) error {
	if id == (ID{}) {
		return &FieldError{t, "answer", "it names no answer"}
	}
	return nil
}

func lengthOf(text *string) int {
	if text == nil {
		return 0
	}
	return len(*text)
}
