package enginetest

import (
	"math"
	"slices"

	"chimera/engine"
)

// This file owns the instance's arithmetic, as pure functions that tests call to know the right answer.

// mix is the finaliser of splitmix64 over two words; it is never zero, which means an empty cell.
func mix(a, b uint64) uint64 {
	x := a + 0x9e3779b97f4a7c15*(b+1)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return (x ^ x>>31) | 1
}

// words folds a text.
func words(text string) uint64 {
	sum := uint64(1)
	for _, b := range []byte(text) {
		sum = mix(sum, uint64(b))
	}
	return sum
}

// logSumExp is above every logit.
const logSumExp = 10

// row is a position's hidden state while it is formed: from the weights, the token and the position, then from all that
// the position sees in each group. What it leaves in a group is cell, so that no group's pages pass for another's.
type row uint64

func newRow(weights uint64, token int32, position int) row {
	return row(mix(mix(weights, uint64(token)), uint64(position)))
}

func (r row) see(cell uint64) row { return row(mix(uint64(r), cell)) }

func (r row) cell(group int) uint64 { return mix(uint64(r), uint64(group)) }

func (r row) logit() float32 { return float32(r%1000) / 100 }

func (r row) rank() int32 { return int32(r % 7) }

// choose depends on all that may choose a token: the sequence, seed and choice unless greedy, penalties
// in any order, biases. A bias of minus infinity is a mask: it keeps a token out, and changes nothing else.
func (r row) choose(o engine.Output, penalties []engine.Penalty, biases []engine.Bias, vocab int) int32 {
	state := uint64(r)
	if o.Temperature > 0 {
		state = mix(state, mix(o.Seed, uint64(o.Choice)))
	}
	sum := uint64(0)
	for _, p := range penalties {
		sum += mix(uint64(p.Token), mix(uint64(p.Seen), uint64(p.Generated)))
	}
	masked := map[int32]bool{}
	for _, b := range biases {
		if math.IsInf(float64(b.Value), -1) {
			masked[b.Token] = true
			continue
		}
		sum += mix(uint64(b.Token), 7)
	}
	token := int32(mix(state, sum) % uint64(vocab))
	for masked[token] { // the next best
		token = (token + 1) % int32(vocab)
	}
	return token
}

// Want is a request whose answer is to be known.
type Want struct {
	Prompt      []int32
	Tokens      int // of the answer
	Temperature float32
	Seed        uint64
	Choice      int32
	Penalises   bool
	Biases      []engine.Bias
	Masked      []int32 // not chosen as one of the first Unmasked tokens
	Unmasked    int     // from which token of the answer on they may be
	Weights     Weights // by default those of the first generation
}

// Answer is the right answer on an instance of these limits: what it would compute for a sequence that is alone, without
// any page.
func (w Want) Answer(l engine.Limits) (answer []int32) {
	s, counts := newHistory(l, w.Weights), map[int32]*engine.Penalty{}
	var last row
	take := func(token int32, generated int32) {
		last = s.extend(token)
		if counts[token] == nil {
			counts[token] = &engine.Penalty{Token: token}
		}
		counts[token].Seen++
		counts[token].Generated += generated
	}
	for _, t := range w.Prompt {
		take(t, 0)
	}
	for range w.Tokens {
		var penalties []engine.Penalty
		for _, p := range counts {
			if w.Penalises {
				penalties = append(penalties, *p)
			}
		}
		o := engine.Output{Temperature: w.Temperature, Seed: w.Seed, Choice: w.Choice}
		answer = append(answer, last.choose(o, penalties, w.biases(len(answer)), l.Vocab))
		take(answer[len(answer)-1], 1)
	}
	return answer
}

// biases are those of the token at a place of the answer. A mask takes the place of what was asked for its token.
func (w Want) biases(at int) []engine.Bias {
	if at >= w.Unmasked {
		return w.Biases
	}
	all := slices.DeleteFunc(slices.Clone(w.Biases), func(b engine.Bias) bool { return slices.Contains(w.Masked, b.Token) })
	for _, t := range w.Masked {
		all = append(all, engine.Bias{Token: t, Value: float32(math.Inf(-1))})
	}
	return all
}

// history is all cells of one sequence.
type history struct {
	groups  []engine.GroupLimits
	weights uint64
	cells   [][]uint64 // (groups, positions)
}

func newHistory(l engine.Limits, w Weights) *history {
	return &history{l.Groups, w.sum(), make([][]uint64, len(l.Groups))}
}

func (h *history) extend(token int32) row {
	position := 0
	if len(h.cells) > 0 {
		position = len(h.cells[0])
	}
	r := newRow(h.weights, token, position)
	for g, limits := range h.groups {
		first := limits.FirstSeen(position)
		if limits.Slots { // a slot holds what the last position left
			first = max(position-1, 0)
		}
		for _, cell := range h.cells[g][first:] {
			r = r.see(cell)
		}
	}
	for g := range h.groups {
		h.cells[g] = append(h.cells[g], r.cell(g))
	}
	return r
}
