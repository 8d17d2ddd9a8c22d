package simulator

import (
	"math"
	"time"
)

// This file owns figures of many values: percentiles without keeping them all.

// bits of a value's mantissa that a histogram tells apart: values are known to a part in 128.
const bits = 7

// histogram counts times by their size. Its zero value is empty.
type histogram struct {
	counts map[uint64]int
	n      int
	sum    float64 // seconds
	most   time.Duration
}

// slot is the size class of a time: the exponent and the first bits of the mantissa of its float64.
func slot(d time.Duration) uint64 { return math.Float64bits(float64(d)) >> (52 - bits) }

func (h *histogram) add(d time.Duration) {
	if h.counts == nil {
		h.counts = map[uint64]int{}
	}
	h.counts[slot(d)]++
	h.n++
	h.sum += d.Seconds()
	h.most = max(h.most, d)
}

// Times are the figures of many times, in milliseconds. Percentiles are exact to a part in 128.
type Times struct {
	N    int     `json:"n"`
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
}

func (h *histogram) times() Times {
	if h.n == 0 {
		return Times{}
	}
	p := h.percentiles(0.50, 0.90, 0.95, 0.99)
	return Times{N: h.n, Mean: h.sum / float64(h.n) * 1e3, P50: p[0], P90: p[1], P95: p[2], P99: p[3], Max: float64(h.most) / 1e6}
}

// percentiles of ascending shares, in milliseconds: the middle of the size class that the value is in.
func (h *histogram) percentiles(shares ...float64) (ms []float64) {
	seen := 0
	for _, s := range sortedKeys(h.counts) {
		seen += h.counts[s]
		for len(ms) < len(shares) && float64(seen) >= shares[len(ms)]*float64(h.n) {
			low, high := math.Float64frombits(s<<(52-bits)), math.Float64frombits((s+1)<<(52-bits))
			ms = append(ms, min((low+high)/2, float64(h.most))/1e6)
		}
	}
	return ms
}

// jain is Jain's index: 1 where all have the same, 1/n where one has all.
func jain(x []float64) float64 {
	sum, squares := 0.0, 0.0
	for _, v := range x {
		sum, squares = sum+v, squares+v*v
	}
	if squares == 0 {
		return 1
	}
	return sum * sum / (float64(len(x)) * squares)
}

// leastShare is the least of what each has, over the mean: 1 where all have the same.
func leastShare(x []float64) float64 {
	sum, least := 0.0, math.Inf(1)
	for _, v := range x {
		sum, least = sum+v, min(least, v)
	}
	if sum == 0 {
		return 1
	}
	return least / sum * float64(len(x))
}
