package eval

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"chimera/quality/suite"
)

// This file owns what became of an item: an answer, likelihoods of its choices, or a refusal.

// Outcome is one item's. It holds what was said, not scores: these are made of it when they are asked for, so that a baseline that was
// measured before a score changed is judged by the same scores.
type Outcome struct {
	ID          string    `json:"id"`
	Text        string    `json:"text,omitempty"`
	Finish      string    `json:"finish,omitempty"`
	Likelihoods []float64 `json:"likelihoods,omitempty"` // natural, of each choice behind the question
	Failed      string    `json:"failed,omitempty"`      // why there is no answer
}

// ask has an item answered.
func ask(ctx context.Context, a Answerer, i *suite.Item, who Identity, s Settings) (Outcome, error) {
	o, err := outcomeOf(ctx, a, i, who, s)
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
		return Outcome{ID: i.ID, Failed: refused.Error()}, nil
	case err != nil:
		return Outcome{}, fmt.Errorf("item %s: %w", i.ID, err)
	}
	o.ID = i.ID
	return o, nil
}

func outcomeOf(ctx context.Context, a Answerer, i *suite.Item, who Identity, s Settings) (o Outcome, err error) {
	if i.Kind == suite.Choice && s.Choices == ByLikelihood {
		o.Likelihoods, err = a.Likelihoods(ctx, strings.TrimRight(i.Question(), " \t\r\n"), continuations(i.Choices))
		return o, err
	}
	reply, err := a.Answer(ctx, Conversation(i), s.MaxTokens)
	if err == nil && reply.Numerics != "" && reply.Numerics != who.Numerics {
		return o, fmt.Errorf("the answer is of %s, the run began with %s: the model was replaced meanwhile; begin anew", reply.Numerics, who.Numerics)
	}
	return Outcome{Text: reply.Text, Finish: reply.Finish}, err
}

// Conversation is what an item asks in words: of choices the letter of the right one.
func Conversation(i *suite.Item) []suite.Message {
	if i.Kind == suite.Choice {
		return lettered(i)
	}
	return i.Messages
}

// continuations are choices as they follow the question, behind a blank: a tokenizer's words begin with theirs.
func continuations(choices []string) (texts []string) {
	for _, c := range choices {
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
