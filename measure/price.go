package measure

import (
	"math"

	"chimera/store"
)

// This file owns what rows of costs add up to, and what that is for a thousand tokens.

// Price is a sum of costs. What no row has is NaN.
type Price struct {
	Requests, PromptTokens, AnswerTokens int64
	CoreSeconds, OverheadSeconds         float64
	GPUSeconds                           float64
	CPUJoules, GPUJoules                 float64

	CountedTokens int64   // of the rows that have core-seconds
	CountedRows   []int64 // those
	EnergyTokens  int64   // of the rows that have energy, of processors or graphics cards
	EnergyRows    []int64
	// A minute may have the energy of one of them alone: each is held against the tokens of its own rows.
	cpuTokens, gpuTokens int64
}

// PriceOf adds up rows.
func PriceOf(rows []store.Cost) Price {
	p := Price{CoreSeconds: math.NaN(), OverheadSeconds: math.NaN(), GPUSeconds: math.NaN(), CPUJoules: math.NaN(), GPUJoules: math.NaN()}
	for i := range rows {
		r := &rows[i]
		tokens := r.PromptTokens + r.AnswerTokens
		p.Requests, p.PromptTokens, p.AnswerTokens = p.Requests+r.Requests, p.PromptTokens+r.PromptTokens, p.AnswerTokens+r.AnswerTokens
		if counted := r.CoreSeconds + r.OverheadSeconds; !math.IsNaN(counted) {
			p.CoreSeconds, p.OverheadSeconds = plus(p.CoreSeconds, r.CoreSeconds), plus(p.OverheadSeconds, r.OverheadSeconds)
			p.CountedTokens, p.CountedRows = p.CountedTokens+tokens, append(p.CountedRows, r.Row)
		}
		if !math.IsNaN(plus(r.CPUJoules, r.GPUJoules)) {
			p.EnergyTokens, p.EnergyRows = p.EnergyTokens+tokens, append(p.EnergyRows, r.Row)
		}
		if !math.IsNaN(r.CPUJoules) {
			p.cpuTokens += tokens
		}
		if !math.IsNaN(r.GPUJoules) {
			p.gpuTokens += tokens
		}
		p.GPUSeconds, p.CPUJoules, p.GPUJoules = plus(p.GPUSeconds, r.GPUSeconds), plus(p.CPUJoules, r.CPUJoules), plus(p.GPUJoules, r.GPUJoules)
	}
	return p
}

// Thousand is what is paid for.
const Thousand = 1000

// CoreSecondsPerThousand is of tokens, prompts and answers, with what the process took besides steps; NaN where nobody knows.
func (p *Price) CoreSecondsPerThousand() float64 {
	return perThousand(p.CoreSeconds+p.OverheadSeconds, p.CountedTokens)
}

// JoulesPerThousand likewise, of whatever energy could be read.
func (p *Price) JoulesPerThousand() float64 {
	return plus(perThousand(p.CPUJoules, p.cpuTokens), perThousand(p.GPUJoules, p.gpuTokens))
}

func perThousand(amount float64, tokens int64) float64 {
	if tokens == 0 {
		return math.NaN()
	}
	return amount / float64(tokens) * Thousand
}
