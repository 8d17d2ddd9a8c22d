package engine

import "time"

// This file owns what an instance tells of where its steps' time goes, for a benchmark.

// Profiler is an instance that can time its phases. A step costs nothing for it until it is asked.
type Profiler interface {
	// PhaseCosts is what each phase of Plan took, of all steps since the call before; the first call begins the count. No step
	// is under way.
	PhaseCosts() []PhaseCost
	// Ceiling measures what the device could do at most, on the workers and with the instruction set of the steps, reading the
	// instance's own weights. No step is under way.
	Ceiling() Ceiling
}

// PhaseCost is what a phase took and did.
type PhaseCost struct {
	Time      time.Duration
	ReadBytes int64 // of weights, and of pages that attention sees
	MACs      int64 // multiply-accumulates
}

// Ceiling is what no phase exceeds for long.
type Ceiling struct {
	ReadBytesPerSecond float64 // front to back
	MACsPerSecond      float64 // of bytes, from registers
}
