//go:build cgo

package cgotest

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"chimera/engine"
)

// This file owns the proof of the token itself against a reference that sorts everything, draw by draw, with
// every sum in the contract's order.

// choice is one candidate of the reference.
type choice struct {
	token  int32
	weight float64
}

// running is a sum in the contract's order: 256 weights at a time, then the sums of these.
type running struct {
	chunks, chunk float64
	n             int
}

func (r *running) add(weight float64) (sum float64) {
	if r.n == 256 {
		r.chunks, r.chunk, r.n = r.chunks+r.chunk, 0, 0
	}
	r.chunk += weight
	r.n++
	return r.chunks + r.chunk
}

func massOf(c []choice) (sum float64) {
	var r running
	for _, v := range c {
		sum = r.add(v.weight)
	}
	return sum
}

// penalised applies biases and penalties as engine.Output states them.
func penalised(logits []float32, o engine.Output, penalties []engine.Penalty, biases []engine.Bias) []float32 {
	x := slices.Clone(logits)
	for _, b := range biases {
		x[b.Token] += b.Value
	}
	for _, p := range penalties {
		l := &x[p.Token]
		if p.Seen > 0 && *l > 0 {
			*l /= o.Repetition
		} else if p.Seen > 0 {
			*l *= o.Repetition
		}
		*l -= float32(o.Frequency * float32(p.Generated))
		if p.Generated > 0 {
			*l -= o.Presence
		}
	}
	return x
}

// plainSample is the reference: all tokens sorted by weight, cut by top-k, then by top-p of what is
// left, then by min-p, then one draw in that order; in order of ids if nothing is to be cut.
func plainSample(logits []float32, o engine.Output, position int, penalties []engine.Penalty, biases []engine.Bias) int32 {
	x := penalised(logits, o, penalties, biases)
	peak := plainPeak(x)
	if !(o.Temperature > 0) || math.IsInf(float64(peak), 0) {
		return int32(slices.IndexFunc(x, func(v float32) bool { return low(v) == peak }))
	}
	all := choicesOf(x, peak, o.Temperature)
	if o.TopK > 0 || o.TopP < 1 || o.MinP > 0 {
		all = cut(all, o)
	}
	return draw(all, philoxUniform(o.Seed, uint32(o.Choice), uint32(position)))
}

// choicesOf are all tokens with the weights that the scalar kernel gives them.
func choicesOf(logits []float32, peak, temperature float32) []choice {
	x := slices.Clone(logits)
	scalarISA().exponentials(x, peak, temperature)
	all := make([]choice, len(x))
	for i, w := range x {
		all[i] = choice{int32(i), float64(w)}
	}
	return all
}

func cut(all []choice, o engine.Output) []choice {
	total, sum, kept := massOf(all), running{}, 0
	all = slices.DeleteFunc(slices.Clone(all), func(c choice) bool { return c.weight == 0 })
	slices.SortStableFunc(all, func(a, b choice) int { return cmp.Compare(b.weight, a.weight) })
	if o.TopK > 0 && int(o.TopK) <= len(all) {
		all = all[:o.TopK]
		total = massOf(all)
	}
	for before := 0.0; kept < len(all) && (kept == 0 || before < total*float64(o.TopP) && float32(all[kept].weight) >= o.MinP); kept++ {
		before = sum.add(all[kept].weight)
	}
	return all[:kept]
}

func draw(all []choice, u float64) (token int32) {
	target, sum := u*massOf(all), running{}
	for _, c := range all {
		if c.weight > 0 {
			token = c.token
		}
		if sum.add(c.weight) > target {
			return c.token
		}
	}
	return token
}

