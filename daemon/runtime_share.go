package daemon

import (
	"errors"
	"log/slog"

	"chimera/engine"
	"chimera/loader"
	"chimera/model"
)

// This file owns how large the models' KV caches are: one plan of memory for all of them.
//
// A pool of pages holds as many full contexts as pooledContexts, or fewer where all models have room together then. It is decided once, at the
// start. Rejected: to make pools smaller while they are used, since what is in them would have to go, and the answers would wait for it; and
// to give a model what is left when it is loaded, since its size would depend on who came before.

// share settles how many contexts the pools hold. Where not even one each would let all models stay they take turns, with whole pools.
func (all *runtimes) share(b loader.Backend) {
	if len(all.list) < 2 {
		return
	}
	for contexts := loader.PooledContexts; contexts > 0; contexts-- {
		plan := all.planTogether(b, contexts)
		if all.exceeds(plan, 0) != nil || loader.CheckRoom(plan, b, all.promised(), 0) != nil {
			continue
		}
		if all.contexts = contexts; contexts < loader.PooledContexts {
			slog.Info("KV caches are smaller than that of one model alone, so that all models have room together", "contexts", contexts, "alone", loader.PooledContexts)
		}
		return
	}
	slog.Info("there is no room for all models together: they take turns")
}

// planTogether is what all models take of memory. One that can't be planned says so when it is loaded.
func (all *runtimes) planTogether(b loader.Backend, contexts int) *engine.Plan {
	sum := &engine.Plan{}
	for _, r := range all.list {
		plan, err := all.planOne(b, r.path, contexts)
		if err != nil {
			continue
		}
		sum.WeightBytes += plan.WeightBytes
		sum.KVBytes += plan.KVBytes
		sum.ActBytes += plan.ActBytes
		sum.BatchBytes += plan.BatchBytes
		sum.HostBytes += plan.HostBytes
		sum.StagingBytes = max(sum.StagingBytes, plan.StagingBytes) // one is loaded at a time
	}
	return sum
}

func (all *runtimes) planOne(b loader.Backend, path string, contexts int) (*engine.Plan, error) {
	f, p, err := loader.Open(path)
	if err != nil {
		return nil, err
	}
	o := loader.OptionsOf(&all.config)
	o.Contexts = contexts
	options, err := o.LoadOptions(p)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	plan, err := b.Plan(p, model.NewSource(f), options)
	return plan, errors.Join(err, f.Close())
}
