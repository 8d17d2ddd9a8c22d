package trace

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// This file owns traces that are made up: arrivals at random, lengths that are lognormal, prefixes that few or many share.

// Synthetic is what a made-up trace is like.
type Synthetic struct {
	Requests      int
	Rate          float64 // a second
	Burst         float64 // squared variation of the times between arrivals: 1 is Poisson, more comes in bursts, 0 in step
	Prompt        float64 // median tokens behind the prefix
	PromptSigma   float64 // of their logarithm
	Answer        float64
	AnswerSigma   float64
	Prefixes      int           // that are shared; 0: none
	PrefixTokens  int           // of each
	Zipf          float64       // the prefix of rank k is chosen as 1/k^Zipf
	Alone         float64       // share of requests without a shared prefix
	Deadline      time.Duration // median, from a request's arrival to when its first token is due; 0: none has one
	DeadlineSigma float64
	Classes       []Weight
	Tenants       []Weight
	Priorities    []Weight // their names are the digits
	Seed          uint64
}

// Weight is a name and its share.
type Weight struct {
	Name   string
	Weight float64
}

// DefaultSynthetic is a small chat service: questions behind a few system prompts.
func DefaultSynthetic() Synthetic {
	return Synthetic{
		Requests: 1000, Rate: 1, Burst: 1, Prompt: 128, PromptSigma: 1, Answer: 64, AnswerSigma: 0.7,
		Prefixes: 8, PrefixTokens: 256, Zipf: 1, Alone: 0.2, Seed: 1,
	}
}

// parameter is one of ParseSynthetic's.
type parameter struct {
	name, meaning string
	number        func(*Synthetic) any // *int, *float64, *uint64, *time.Duration or *[]Weight
	low, high     float64              // of a number
}

var parameters = []parameter{
	{"requests", "how many", func(s *Synthetic) any { return &s.Requests }, 1, 10e6},
	{"rate", "requests a second", func(s *Synthetic) any { return &s.Rate }, 1e-6, 1e6},
	{"burst", "squared variation of the times between them: 1 is Poisson, more comes in bursts", func(s *Synthetic) any { return &s.Burst }, 0, 1000},
	{"prompt", "median tokens of a prompt behind its prefix", func(s *Synthetic) any { return &s.Prompt }, 1, 1e6},
	{"prompt_sigma", "spread of their logarithm", func(s *Synthetic) any { return &s.PromptSigma }, 0, 4},
	{"answer", "median tokens of an answer", func(s *Synthetic) any { return &s.Answer }, 1, 1e6},
	{"answer_sigma", "spread of their logarithm", func(s *Synthetic) any { return &s.AnswerSigma }, 0, 4},
	{"prefixes", "beginnings that prompts share; 0: none", func(s *Synthetic) any { return &s.Prefixes }, 0, 1e6},
	{"prefix", "tokens of each", func(s *Synthetic) any { return &s.PrefixTokens }, 0, 1e6},
	{"zipf", "the k-th is chosen as 1/k^zipf", func(s *Synthetic) any { return &s.Zipf }, 0, 10},
	{"alone", "share of prompts without one", func(s *Synthetic) any { return &s.Alone }, 0, 1},
	{"deadline", "median time within which a first token is due, as 30s; 0s: none", func(s *Synthetic) any { return &s.Deadline }, 0, 0},
	{"deadline_sigma", "spread of their logarithm", func(s *Synthetic) any { return &s.DeadlineSigma }, 0, 4},
	{"classes", "as interactive:3/batch:1", func(s *Synthetic) any { return &s.Classes }, 0, 0},
	{"tenants", "as a:1/b:9: their shares of the requests", func(s *Synthetic) any { return &s.Tenants }, 0, 0},
	{"priorities", "as 5:9/9:1", func(s *Synthetic) any { return &s.Priorities }, 0, 0},
	{"seed", "chooses all of it", func(s *Synthetic) any { return &s.Seed }, 0, math.MaxInt64},
}

