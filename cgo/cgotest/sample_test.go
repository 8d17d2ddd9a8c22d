//go:build cgo

package cgotest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"chimera/engine"
)

// TestPhilox: the known answers of Philox4x32-10, from the Random123 distribution (Salmon et al. 2011).
func TestPhilox(t *testing.T) {
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, [2]uint32{0xffffffff, 0xffffffff}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0}, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := probePhilox(c.counter, c.key); got != c.want {
			t.Errorf("philox(%x, %x) = %x, want %x", c.counter, c.key, got, c.want)
		}
	}
}

// plain is an output without any change to the distribution.
func plain(o engine.Output) engine.Output {
	if o.TopP == 0 {
		o.TopP = 1
	}
	if o.Repetition == 0 {
		o.Repetition = 1
	}
	o.Mode |= engine.Sample
	return o
}

var samplings = []engine.Output{
	{},
	{Top: 5},
	{Temperature: 1},
	{Temperature: 0.7, TopK: 3},
	{Temperature: 1.3, TopP: 0.8, Top: 20},
	{Temperature: 1, MinP: 0.2},
	{Temperature: 2, TopK: 40, TopP: 0.95, MinP: 0.01},
	{Temperature: 0.5, Repetition: 1.3, Presence: 0.4, Frequency: 0.2},
	{Repetition: 1.5, Presence: 1, Frequency: -0.5},
}

func TestSamplingEqualsScalar(t *testing.T) {
	forEachISA(t, func(t *testing.T, scalar, k probeISA, m *probeMemory) {
		for _, in := range inputs {
			for _, vocab := range []int{1, 2, 15, 16, 17, 100, 1000, 4099} {
				r := random(uint64(vocab))
				logits := probeCopy(m, in.make(r, vocab))
				logits[r.IntN(vocab)] = float32(math.NaN())
				for i, o := range samplings {
					o = plain(o)
					o.Seed, o.Top = r.Uint64(), min(o.Top, int32(vocab))
					o.Mode |= engine.Score | engine.LogSumExp | engine.Rank
					p := []engine.Penalty{{Token: int32(r.IntN(vocab)), Seen: 2, Generated: 1}}
					b := []engine.Bias{{Token: int32(r.IntN(vocab)), Value: 2.5}}
					got, gotTop := k.sample(m, logits, o, i, p, b)
					want, wantTop := scalar.sample(m, logits, o, i, p, b)
					what := fmt.Sprintf("%s, vocabulary of %d, sampling %d", in.name, vocab, i)
					same(t, what, []engine.Result{got}, []engine.Result{want})
					same(t, what+" top", gotTop, wantTop)
				}
				m.free()
			}
		}
	})
}

// adjusted is the reference for biases and penalties, in the order that stands on engine.Output.
func adjusted(logits []float32, o engine.Output, p []engine.Penalty, b []engine.Bias) []float64 {
	x := make([]float64, len(logits))
	for i, l := range logits {
		x[i] = float64(l)
	}
	for _, b := range b {
		x[b.Token] += float64(b.Value)
	}
	for _, p := range p {
		if p.Seen > 0 && x[p.Token] > 0 {
			x[p.Token] /= float64(o.Repetition)
		} else if p.Seen > 0 {
			x[p.Token] *= float64(o.Repetition)
		}
		x[p.Token] -= float64(o.Frequency) * float64(p.Generated)
		if p.Generated > 0 {
			x[p.Token] -= float64(o.Presence)
		}
	}
	return x
}

// kept is the reference for truncation: top-k, then top-p, then min-p; ties go to the lower id.
func kept(x []float64, o engine.Output) (ids []int, mass []float64) {
	peak := slices.Max(x)
	weight := make([]float64, len(x))
	for i := range x {
		weight[i] = math.Exp((x[i] - peak) / float64(o.Temperature))
		ids = append(ids, i)
	}
	slices.SortStableFunc(ids, func(a, b int) int { return cmp.Compare(weight[b], weight[a]) })
	if o.TopK > 0 && len(ids) > int(o.TopK) {
		ids = ids[:o.TopK]
	}
	total, sum := 0.0, 0.0
	for _, i := range ids {
		total += weight[i]
	}
	for n, i := range ids {
		if n > 0 && (sum >= total*float64(o.TopP) || weight[i] < float64(o.MinP)*weight[ids[0]]) {
			return ids[:n], mass
		}
		sum += weight[i]
		mass = append(mass, weight[i])
	}
	return ids, mass
}

