//go:build cgo

package cgo

import "time"

// This file owns what background work earns while foreground steps keep a device busy, so that it ends whatever is served.

// shortestTurn is what is saved up for before the steps are held up: a turn costs about 50 us to begin and end.
const shortestTurn = 500 * time.Microsecond

// credit is time that one kind of background work has earned: a part of what each foreground step took.
type credit struct {
	share time.Duration // one of so many parts
	saved time.Duration // below zero after a turn that took longer
}

// earn counts a foreground step. What is saved for one turn is what the longest wait for it is.
func (c *credit) earn(step time.Duration) {
	earned := step / c.share
	c.saved = min(c.saved+earned, max(earned, shortestTurn))
}

func (c *credit) enough() bool { return c.saved >= shortestTurn }

func (c *credit) spend(turn time.Duration) { c.saved -= turn }

// forget is for time that nobody was held up for: who has that needs no turn.
func (c *credit) forget(gap time.Duration) { c.saved -= min(gap, max(c.saved, 0)) }
