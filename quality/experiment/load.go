package experiment

import (
	"math/rand/v2"
	"time"
)

// This file owns the load that arms are asked for: what was asked before, or, where nobody keeps texts, prompts that are made up to be as long and to
// share as much.

// Recorded is a request as it is remembered.
type Recorded struct {
	At     time.Time
	Prompt int     // tokens
	Cached int     // of them, that were found computed
	Answer int     // tokens
	Tokens []int32 // the prompt's; nil: it was not kept
}

// Request is one that an arm is asked.
type Request struct {
	Gap    time.Duration // after the one before
	Prompt []int32
	Answer int // tokens, neither more nor less where the prompt was made up
	MadeUp bool
}

// MakeUp gives the requests of a record. Those without tokens have tokens of the vocabulary at random; those that found as much computed begin alike,
// since a receipt tells how much was shared and not with whom. A request is cut to what an arm can take, of context tokens.
func MakeUp(list []Recorded, vocabulary, context int, seed uint64) []Request {
	requests := make([]Request, 0, len(list))
	beginnings := map[int][]int32{} // by how long they are
	draw := rand.New(rand.NewPCG(seed, 1))
	for i, r := range list {
		q := Request{Prompt: r.Tokens, Answer: min(max(r.Answer, 1), max(context/2, 1)), MadeUp: r.Tokens == nil}
		if i > 0 {
			q.Gap = max(0, r.At.Sub(list[i-1].At))
		}
		if q.MadeUp {
			length := max(1, r.Prompt)
			shared := min(max(r.Cached, 0), length)
			if beginnings[shared] == nil {
				beginnings[shared] = random(draw, shared, vocabulary)
			}
			q.Prompt = append(append(make([]int32, 0, length), beginnings[shared]...), random(draw, length-shared, vocabulary)...)
		}
		if most := max(context-q.Answer, 1); len(q.Prompt) > most {
			q.Prompt = q.Prompt[:most]
		}
		requests = append(requests, q)
	}
	return requests
}

func random(draw *rand.Rand, n, vocabulary int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(draw.IntN(vocabulary))
	}
	return ids
}

// Window is the part of a load that a block asks: n requests in a row, from a place that is drawn by the seed, and around. All turns of a block ask the same.
func Window(list []Request, block, n int, seed uint64) []Request {
	part, from := make([]Request, n), rand.New(rand.NewPCG(^seed, uint64(block))).IntN(len(list))
	for i := range part {
		part[i] = list[(from+i)%len(list)]
	}
	return part
}

// Arrivals are when each request comes, at a mean rate a second: the gaps as they were recorded, scaled. Where all came at once they are even.
func Arrivals(list []Request, rate float64) []time.Duration {
	var sum time.Duration
	for _, r := range list[1:] {
		sum += r.Gap
	}
	even := time.Duration(float64(time.Second) / rate)
	at := make([]time.Duration, len(list))
	for i := 1; i < len(list); i++ {
		gap := even
		if sum > 0 {
			gap = time.Duration(float64(list[i].Gap) / float64(sum) * float64(even) * float64(len(list)-1))
		}
		at[i] = at[i-1] + gap
	}
	return at
}