// TestSamplingDistribution draws often and holds the counts to the reference's probabilities by a
// chi-square test: 1e-6 of all right samplers would fail, and the seed is fixed.
func TestSamplingDistribution(t *testing.T) {
	have, _ := probeISAs()
	m := &probeMemory{}
	defer m.free()
	r := random(21)
	logits := probeCopy(m, inputs[0].make(r, 40))
	p := []engine.Penalty{{Token: 3, Seen: 2, Generated: 2}, {Token: 7, Seen: 1}}
	b := []engine.Bias{{Token: 5, Value: 1.5}}
	const draws = 20_000
	for i, o := range samplings {
		o = plain(o)
		if o.Temperature == 0 {
			continue
		}
		o.Top, o.Seed = 0, 77
		ids, mass := kept(adjusted(logits, o, p, b), o)
		counts := map[int32]int{}
		for position := range draws {
			if position%1000 == 0 {
				m.free()
				logits = probeCopy(m, inputs[0].make(random(21), 40))
			}
			result, _ := have[0].sample(m, logits, o, position, p, b)
			counts[result.Token]++
		}
		total, chi, seen := 0.0, 0.0, 0
		for _, w := range mass {
			total += w
		}
		for n, id := range ids {
			want := draws * mass[n] / total
			if want >= 5 {
				chi += (float64(counts[int32(id)]) - want) * (float64(counts[int32(id)]) - want) / want
			}
			seen += counts[int32(id)]
		}
		if seen != draws {
			t.Errorf("sampling %d: %d of %d draws lie outside the %d tokens that truncation keeps", i, draws-seen, draws, len(ids))
		}
		if free := float64(len(ids)); chi > free+5*math.Sqrt(2*free)+12 {
			t.Errorf("sampling %d: chi-square %.1f over %d tokens", i, chi, len(ids))
		}
	}
}

func TestGreedyAndScores(t *testing.T) {
	have, _ := probeISAs()
	m := &probeMemory{}
	defer m.free()
	for _, vocab := range []int{1, 17, 999} {
		r := random(uint64(vocab))
		logits := probeCopy(m, inputs[0].make(r, vocab))
		p := []engine.Penalty{{Token: int32(r.IntN(vocab)), Seen: 1, Generated: 1}}
		b := []engine.Bias{{Token: int32(r.IntN(vocab)), Value: 3}}
		o := plain(engine.Output{Repetition: 1.2, Presence: 0.5, Mode: engine.Score | engine.LogSumExp | engine.Rank, Target: int32(vocab / 2), Top: int32(min(5, vocab))})
		got, top := have[0].sample(m, logits, o, 0, p, b)
		x := adjusted(logits, o, p, b)
		if want := slices.Index(x, slices.Max(x)); int(got.Token) != want {
			t.Errorf("vocabulary of %d: token %d, want %d", vocab, got.Token, want)
		}
		sum, rank := 0.0, 0
		for _, l := range logits {
			sum += math.Exp(float64(l))
			if l > logits[got.Token] {
				rank++
			}
		}
		if !(math.Abs(float64(got.LogSumExp)-math.Log(sum)) <= 1e-5) || int(got.Rank) != rank || got.Logit != logits[got.Token] || got.TargetLogit != logits[vocab/2] {
			t.Errorf("vocabulary of %d: %+v, want log-sum-exp %v and rank %d", vocab, got, math.Log(sum), rank)
		}
		order := slices.Clone(logits)
		slices.SortFunc(order, func(a, b float32) int { return cmp.Compare(b, a) })
		for i, c := range top {
			if c.Logit != order[i] || logits[c.Token] != c.Logit {
				t.Errorf("vocabulary of %d: alternative %d is %+v, want %v", vocab, i, c, order[i])
			}
		}
	}
}

