package score

import (
	"errors"
	"fmt"
	"math"
)

// This file owns calibration: whether a model is right as often as it expects to be.

// calibrationBins is what papers have used since Guo et al.
const calibrationBins = 15

// CalibrationError is the expected calibration error (Guo et al. 2017, https://arxiv.org/abs/1706.04599): answers go by confidence into 15
// bins of equal width, of which each holds its upper end and the first 0 as well; each bin's share of answers weighs how far
// its accuracy is from its mean confidence. 0 is calibrated, 1 is always sure and always wrong.
func CalibrationError(confidence []float64, right []bool) (float64, error) {
	if len(confidence) == 0 || len(confidence) != len(right) {
		return 0, fmt.Errorf("%d confidences and %d outcomes: there must be as many, one at least", len(confidence), len(right))
	}
	var sum []float64
	for i, c := range confidence {
		counts, err := CalibrationCounts(c, right[i])
		if err != nil {
			return 0, fmt.Errorf("confidence %d is %w", i, err)
		}
		sum = added(sum, counts)
	}
	return CalibrationScore(sum), nil
}

// CalibrationCounts are one answer's part in the error, to be added up: by bin the outcome less the confidence, then 1.
func CalibrationCounts(confidence float64, right bool) ([]float64, error) {
	if !(confidence >= 0 && confidence <= 1) {
		return nil, fmt.Errorf("%v: it must lie between 0 and 1", confidence)
	}
	counts := make([]float64, calibrationBins+1)
	bin := max(0, int(math.Ceil(confidence*calibrationBins))-1)
	counts[bin], counts[calibrationBins] = -confidence, 1
	if right {
		counts[bin]++
	}
	return counts, nil
}

// CalibrationScore is the error of all answers whose counts were added.
func CalibrationScore(sum []float64) float64 {
	gaps := 0.0
	for _, gap := range sum[:calibrationBins] {
		gaps += math.Abs(gap)
	}
	return gaps / sum[calibrationBins]
}

// Relevance is the cosine of the angle between two vectors, such as embeddings of a question and an answer: 1 for the same direction, 0
// for unrelated ones, down to -1. A vector of zeros has no direction, and one that is not finite none either.
func Relevance(a, b []float32) (float64, error) {
	if len(a) != len(b) {
		return 0, fmt.Errorf("vectors of %d and %d dimensions cannot be compared", len(a), len(b))
	}
	var dot, aa, bb float64 // of float32s: no overflow, and no sum of squares so small that it is lost
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		dot, aa, bb = dot+x*y, aa+x*x, bb+y*y
	}
	cosine := dot / (math.Sqrt(aa) * math.Sqrt(bb))
	if math.IsNaN(cosine) || math.IsInf(aa+bb, 0) {
		return 0, errors.New("a vector of zeros, or with what is no finite number, has no direction")
	}
	return max(-1, min(1, cosine)), nil
}
