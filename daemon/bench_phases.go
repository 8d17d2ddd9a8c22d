package daemon

import (
	"context"
	"regexp"
	"time"

	"chimera/engine"
)

// This file owns where the time of the engine's steps goes: each phase beside what the machine can do, measured in the same run.

// EngineLimits is what this machine can do at most, with the threads and the instruction set of the steps.
type EngineLimits struct {
	Read       float64 `json:"read_gb_per_second"` // front to back, of the packed weights
	Operations float64 `json:"gop_per_second"`     // products of bytes and their sums, two operations each, from registers
}

// EnginePhase is a phase of the prompt's step or of one that decodes; those of all layers are one.
type EnginePhase struct {
	Steps      string  `json:"steps"` // prefill or decode
	Name       string  `json:"name"`
	Kernel     string  `json:"kernel"`
	Count      int     `json:"count"` // phases of a step that it stands for
	Time       float64 `json:"ms"`    // of a step, all of them together, as the mean of the best round's
	Read       float64 `json:"gb_per_second"`
	Operations float64 `json:"gop_per_second"`
	Share      float64 `json:"share_of_limit"` // of the limit that is nearer
	Limit      string  `json:"limit"`          // which that is: read or operations
}

// profile computes the steps that are reported by name once more, phase by phase: what is timed so is no faster for it.
func (b EngineBench) profile(ctx context.Context, s *stepper, r *EngineReport) error {
	in, can := s.in.(engine.Profiler)
	if !can {
		return nil
	}
	top := in.Ceiling()
	r.Limits = &EngineLimits{Read: top.ReadBytesPerSecond / 1e9, Operations: 2 * top.MACsPerSecond / 1e9}
	plan := s.in.Plan()
	for _, named := range []struct {
		name  string
		steps EngineSteps
	}{{"prefill", b.Prefill}, {"decode", b.Decode}} {
		var best []engine.PhaseCost
		in.PhaseCosts()
		for range b.Rounds {
			if _, err := s.run(ctx, named.steps, named.steps.Count); err != nil {
				return err
			}
			if costs := in.PhaseCosts(); best == nil || total(costs) < total(best) {
				best = costs
			}
		}
		r.Phases = append(r.Phases, phasesOf(named.name, plan.Phases, best, named.steps.Count, *r.Limits)...)
	}
	return nil
}

func total(costs []engine.PhaseCost) (sum time.Duration) {
	for _, c := range costs {
		sum += c.Time
	}
	return sum
}

// layerName is the part of a phase's name that tells its layer.
var layerName = regexp.MustCompile(`\.\d+\.`)

// phasesOf adds up the layers' phases, in the order in which they first come.
func phasesOf(steps string, plan []engine.Phase, costs []engine.PhaseCost, count int, limits EngineLimits) (list []EnginePhase) {
	type kind struct{ name, kernel string }
	at, sums := map[kind]int{}, []engine.PhaseCost(nil)
	for i, p := range plan {
		k := kind{layerName.ReplaceAllString(p.Name, ".*."), p.Kernel}
		n, known := at[k]
		if !known {
			n = len(list)
			at[k] = n
			list, sums = append(list, EnginePhase{Steps: steps, Name: k.name, Kernel: k.kernel}), append(sums, engine.PhaseCost{})
		}
		list[n].Count++
		sums[n].Time += costs[i].Time
		sums[n].ReadBytes += costs[i].ReadBytes
		sums[n].MACs += costs[i].MACs
	}
	for n, sum := range sums {
		list[n].rate(sum, count, limits)
	}
	return list
}

// rate sets what was done in a time beside the limits.
func (p *EnginePhase) rate(sum engine.PhaseCost, count int, limits EngineLimits) {
	seconds := max(sum.Time, time.Nanosecond).Seconds()
	p.Time = seconds * 1000 / float64(count)
	p.Read, p.Operations = float64(sum.ReadBytes)/seconds/1e9, 2*float64(sum.MACs)/seconds/1e9
	p.Limit, p.Share = "read", p.Read/limits.Read
	if share := p.Operations / limits.Operations; share > p.Share {
		p.Limit, p.Share = "operations", share
	}
}

// packed is what the weights take as they are read, and what a step that decodes reads of them in a second.
func (r *EngineReport) packed(plan *engine.Plan, fileBytes int64, decode EngineSteps) {
	r.PackedBytes, r.FileBytes = plan.WeightBytes, fileBytes
	read := int64(0)
	for _, p := range plan.Phases {
		read += p.ReadBytes
	}
	r.Read = float64(read) / 1e9 * r.Decode / float64(decode.rows())
}
