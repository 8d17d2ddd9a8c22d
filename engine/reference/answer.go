package reference

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"chimera/engine"
)

// This file owns the comparison of one output row with what is expected.

// answer is what a step found for one output.
type answer struct {
	*player
	*job
	request
	b     *engine.Batch
	index int
}

// fail ends the check with what was asked and where.
func (a *answer) fail(format string, args ...any) {
	a.Logf("%v", a.script)
	a.Fatalf("%s: position %d of %d, tolerance %.3g, %+v: %s", a.backend.Name(), a.position, len(a.Tokens), a.tolerance[a.model], a.request.output, fmt.Sprintf(format, args...))
}

// check holds a whole row to the reference, and all else to the whole row if there is one: then it is exact.
func (a *answer) check() {
	logits, tolerance := a.want[a.position], a.tolerance[a.model]
	if row := a.wholeRow(); row != nil {
		a.checkRow(row, logits, tolerance)
		logits, tolerance = widen(row), 0
	}
	if err := a.b.OutputError(a.index); err != nil {
		a.fail("%v", err)
	}
	a.checkTaps()
	r := a.b.Results[a.index]
	if a.b.Outputs[a.index].TapsAlone() {
		if r != (engine.Result{}) {
			a.fail("%+v of an output that asks for taps alone", r)
		}
		return
	}
	a.checkToken(r.Token, logits, tolerance)
	a.near("the token's logit", r.Logit, logits[r.Token], tolerance)
	a.checkScores(r, logits, tolerance)
	a.checkTop(a.b.TopOf(a.index), logits, tolerance)
	for i, got := range a.b.TargetLogitsOf(a.index) {
		a.near(fmt.Sprintf("target %d", i), got, logits[a.targets[i]], tolerance)
	}
}

func (a *answer) near(what string, got float32, want, tolerance float64) {
	if !(math.Abs(float64(got)-want) <= tolerance) {
		a.fail("%s is %g, want %g +- %.3g", what, got, want, tolerance)
	}
}

// wholeRow is the output's raw logits, if it asked for them.
func (a *answer) wholeRow() []float32 {
	if !a.asks(engine.WholeRow) {
		return nil
	}
	before := 0
	for _, o := range a.b.Outputs[:a.index] {
		if o.Mode&engine.WholeRow != 0 {
			before++
		}
	}
	vocab := len(a.want[a.position])
	return a.b.Logits[before*vocab:][:vocab]
}

// checkTaps holds what was tapped of the row, which is nothing unless the output asked.
func (a *answer) checkTaps() {
	row := a.b.TapsOf(a.index)
	if !a.asks(engine.Tapped) {
		if row != nil {
			a.fail("%d elements of taps that it did not ask for", len(row))
		}
		return
	}
	if want := len(a.tapTolerance[a.model]); len(row) != want {
		a.fail("%d elements of taps, want %d", len(row), want)
	}
	for i, x := range row {
		a.near(fmt.Sprintf("element %d of the taps", i), x, a.taps[a.position][i], a.tapTolerance[a.model][i])
	}
	a.sameBytes("taps", row)
}

// checkRow compares with the reference, and with the bytes of the first backend.
func (a *answer) checkRow(row []float32, want []float64, tolerance float64) {
	for i, x := range row {
		a.near(fmt.Sprintf("logit %d", i), x, want[i], tolerance)
	}
	a.sameBytes("logits", row)
}

// sameBytes compares a row with that of the first backend.
func (a *answer) sameBytes(what string, row []float32) {
	name := fmt.Sprintf("%s %p %d", what, a.job, a.position)
	first, known := a.rows[name]
	if !known {
		a.rows[name] = slices.Clone(row)
	} else if !slices.EqualFunc(row, first, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) }) {
		a.fail("other %s than those of the first backend, by up to %.3g", what, distance(widen(row), widen(first)))
	}
}

// disturbances is how often a choice is made again with logits that differ as much as they may: where it
// comes out otherwise, the token is not held to it.
const disturbances = 12

func (a *answer) checkToken(token int32, logits []float64, tolerance float64) {
	o := a.request.output
	if !a.asks(engine.Sample) {
		if token != o.Target {
			a.fail("token %d without a choice, want the target", token)
		}
		return
	}
	random := rand.New(rand.NewPCG(o.Seed, uint64(a.position)))
	off := max(tolerance, leastTolerance*largest(logits)) // weights are float32
	want := Choose(Adjusted(logits, o, a.penalties, a.biases), o, a.position)
	for range disturbances {
		x := slices.Clone(logits)
		for i := range x {
			x[i] += off * (2*random.Float64() - 1)
		}
		if Choose(Adjusted(x, o, a.penalties, a.biases), o, a.position) != want {
			return
		}
	}
	if token != want {
		a.fail("token %d, want %d", token, want)
	}
}

// checkScores holds what the mode asks for, and the rest to be 0.
func (a *answer) checkScores(r engine.Result, logits []float64, tolerance float64) {
	target, sum, least, most := 0.0, 0.0, 0, 0
	if a.asks(engine.Score) {
		target = logits[a.request.output.Target]
	}
	if a.asks(engine.LogSumExp) {
		sum = logSumExp(logits)
	}
	if a.asks(engine.Rank) {
		least, most = larger(logits, r.Token, 2*tolerance), larger(logits, r.Token, -2*tolerance)
	}
	a.near("the target's logit", r.TargetLogit, target, tolerance)
	a.near("log-sum-exp", r.LogSumExp, sum, max(tolerance, leastTolerance*(largest(logits)+math.Abs(sum))))
	if int(r.Rank) < least || int(r.Rank) > most {
		a.fail("rank %d of token %d, want %d to %d", r.Rank, r.Token, least, most)
	}
}

func (a *answer) asks(mode engine.OutputMode) bool { return a.request.output.Mode&mode != 0 }

func logSumExp(logits []float64) float64 {
	peak, sum := slices.Max(logits), 0.0
	for _, x := range logits {
		sum += math.Exp(x - peak)
	}
	return peak + math.Log(sum)
}

// larger is how many other logits are larger than a token's by more than a margin.
func larger(logits []float64, token int32, margin float64) (n int) {
	for i, x := range logits {
		if i != int(token) && x > logits[token]+margin {
			n++
		}
	}
	return n
}

// checkTop wants the largest logits in order, ties by id.
func (a *answer) checkTop(top []engine.TopToken, logits []float64, tolerance float64) {
	sorted := slices.Clone(logits)
	slices.SortFunc(sorted, func(x, y float64) int { return cmp.Compare(y, x) })
	for i, got := range top {
		a.near(fmt.Sprintf("top %d (token %d)", i, got.Token), got.Logit, logits[got.Token], tolerance)
		a.near(fmt.Sprintf("top %d", i), got.Logit, sorted[i], tolerance)
		if i > 0 && (got.Logit > top[i-1].Logit || got.Logit == top[i-1].Logit && got.Token <= top[i-1].Token) {
			a.fail("top %v: not in order", top)
		}
	}
}
