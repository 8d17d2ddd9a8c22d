// Package experiment is how one change is measured: which of two arms is asked when, what is cut off, when to stop, and what the difference is worth. It
// has no clock and does no I/O: whoever runs it brings both arms, and says when time is up.
//
// This file owns the layout. Two arms that are computed on one machine are compared in blocks of four turns, A B B A or B A A B by a seeded coin: what
// changes steadily meanwhile, as a machine that grows hot, is the same for both within a block (Box, Hunter and Hunter, Statistics for Experimenters,
// ch. 4: block what you can, randomise what you cannot).
package experiment

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"chimera/quality/stats"
)

// Arm is one of the two that are compared.
type Arm int

// The arms.
const (
	AsItIs Arm = iota
	Changed
)

// Factor is one thing that may be changed, alone. S is what an arm is made of.
type Factor[S any] struct {
	Name    string
	Off, On string   // as it is, and changed
	Apply   func(*S) // makes the one the other
	Problem string   // why it can't be changed here; then there are no On and Apply
}

// Reading is what one turn has measured, by measure.
type Reading map[string]float64

// ErrInterrupted is what a turn fails with that had to give way: its block is discarded, and begun anew.
var ErrInterrupted = errors.New("it had to give way")

// Design is how an experiment is laid out.
type Design struct {
	Seed        uint64
	Least, Most int         // blocks; of fewer than three no interval means anything
	HalfWidth   float64     // relative to what is as it is: when the intervals of all measures are as narrow, it ends
	Over        func() bool // time is up: it ends with Least blocks
	// Begin is called before each block, and its end after: it waits until the machine is free. Turns get its context.
	Begin func(ctx context.Context) (turns context.Context, end func(), err error)
}

// leastBlocks is what an interval can be made of at all.
const leastBlocks = 3

// Effect is what a change did to one measure.
type Effect struct {
	Measure       string
	Before, After float64
	Difference    stats.Interval // of After - Before
}

// Result is an experiment that has ended.
type Result struct {
	Blocks, Discarded int
	Effects           []Effect // in the order of their measures' names
}

// Order is which arm each turn of a block asks.
func Order(seed uint64, block int) [4]Arm {
	if rand.New(rand.NewPCG(seed, uint64(block))).IntN(2) == 0 {
		return [4]Arm{AsItIs, Changed, Changed, AsItIs}
	}
	return [4]Arm{Changed, AsItIs, AsItIs, Changed}
}

// Run asks both arms until the difference is known well enough. A turn's error ends it, but for ErrInterrupted.
func (d *Design) Run(ctx context.Context, turn func(ctx context.Context, arm Arm, block int) (Reading, error)) (Result, error) {
	if d.Least < leastBlocks || d.Most < d.Least {
		return Result{}, fmt.Errorf("%d to %d blocks: there must be %d at least", d.Least, d.Most, leastBlocks)
	}
	var r Result
	var blocks [][2]Reading
	for len(blocks) < d.Most && !(len(blocks) >= d.Least && d.Over()) {
		both, err := d.block(ctx, len(blocks), turn)
		if errors.Is(err, ErrInterrupted) {
			r.Discarded++
			continue
		}
		if err != nil {
			return r, err
		}
		if blocks = append(blocks, both); len(blocks) < d.Least {
			continue
		}
		if r.Effects, err = effects(blocks); err != nil {
			return r, err
		}
		if d.known(r.Effects) {
			break
		}
	}
	r.Blocks = len(blocks)
	return r, nil
}

// block asks the arms in turn and gives the mean of each.
func (d *Design) block(ctx context.Context, number int, turn func(context.Context, Arm, int) (Reading, error)) (both [2]Reading, err error) {
	turns, end, err := d.Begin(ctx)
	if err != nil {
		return both, err
	}
	defer end()
	both = [2]Reading{{}, {}}
	for _, arm := range Order(d.Seed, number) {
		read, err := turn(turns, arm, number)
		if err != nil {
			return both, err
		}
		for measure, x := range read {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return both, fmt.Errorf("%s is no number in block %d", measure, number+1)
			}
			both[arm][measure] += x / 2
		}
	}
	return both, nil
}

// known tells whether all intervals are narrow enough.
func (d *Design) known(list []Effect) bool {
	for _, e := range list {
		if half := (e.Difference.High - e.Difference.Low) / 2; !(half <= d.HalfWidth*math.Abs(e.Before)) {
			return false
		}
	}
	return true
}

// effects are what the blocks say of each measure, each block a pair. A block's reading is a mean over many requests, so its error is about normal.
func effects(blocks [][2]Reading) (list []Effect, err error) {
	for _, measure := range slices.Sorted(maps.Keys(blocks[0][AsItIs])) {
		e, differences := Effect{Measure: measure}, make([]float64, len(blocks))
		for i, b := range blocks {
			x, y := b[AsItIs][measure], b[Changed][measure]
			e.Before, e.After, differences[i] = e.Before+x/float64(len(blocks)), e.After+y/float64(len(blocks)), y-x
		}
		if e.Difference, err = stats.Student(differences); err != nil {
			return nil, fmt.Errorf("%s: %w", measure, err)
		}
		list = append(list, e)
	}
	return list, nil
}
