package control

// This file owns what became of the requests that were drawn.

// Count is how many were drawn, and what became of them.
type Count struct{ Drawn, Scored, Lost int64 }

// Waiting is how many are still to be scored.
func (c Count) Waiting() int64 { return c.Drawn - c.Scored - c.Lost }

// Counts are those of all strata since the start. There are some hundred strata at most, whatever clients ask.
type Counts map[Stratum]*Count

// Of is the count of a stratum.
func (c Counts) Of(s Stratum) *Count {
	if c[s] == nil {
		c[s] = &Count{}
	}
	return c[s]
}

// ByTag adds up by tag; all are under "".
func (c Counts) ByTag() map[string]Count {
	sums := map[string]Count{}
	for s, n := range c {
		for _, tag := range append(s.Tags(), "") {
			sum := sums[tag]
			sum.Drawn, sum.Scored, sum.Lost = sum.Drawn+n.Drawn, sum.Scored+n.Scored, sum.Lost+n.Lost
			sums[tag] = sum
		}
	}
	return sums
}
