package scheduler

import (
	"math"
	"slices"
	"time"
)

// This file owns the cost model of a lane: how long a step of some shape takes.
//
// It is linear in the shape: a constant (the weights are read once, whoever is in the step), and so much a row, an output and
// a K/V token that is seen. The coefficients are fitted to the steps as they come, by least squares of relative errors,
// so that a step of 5 ms counts as one of 500, under these conditions:
//
//   - what is old is forgotten, since a machine's speed changes with its clock and its neighbours;
//   - a step that took many times as long as others are off (somebody else had the core) counts no more than one at the edge of
//     the usual;
//   - none is below zero, so that more rows never make a step shorter. What steps tell nothing of (no prompt came for an
//     hour) stays as it was last known.
//
// Before the first step the coefficients are those of a small model on two cores, and the first step scales all of them.

// costRule are the cost model's constants whose choice matters. docs/POLICY.md has what it comes to with others.
type costRule struct {
	// memory is what an observation still weighs when one more has come. Half of it is forgotten in 69 steps, which is
	// a second or so of decoding.
	memory float64
	// clip is the relative error, in multiples of the usual one, beyond which an observation counts no more.
	clip float64
	// errorRate is how fast the usual error follows: one that is beyond the clip lifts it by a fifth, so a machine that
	// became half as fast is believed after some twenty steps, and one outlier is forgotten as soon.
	errorRate float64
	// speedRate is how much of an observation's error is laid to the machine's speed, which all coefficients have in common:
	// so the steps of an hour without prompts tell that prompts, too, take longer now. What is the shape's fault is
	// fitted away before much has been laid to speed.
	speedRate float64
}

var defaultCostRule = costRule{memory: 0.99, clip: 3, errorRate: 0.1, speedRate: 0.1}

// Its other constants.
const (
	// costLeastError is the least usual error: timers and interrupts alone make so much.
	costLeastError = 0.01
	// costFirstError is the usual error at the start, when all that differs is likely the model's fault.
	costFirstError = 0.5
	// costAnchor holds a coefficient of which steps tell nothing where it was, as a hundredth of an observation does.
	costAnchor = 0.01
	// costSettling is how many of the first steps may be found to have been slow (memory is touched for the first time):
	// one that takes less than half of what they let expect begins anew.
	costSettling = 8
	// costSweeps is how often each coefficient is fitted, the others held, at each observation. They begin at the last fit.
	costSweeps = 16
	// costErrors is how many of the last predictions the errors in CostState are of.
	costErrors = 256
)

// features are what a step's time is linear in: the constant, decode rows, prefill rows, outputs, K/V tokens.
const features = 5

// priorNS are the coefficients before the first step, in nanoseconds: SmolLM2-135M (Q4_1) on two cores with AVX-512, whose
// steps docs/BENCHMARKS.md has (one row in 4 ms, 512 of a prompt in 370, eight clients' in 23). chimera simulate takes them where none are given.
var priorNS = [features]float64{2e6, 1.7e6, 0.45e6, 0.35e6, 1000}

// Cost is a lane's cost model. One goroutine may use it at a time.
type Cost struct {
	rule     costRule
	unit     [features]float64 // nanoseconds that stand for 1 in the fit
	fit      [features]float64 // coefficients in units, near 1
	moment   [features][features]float64
	target   [features]float64
	usual    float64 // relative error
	observed uint64
	errors   [costErrors]float32 // relative, of the last predictions, in turn
}

// NewCost is one that has seen no step.
func NewCost() *Cost {
	c := &Cost{rule: defaultCostRule}
	c.begin(priorNS)
	return c
}

// CostFrom is one that begins where another stood.
func CostFrom(s CostState) *Cost {
	c := &Cost{rule: defaultCostRule}
	c.begin(s.nanoseconds())
	c.observed = max(s.Steps, costSettling)
	return c
}

// begin forgets all observations. A coefficient of 0 would be no unit: what costs nothing is a billionth of the prior.
func (c *Cost) begin(unit [features]float64) {
	*c = Cost{rule: c.rule, usual: costFirstError}
	for i := range unit {
		c.unit[i], c.fit[i] = max(unit[i], priorNS[i]*1e-9), 1
	}
}

func (s Shape) features() [features]float64 {
	return [features]float64{1, float64(s.Decode), float64(s.Prefill), float64(s.Outputs), s.Attention}
}

// predict is in nanoseconds, above zero.
func (c *Cost) predict(x *[features]float64) (ns float64) {
	for i := range x {
		ns += x[i] * c.unit[i] * c.fit[i]
	}
	return max(ns, 1)
}

// Predict is how long a step of that shape will take.
func (c *Cost) Predict(s Shape) time.Duration {
	x := s.features()
	return time.Duration(min(c.predict(&x), math.MaxInt64/2))
}

