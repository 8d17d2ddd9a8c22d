package daemon

import (
	"maps"
	"time"

	"golang.org/x/sys/unix"

	"chimera/api"
	"chimera/measure"
	"chimera/scheduler"
)

// This file owns what the models' steps have cost, as their lanes count it, and the clock that they count by.

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
	sum := measure.Spent{Steps: map[measure.Key]measure.Charge{}}
	for _, r := range all.list {
		for k, c := range r.spent() {
			sum.Steps[measure.Key{Model: r.name, Tenant: k.Tenant, Class: k.Class}] = c
		}
	}
	if all.device != nil {
		sum.Overhead = all.device.loop.Overhead()
	}
	return sum
}

// spent is what a model's lanes were charged, those that are no more too; its keys name no model.
func (r *Runtime) spent() map[measure.Key]measure.Charge {
	sum := maps.Clone(r.pastSpent)
	if sum == nil {
		sum = map[measure.Key]measure.Charge{}
	}
	if r.up != nil {
		addSpent(sum, r.up.lane)
	}
	if r.beside != nil && r.beside.shadow != nil {
		addSpent(sum, r.beside.shadow.lane)
	}
	return sum
}

// addPastSpent keeps what a lane was charged beside the model's own that is no more.
func (r *Runtime) addPastSpent(lane *scheduler.Lane) {
	if r.pastSpent == nil {
		r.pastSpent = map[measure.Key]measure.Charge{}
	}
	addSpent(r.pastSpent, lane)
}

func addSpent(sum map[measure.Key]measure.Charge, lane *scheduler.Lane) {
	for _, s := range lane.Spent() {
		k := measure.Key{Tenant: s.Tenant, Class: s.Class.String()}
		c := sum[k]
		sum[k] = measure.Charge{CPU: c.CPU + s.CPU, Device: c.Device + s.Device}
	}
}

// coreSeconds is that for the metrics.
func (all *runtimes) coreSeconds() (steps []api.CoreSeconds, overhead float64) {
	spent := all.spent()
	for k, c := range spent.Steps {
		steps = append(steps, api.CoreSeconds{Model: k.Model, Tenant: k.Tenant, Class: k.Class, Seconds: c.CPU.Seconds()})
	}
	return steps, spent.Overhead.Seconds()
}

// processCPU is the CPU time of all threads of the process, as getrusage(2) adds it up.
func processCPU() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return 0 // every Linux has that clock
	}
	return time.Duration(t.Nano())
}
