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
// and answer: what is read, rendered and written grows with these. Where nobody had any it is nobody's: a row without model, tenant, class and tier.
// So the rows of a stretch add up to the process's CPU time, whatever it did. Energy goes the way of what took it: see divide.
//
// Rejected: overhead in proportion to steps. A tenant of a large model would pay for another's JSON.

// Spent is what is counted since the start, and never falls.
type Spent struct {
	Steps    map[Payer]Charge
	Overhead time.Duration // CPU time of the process besides steps
}

// Payer is who steps are charged to, by the digest of the weights: the name of their tier may become another while counts go on.
type Payer struct {
	Key
	Weights string
}

// Charge is what steps took.
type Charge struct {
	Tier   string        // of the weights, as they are called now
	CPU    time.Duration // of all cores together
	Device time.Duration // that steps were under way
}

// Energy is what the process is taken to have used in a stretch, in joules; NaN where nobody could read it.
type Energy struct {
	CPU float64 // of processors and their memory
	GPU float64 // of graphics cards
}

// Costs turns what is counted into rows of stretches that follow each other.
type Costs struct {
	from time.Time
	last Spent
	used map[Line]Energy // see Used
}

// NewCosts begins at a time, with nothing counted before.
func NewCosts(from time.Time) *Costs {
	return &Costs{from: from, last: Spent{Steps: map[Payer]Charge{}}, used: map[Line]Energy{}}
}

// Used is the energy of each line in all stretches since the start of which it is known; NaN where it is known of none.
func (c *Costs) Used() map[Line]Energy { return maps.Clone(c.used) }

// Close gives the rows of the stretch that ends now, in the order of lines: one for each that took or used anything. gpu tells that a device's
// time is a GPU's.
func (c *Costs) Close(now time.Time, spent Spent, used map[Line]Usage, e Energy, gpu bool, tenant func(string) store.Tenant) (list []store.Cost) {
	overhead := max(0, spent.Overhead-c.last.Overhead).Seconds()
	took, shares := c.since(spent), sharesOf(used)
	for l := range used {
		took[l] = took[l] // a row of it, too, if it took nothing
	}
	if len(shares) == 0 && (overhead > 0 || e.GPU > 0) {
		took[Line{}], shares = took[Line{}], map[Line]float64{{}: 1}
	}
	lines := slices.SortedFunc(maps.Keys(took), Line.compare)
	for _, l := range lines {
		u := used[l]
		row := store.Cost{
			From: c.from, Until: now, Model: l.Model, Tenant: tenant(l.Tenant), Class: l.Class, Tier: l.Tier,
			Requests: u.Requests, PromptTokens: u.PromptTokens, AnswerTokens: u.AnswerTokens,
			CoreSeconds: took[l].CPU.Seconds(), OverheadSeconds: overhead * shares[l], GPUSeconds: math.NaN(),
		}
		if gpu {
			row.GPUSeconds = took[l].Device.Seconds()
		}
		list = append(list, row)
	}
	e.divide(list, lines, took, shares)
	for i, l := range lines {
		before, there := c.used[l]
		if !there {
			before = Energy{math.NaN(), math.NaN()}
		}
		c.used[l] = Energy{plus(before.CPU, list[i].CPUJoules), plus(before.GPU, list[i].GPUJoules)}
	}
	c.from, c.last = now, spent
	return list
}

// since is what has been charged since the last stretch, to those who were charged anything.
func (c *Costs) since(spent Spent) map[Line]Charge {
	took := map[Line]Charge{}
	for p, now := range spent.Steps {
		before, l := c.last.Steps[p], Line{p.Key, now.Tier}
		cpu, device := max(0, now.CPU-before.CPU), max(0, now.Device-before.Device)
		if cpu > 0 || device > 0 {
			took[l] = Charge{CPU: took[l].CPU + cpu, Device: took[l].Device + device}
		}
	}
	return took
}

// divide lays a stretch's energy to its rows: that of processors in proportion to CPU time, overhead with it, that of graphics cards to the time that steps were
// under way, or, where none was, as overhead. So the rows add up to the energy.
func (e Energy) divide(rows []store.Cost, lines []Line, took map[Line]Charge, shares map[Line]float64) {
	cpu, device := 0.0, 0.0
	for i := range rows {
		cpu += rows[i].CoreSeconds + rows[i].OverheadSeconds
		device += took[lines[i]].Device.Seconds()
	}
	for i, l := range lines {
		r, ofDevice := &rows[i], shares[l]
		if device > 0 {
			ofDevice = took[l].Device.Seconds() / device
		}
		r.CPUJoules, r.GPUJoules = e.CPU*(r.CoreSeconds+r.OverheadSeconds)/cpu, e.GPU*ofDevice
		if cpu == 0 {
			r.CPUJoules = 0 * e.CPU // NaN is not known
		}
	}
}

// plus adds what is known.
func plus(a, b float64) float64 {
	switch {
	case math.IsNaN(a):
		return b
	case math.IsNaN(b):
		return a
	}
	return a + b
}

// sharesOf are each line's part of all tokens; none where there were none.
func sharesOf(used map[Line]Usage) map[Line]float64 {
	total, shares := int64(0), map[Line]float64{}
	for _, u := range used {
		total += u.PromptTokens + u.AnswerTokens
	}
	if total == 0 {
		return nil
	}
	for l, u := range used {
		shares[l] = float64(u.PromptTokens+u.AnswerTokens) / float64(total)
	}
	return shares
}
