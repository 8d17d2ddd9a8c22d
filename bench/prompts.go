package bench

import (
	"math/rand/v2"
	"strings"
)

// This file owns what is asked: prompts of common words that a seed chooses.

// words are short and common, so that a word is about one token.
var words = strings.Fields("the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not what all were we when your can said there use an each which she do how their if will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first water been call who oil its now find long down day did get come made may part")

// Streams of random numbers of one seed: what the prompts are does not depend on how they arrive.
const (
	arrivals = 1 + iota
	sharedWords
	ownWords
)

// prompts are those of a load.
type prompts struct {
	load   Load
	shared string // what all begin with
}

func (l Load) prompts() prompts {
	p := prompts{load: l}
	if l.Shared > 0 {
		p.shared = text(rand.New(rand.NewPCG(l.Seed, sharedWords)), l.Shared) + " "
	}
	return p
}

// at is the prompt of the i-th request: at random, so that no server answers from a prefix that it has seen, unless the load
// is to repeat them.
func (p prompts) at(i int) string {
	if p.load.Repeat > 0 {
		i %= p.load.Repeat
	}
	return p.shared + text(rand.New(rand.NewPCG(p.load.Seed, uint64(ownWords+i))), p.load.Prompt)
}

func text(random *rand.Rand, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = words[random.IntN(len(words))]
	}
	return strings.Join(list, " ")
}
