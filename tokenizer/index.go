// This file owns the two look-up tables: token text to id, and pair of ids to merge. Both are open-addressed, because at
// 262k tokens and 500k merges Go's maps cost several times the memory and the time to build.
package tokenizer

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
)

// textIndex finds a token by its text as the file writes it. Slots hold id+1; 0 is free. At most half are taken, so a
// search ends. The seed is random: a file cannot be made to collide.
type textIndex struct {
	seed   maphash.Seed
	slots  []int32
	tokens []string
	// longest bounds what can be found, so that longer texts are not hashed.
	longest int
}

// newTextIndex also counts the tokens whose text an earlier one has, as in some published files: the text becomes the
// first of them, the others are only ever read back. Empty texts (of unused ids) may be many and are never found.
func newTextIndex(tokens []string) (x textIndex, repeated int) {
	x = textIndex{seed: maphash.MakeSeed(), slots: make([]int32, tableSize(len(tokens))), tokens: tokens}
	mask := uint64(len(x.slots) - 1)
	for id, text := range tokens {
		if text == "" {
			continue
		}
		x.longest = max(x.longest, len(text))
		at := maphash.String(x.seed, text) & mask
		for x.slots[at] != 0 && tokens[x.slots[at]-1] != text {
			at = (at + 1) & mask
		}
		if x.slots[at] != 0 {
			repeated++
			continue
		}
		x.slots[at] = int32(id) + 1
	}
	return x, repeated
}

// tableSize is a power of two that n entries fill by at most half.
func tableSize(n int) int { return 1 << bits.Len(uint(2*n)) }

// find returns the id, or None.
func (x *textIndex) find(text string) int32 {
	if len(text) > x.longest {
		return None
	}
	mask := uint64(len(x.slots) - 1)
	for at := maphash.String(x.seed, text) & mask; x.slots[at] != 0; at = (at + 1) & mask {
		if id := x.slots[at] - 1; x.tokens[id] == text {
			return id
		}
	}
	return None
}

// findBytes is find for a text put together in a buffer: maphash gives a string and its bytes one hash, and a comparison
// does not allocate.
func (x *textIndex) findBytes(text []byte) int32 {
	if len(text) > x.longest {
		return None
	}
	mask := uint64(len(x.slots) - 1)
	for at := maphash.Bytes(x.seed, text) & mask; x.slots[at] != 0; at = (at + 1) & mask {
		if id := x.slots[at] - 1; x.tokens[id] == string(text) {
			return id
		}
	}
	return None
}

// merge says what two neighbouring tokens become, and how early: a lower rank goes first.
type merge struct {
	rank, id int32
}

// mergeTable finds the merge of two ids.
type mergeTable struct {
	slots      []mergeSlot
	multiplier uint64 // odd and random, so that no file makes its keys collide
	shift      int
}

type mergeSlot struct {
	key uint64 // left<<32 | right, plus one; 0 is free
	merge
}

func newMergeTable(n int) mergeTable {
	size := tableSize(n)
	return mergeTable{slots: make([]mergeSlot, size), multiplier: rand.Uint64() | 1, shift: 64 - bits.Len(uint(size-1))}
}

func pairKey(left, right int32) uint64 { return (uint64(uint32(left))<<32 | uint64(uint32(right))) + 1 }

// slot is where key is or belongs: multiplicative hashing (Knuth, TAOCP 6.4).
func (t *mergeTable) slot(key uint64) *mergeSlot {
	mask := uint64(len(t.slots) - 1)
	at := key * t.multiplier >> t.shift
	for t.slots[at].key != 0 && t.slots[at].key != key {
		at = (at + 1) & mask
	}
	return &t.slots[at]
}

// add enters a merge unless the pair is there: the first, best rank stays.
func (t *mergeTable) add(left, right int32, m merge) {
	key := pairKey(left, right)
	if slot := t.slot(key); slot.key == 0 {
		*slot = mergeSlot{key, m}
	}
}

func (t *mergeTable) find(left, right int32) (merge, bool) {
	slot := t.slot(pairKey(left, right))
	return slot.merge, slot.key != 0
}
