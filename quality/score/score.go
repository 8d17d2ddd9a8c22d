// Package score says how good answers are: against references (BLEU, chrF, ROUGE-L, exact match and F1 of tokens), by what
// a model expected (choices, calibration), and against a control's answers (divergence, agreement, relevance). Nothing here
// keeps state or does I/O but the reader of segments.
//
// This file owns what metrics against references have in common.
//
// Scales: BLEU and chrF from 0 to 100, all others from 0 to 1.
//
// Text is Unicode as package unicode has it. An invalid byte of UTF-8 counts as one U+FFFD.
package score

import (
	"errors"
	"fmt"
	"strings"
)

// Version ends each signature. It changes with whatever changes a score, so that equal signatures mean scores that compare;
// version 1 gives those of sacrebleu 2.6.0, rouge_score 0.1.2 and SQuAD's evaluation v1.1.
const Version = "chimera-1"

// Metric is a score of a corpus that sums decide: each segment has counts, the counts of segments are added, and the sum
// gives the score. So a corpus can be put together, split and resampled without a look at its texts.
type Metric interface {
	// Name is what New knows the metric by.
	Name() string
	// Counts are those of one segment, of a length that depends on the metric alone. There must be a reference.
	Counts(hypothesis string, references []string) []float64
	// Score is that of all segments whose counts were added.
	Score(sum []float64) float64
	// Sentence is the score of one segment by itself, from its counts.
	Sentence(counts []float64) float64
	// Signature says what the score depends on, in sacrebleu's form, where each segment has so many references.
	Signature(references int) string
}

// Metrics are the names that New knows.
func Metrics() []string { return []string{"bleu", "chrf", "rouge-l", "exact", "f1"} }

// New finds a metric by its name. The tokenizer is BLEU's, and empty for that which sacrebleu takes; others have none to choose.
func New(name, tokenizer string) (Metric, error) {
	if name != "bleu" && tokenizer != "" {
		return nil, fmt.Errorf("tokenizer %q: only bleu has a choice of tokenizers", tokenizer)
	}
	switch name {
	case "bleu":
		return NewBLEU(tokenizer)
	case "chrf":
		return ChrF{}, nil
	case "rouge-l":
		return mean{name: name, properties: "stem:no", of: rougeL}, nil
	case "exact":
		return mean{name: name, properties: squadProperties, of: exactMatch}, nil
	case "f1":
		return mean{name: name, properties: squadProperties, of: tokenF1}, nil
	}
	return nil, fmt.Errorf("metric %q: use %s", name, oneOf(Metrics()))
}

func oneOf(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// Result is a corpus's score.
type Result struct {
	Metric    string    `json:"metric"`
	Score     float64   `json:"score"`
	Signature string    `json:"signature"`
	N         int       `json:"n"`                   // segments
	Sentences []float64 `json:"sentences,omitempty"` // each segment's own score, where asked for
}

// Corpus scores hypotheses, of which each has its references; all must have as many. Sentences asks for each one's score too.
func Corpus(m Metric, hypotheses []string, references [][]string, sentences bool) (Result, error) {
	if len(hypotheses) == 0 {
		return Result{}, errors.New("there is no segment to score")
	}
	if len(hypotheses) != len(references) {
		return Result{}, fmt.Errorf("%d hypotheses have %d lists of references", len(hypotheses), len(references))
	}
	r := Result{Metric: m.Name(), Signature: m.Signature(len(references[0])), N: len(hypotheses)}
	var sum []float64
	for i, hypothesis := range hypotheses {
		if n := len(references[i]); n == 0 || n != len(references[0]) {
			return Result{}, fmt.Errorf("segment %d has %d references and segment 1 has %d: all must have as many, one at least", i+1, n, len(references[0]))
		}
		counts := m.Counts(hypothesis, references[i])
		sum = added(sum, counts)
		if sentences {
			r.Sentences = append(r.Sentences, m.Sentence(counts))
		}
	}
	r.Score = m.Score(sum)
	return r, nil
}

func added(sum, counts []float64) []float64 {
	if sum == nil {
		sum = make([]float64, len(counts))
	}
	for i, n := range counts {
		sum[i] += n
	}
	return sum
}

// mean is a metric whose corpus scores what its segments do in the mean, and a segment what it does against the reference
// that suits it best. Its counts are that score, and 1.
type mean struct {
	name, properties string
	of               func(hypothesis, reference string) float64
}

func (m mean) Name() string { return m.name }

func (m mean) Counts(hypothesis string, references []string) []float64 {
	best := 0.0
	for _, reference := range references {
		best = max(best, m.of(hypothesis, reference))
	}
	return []float64{best, 1}
}

func (m mean) Score(sum []float64) float64 { return sum[0] / sum[1] }

func (m mean) Sentence(counts []float64) float64 { return counts[0] }

func (m mean) Signature(references int) string {
	return fmt.Sprintf("nrefs:%d|%s|version:%s", references, m.properties, Version)
}