// philoxUniform is the draw by the published generator, written here a second time.
func philoxUniform(seed uint64, choice, position uint32) float64 {
	c, k := [4]uint64{uint64(position), uint64(choice)}, [2]uint32{uint32(seed), uint32(seed >> 32)}
	for range 10 {
		a, b := 0xD2511F53*c[0], 0xCD9E8D57*c[2]
		c = [4]uint64{b>>32 ^ c[1] ^ uint64(k[0]), b & 0xffffffff, a>>32 ^ c[3] ^ uint64(k[1]), a & 0xffffffff}
		k[0] += 0x9E3779B9
		k[1] += 0xBB67AE85
	}
	return float64(c[0]<<21|c[1]>>11) / (1 << 53)
}

// Every cut alone and with every other, on flat and on steep rows, with and without penalties.
func TestSampleAgainstReference(t *testing.T) {
	k, r, m := scalarISA(), random(3), &probeMemory{}
	defer m.free()
	cases := 0
	for _, spread := range []float64{0.3, 2, 10} {
		for _, vocab := range []int{1, 2, 17, 300, 2000} {
			logits := make([]float32, vocab)
			for i := range logits {
				logits[i] = float32(r.NormFloat64() * spread)
			}
			for _, topK := range []int32{0, 1, 5, 50} {
				for _, topP := range []float32{1, 0.95, 0.5, 0.01} {
					for _, minP := range []float32{0, 0.05, 0.4} {
						for i := range 6 {
							o := engine.Output{Mode: engine.Sample, Temperature: []float32{1, 0.7, 1.5}[i%3], TopK: topK, TopP: topP,
								MinP: minP, Repetition: 1, Seed: r.Uint64(), Choice: int32(i)}
							var penalties []engine.Penalty
							var biases []engine.Bias
							if i >= 3 {
								o.Repetition, o.Presence, o.Frequency = 1.3, 0.5, 0.25
								penalties = []engine.Penalty{{Token: int32(r.IntN(vocab)), Seen: 3, Generated: 2}}
								biases = []engine.Bias{{Token: int32(r.IntN(vocab)), Value: 4}}
							}
							want := plainSample(logits, o, i, penalties, biases)
							if got, _ := k.sample(m, logits, o, i, penalties, biases); got.Token != want {
								t.Errorf("vocabulary %d, spread %g, %+v: token %d, not %d", vocab, spread, o, got.Token, want)
							}
							cases++
						}
					}
				}
			}
		}
	}
	t.Logf("%d draws", cases)
}

// oddSampling draws every parameter from values that are usual, extreme, or mean nothing.
func oddSampling(r *rand.Rand) engine.Output {
	return engine.Output{
		Mode: engine.Sample, Repetition: 1, Seed: r.Uint64(), Choice: int32(r.IntN(3)),
		Temperature: []float32{0, 0.3, 1, 2, 100, 1e-30, 1e30, float32(math.NaN())}[r.IntN(8)],
		TopK:        []int32{0, 0, 0, 1, 2, 40, 300, 1 << 30, -1}[r.IntN(9)],
		TopP:        []float32{1, 1, 0.95, 0.999, 1 - 0x1p-24, 0.5, 0, 1e-9, -1, 2}[r.IntN(10)],
		MinP:        []float32{0, 0, 0, 0.05, 0.5, 1, 1e-6, 2, -1}[r.IntN(9)],
	}
}

// oddRows are those of the passes, and long ones: of many candidates, of few different ones, of all the same.
func oddRows(r *rand.Rand) [][]float32 {
	const long = 5000
	return append(rowsOfLogits(4),
		fill(long, func(int) float32 { return float32(r.NormFloat64() * 0.2) }),
		fill(long, func(int) float32 { return float32(r.NormFloat64() * 30) }),
		fill(long, func(int) float32 { return float32(r.IntN(3)) }),
		make([]float32, long))
}

func chooseFromOddRows(t *testing.T, k probeISA) {
	r, m, chosen := random(7), &probeMemory{}, map[int32]bool{}
	for i, x := range oddRows(r) {
		logits := probeCopy(m, x)
		for range 150 {
			o, position := oddSampling(r), r.IntN(1<<20)
			want := plainSample(x, o, position, nil, nil)
			if got, _ := k.sample(m, logits, o, position, nil, nil); got.Token != want {
				t.Fatalf("row %d of %d, position %d, %+v: token %d, not %d", i, len(x), position, o, got.Token, want)
			}
			chosen[want] = true
		}
		m.free()
	}
	if len(chosen) < 300 {
		t.Errorf("%d tokens were chosen: too few to show anything", len(chosen))
	}
}