// What was not asked for is 0, whatever else was; what was is the same, alone or not.
func TestResultsAsAsked(t *testing.T) {
	have, _ := probeISAs()
	r, m := random(3), &probeMemory{}
	defer m.free()
	logits := probeCopy(m, inputs[0].make(r, 500))
	const everything = engine.Sample | engine.Score | engine.LogSumExp | engine.Rank
	o := plain(engine.Output{Temperature: 3, Seed: 3, Target: 77})
	sample := func(mode engine.OutputMode) engine.Result {
		o.Mode = mode
		got, _ := have[0].sample(m, logits, o, 5, nil, nil)
		return got
	}
	all, scored := sample(everything), sample(everything&^engine.Sample)
	if all.Token == o.Target || all.LogSumExp == 0 || all.Rank == 0 || all.TargetLogit != logits[77] || scored.Token != 77 || scored.Rank == 0 {
		t.Fatalf("%+v, without a draw %+v: they show nothing", all, scored)
	}
	for mode := range everything + 1 {
		want := all
		if mode&engine.Sample == 0 {
			want = scored
		}
		if mode&engine.Score == 0 {
			want.TargetLogit = 0
		}
		if mode&engine.LogSumExp == 0 {
			want.LogSumExp = 0
		}
		if mode&engine.Rank == 0 {
			want.Rank = 0
		}
		if got := sample(mode &^ engine.WholeRow); got != want {
			t.Errorf("mode %b: %+v, not %+v", mode, got, want)
		}
	}
}

func TestGreedyTiesTakeTheLowerID(t *testing.T) {
	have, _ := probeISAs()
	for _, k := range have {
		m := &probeMemory{}
		logits := probeCopy(m, fill(100, func(i int) float32 { return float32(i % 50) }))
		got, top := k.sample(m, logits, plain(engine.Output{Top: 4}), 0, nil, nil)
		if got.Token != 49 || top[0].Token != 49 || top[1].Token != 99 || top[2].Token != 48 {
			t.Errorf("%s: token %d, alternatives %v", k.name, got.Token, top)
		}
		m.free()
	}
}

func TestNothingButNaN(t *testing.T) {
	have, _ := probeISAs()
	for _, k := range have {
		m := &probeMemory{}
		logits := probeCopy(m, fill(50, func(int) float32 { return float32(math.NaN()) }))
		for _, o := range samplings {
			o.Top = 3
			if got, _ := k.sample(m, logits, plain(o), 0, nil, nil); got.Token < 0 || got.Token >= 50 || got.NotFinite != 1 {
				t.Errorf("%s: token %d of 50, not finite: %d", k.name, got.Token, got.NotFinite)
			}
		}
		m.free()
	}
}

// BenchmarkSample is one row of a vocabulary of 152,064: what a step waits for, on one worker.
func BenchmarkSample(b *testing.B) {
	have, _ := probeISAs()
	m := &probeMemory{}
	defer m.free()
	r := random(5)
	logits := probeCopy(m, fill(152_064, func(int) float32 { return float32(r.NormFloat64() * 3) }))
	for _, c := range []struct {
		name string
		o    engine.Output
	}{
		{"greedy", engine.Output{}},
		{"greedy and its log-probability", engine.Output{Mode: engine.Sample | engine.LogSumExp}},
		{"all", engine.Output{Temperature: 1}},
		{"top-k 40 of a flat row", engine.Output{Temperature: 100, TopK: 40}},
		{"top-p 0.95", engine.Output{Temperature: 0.8, TopP: 0.95}},
		{"top-p 0.999 at temperature 2", engine.Output{Temperature: 2, TopP: 0.999}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newProbeSampler(m, have[len(have)-1], logits, plain(c.o), nil, nil)
			for i := 0; b.Loop(); i++ {
				s.token(i)
			}
		})
	}
}

// What is not finite is told of every logit, wherever it stands and whatever is asked for; the largest floats are.
func TestNotFinite(t *testing.T) {
	forEachISA(t, func(t *testing.T, _, k probeISA, m *probeMemory) {
		for _, vocab := range []int{1, 15, 16, 17, 33, 1000} {
			for _, at := range []int{0, vocab / 2, vocab - 1} {
				for _, c := range []struct {
					value float32
					want  int32
				}{{1, 0}, {math.MaxFloat32, 0}, {-math.MaxFloat32, 0}, {float32(math.NaN()), 1}, {float32(math.Inf(1)), 1}, {float32(math.Inf(-1)), 1}} {
					logits := probeCopy(m, make([]float32, vocab))
					logits[at] = c.value
					for i, o := range append(samplings, engine.Output{Mode: engine.Score}) {
						if i < len(samplings) {
							o = plain(o)
						}
						o.Top = min(o.Top, int32(vocab))
						if got, _ := k.sample(m, logits, o, 0, nil, nil); got.NotFinite != c.want {
							t.Errorf("%v at %d of %d, sampling %d: %d", c.value, at, vocab, i, got.NotFinite)
						}
					}
					m.free()
				}
			}
		}
	})
}
