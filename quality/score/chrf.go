package score

import "fmt"

// This file owns chrF.

const (
	chrfOrder  = 6 // the longest n-gram of characters, as the paper has it
	chrfFactor = 4 // beta squared: recall counts twice as much as precision
)

// ChrF is chrF2, the F-score of characters' n-grams up to 6, of Popović (2015, https://aclanthology.org/W15-3049; beta is that of
// 2016, https://aclanthology.org/W16-2341), as sacrebleu computes it: 0 to 100, blanks left out, orders of which either side
// has none left out too. Of several references a segment has the one that it scores best with.
type ChrF struct{}

// Name implements Metric.
func (ChrF) Name() string { return "chrf" }

// Signature implements Metric.
func (ChrF) Signature(references int) string {
	return fmt.Sprintf("nrefs:%d|case:mixed|eff:yes|nc:%d|nw:0|space:no|version:%s", references, chrfOrder, Version)
}

// Counts implements Metric: for each order the hypothesis's n-grams, the reference's, and those that match.
func (ChrF) Counts(hypothesis string, references []string) []float64 {
	texts := [][]int32{withoutSpaces(hypothesis)}
	for _, reference := range references {
		texts = append(texts, withoutSpaces(reference))
	}
	counts := make([][]float64, len(texts)) // by reference, which are from 1
	for g := newNgrams(texts); g.order < chrfOrder; {
		g.next()
		for i := 1; i < len(texts); i++ {
			n := float64(len(g.ids[0]))
			if len(g.ids[i]) == 0 {
				n = 0 // what could match nothing is no miss, also beside other segments'
			}
			counts[i] = append(counts[i], n, float64(len(g.ids[i])), float64(g.matches(0, i)))
		}
	}
	best := counts[1]
	for _, of := range counts[2:] {
		if chrf(of) > chrf(best) {
			best = of
		}
	}
	return best
}

// Score implements Metric.
func (ChrF) Score(sum []float64) float64 { return chrf(sum) }

// Sentence implements Metric.
func (ChrF) Sentence(counts []float64) float64 { return chrf(counts) }

// chrf is the F-score of the precision and the recall that orders have in the mean.
func chrf(counts []float64) float64 {
	precision, recall, orders := 0.0, 0.0, 0.0
	for i := 0; i < len(counts); i += 3 {
		if hypothesis, reference, match := counts[i], counts[i+1], counts[i+2]; hypothesis > 0 && reference > 0 {
			precision += match / hypothesis
			recall += match / reference
			orders++
		}
	}
	if precision+recall == 0 {
		return 0
	}
	precision, recall = precision/orders, recall/orders
	return 100 * ((1 + chrfFactor) * precision * recall / (chrfFactor*precision + recall))
}
