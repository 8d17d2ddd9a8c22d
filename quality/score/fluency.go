package score

import (
	"fmt"
	"math"
	"strings"
)

// This file owns figures of answers without a reference: how fluent a control finds them, and how alike those are that one request was given.

// FluencyCounts are one answer's part in its fluency, to be added up: the negative log-probability of its tokens in nats, and how many they are. The
// log-probability is the natural one of all its tokens behind the question, as a control has it.
func FluencyCounts(logProbability float64, tokens int) ([]float64, error) {
	if tokens < 1 || !(logProbability <= 0) || math.IsInf(logProbability, -1) {
		return nil, fmt.Errorf("%v over %d tokens: a log-probability is a number that is not above 0, of one token at least", logProbability, tokens)
	}
	return []float64{-logProbability, float64(tokens)}, nil
}

// mostSurprise is where a fluency ends, in nats a token: exp of more is no number.
const mostSurprise = 700

// Fluency is the perplexity of answers under a control, by their added counts: exp of the mean negative log-probability of a token (Jelinek et al. 1977,
// https://doi.org/10.1121/1.2016299). It is 1 where the control was sure of each token; less is better.
func Fluency(sum []float64) float64 { return math.Exp(min(sum[0]/sum[1], mostSurprise)) }

// Consistency is how alike answers to one request are: the mean chrF2 of all ordered pairs of them, 0 to 100. Blanks around an answer do not count, and
// answers that are the same have 100, also where they are empty.
func Consistency(answers []string) (float64, error) {
	if len(answers) < 2 {
		return 0, fmt.Errorf("%d answers: it takes two to be alike", len(answers))
	}
	sum, pairs := 0.0, 0.0
	for i, a := range answers {
		for _, b := range answers[:i] {
			there, back := alike(strings.TrimSpace(a), strings.TrimSpace(b))
			sum, pairs = sum+there+back, pairs+2
		}
	}
	return sum / pairs, nil
}

// alike is the chrF2 of a against b, and of b against a: what is matched is the same, what there is to match changes places.
func alike(a, b string) (there, back float64) {
	if a == b {
		return 100, 100
	}
	counts := ChrF{}.Counts(a, []string{b})
	there = chrf(counts)
	for i := 0; i < len(counts); i += 3 {
		counts[i], counts[i+1] = counts[i+1], counts[i]
	}
	return there, chrf(counts)
}