// Rows is the most prefill rows, each of which sees so many positions, that a step of shape base may have besides and end
// within the budget.
func (c *Cost) Rows(budget time.Duration, base Shape, seen int) int {
	x := base.features()
	row := c.unit[2]*c.fit[2] + c.unit[4]*c.fit[4]*float64(seen)
	left := float64(budget) - c.predict(&x)
	switch {
	case left <= 0:
		return 0
	case row*math.MaxInt32 <= left:
		return math.MaxInt32
	}
	return int(left / row)
}

// Observe learns from a step that took d.
func (c *Cost) Observe(s Shape, d time.Duration) {
	if d <= 0 {
		return
	}
	x, y := s.features(), float64(d)
	if p := c.predict(&x); c.observed == 0 || c.observed < costSettling && y < p/2 {
		c.restart(y / p)
	}
	p := c.predict(&x)
	off := y/p - 1
	c.errors[c.observed%costErrors] = float32(math.Abs(off))
	c.observed++
	w := c.weight(math.Abs(off))
	c.hasten(1 + c.rule.speedRate*w*off)
	c.learn(&x, p, y/p, w)
	c.solve()
}

// restart begins with the coefficients scaled, as if nothing had been observed but what is counted.
func (c *Cost) restart(by float64) {
	unit, n, errors := c.unit, c.observed, c.errors
	for i := range unit {
		unit[i] *= c.fit[i] * by
	}
	c.begin(unit)
	c.observed, c.errors = n, errors
}

// weight is what an observation counts that is off by so much, which becomes part of what is usual.
func (c *Cost) weight(off float64) float64 {
	limit := c.rule.clip * c.usual
	c.usual = max(costLeastError, c.usual+c.rule.errorRate*(min(off, limit)-c.usual))
	if off <= limit {
		return 1
	}
	return limit / off
}

// hasten scales all coefficients, and with them what was observed before: it is as if the machine had had its present speed then.
func (c *Cost) hasten(by float64) {
	for i := range c.unit {
		c.unit[i] *= by
	}
}

// learn adds an observation to the sums of the least squares: each coefficient's part of the prediction, and what these should
// add up to, relative to the prediction.
func (c *Cost) learn(x *[features]float64, predicted, ratio, weight float64) {
	var part [features]float64
	for i := range x {
		part[i] = x[i] * c.unit[i] / predicted
	}
	for i := range part {
		for j := range part {
			c.moment[i][j] = c.rule.memory*c.moment[i][j] + weight*part[i]*part[j]
		}
		c.target[i] = c.rule.memory*c.target[i] + weight*part[i]*ratio
	}
}

// solve fits the coefficients, none below zero, by coordinate descent.
func (c *Cost) solve() {
	anchor := c.fit
	for range costSweeps {
		for i := range c.fit {
			rest := c.target[i] + costAnchor*anchor[i]
			for j := range c.fit {
				if j != i {
					rest -= c.moment[i][j] * c.fit[j]
				}
			}
			c.fit[i] = max(0, rest/(c.moment[i][i]+costAnchor))
		}
	}
}

// CostState is what GET /v1/status says of a lane's cost model, and what chimera simulate --cost reads.
type CostState struct {
	Steps             uint64  `json:"steps"` // observed
	ConstantMS        float64 `json:"constant_ms"`
	DecodeRowMS       float64 `json:"decode_row_ms"`
	PrefillRowMS      float64 `json:"prefill_row_ms"`
	OutputMS          float64 `json:"output_ms"`
	AttentionMSMToken float64 `json:"attention_ms_per_million_kv_tokens"`
	ErrorP50          float64 `json:"relative_error_p50"` // of the last predictions, each made before its step
	ErrorP90          float64 `json:"relative_error_p90"`
}

// State is a copy of what is known.
func (c *Cost) State() CostState {
	ms := func(i int, n float64) float64 { return c.unit[i] * c.fit[i] * n / 1e6 }
	s := CostState{
		Steps: c.observed, ConstantMS: ms(0, 1), DecodeRowMS: ms(1, 1), PrefillRowMS: ms(2, 1), OutputMS: ms(3, 1),
		AttentionMSMToken: ms(4, 1e6),
	}
	if n := int(min(c.observed, costErrors)); n > 0 {
		last := c.errors
		slices.Sort(last[:n])
		s.ErrorP50, s.ErrorP90 = float64(last[n/2]), float64(last[n*9/10])
	}
	return s
}

// nanoseconds are the coefficients of a state.
func (s CostState) nanoseconds() [features]float64 {
	return [features]float64{s.ConstantMS * 1e6, s.DecodeRowMS * 1e6, s.PrefillRowMS * 1e6, s.OutputMS * 1e6, s.AttentionMSMToken}
}
