package score

import (
	"fmt"
	"math"
)

// This file owns BLEU.

// bleuOrder is the longest n-gram that counts, as the paper has it.
const bleuOrder = 4

// Where a segment's counts stand.
const (
	bleuLength    = 0               // words of the hypothesis
	bleuReference = 1               // words of the reference that is nearest in length
	bleuMatches   = 2               // n-grams that a reference has too, for n from 1
	bleuTotals    = 2 + bleuOrder   // n-grams of the hypothesis
	bleuCounts    = 2 + 2*bleuOrder // length of all
)

// BLEU is that of Papineni et al. (2002, https://aclanthology.org/P02-1040) as sacrebleu computes it (Post 2018,
// https://aclanthology.org/W18-6319): a corpus score, 0 to 100, with the exponential smoothing of mteval-v13a.pl.
type BLEU struct {
	tokenizer string
	tokenize  func(string) []string
}

// NewBLEU has a tokenizer of Tokenizers; an empty name is the default's, 13a.
func NewBLEU(tokenizer string) (*BLEU, error) {
	if tokenizer == "" {
		tokenizer = defaultTokenizer
	}
	f, err := tokenizerOf(tokenizer)
	if err != nil {
		return nil, err
	}
	return &BLEU{tokenizer, f}, nil
}

// Name implements Metric.
func (b *BLEU) Name() string { return "bleu" }

// Signature implements Metric.
func (b *BLEU) Signature(references int) string {
	return fmt.Sprintf("nrefs:%d|case:mixed|eff:no|tok:%s|smooth:exp|version:%s", references, b.tokenizer, Version)
}

// Counts implements Metric. Of several references each n-gram has the count of the one that has most of it.
func (b *BLEU) Counts(hypothesis string, references []string) []float64 {
	vocabulary := map[string]int32{}
	texts := [][]int32{numbered(vocabulary, b.tokenize(valid(hypothesis)))}
	var others []int
	for _, reference := range references {
		others = append(others, len(texts))
		texts = append(texts, numbered(vocabulary, b.tokenize(valid(reference))))
	}
	counts := make([]float64, bleuCounts)
	counts[bleuLength] = float64(len(texts[0]))
	counts[bleuReference] = float64(nearestLength(texts[0], texts[1:]))
	for g := newNgrams(texts); g.order < bleuOrder; {
		g.next()
		counts[bleuMatches+g.order-1] = float64(g.matches(0, others...))
		counts[bleuTotals+g.order-1] = float64(len(g.ids[0]))
	}
	return counts
}

func numbered(vocabulary map[string]int32, words []string) []int32 {
	ids := make([]int32, len(words))
	for i, word := range words {
		id, known := vocabulary[word]
		if !known {
			id = int32(len(vocabulary))
			vocabulary[word] = id
		}
		ids[i] = id
	}
	return ids
}

// nearestLength is the length of the reference that is nearest to the hypothesis's; of two as near, the shorter one's.
func nearestLength(hypothesis []int32, references [][]int32) int {
	nearest, least := 0, math.MaxInt
	for _, reference := range references {
		off := max(len(reference)-len(hypothesis), len(hypothesis)-len(reference))
		if off < least || off == least && len(reference) < nearest {
			nearest, least = len(reference), off
		}
	}
	return nearest
}

// Score implements Metric. A corpus without n-grams of an order scores 0.
func (b *BLEU) Score(sum []float64) float64 { return bleu(sum, false) }

// Sentence implements Metric, with the effective order that sacrebleu's sentence_bleu takes: a sentence of two words is judged
// by orders 1 and 2. BLEU is meant for corpora; sentences' scores compare poorly.
func (b *BLEU) Sentence(counts []float64) float64 { return bleu(counts, true) }

// bleu is the geometric mean of the precisions, of all orders or of those that the hypothesis has, times the brevity penalty.
// An order without a match is smoothed: the first such as if half an n-gram had matched, the next as if a quarter.
func bleu(sum []float64, effective bool) float64 {
	logs, orders, smooth, any := 0.0, 0, 1.0, false
	for n := range bleuOrder {
		match, total := sum[bleuMatches+n], sum[bleuTotals+n]
		if total == 0 {
			break
		}
		orders++
		any = any || match > 0
		if match == 0 {
			smooth *= 2
			match = 1 / smooth
		}
		logs += math.Log(100 * match / total)
	}
	if !any || orders < bleuOrder && !effective {
		return 0
	}
	return brevityPenalty(sum[bleuLength], sum[bleuReference]) * math.Exp(logs/float64(orders))
}

// brevityPenalty is below 1 where the hypotheses are shorter than the references, since precision does not miss what is left out.
func brevityPenalty(length, reference float64) float64 {
	if length >= reference {
		return 1
	}
	return math.Exp(1 - reference/length)
}
