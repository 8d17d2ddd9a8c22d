package engine

import (
	"fmt"
	"math"
)

// This file owns what one output may ask for, whatever else is in its batch: AddOutput holds a batch to it, and whoever takes
// requests holds them to it first, since an output that is refused only when its step is planned has nobody left to tell.

// Asked is an output that is asked for again and again, of a row of each step. What it says is checked when a batch first takes it.
type Asked struct {
	output  Output
	checked bool // by a batch of these limits:
	limits  struct{ vocab, top, taps int }
}

// Ask makes one; its Row does not count.
func Ask(o Output) Asked { return Asked{output: o} }

// check is as Output.Check, at the first time.
func (a *Asked) check(l *Limits) error {
	if a.checked && a.limits.vocab == l.Vocab && a.limits.top == l.MaxTop && a.limits.taps == l.TapWidth {
		return nil
	}
	err := a.output.Check(*l)
	a.checked, a.limits.vocab, a.limits.top, a.limits.taps = err == nil, l.Vocab, l.MaxTop, l.TapWidth
	return err
}

// Check tells what is wrong with o on an instance of these limits; its Row and Mask are the batch's to judge. Of fields
// that o's mode does not need only those count that are indices.
func (o Output) Check(l Limits) error {
	switch most := min(l.MaxTop, l.Vocab); {
	case o.Mode&^allModes != 0:
		return outputError("mode %d, of which no bit but %d is known", o.Mode, allModes)
	case o.Top < 0 || int(o.Top) > most:
		return outputError("%d top tokens: the instance was loaded for up to %d, which the vocabulary has", o.Top, most)
	case o.Mode&Tapped != 0 && l.TapWidth == 0:
		return outputError("taps, and the program has none")
	case o.Mode&(Score|Sample) != Sample && (o.Target < 0 || int(o.Target) >= l.Vocab):
		return outputError("a target outside the vocabulary")
	case o.Mode&Sample == 0:
		return nil
	}
	return o.checkSampling()
}

const allModes = Sample | Score | WholeRow | LogSumExp | Rank | Tapped

// samplingNumbers are what checkSampling holds to their bounds, in its order.
var samplingNumbers = [...]struct {
	what        string
	least, most float32
}{
	{"temperature", 0, math.MaxFloat32}, {"top-p", 0, 1}, {"min-p", 0, 1},
	{"repetition penalty", 0, math.MaxFloat32},
	{"presence penalty", -math.MaxFloat32, math.MaxFloat32}, {"frequency penalty", -math.MaxFloat32, math.MaxFloat32},
}

// checkSampling refuses numbers that mean nothing, which would draw something all the same.
func (o *Output) checkSampling() error {
	if o.TopK < 0 {
		return outputError("top-k %d: it must be 0, which is all, or more", o.TopK)
	}
	for i, value := range [...]float32{o.Temperature, o.TopP, o.MinP, o.Repetition, o.Presence, o.Frequency} {
		if n := &samplingNumbers[i]; !(value >= n.least && value <= n.most) { // so NaN is refused
			return outputError("a %s of %g: it must lie between %g and %g", n.what, value, n.least, n.most)
		}
	}
	return nil
}

func outputError(format string, args ...any) error {
	return &BatchError{Field: "outputs", Reason: fmt.Sprintf(format, args...)}
}