// SyntheticHelp describes what ParseSynthetic takes.
func SyntheticHelp() string {
	var b strings.Builder
	s := DefaultSynthetic()
	for _, p := range parameters {
		fmt.Fprintf(&b, "  %-14s %s", p.name, p.meaning)
		switch v := p.number(&s).(type) {
		case *int:
			fmt.Fprintf(&b, " (%d)", *v)
		case *float64:
			fmt.Fprintf(&b, " (%g)", *v)
		case *uint64:
			fmt.Fprintf(&b, " (%d)", *v)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// ParseSynthetic reads NAME=VALUE,NAME=VALUE; what is not named has its default.
func ParseSynthetic(text string) (Synthetic, error) {
	s := DefaultSynthetic()
	for _, field := range strings.Split(text, ",") {
		if field = strings.TrimSpace(field); field == "" {
			continue
		}
		name, value, ok := strings.Cut(field, "=")
		i := slices.IndexFunc(parameters, func(p parameter) bool { return p.name == name })
		switch {
		case i < 0:
			return s, fmt.Errorf("%q is no parameter of a synthetic trace; there are:\n%s", name, SyntheticHelp())
		case !ok:
			return s, fmt.Errorf("%s has no value: write %s=VALUE", name, name)
		}
		if err := parameters[i].set(&s, value); err != nil {
			return s, fmt.Errorf("%s=%s: %w", name, value, err)
		}
	}
	return s, s.check()
}

// mostSynthetic bounds what is made up: its prompts' and answers' tokens in the median.
const mostSynthetic = 1 << 34

func (s *Synthetic) check() error {
	if tokens := (s.Prompt + s.Answer + float64(s.PrefixTokens)) * float64(s.Requests); tokens > mostSynthetic {
		return fmt.Errorf("%.0f tokens in all: use at most %d", tokens, int64(mostSynthetic))
	}
	for _, c := range s.Classes {
		if _, err := Class(c.Name); err != nil {
			return fmt.Errorf("classes: %w", err)
		}
	}
	for _, p := range s.Priorities {
		if len(p.Name) != 1 || p.Name < "0" || p.Name > "9" {
			return fmt.Errorf("priorities: %q is not between 0 and 9", p.Name)
		}
	}
	return nil
}

func (p *parameter) set(s *Synthetic, value string) (err error) {
	x, numberErr := strconv.ParseFloat(value, 64)
	bounds := fmt.Errorf("use a number between %g and %g", p.low, p.high)
	switch to := p.number(s).(type) {
	case *time.Duration:
		if *to, err = time.ParseDuration(value); err != nil || *to < 0 {
			return errors.New("use a time such as 30s")
		}
		return nil
	case *[]Weight:
		*to, err = parseWeights(value)
		return err
	case *float64:
		*to = x
	case *int:
		if *to = int(x); float64(*to) != x {
			return errors.New("use a whole number")
		}
	case *uint64:
		if *to, err = strconv.ParseUint(value, 10, 63); err != nil {
			return bounds
		}
	}
	if numberErr != nil || !(x >= p.low && x <= p.high) {
		return bounds
	}
	return nil
}

func parseWeights(text string) (list []Weight, err error) {
	for _, item := range strings.Split(text, "/") {
		name, weight, ok := strings.Cut(item, ":")
		w, err := strconv.ParseFloat(weight, 64)
		if !ok || name == "" || err != nil || !(w > 0 && w < 1e9) {
			return nil, fmt.Errorf("%q is no NAME:WEIGHT", item)
		}
		list = append(list, Weight{name, w})
	}
	return list, nil
}

// Make makes the trace. The same description makes the same one.
func (s Synthetic) Make() *Trace {
	rng := rand.New(rand.NewPCG(s.Seed, 0x7ace))
	t := &Trace{BlockTokens: ownBlock, Requests: make([]Request, s.Requests)}
	prefix := newChoice(s.Prefixes, func(k int) float64 { return math.Pow(float64(k+1), -s.Zipf) })
	class := newChoice(len(s.Classes), func(i int) float64 { return s.Classes[i].Weight })
	tenant := newChoice(len(s.Tenants), func(i int) float64 { return s.Tenants[i].Weight })
	priority := newChoice(len(s.Priorities), func(i int) float64 { return s.Priorities[i].Weight })
	at := 0.0
	for i := range t.Requests {
		r := &t.Requests[i]
		*r = plain(time.Duration(at*1e9), length(rng, s.Prompt, s.PromptSigma), length(rng, s.Answer, s.AnswerSigma))
		r.Deadline = s.deadline(rng)
		at += gamma(rng, s.Burst) / s.Rate
		if s.Prefixes > 0 && rng.Float64() >= s.Alone {
			r.Prompt += s.PrefixTokens
			r.Blocks = blocksOf(prefix.pick(rng), s.PrefixTokens/ownBlock)
		}
		if len(s.Classes) > 0 {
			r.Class, _ = Class(s.Classes[class.pick(rng)].Name) // check has seen it
		}
		if len(s.Tenants) > 0 {
			r.Tenant = s.Tenants[tenant.pick(rng)].Name
		}
		if len(s.Priorities) > 0 {
			r.Priority = int(s.Priorities[priority.pick(rng)].Name[0] - '0')
		}
	}
	return t
}

// deadline is lognormal, a millisecond to a day. Where all have the same nothing is drawn: what has no spread is the trace that it was.
func (s *Synthetic) deadline(rng *rand.Rand) time.Duration {
	if s.Deadline == 0 || s.DeadlineSigma == 0 {
		return s.Deadline
	}
	d := float64(s.Deadline) * math.Exp(s.DeadlineSigma*rng.NormFloat64())
	return time.Duration(max(float64(time.Millisecond), min(d, float64(24*time.Hour))))
}

// length is lognormal, at least one token.
func length(rng *rand.Rand, median, sigma float64) int {
	return int(max(1, min(math.Round(median*math.Exp(sigma*rng.NormFloat64())), mostTokens)))
}

// blocksOf are the blocks of a prefix.
func blocksOf(prefix, n int) []uint64 {
	blocks := make([]uint64, n)
	for i := range blocks {
		blocks[i] = uint64(prefix)<<24 | uint64(i)
	}
	return blocks
}

// choice picks by weight.
type choice []float64 // sums

func newChoice(n int, weight func(int) float64) choice {
	c, sum := make(choice, n), 0.0
	for i := range c {
		sum += weight(i)
		c[i] = sum
	}
	return c
}

func (c choice) pick(rng *rand.Rand) int {
	x := rng.Float64() * c[len(c)-1]
	return min(sort.SearchFloat64s(c, x), len(c)-1)
}

// gamma is a random number of mean 1 and that variance.
func gamma(rng *rand.Rand, variance float64) float64 {
	if variance == 0 {
		return 1
	}
	shape := 1 / variance
	boost := 1.0
	if shape < 1 { // Gamma(k) is Gamma(k+1) U^(1/k)
		boost = math.Pow(1-rng.Float64(), variance)
		shape++
	}
	d := shape - 1.0/3 // Marsaglia and Tsang's method
	c := 1 / math.Sqrt(9*d)
	for {
		x := rng.NormFloat64()
		v := (1 + c*x) * (1 + c*x) * (1 + c*x)
		if v > 0 && math.Log(1-rng.Float64()) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return d * v * boost * variance
		}
	}
}

// Describe is how a made-up trace is named in a report.
func (s Synthetic) Describe() string {
	return fmt.Sprintf("synthetic: %d requests, %g/s, prompts %g, answers %g, %d prefixes of %d tokens, seed %d", s.Requests, s.Rate, s.Prompt, s.Answer, s.Prefixes, s.PrefixTokens, s.Seed)
}

// Describe says of a trace what it holds.
func (t *Trace) Describe() string {
	prompt, answer := 0, 0
	for _, r := range t.Requests {
		prompt, answer = prompt+r.Prompt, answer+r.Answer
	}
	n := max(len(t.Requests), 1)
	return fmt.Sprintf("%d requests in %s, prompts of %d tokens, answers of %d", len(t.Requests), t.Length().Round(time.Second), prompt/n, answer/n)
}
