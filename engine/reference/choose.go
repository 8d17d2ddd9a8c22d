package reference

import (
	"cmp"
	"math"
	"slices"

	"chimera/engine"
)

// This file owns what becomes of a row of logits, as engine.Output tells it.

// Adjusted is a copy of the logits with biases and penalties.
func Adjusted(logits []float64, o engine.Output, penalties []engine.Penalty, biases []engine.Bias) []float64 {
	x := slices.Clone(logits)
	for _, b := range biases {
		x[b.Token] += float64(b.Value)
	}
	for _, p := range penalties {
		l := &x[p.Token]
		switch {
		case p.Seen > 0 && *l > 0:
			*l /= float64(o.Repetition)
		case p.Seen > 0:
			*l *= float64(o.Repetition)
		}
		*l -= float64(o.Frequency) * float64(p.Generated)
		if p.Generated > 0 {
			*l -= float64(o.Presence)
		}
	}
	return x
}

// candidate is a token that may be drawn.
type candidate struct {
	token  int32
	weight float64
}

// Choose is the token that a row at a position samples from adjusted logits.
func Choose(logits []float64, o engine.Output, position int) int32 {
	peak := slices.Max(logits)
	if o.Temperature <= 0 {
		return int32(slices.Index(logits, peak))
	}
	all := make([]candidate, len(logits))
	for i, x := range logits {
		all[i] = candidate{int32(i), math.Exp((x - peak) / float64(o.Temperature))}
	}
	if o.TopK > 0 || o.TopP < 1 || o.MinP > 0 {
		all = cut(all, o)
	}
	left := uniform(o.Seed, uint32(o.Choice), uint32(position)) * mass(all)
	for _, c := range all {
		if left -= c.weight; left < 0 {
			return c.token
		}
	}
	return all[len(all)-1].token
}

func mass(all []candidate) (sum float64) {
	for _, c := range all {
		sum += c.weight
	}
	return sum
}

// cut sorts the heaviest first and keeps the first TopK, of these those that begin within TopP of their mass, of
// these the ones that weigh MinP of the heaviest.
func cut(all []candidate, o engine.Output) []candidate {
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.weight, a.weight) })
	if o.TopK > 0 {
		all = all[:min(int(o.TopK), len(all))]
	}
	total, sum := mass(all), 0.0
	for i, c := range all {
		if i > 0 && (sum >= total*float64(o.TopP) || c.weight < float64(o.MinP)*all[0].weight) {
			return all[:i]
		}
		sum += c.weight
	}
	return all
}

// uniform is in [0, 1): the first 53 bits of Philox4x32-10 (Salmon et al. 2011) with the position and the choice
// as counter and the seed as key.
func uniform(seed uint64, choice, position uint32) float64 {
	c := [4]uint32{position, choice, 0, 0}
	k := [2]uint32{uint32(seed), uint32(seed >> 32)}
	for range 10 {
		a, b := uint64(0xD2511F53)*uint64(c[0]), uint64(0xCD9E8D57)*uint64(c[2])
		c = [4]uint32{uint32(b>>32) ^ c[1] ^ k[0], uint32(b), uint32(a>>32) ^ c[3] ^ k[1], uint32(a)}
		k[0] += 0x9E3779B9
		k[1] += 0xBB67AE85
	}
	return float64(uint64(c[0])<<21|uint64(c[1]>>11)) / (1 << 53)
}
