package eval

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"chimera/quality/suite"
)

// This file owns what became of an item: an answer, likelihoods of its choices, or a refusal.

// Outcome is one item's, once that it was asked. It holds what was said, not scores: these are made of it when they are asked for, so that a baseline that
// was measured before a score changed is judged by the same scores.
type Outcome struct {
	ID          string    `json:"id"`
	Repeat      int       `json:"repeat,omitempty"` // which time it was asked, from 0
	Text        string    `json:"text,omitempty"`
	Finish      string    `json:"finish,omitempty"`
	Likelihoods []float64 `json:"likelihoods,omitempty"` // natural, of each choice behind the question
	Control     Reading   `json:"control,omitzero"`      // of the text
	Relevance   *float64  `json:"relevance,omitempty"`   // of the answer, see Run.MeasureRelevance; nil: there is none
	// RelevanceMissing is why it is not known, where that of other items is.
	RelevanceMissing string `json:"relevance_missing,omitempty"`
	Failed           string `json:"failed,omitempty"` // why there is no answer
}

// asked names one time that an item was asked.
type asked struct {
	id     string
	repeat int
}

// ask has an item answered.
func (r *Run) ask(ctx context.Context, i *suite.Item, repeat int) (Outcome, error) {
	o, err := r.outcomeOf(ctx, i, repeat)
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
		o = Outcome{Failed: refused.Error()}
	case err != nil:
		return Outcome{}, fmt.Errorf("item %s: %w", i.ID, err)
	}
	o.ID, o.Repeat = i.ID, repeat
	return o, nil
}

func (r *Run) outcomeOf(ctx context.Context, i *suite.Item, repeat int) (o Outcome, err error) {
	if r.Settings.likens(i) {
		o.Likelihoods, err = r.Answerer.Likelihoods(ctx, Behind(i), Continuations(i))
		return o, err
	}
	reply, err := r.Answerer.Answer(ctx, Conversation(i), Sampling{r.Settings.MaxTokens, r.Settings.Temperature, seedOf(i.ID, repeat)})
	if err == nil && reply.Numerics != "" && reply.Numerics != r.Who.Numerics {
		return o, fmt.Errorf("the answer is of %s, the run began with %s: the model was replaced meanwhile; begin anew", reply.Numerics, r.Who.Numerics)
	}
	o = Outcome{Text: reply.Text, Finish: reply.Finish}
	if err == nil && r.control != nil {
		if o.Control, err = r.control.Read(ctx, reply); err != nil {
			return o, fmt.Errorf("the control can't read the answer: %w", err)
		}
	}
	return o, err
}

// seedOf is an item's own in each repeat: where all items had the same, what one is lucky in all would be.
func seedOf(id string, repeat int) int64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", repeat, id))
	return int64(binary.LittleEndian.Uint32(sum[:]) >> 1)
}

// Conversation is what an item asks in words: of choices the letter of the right one.
func Conversation(i *suite.Item) []suite.Message {
	if i.Kind == suite.Choice {
		return lettered(i)
	}
	return i.Messages
}

// Behind is what an item's choices follow: its question, without the blanks at its end.
func Behind(i *suite.Item) string { return strings.TrimRight(i.Question(), " \t\r\n") }

// Continuations are an item's choices as they follow its question, behind a blank: a tokenizer's words begin with theirs.
func Continuations(i *suite.Item) (texts []string) {
	for _, c := range i.Choices {
		texts = append(texts, " "+c)
	}
	return texts
}

// lettered asks for the letter of a choice, in the last turn.
func lettered(i *suite.Item) []suite.Message {
	var b strings.Builder
	last := i.Messages[len(i.Messages)-1]
	b.WriteString(last.Content + "\n")
	for n, c := range i.Choices {
		fmt.Fprintf(&b, "\n%c. %s", 'A'+n, c)
	}
	b.WriteString("\n\nAnswer with the letter of the right choice alone.")
	return append(append([]suite.Message(nil), i.Messages[:len(i.Messages)-1]...), suite.Message{Role: last.Role, Content: b.String()})
}

// A letter at an answer's beginning, and one that stands alone anywhere. A and I are words too, so the last one counts.
var (
	leadingLetter = regexp.MustCompile(`^[\s(*"'\x60]*([A-Za-z])(?:[\s.):,*"'\x60]*$|[.):,*])`)
	aloneLetter   = regexp.MustCompile(`(?:^|[^\p{L}\p{N}'’])([A-Z])(?:[^\p{L}\p{N}'’]|$)`)
)

// chosen is which choice an answer names, by its letter or its whole text; -1 for none.
func chosen(answer string, choices []string) int {
	text := strings.TrimSpace(answer)
	for n, c := range choices {
		if strings.EqualFold(strings.TrimRight(text, "."), strings.TrimSpace(c)) {
			return n
		}
	}
	letter := leadingLetter.FindStringSubmatch(text)
	if letter == nil {
		if all := aloneLetter.FindAllStringSubmatch(text, -1); all != nil {
			letter = all[len(all)-1]
		}
	}
	if letter == nil {
		return -1
	}
	if n := int(strings.ToUpper(letter[1])[0] - 'A'); n < len(choices) {
		return n
	}
	return -1
}
