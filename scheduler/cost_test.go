package scheduler

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of the cost model.

// machine is what steps take in a test.
type machine struct {
	CostState
	noise float64
	rng   *rand.Rand
}

func newMachine(noise float64) *machine {
	return &machine{CostState{ConstantMS: 10, DecodeRowMS: 2, PrefillRowMS: 0.8, OutputMS: 0.5, AttentionMSMToken: 400}, noise, rand.New(rand.NewPCG(1, 2))}
}

func (m *machine) shape() Shape {
	s := Shape{Decode: m.rng.IntN(33)}
	if m.rng.IntN(2) == 0 {
		s.Prefill = m.rng.IntN(500)
	}
	s.Outputs = s.Decode + m.rng.IntN(8)
	s.Attention = float64(s.Decode+s.Prefill) * float64(m.rng.IntN(4000))
	return s
}

// exact is what a step takes without noise.
func (m *machine) exact(s Shape) time.Duration {
	ms := m.ConstantMS + m.DecodeRowMS*float64(s.Decode) + m.PrefillRowMS*float64(s.Prefill) + m.OutputMS*float64(s.Outputs) + m.AttentionMSMToken*s.Attention/1e6
	return time.Duration(ms * 1e6)
}

func (m *machine) takes(s Shape) time.Duration {
	return time.Duration(float64(m.exact(s)) * max(0.2, 1+m.noise*m.rng.NormFloat64()))
}

func (m *machine) teach(c *Cost, steps int) {
	for range steps {
		s := m.shape()
		c.Observe(s, m.takes(s))
	}
}

// wrong is the share by which predictions are off in the mean.
func (m *machine) wrong(c *Cost) (mean float64) {
	const n = 200
	for range n {
		s := m.shape()
		mean += math.Abs(float64(c.Predict(s))/float64(m.exact(s))-1) / n
	}
	return mean
}

func TestCostRecoversCoefficients(t *testing.T) {
	m, c := newMachine(0.03), NewCost()
	m.teach(c, 2000)
	got, want := c.State().nanoseconds(), m.nanoseconds()
	for i := range want {
		if math.Abs(got[i]/want[i]-1) > 0.15 {
			t.Errorf("coefficient %d is %.4g ns, want %.4g", i, got[i], want[i])
		}
	}
	if off := m.wrong(c); off > 0.02 {
		t.Errorf("predictions are off by %.3f", off)
	}
	if s := c.State(); s.Steps != 2000 || s.ErrorP50 < 0.01 || s.ErrorP50 > 0.03 || s.ErrorP90 < 0.035 || s.ErrorP90 > 0.07 {
		t.Errorf("errors of noise of 3%%: %+v", s)
	}
}

// A machine that becomes half as fast, or twice, is believed soon.
func TestCostTracksSpeed(t *testing.T) {
	for _, factor := range []float64{0.5, 2, 4} {
		m, c := newMachine(0.03), NewCost()
		m.teach(c, 500)
		m.slow(factor)
		const soon = 250
		m.teach(c, soon)
		if off := m.wrong(c); off > 0.15 {
			t.Errorf("%d steps after a change by %g predictions are off by %.3f", soon, factor, off)
		}
	}
}

// A slower machine is found out by decoding alone: prompts take longer, too.
func TestCostTracksSpeedOfWhatIsNotSeen(t *testing.T) {
	m, c := newMachine(0.01), NewCost()
	m.teach(c, 500)
	prompt := Shape{Prefill: 512, Outputs: 1, Attention: 512 * 256}
	before := m.exact(prompt)
	for range 500 {
		s := Shape{Decode: 8 + m.rng.IntN(8), Outputs: 16, Attention: 8 * 500}
		c.Observe(s, 2*m.takes(s))
	}
	if got := float64(c.Predict(prompt)) / float64(before); got < 1.5 || got > 2.2 {
		t.Errorf("all steps take twice as long, a prompt's %.2f times", got)
	}
}

