package score

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// This file owns the accuracy of choices: which of some given answers a model holds for the most likely one.

// Choice is one of a question's answers.
type Choice struct {
	Text           string  // as it follows the question, without the blank between them
	LogProbability float64 // natural, the sum over its tokens behind the question
}

// Chosen says for one question whether the right choice won, by three rules that lm-evaluation-harness has, with its names. Their
// shares over questions are the accuracies. Of equals the first wins.
type Chosen struct {
	Acc      bool // by the sum of log-probabilities
	AccNorm  bool // by the sum a character (code point): longer choices are less likely because they are longer
	AccBytes bool // by the sum a byte of UTF-8, which is the same for ASCII
}

// Choose judges one question, whose right choice is numbered from 0.
func Choose(choices []Choice, right int) (Chosen, error) {
	if right < 0 || right >= len(choices) {
		return Chosen{}, fmt.Errorf("right choice %d: there are %d, numbered from 0", right, len(choices))
	}
	for i, c := range choices {
		if c.Text == "" || math.IsNaN(c.LogProbability) || c.LogProbability > 0 {
			return Chosen{}, fmt.Errorf("choice %d: %q with log-probability %v: it needs a text and a number that is not above 0", i, c.Text, c.LogProbability)
		}
	}
	best := func(length func(string) int) int {
		first := 0
		for i, c := range choices {
			if c.LogProbability/float64(length(c.Text)) > choices[first].LogProbability/float64(length(choices[first].Text)) {
				first = i
			}
		}
		return first
	}
	return Chosen{
		Acc:      best(func(string) int { return 1 }) == right,
		AccNorm:  best(utf8.RuneCountInString) == right,
		AccBytes: best(func(text string) int { return len(text) }) == right,
	}, nil
}
