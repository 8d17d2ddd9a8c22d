package suite

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// This file owns an item as it is written in a file, and what it must have.
//
// Fields that nobody reads are passed over: suites carry sources, notes and difficulties. What a kind needs is required, so that a name with a
// slip in it shows as one that is missing.

// Bounds of an item, far beyond what questions have.
const (
	maxName       = 256 // bytes of an id or a tag
	maxMessages   = 1000
	maxReferences = 64
	maxChoices    = 26 // as they are lettered
	maxChecks     = 32
	maxTags       = 64
)

type wire struct {
	ID         string         `json:"id"`
	Kind       Kind           `json:"kind"`
	Input      *string        `json:"input"` // may be empty, which is a case to test
	Messages   []Message      `json:"messages"`
	References []string       `json:"references"`
	Choices    []string       `json:"choices"`
	Answer     jsontext.Value `json:"answer"`
	Checks     []Check        `json:"checks"`
	Tags       []string       `json:"tags"`
	Half       Half           `json:"half"`
}

// item checks what was read and writes it in the canonical form.
func (w *wire) item() (Item, error) {
	i := Item{ID: w.ID, Kind: w.Kind, Messages: w.Messages, References: w.References, Choices: w.Choices, Checks: w.Checks, Tags: w.Tags, Half: w.Half}
	for _, step := range []func(*Item) error{checkName, w.turns, checkCounts, w.answer, w.needs, w.sorted} {
		if err := step(&i); err != nil {
			return Item{}, err
		}
	}
	return i, nil
}

func checkName(i *Item) error {
	switch {
	case i.ID == "":
		return errors.New("id: it is missing")
	case len(i.ID) > maxName:
		return fmt.Errorf("id: it has more than %d bytes", maxName)
	case i.Kind == "":
		return fmt.Errorf("kind: it is missing: use one of %s", joined(kinds))
	case !slices.Contains(kinds, i.Kind):
		return fmt.Errorf("kind: %q: use one of %s", i.Kind, joined(kinds))
	case i.Half != "" && i.Half != Tuning && i.Half != Sealed:
		return fmt.Errorf("half: %q: use %s or %s, or leave it out", i.Half, Tuning, Sealed)
	}
	if i.Half == "" {
		i.Half = halfOf(i.ID)
	}
	return nil
}

func joined[T ~string](words []T) string {
	var list []string
	for _, w := range words {
		list = append(list, string(w))
	}
	return strings.Join(list, ", ")
}

// turns takes an input as the user's only turn.
func (w *wire) turns(i *Item) error {
	switch {
	case w.Input != nil && w.Messages != nil:
		return errors.New("input: there are messages too: give one of them")
	case w.Input != nil:
		i.Messages = []Message{{"user", *w.Input}}
	case len(w.Messages) == 0:
		return errors.New("input: it is missing, and there are no messages")
	}
	for n, m := range i.Messages {
		if m.Role == "" {
			return fmt.Errorf("messages.%d.role: it is missing", n)
		}
	}
	return nil
}

func checkCounts(i *Item) error {
	for _, list := range []struct {
		field   string
		n, most int
	}{
		{"messages", len(i.Messages), maxMessages}, {"references", len(i.References), maxReferences}, {"choices", len(i.Choices), maxChoices},
		{"checks", len(i.Checks), maxChecks}, {"tags", len(i.Tags), maxTags},
	} {
		if list.n > list.most {
			return fmt.Errorf("%s: there are %d, at most %d are allowed", list.field, list.n, list.most)
		}
	}
	for n, tag := range i.Tags {
		if tag == "" || len(tag) > maxName {
			return fmt.Errorf("tags.%d: it must have 1 to %d bytes", n, maxName)
		}
	}
	for n := range i.Checks {
		if err := i.Checks[n].valid(); err != nil {
			return fmt.Errorf("checks.%d: %w", n, err)
		}
	}
	return nil
}

// answer reads the right answer: of choices their number from 0, their text or, where no choice has that text, their letter; of all
// other kinds a reference more.
func (w *wire) answer(i *Item) error {
	kind := w.Answer.Kind()
	if i.Kind == Choice {
		right, err := w.right(kind)
		i.Right = right
		return err
	}
	switch {
	case w.Answer == nil || kind == 'n':
		return nil
	case kind != '"':
		return errors.New("answer: it must be a string")
	}
	var text string
	if err := json.Unmarshal(w.Answer, &text); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if !slices.Contains(i.References, text) {
		i.References = append(slices.Clone(i.References), text)
	}
	return nil
}

func (w *wire) right(kind jsontext.Kind) (int, error) {
	if len(w.Choices) < 2 {
		return 0, errors.New("choices: there must be two at least")
	}
	at := -1
	switch kind {
	case '"':
		var text string
		if err := json.Unmarshal(w.Answer, &text); err != nil {
			return 0, fmt.Errorf("answer: %w", err)
		}
		if at = slices.Index(w.Choices, text); at < 0 && len(text) == 1 && text[0] >= 'A' {
			at = int(text[0] - 'A')
		}
	case '0':
		var n float64
		if err := json.Unmarshal(w.Answer, &n); err == nil && n == math.Trunc(n) && n >= 0 && n < maxChoices {
			at = int(n)
		}
	}
	if at < 0 || at >= len(w.Choices) {
		return 0, fmt.Errorf("answer: it must be the right choice's text, its number from 0 to %d, or its letter from A", len(w.Choices)-1)
	}
	return at, nil
}

// needs holds an item to its kind.
func (w *wire) needs(i *Item) error {
	if i.Kind != Choice && len(i.Choices) > 0 {
		return fmt.Errorf("choices: an item of kind %s has none", i.Kind)
	}
	if i.Kind != Edge && len(i.Checks) > 0 {
		return fmt.Errorf("checks: an item of kind %s has none", i.Kind)
	}
	switch i.Kind {
	case Choice:
		return i.choicesDiffer()
	case Edge:
		return i.edge()
	}
	if len(i.References) == 0 {
		return fmt.Errorf("references: an item of kind %s needs one at least", i.Kind)
	}
	return nil
}

// choicesDiffer: two that are alike would both be right, and one without a text has no likelihood.
func (i *Item) choicesDiffer() error {
	if strings.TrimSpace(i.Question()) == "" {
		return errors.New("input: a question with choices can't be empty")
	}
	for n, c := range i.Choices {
		if strings.TrimSpace(c) == "" || slices.Index(i.Choices, c) < n {
			return fmt.Errorf("choices.%d: %q: each must have a text, and no two the same", n, c)
		}
	}
	return nil
}

// edge makes a check of references where there are no checks: the answer must contain one of them.
func (i *Item) edge() error {
	if len(i.Checks) == 0 && len(i.References) > 0 {
		i.Checks = []Check{{Name: "contains", Any: i.References}}
		if err := i.Checks[0].valid(); err != nil {
			return fmt.Errorf("references: %w", err)
		}
	}
	i.References = nil
	if len(i.Checks) == 0 {
		return errors.New("checks: an item of kind edge needs one at least, or references of which its answer must contain one")
	}
	return nil
}

// sorted puts tags in an order and leaves out what is not the kind's.
func (w *wire) sorted(i *Item) error {
	i.Tags = slices.Clone(i.Tags)
	slices.Sort(i.Tags)
	i.Tags = slices.Compact(i.Tags)
	if i.Kind == Choice {
		i.References = nil
	}
	return nil
}

// Question is the conversation as one text, as a model without turns continues it.
func (i *Item) Question() string {
	var turns []string
	for _, m := range i.Messages {
		turns = append(turns, m.Content)
	}
	return strings.Join(turns, "\n")
}
