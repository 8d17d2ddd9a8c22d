package measure

import (
	"maps"
	"math"
	"slices"
	"time"

	"chimera/store"
)

// This file owns what a stretch of time has cost and whom: steps are charged to those whose rows they computed (the scheduler counts that), and what the process
// took besides, in HTTP, tokenising, loading and its own upkeep, is shared in proportion to the tokens that each tenant's requests had, prompt
// and answer: what is read, rendered and written grows with these. Where nobody had any it is nobody's: a row without model, tenant and class.
// So the rows of a stretch add up to the process's CPU time, whatever it did.
//
// Rejected: overhead in proportion to steps. A tenant of a large model would pay for another's JSON.

// Spent is what is counted since the start, and never falls.
type Spent struct {
	Steps    map[Key]Charge
	Overhead time.Duration // CPU time of the process besides steps
}

// Charge is what steps took.
type Charge struct {
	CPU    time.Duration // of all cores together
	Device time.Duration // that steps were under way
}

// Costs turns what is counted into rows of stretches that follow each other.
type Costs struct {
	from time.Time
	last Spent
}

// NewCosts begins at a time, with nothing counted before.
func NewCosts(from time.Time) *Costs { return &Costs{from: from, last: Spent{Steps: map[Key]Charge{}}} }

// Close gives the rows of the stretch that ends now, in the order of keys: one for each that took or used anything. gpu tells that a device's
// time is a GPU's.
func (c *Costs) Close(now time.Time, spent Spent, used map[Key]Usage, gpu bool, tenant func(string) store.Tenant) (list []store.Cost) {
	overhead := max(0, spent.Overhead-c.last.Overhead).Seconds()
	shares := sharesOf(used)
	keys := map[Key]bool{}
	for k := range used {
		keys[k] = true
	}
	for k, took := range spent.Steps {
		if took != c.last.Steps[k] {
			keys[k] = true
		}
	}
	if len(shares) == 0 && overhead > 0 {
		keys[Key{}], shares = true, map[Key]float64{{}: 1}
	}
	for _, k := range slices.SortedFunc(maps.Keys(keys), Key.compare) {
		took, before, u := spent.Steps[k], c.last.Steps[k], used[k]
		row := store.Cost{
			From: c.from, Until: now, Model: k.Model, Tenant: tenant(k.Tenant), Class: k.Class,
			Requests: u.Requests, PromptTokens: u.PromptTokens, AnswerTokens: u.AnswerTokens,
			CoreSeconds: max(0, took.CPU-before.CPU).Seconds(), OverheadSeconds: overhead * shares[k], GPUSeconds: math.NaN(),
		}
		if gpu {
			row.GPUSeconds = max(0, took.Device-before.Device).Seconds()
		}
		list = append(list, row)
	}
	c.from, c.last = now, spent
	return list
}

// sharesOf are each key's part of all tokens; none where there were none.
func sharesOf(used map[Key]Usage) map[Key]float64 {
	total, shares := int64(0), map[Key]float64{}
	for _, u := range used {
		total += u.PromptTokens + u.AnswerTokens
	}
	if total == 0 {
		return nil
	}
	for k, u := range used {
		shares[k] = float64(u.PromptTokens+u.AnswerTokens) / float64(total)
	}
	return shares
}
