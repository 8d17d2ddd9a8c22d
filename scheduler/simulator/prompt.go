package simulator

import (
	"chimera/engine"
	"chimera/scheduler/trace"
)

// This file owns what prompts hold: tokens that are the same where a trace says that prompts begin alike, and differ in each page
// where it does not.

const vocabulary = 1 << 30

// promptOf makes a request's prompt.
func promptOf(t *trace.Trace, i int) []int32 {
	r := &t.Requests[i]
	tokens := make([]int32, r.Prompt)
	for b, name := range r.Blocks {
		fill(tokens, b*t.BlockTokens, min((b+1)*t.BlockTokens, r.Prompt), name)
	}
	fill(tokens, min(len(r.Blocks)*t.BlockTokens, r.Prompt), r.Prompt, alone|uint64(i))
	return tokens
}

// alone is in the name of no block, since a recording's have 48 bits and others count.
const alone = 1 << 63

// fill writes the content that a name stands for. Two tokens of each page tell it: pages are told apart by all before them, too.
func fill(tokens []int32, from, to int, name uint64) {
	for p := from; p < to; p++ {
		switch p % engine.PageTokens {
		case 0:
			tokens[p] = int32(name % vocabulary)
		case 1:
			tokens[p] = int32(name / vocabulary % vocabulary)
		case 2:
			tokens[p] = int32(name>>60) + 1
		}
	}
}
