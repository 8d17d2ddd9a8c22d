package daemon

import (
	"cmp"
	"maps"
	"time"

	"golang.org/x/sys/unix"

	"chimera/api"
	"chimera/measure"
	"chimera/scheduler"
)

// This file owns what the models' steps have cost and how they were under way, as their lanes count it, and the clock that they count by.

// onGPU tells whether steps are computed on GPUs.
func (all *runtimes) onGPU() bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.device != nil && len(all.device.backend.GPUs()) > 0
}

// spent is what all models' steps were charged since the start, and the overhead.
func (all *runtimes) spent() measure.Spent {
	all.mu.Lock()
	defer all.mu.Unlock()
	sum := measure.Spent{Steps: map[measure.Payer]measure.Charge{}}
	for _, r := range all.list {
		maps.Copy(sum.Steps, r.pastSpent)
	}
	for _, r := range all.list {
		if r.up != nil {
			addSpent(sum.Steps, r.name, "", r.up.lane, r.up.generations.tier)
		}
	}
	for _, s := range all.asides {
		addSpent(sum.Steps, s.model.Name, s.class, s.lane, s.model.Tier)
	}
	if all.device != nil {
		sum.Overhead = all.device.loop.Overhead()
	}
	return sum
}

// addSpent adds what a lane was charged for a model, in a class, or where that is "" in those of its requests. tier is that of weights of a digest.
func addSpent(sum map[measure.Payer]measure.Charge, model, class string, lane *scheduler.Lane, tier func(digest string) string) {
	for _, s := range lane.Spent() {
		p := measure.Payer{Key: measure.Key{Model: model, Tenant: s.Tenant, Class: cmp.Or(class, s.Class.String())}, Weights: s.Weights}
		c := sum[p]
		sum[p] = measure.Charge{Tier: tier(s.Weights), CPU: c.CPU + s.CPU, Device: c.Device + s.Device}
	}
}

// addPastSpent keeps what a lane was charged that is no more.
func (r *Runtime) addPastSpent(class string, lane *scheduler.Lane, tier func(digest string) string) {
	if r.pastSpent == nil {
		r.pastSpent = map[measure.Payer]measure.Charge{}
	}
	addSpent(r.pastSpent, r.name, class, lane, tier)
}

// worked is what all models' steps were under way for since the start, of what was spent by then.
func (all *runtimes) worked(spent measure.Spent) measure.Worked {
	all.mu.Lock()
	defer all.mu.Unlock()
	w := measure.Worked{CPU: processCPU(), Models: map[string]measure.ModelWorked{}}
	for _, r := range all.list {
		m := measure.ModelWorked{Crowded: r.pastCrowded, Way: all.wayOf(r)}
		if r.up != nil {
			m.Crowded += r.up.lane.Crowded()
		}
		w.Models[r.name] = m
	}
	for p, c := range spent.Steps {
		m := w.Models[p.Model]
		m.Device += c.Device
		w.Models[p.Model] = m
	}
	if all.device != nil {
		w.Device = all.device.loop.Busy()
	}
	return w
}

// ways are how models are served, by name.
func (all *runtimes) ways() map[string]measure.Way {
	all.mu.Lock()
	defer all.mu.Unlock()
	list := map[string]measure.Way{}
	for _, r := range all.list {
		list[r.name] = all.wayOf(r)
	}
	return list
}

// wayOf is how a model is served. It is called behind the lock.
func (all *runtimes) wayOf(r *Runtime) measure.Way {
	return measure.Way{Tier: r.tier, KVType: all.config.KVType}
}

// coreSeconds is what was spent for the metrics.
func (all *runtimes) coreSeconds() (steps []api.CoreSeconds, overhead float64) {
	spent := all.spent()
	lines := map[measure.Line]time.Duration{}
	for p, c := range spent.Steps {
		lines[measure.Line{Key: p.Key, Tier: c.Tier}] += c.CPU
	}
	for l, cpu := range lines {
		steps = append(steps, api.CoreSeconds{Payer: payerOf(l), Seconds: cpu.Seconds()})
	}
	return steps, spent.Overhead.Seconds()
}

// payerOf is a line as the metrics have it.
func payerOf(l measure.Line) api.Payer {
	return api.Payer{Model: l.Model, Tier: l.Tier, Tenant: l.Tenant, Class: l.Class}
}

// workCounts is how steps were under way, for the metrics.
func (all *runtimes) workCounts() api.WorkCounts {
	w := all.worked(all.spent())
	counts := api.WorkCounts{Busy: w.Device.Seconds(), Crowded: map[string]float64{}}
	for name, m := range w.Models {
		counts.Crowded[name] = m.Crowded.Seconds()
	}
	return counts
}

// processCPU is the CPU time of all threads of the process, as getrusage(2) adds it up.
func processCPU() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return 0 // every Linux has that clock
	}
	return time.Duration(t.Nano())
}
