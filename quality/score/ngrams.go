package score

// This file owns the counting of n-grams, which BLEU does of words and chrF of characters.

// ngrams are those of several texts, of one order after the other. Equal n-grams of an order have the same number, in all
// texts; an n-gram's number is that of the (n-1)-gram it begins with and its last symbol. So no n-gram is ever written
// out, and what is kept is that of one order.
type ngrams struct {
	texts  [][]int32
	ids    [][]int32 // of each text's n-grams, by where they begin
	order  int
	number map[uint64]int32
}

// newNgrams stands before order 1.
func newNgrams(texts [][]int32) *ngrams {
	g := &ngrams{texts: texts, ids: make([][]int32, len(texts))}
	longest := 0
	for i, text := range texts {
		g.ids[i] = make([]int32, len(text))
		longest = max(longest, len(text))
	}
	g.number = make(map[uint64]int32, longest)
	return g
}

// next goes to the next order.
func (g *ngrams) next() {
	for i, text := range g.texts {
		g.ids[i] = g.ids[i][:max(0, len(text)-g.order)]
	}
	clear(g.number)
	for i, ids := range g.ids {
		for at, id := range ids {
			ids[at] = g.numberOf(uint64(id)<<32 | uint64(uint32(g.texts[i][at+g.order])))
		}
	}
	g.order++
}

func (g *ngrams) numberOf(key uint64) int32 {
	id, known := g.number[key]
	if !known {
		id = int32(len(g.number))
		g.number[key] = id
	}
	return id
}

// matches counts the n-grams of a text that others have too. Each counts as often as the one of them has it that has it most.
func (g *ngrams) matches(text int, others ...int) (n int) {
	most := make([]int32, len(g.number))
	for _, other := range others {
		count := make([]int32, len(g.number))
		for _, id := range g.ids[other] {
			count[id]++
			most[id] = max(most[id], count[id])
		}
	}
	for _, id := range g.ids[text] {
		if most[id] > 0 {
			most[id]--
			n++
		}
	}
	return n
}
