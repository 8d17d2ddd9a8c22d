package model

import (
	"fmt"

	"chimera/engine"
	"chimera/weights"
)

// This file owns numbers that files may give by layer: heads, and the width of the feed-forward block.

// eachLayer reads architecture.name as one number for all layers, or as a list of one for each. Programs have layers of one
// size, so the list's must be the same.
func (h *hyper) eachLayer(name string, layers, most int) (int, bool) {
	v, ok := h.file.Metadata().Get(h.key(name))
	if !ok || v.Type != weights.Array {
		return h.optional(name, most)
	}
	list, _, err := h.file.Metadata().Ints(h.key(name))
	h.note(err)
	if err != nil {
		return 0, false
	}
	if len(list) != layers {
		h.fail("key %s has %d entries for %d layers", h.key(name), len(list), layers)
		return 1, true
	}
	for i, n := range list {
		if n < 1 || int(n) > most {
			h.outside(name, n, most)
			return 1, true
		}
		if n != list[0] && h.err == nil {
			h.err = h.refuse(&engine.UnsupportedError{
				What:   fmt.Sprintf("key %s: %d in the first layer and %d in layer %d", h.key(name), list[0], n, i),
				Reason: "this build knows layers of one size",
			})
		}
	}
	return int(list[0]), true
}

// countEachLayer is eachLayer of what must be there.
func (h *hyper) countEachLayer(name string, layers, most int) int {
	n, ok := h.eachLayer(name, layers, most)
	if !ok && h.err == nil {
		h.fail("key %s is missing", h.key(name))
	}
	return n
}
