package scheduler

import "encoding/binary"

// This file owns the memory of what is no longer there: the uses of contents whose pages were given away, so that one that
// comes back is known.

// A set of eight entries is one place of the table; in it the one that was used longest ago gives way. For each page of the
// pool there are eight entries of 40 bytes: with fewer, what comes back after much else was asked for is taken for new; more
// remember what has cooled already (docs/POLICY.md). A page of a model as small as SmolLM2-135M has 360 KB.
const (
	ghostWays     = 8
	ghostsPerPage = 8
)

type ghost struct {
	tag uint64 // of the key; 0: nothing is remembered here
	usage
}

// ghosts is a table of fixed size.
type ghosts []ghost // (sets, ghostWays)

func newGhosts(entries int) ghosts { return make(ghosts, max(1, entries/ghostWays)*ghostWays) }

// set is where a key's entry is, and by what it is told from the others there. Keys are digests, so that their bytes are as good as random.
func (g ghosts) set(k pageKey) (entries []ghost, tag uint64) {
	at := binary.LittleEndian.Uint64(k[:8]) % uint64(len(g)/ghostWays)
	return g[at*ghostWays:][:ghostWays], max(1, binary.LittleEndian.Uint64(k[8:]))
}

// remember keeps a content's usage.
func (g ghosts) remember(k pageKey, u usage) {
	entries, tag := g.set(k)
	oldest := 0
	for i := range entries {
		if entries[i].tag == tag || entries[i].tag == 0 {
			oldest = i
			break
		}
		if entries[i].at < entries[oldest].at {
			oldest = i
		}
	}
	entries[oldest] = ghost{tag, u}
}

// recall returns a content's usage, which it forgets: the content is there again.
func (g ghosts) recall(k pageKey) usage {
	entries, tag := g.set(k)
	for i := range entries {
		if entries[i].tag == tag {
			u := entries[i].usage
			entries[i] = ghost{}
			return u
		}
	}
	return usage{}
}
