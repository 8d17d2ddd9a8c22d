package tier

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"chimera/weights"
)

// This file owns how fast a tier is made on this machine: what is read of it in one part takes a millisecond, for which who is served meanwhile waits. An
// instruction set, a type and what it is made of change that up to a hundred times.

// Pace tells how many values are made in a millisecond, of one type out of another.
type Pace func(from, to weights.Type) int

const (
	paceValues = 4096 // are made to measure it: a tenth of a millisecond to two
	paceRuns   = 3    // the fastest of which counts: what takes longer was kept waiting
)

// NewPace measures a search, each pair of types when it is first asked for. Bytes do not depend on it.
func NewPace(search weights.Search) Pace { return paceBy(search, time.Now) }

func paceBy(search weights.Search, now func() time.Time) Pace {
	type pair struct{ from, to weights.Type }
	var mu sync.Mutex
	known := map[pair]int{}
	return func(from, to weights.Type) int {
		mu.Lock()
		defer mu.Unlock()
		p := pair{from, to}
		if known[p] == 0 {
			took := fastest(now, reading(from)) + fastest(now, making(search, to))
			known[p] = max(int(paceValues*time.Millisecond/max(took, time.Microsecond)), 1)
		}
		return known[p]
	}
}

func fastest(now func() time.Time, run func()) time.Duration {
	least := time.Duration(math.MaxInt64)
	for range paceRuns {
		began := now()
		run()
		least = min(least, now().Sub(began))
	}
	return least
}

// reading makes values of a type floats. Of which values does not show in the time.
func reading(from weights.Type) func() {
	n, bytes := from.Block()
	raw, values := make([]byte, paceValues/n*bytes), make([]float32, paceValues)
	return func() { _ = weights.Dequantize(from, raw, values) } // what can't be read is never made either
}

// making writes values as they are in models.
func making(search weights.Search, to weights.Type) func() {
	r, values := rand.New(rand.NewPCG(1, 2)), make([]float32, paceValues)
	for i := range values {
		values[i] = float32(0.02 * r.NormFloat64())
	}
	n, bytes := to.Block()
	dst := make([]byte, paceValues/n*bytes)
	return func() { _ = search.Quantize(dst, to, values, paceValues) } // all is there and finite
}
