package stats

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// This file owns random draws.

// Resampling says how often to draw, and which draws. The same seed gives the same result: draws are counter-based, each replicate has its
// own by seed and number, whatever came before it.
type Resampling struct {
	Seed  uint64
	Count int // of replicates, 100 at least; 0 is 2000, with which a 95 % interval's ends stand on 50 replicates each
}

// Counts of replicates.
const (
	defaultReplicates = 2000
	leastReplicates   = 100 // fewer leave two on each side of a 95 % interval
	mostReplicates    = 1_000_000
)

// draws are those of one replicate: ChaCha8 is a block cipher of a counter, here with seed and replicate as its key.
type draws struct{ source *rand.ChaCha8 }

func newDraws(seed uint64, replicate int) draws {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	binary.LittleEndian.PutUint64(key[8:], uint64(replicate))
	return draws{rand.NewChaCha8(key)}
}

// below is a number from 0 to n-1. Its bias is below n/2^64.
func (d draws) below(n int) int {
	high, _ := bits.Mul64(d.source.Uint64(), uint64(n))
	return int(high)
}

// coin is 0 or 1.
func (d draws) coin() int { return int(d.source.Uint64() >> 63) }