func TestOddRowsAgainstReference(t *testing.T) {
	t.Run("scalar", func(t *testing.T) { chooseFromOddRows(t, scalarISA()) })
	forEachISA(t, func(t *testing.T, _, k probeISA, _ *probeMemory) { chooseFromOddRows(t, k) })
}

// A row whose nucleus is decided by rounding: a peak of weight 1, heavy tokens of about 2^-30.6 each and light ones of
// 2^-32. In order of weight, each heavy token of the first chunk loses 2^-54 when it is added to the peak: so peak and
// heavy tokens fall short of a mass that they reach where each class of weights is added by itself.
const (
	edgeHeavy, edgeLight = 8191, 256
	edgeTopP             = 1 - 0x1p-24
)

// edgeRow raises the light tokens, a step of a float each, until top-p asks for a mass between the two sums.
func edgeRow(t *testing.T) (logits []float32, all []choice) {
	t.Helper()
	weight := func(x float32) float64 { return choicesOf([]float32{x}, 0, 1)[0].weight }
	heavy := float32(-21.2)
	for math.Mod(weight(heavy), 0x1p-52) != 0x1p-54 {
		heavy = math.Nextafter32(heavy, -22)
	}
	exact := 1 + edgeHeavy*weight(heavy)
	light := math.Nextafter32(float32(math.Log(exact*0x1p-24/edgeLight)), -23)
	logits = slices.Concat([]float32{0}, slices.Repeat([]float32{heavy}, edgeHeavy), slices.Repeat([]float32{light}, edgeLight))
	all = choicesOf(logits, 0, 1)
	for step := range 8 * edgeLight {
		if wanted := massOf(all) * edgeTopP; massOf(all[:1+edgeHeavy]) < wanted && wanted <= exact {
			return logits, all
		}
		i := 1 + edgeHeavy + step%edgeLight
		logits[i] = math.Nextafter32(logits[i], 0)
		all[i].weight = weight(logits[i])
	}
	t.Fatal("no light tokens put the nucleus between the two sums")
	return nil, nil
}

// Which tokens are sorted is decided by the sums of classes, with room for what rounding does to the sum in order of weight.
func TestTopPCountsInOrderOfWeight(t *testing.T) {
	x, all := edgeRow(t)
	m := &probeMemory{}
	defer m.free()
	o := engine.Output{Mode: engine.Sample, Temperature: 1, TopP: edgeTopP, Repetition: 1, Seed: 9}
	s, without, mass := newProbeSampler(m, scalarISA(), probeCopy(m, x), o, nil, nil), 0, massOf(all)
	for position := range 1 << 21 {
		u := philoxUniform(o.Seed, 0, uint32(position))
		if u*mass < 1 {
			continue // the peak, whatever the nucleus
		}
		want := plainSample(x, o, position, nil, nil)
		if got := s.token(position); got != want {
			t.Errorf("position %d: token %d, not %d", position, got, want)
		}
		if draw(all[:1+edgeHeavy], u) != want {
			without++
		}
	}
	if without == 0 {
		t.Error("no draw depends on the light token of the nucleus")
	}
	t.Logf("%d draws depend on the light token of the nucleus", without)
}

// The draw is the first 53 bits of Philox with position and choice as counter and the seed as key.
func TestUniformIsPhilox(t *testing.T) {
	for i := range uint32(1000) {
		if got, want := probeUniform(uint64(i)<<29, i*7, i), philoxUniform(uint64(i)<<29, i*7, i); got != want || got < 0 || got >= 1 {
			t.Fatalf("draw %d is %v, not %v", i, got, want)
		}
	}
}
