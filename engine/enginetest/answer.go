package enginetest

import "chimera/engine"

// This file owns the instance's arithmetic, as pure functions that tests call to know the right answer.

const seedState uint64 = 0x9e3779b97f4a7c15

// mix is the finaliser of splitmix64 over two words; it is never zero, which means an empty slot.
func mix(a, b uint64) uint64 {
	x := a + 0x9e3779b97f4a7c15*(b+1)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return (x ^ x>>31) | 1
}

func extendState(state uint64, token int32) uint64 { return mix(state, uint64(token)) }

// logSumExp is above every logit.
const logSumExp = 10

func logit(state uint64) float32 { return float32(state%1000) / 100 }

func rank(state uint64) int32 { return int32(state % 7) }

// choose depends on all that may choose a token: the sequence, seed and choice unless greedy, penalties
// in any order, biases.
func choose(state uint64, o engine.Output, penalties []engine.Penalty, biases []engine.Bias, vocab int) int32 {
	if o.Temperature > 0 {
		state = mix(state, mix(o.Seed, uint64(o.Choice)))
	}
	sum := uint64(0)
	for _, p := range penalties {
		sum += mix(uint64(p.Token), mix(uint64(p.Seen), uint64(p.Generated)))
	}
	for _, b := range biases {
		sum += mix(uint64(b.Token), 7)
	}
	return int32(mix(state, sum) % uint64(vocab))
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
}

// Answer is the right answer on an instance with that vocabulary.
func (w Want) Answer(vocab int) (answer []int32) {
	state, counts := seedState, map[int32]*engine.Penalty{}
	see := func(token int32, generated int32) {
		if counts[token] == nil {
			counts[token] = &engine.Penalty{Token: token}
		}
		counts[token].Seen++
		counts[token].Generated += generated
	}
	for _, t := range w.Prompt {
		state = extendState(state, t)
		see(t, 0)
	}
	for range w.Tokens {
		var penalties []engine.Penalty
		for _, p := range counts {
			if w.Penalises {
				penalties = append(penalties, *p)
			}
		}
		t := choose(state, engine.Output{Temperature: w.Temperature, Seed: w.Seed, Choice: w.Choice}, penalties, w.Biases, vocab)
		answer = append(answer, t)
		state = extendState(state, t)
		see(t, 1)
	}
	return answer
}