// A stolen core makes one step in a hundred fifty times as long.
func TestCostBearsOutliers(t *testing.T) {
	m, c := newMachine(0.03), NewCost()
	worst := 0.0
	for i := range 3000 {
		s := m.shape()
		d := m.takes(s)
		if m.rng.IntN(100) == 0 {
			d *= 50
		}
		c.Observe(s, d)
		if i > 300 && i%10 == 0 {
			worst = max(worst, m.wrong(c))
		}
	}
	if worst > 0.15 {
		t.Errorf("predictions were off by %.3f", worst)
	}
}

// The first step sets the scale; one that was slow since memory was cold does not for long.
func TestCostAtFirst(t *testing.T) {
	c := NewCost()
	decode, prompt := Shape{Decode: 1, Outputs: 1, Attention: 10}, Shape{Prefill: 512, Outputs: 1, Attention: 512 * 256}
	if d := c.Predict(decode); d < time.Millisecond || d > 20*time.Millisecond {
		t.Errorf("before the first step a token takes %v", d)
	}
	ratio := float64(c.Predict(prompt)) / float64(c.Predict(decode))
	c.Observe(decode, 3*time.Second)
	c.Observe(decode, 100*time.Millisecond)
	if d := c.Predict(decode); d < 99*time.Millisecond || d > 101*time.Millisecond {
		t.Errorf("behind a step of 100 ms another is said to take %v", d)
	}
	if got := float64(c.Predict(prompt)) / float64(c.Predict(decode)); math.Abs(got/ratio-1) > 0.01 {
		t.Errorf("one shape alone was seen, and a prompt takes %g times as long; before it was %g", got, ratio)
	}
	for _, d := range []time.Duration{0, -5} {
		before := c.State()
		if c.Observe(decode, d); c.State() != before {
			t.Errorf("a step of %v counts", d)
		}
	}
}

// What steps tell nothing of stays: an hour of decoding does not forget what prompts take.
func TestCostKeepsWhatIsNotSeen(t *testing.T) {
	m, c := newMachine(0.01), NewCost()
	m.teach(c, 500)
	prompt := Shape{Prefill: 512, Outputs: 1, Attention: 512 * 256}
	for range 20000 {
		s := Shape{Decode: 8, Outputs: 8, Attention: 8 * 500}
		c.Observe(s, m.takes(s))
	}
	if off := math.Abs(float64(c.Predict(prompt))/float64(m.exact(prompt)) - 1); off > 0.1 {
		t.Errorf("a prompt's step is off by %.3f", off)
	}
}

// Whatever is observed, more rows are never predicted to take less time, and Rows is the inverse of Predict.
func TestCostIsMonotone(t *testing.T) {
	rng, c := rand.New(rand.NewPCG(3, 4)), NewCost()
	for i := range 5000 {
		s := Shape{Decode: rng.IntN(40), Prefill: rng.IntN(3) * rng.IntN(600), Outputs: rng.IntN(40), Attention: rng.Float64() * 1e6}
		c.Observe(s, time.Duration(rng.ExpFloat64()*float64(time.Millisecond))) // nothing to do with the shape
		base, seen := Shape{Decode: rng.IntN(40), Outputs: 3, Attention: 1000}, rng.IntN(5000)
		p := c.Predict(base)
		for _, more := range []Shape{{Decode: 41, Outputs: 3, Attention: 1000}, {base.Decode, 1, 3, 1000}, {base.Decode, 0, 4, 1000}, {base.Decode, 0, 3, 9e9}} {
			if p <= 0 || c.Predict(more) < p {
				t.Fatalf("step %d: %+v takes %v, %+v %v", i, base, p, more, c.Predict(more))
			}
		}
		budget := time.Duration(rng.IntN(100)) * time.Millisecond / 10
		n := c.Rows(budget, base, seen)
		with := func(n int) Shape {
			return Shape{base.Decode, n, base.Outputs, base.Attention + float64(n*seen)}
		}
		if n < 0 || n > 0 && c.Predict(with(n)) > budget+1 || n < math.MaxInt32 && c.Predict(with(n+1)) < budget-1 {
			t.Fatalf("step %d: %d rows beside %v in %v: %v, one more %v", i, n, p, budget, c.Predict(with(n)), c.Predict(with(n+1)))
		}
	}
}

