// Package mix chooses a type for each tensor of a model: those that together cost least within a number of bytes.
//
// This file owns the choice, which is the multiple-choice knapsack problem (Kellerer, Pferschy and Pisinger, Knapsack Problems, 2004, chapter 11):
// of each tensor exactly one option is taken. Costs are taken to add up. They don't quite, since errors of one tensor meet those of others, so what a mix
// costs is to be measured; which of two mixes is better is hardly touched by that.
package mix

import (
	"fmt"
	"math"
)

// Option is what a tensor may be.
type Option struct {
	Bytes int64
	Cost  float64 // of this tensor alone, all others being as they are: nats a token, say
}

// mostCells bounds the table: 64 KiB for each tensor. Sizes of tensors have large common divisors, so that files of tens of gigabytes fit into it exactly.
const mostCells = 1 << 16

// Choose returns which option of each tensor to take, so that their bytes are budget or fewer and their costs add up to least. Where the sizes' common
// divisor leaves more than mostCells steps, sizes count as rounded up to larger ones: never more than budget, but up to a step for
// each tensor may be left. Of mixes that cost alike it takes earlier options of later tensors.
func Choose(tensors [][]Option, budget int64) ([]int, error) {
	t, err := newTable(tensors, budget)
	if err != nil {
		return nil, err
	}
	for i, options := range tensors {
		t.add(options, t.least[i])
	}
	picks, room := make([]int, len(tensors)), len(t.best)-1
	for i := len(tensors) - 1; i >= 0; i-- {
		picks[i] = int(t.taken[i][room])
		room -= t.cells(tensors[i][picks[i]].Bytes - t.least[i])
	}
	return picks, nil
}

// table is the state of the dynamic programme: what tensors so far cost at least, by the cells of bytes that they may take beyond their smallest options.
type table struct {
	unit  int64     // bytes of a cell
	least []int64   // of each tensor's options
	best  []float64 // (cells)
	taken [][]uint8 // (tensors, cells): which option
}

func newTable(tensors [][]Option, budget int64) (*table, error) {
	t := &table{}
	room, most := budget, int64(0) // beyond all smallest options; and what the largest would take of it
	for i, options := range tensors {
		if len(options) == 0 || len(options) > math.MaxUint8 {
			return nil, fmt.Errorf("tensor %d has %d options: there must be 1 to %d", i, len(options), math.MaxUint8)
		}
		low, high := options[0].Bytes, options[0].Bytes
		for j, o := range options {
			if o.Bytes < 0 || !(o.Cost >= 0 && o.Cost <= math.MaxFloat64) {
				return nil, fmt.Errorf("option %d of tensor %d takes %d bytes and costs %v: neither may be below 0 or infinite", j, i, o.Bytes, o.Cost)
			}
			low, high = min(low, o.Bytes), max(high, o.Bytes)
		}
		for _, o := range options {
			t.unit = divisor(t.unit, o.Bytes-low)
		}
		t.least = append(t.least, low)
		room, most = room-low, most+high-low
	}
	if room < 0 {
		return nil, fmt.Errorf("the smallest mix takes %d bytes, %d more than there are", budget-room, -room)
	}
	room = min(room, most)
	t.unit = max(t.unit, 1)
	if cells := room / t.unit; cells >= mostCells {
		t.unit = (room + mostCells - 2) / (mostCells - 1)
	}
	t.best = make([]float64, room/t.unit+1)
	return t, nil
}

// divisor is the greatest common one; 0 is a multiple of all.
func divisor(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// cells is how many a number of bytes takes.
func (t *table) cells(bytes int64) int { return int((bytes + t.unit - 1) / t.unit) }

// add makes one tensor more part of the table.
func (t *table) add(options []Option, least int64) {
	best, taken := make([]float64, len(t.best)), make([]uint8, len(t.best))
	for room := range best {
		best[room] = math.Inf(1)
		for i, o := range options {
			need := t.cells(o.Bytes - least)
			if need > room {
				continue
			}
			if cost := t.best[room-need] + o.Cost; cost < best[room] {
				best[room], taken[room] = cost, uint8(i)
			}
		}
	}
	t.best, t.taken = best, append(t.taken, taken)
}
