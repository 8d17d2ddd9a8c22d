package daemon

import (
	"sync"

	"chimera/engine"
)

// This file owns what is known of a loaded model's generations of weights: the tier of each, and what they take.

// generations are those of an instance. It has a lock of its own: each answer asks for its tier.
type generations struct {
	instance engine.Instance

	mu    sync.Mutex
	tiers map[string]string // by the digest of weights, of all that there were: an answer's may have gone when it is asked for
	next  string            // the tier that is being made: the loop serves it before whoever has made it can say its digest
	there []generation      // the oldest first; see bytes
}

type generation struct {
	id    engine.Generation
	bytes int64
}

// newGenerations has the first one, which is of a tier.
func newGenerations(in engine.Instance, tier string) *generations {
	g := &generations{instance: in, tiers: map[string]string{}, next: tier}
	g.add(in.Generation(), tier, in.Plan().WeightBytes)
	return g
}

// making says what the next generation will be.
func (g *generations) making(tier string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next = tier
}

// add takes note of a generation, and returns the digest of its weights. Where two tiers are the same bytes, as of a model that has no more bits,
// the one that was made last names both.
func (g *generations) add(id engine.Generation, tier string, bytes int64) (digest string) {
	digest = g.instance.Digest(id)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tiers[digest] = tier
	g.there = append(g.there, generation{id, bytes})
	return digest
}

// tier is that of weights of a digest.
func (g *generations) tier(digest string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if tier, known := g.tiers[digest]; known {
		return tier
	}
	return g.next
}

// older is what the generations before the newest take that sequences still use.
func (g *generations) older() (sum int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	kept := g.there[:0]
	for i, one := range g.there {
		last := i == len(g.there)-1
		if !last && g.instance.Digest(one.id) == "" { // the lane has retired it
			continue
		}
		if kept = append(kept, one); !last {
			sum += one.bytes
		}
	}
	g.there = kept
	return sum
}

// newest is the newest generation, and what its weights take.
func (g *generations) newest() generation {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.there[len(g.there)-1]
}
