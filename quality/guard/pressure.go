package guard

import "slices"

// This file owns when a missed objective counts: one window may be anybody's burst, two running are a load.

// Pressure remembers which objectives were missed in windows that follow one another. Its zero value has seen none.
type Pressure struct{ last, running []string }

// Add takes note of a window in which there was something to serve, and of the objectives that it has missed. Whether a rate counts as missed,
// which it does only while requests wait, is for who measures.
func (p *Pressure) Add(missed []string) {
	p.running = nil
	for _, m := range missed {
		if slices.Contains(p.last, m) {
			p.running = append(p.running, m)
		}
	}
	p.last = slices.Clone(missed)
}

// Missed are the objectives that were missed in the last two windows, both.
func (p *Pressure) Missed() []string { return p.running }

// Forget is for a new tier: what the one before has missed says nothing about it.
func (p *Pressure) Forget() { *p = Pressure{} }