// What simulate reads is what the status said.
func TestCostStateRoundTrips(t *testing.T) {
	m, c := newMachine(0.03), NewCost()
	m.teach(c, 100)
	again := CostFrom(c.State())
	for range 100 {
		if s := m.shape(); math.Abs(float64(again.Predict(s)-c.Predict(s))) > 1e-6*float64(c.Predict(s)) {
			t.Fatalf("%+v: %v, before %v", s, again.Predict(s), c.Predict(s))
		}
	}
	free := CostFrom(CostState{ConstantMS: 1})
	if d := free.Predict(Shape{Decode: 100, Prefill: 100}); d > 1001*time.Microsecond {
		t.Errorf("rows that cost nothing take %v", d)
	}
}

func TestCostAllocatesNothing(t *testing.T) {
	m, c := newMachine(0.03), NewCost()
	s := m.shape()
	if n := testing.AllocsPerRun(100, func() { c.Observe(s, c.Predict(s)+time.Duration(c.Rows(time.Second, s, 100))) }); n != 0 {
		t.Errorf("%v allocations an observation", n)
	}
}

// Steps of a small model on two cores that others used too (see daemon/step_times_test.go): half of the predictions are as good as
// the noise lets them be.
func TestCostOnRealSteps(t *testing.T) {
	c := NewCost()
	n := teachRealSteps(t, c)
	s := c.State()
	t.Logf("%d steps: %+v", n, s)
	if n < 300 || s.ErrorP50 > 0.25 || s.ErrorP90 > 0.8 {
		t.Errorf("%d real steps: %+v", n, s)
	}
}

func TestShape(t *testing.T) {
	full, window := enginetest.Full(100), enginetest.Windowed(20, 100)
	full.PageBytes, window.PageBytes = 300, 100
	slots := enginetest.Recurrent(4)
	brute := func(groups []engine.GroupLimits, position, rows int) (sum float64) {
		for p := position; p < position+rows; p++ {
			sum += 0.75 * float64(p-full.FirstSeen(p)+1)
			sum += 0.25 * float64(p-window.FirstSeen(p)+1)
		}
		return sum
	}
	all := []engine.GroupLimits{full, slots, window}
	for _, q := range [][2]int{{0, 1}, {5, 1}, {0, 64}, {13, 30}, {19, 1}, {20, 2}, {100, 7}} {
		var s Shape
		s.Add(all, q[0], q[1])
		if want := brute(all, q[0], q[1]); math.Abs(s.Attention-want) > 1e-6*want {
			t.Errorf("%d rows from position %d see %g, want %g", q[1], q[0], s.Attention, want)
		}
		if (q[1] == 1) != (s.Decode == 1) || s.Decode+s.Prefill != q[1] {
			t.Errorf("%d rows are %+v", q[1], s)
		}
	}
	in := enginetest.New(engine.Limits{MaxTokens: 64, MaxSequences: 8, MaxOutputs: 64, MaxContext: 512, Vocab: vocab, Groups: []engine.GroupLimits{enginetest.Full(64)}})
	b, err := in.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	for i, rows := range []int{1, 10} {
		row, err := b.AddSequence(prompt(i, rows, 0), 16, []engine.PageTable{{Pages: []int32{0, 1}}})
		if err == nil {
			_, err = b.AddOutput(engine.Output{Row: int32(row), Mode: engine.Sample, TopP: 1, Repetition: 1}, nil, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want := Shape{Decode: 1, Prefill: 10, Outputs: 2, Attention: 17 + 10*17 + 45}
	if got := ShapeOf(b); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func BenchmarkCostObserve(b *testing.B) {
	m, c := newMachine(0.03), NewCost()
	shapes := slices.Repeat([]Shape{m.shape(), m.shape(), m.shape()}, 10)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.Observe(shapes[i%len(shapes)], 20*time.Millisecond)
	}
}
