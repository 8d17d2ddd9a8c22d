//go:build cgo

package cgotest

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/engine/lowering"
)

// This file tests instances side by side on one device: whatever steps they run, whichever of them gives way, and
// whatever weights are loaded meanwhile, each gives the bytes that it gives alone.

// otherWeights are weights for the same program with other values and, where the shapes allow, other types.
func otherWeights(p *engine.Program, seed uint64) stepWeights {
	w, r := stepWeights{enginetest.Tensors{}}, random(seed)
	plain := lowering.PlainWeights(p)
	for i, weight := range p.Weights {
		b := blockTypes[0]
		for !plain[i] && r.IntN(8) > 0 { // some stay floats
			if b = blockTypes[r.IntN(10)]; weight.Cols%b.values == 0 {
				break
			}
			b = blockTypes[0]
		}
		data := b.rawMatrix(r, weight.Rows, weight.Cols, false)
		if plain[i] {
			for at := 0; at < len(data); at += 4 {
				binary.LittleEndian.PutUint32(data[at:], math.Float32bits(1+float32(r.NormFloat64())/8))
			}
		}
		w.Put(weight.Name, engine.DType(b.dtype), weight.Rows, weight.Cols, data)
	}
	return w
}

// driver runs sequences on an instance.
type driver struct {
	in         engine.Instance
	batch      *engine.Batch
	generation engine.Generation
	background bool
	chunk      func() int    // how many tokens the next step may have
	pause      func()        // between steps
	aborted    *atomic.Int64 // steps
}

func newDriver(t *testing.T, in engine.Instance) *driver {
	t.Helper()
	b, err := in.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	return &driver{in: in, batch: b, generation: in.Generation(), chunk: func() int { return 60 }, pause: func() {}, aborted: &atomic.Int64{}}
}

// step computes tokens of one sequence and returns the last row's logits and the token that was sampled.
func (d *driver) step(tokens []int32, first int, pages []int32) ([]float32, int32, error) {
	d.batch.Reset()
	d.batch.Generation, d.batch.Background = d.generation, d.background
	row, err := d.batch.AddSequence(tokens, first, both(pages))
	if err != nil {
		return nil, 0, err
	}
	if _, err := d.batch.AddOutput(engine.Output{Row: int32(row + len(tokens) - 1), Mode: engine.Sample | engine.WholeRow, Temperature: 1, TopP: 0.9, Repetition: 1, Seed: 9}, nil, nil); err != nil {
		return nil, 0, err
	}
	if err := d.in.Submit(d.batch); err != nil {
		return nil, 0, err
	}
	if err := d.in.Wait(); err != nil {
		return nil, 0, err
	}
	return slices.Clone(d.batch.Logits), d.batch.Results[0].Token, nil
}

// answer feeds a prompt and lets the model go on; it returns the logits of each token of the answer. A step that
// gave way is tried again, smaller.
func (d *driver) answer(prompt []int32, pages []int32) (answer []float32, err error) {
	tokens, most := slices.Clone(prompt), math.MaxInt
	for first := 0; len(tokens) < len(prompt)+8; {
		d.pause()
		n := min(d.chunk(), most, len(tokens)-first)
		logits, token, err := d.step(tokens[first:first+n], first, pages)
		if errors.Is(err, engine.ErrAborted) {
			d.aborted.Add(1)
			most = max(n/2, 1)
			continue
		}
		if err != nil {
			return nil, err
		}
		if first += n; first == len(tokens) {
			tokens, answer = append(tokens, token), append(answer, logits...)
		}
		most = math.MaxInt
	}
	return answer, nil
}

// tiers are weights of one program and what each answers, computed alone by the scalar kernels.
type tier struct {
	weights stepWeights
	want    []float32
}

func makeTiers(t *testing.T, kv engine.DType, prompt []int32, n int) (p *engine.Program, tiers []tier) {
	t.Helper()
	p, w := stepProgram(t)
	for i := range n {
		if i > 0 {
			w = otherWeights(p, uint64(i))
		}
		want, err := newDriver(t, loadWith(t, open(t, "scalar", 1), p, w, kv, nil)).answer(prompt, stepPages(0))
		if err != nil {
			t.Fatal(err)
		}
		tiers = append(tiers, tier{w, want})
	}
	return p, tiers
}

func loadWith(t *testing.T, b engine.Backend, p *engine.Program, w engine.Weights, kv engine.DType, share engine.Instance) engine.Instance {
	t.Helper()
	in, err := b.Load(p, w, engine.LoadOptions{Policy: engine.Policy{KV: kv}, Pages: []int{64, 64}, Share: share,
		MaxTokens: 64, MaxSequences: 4, MaxOutputs: 40, MaxTop: 5, MaxContext: stepContext})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in
}

// replacing keeps two generations of an instance's weights, of tiers in turn, until it is stopped.
type replacing struct {
	in    engine.Instance
	tiers []tier

	mu     sync.Mutex
	tierOf map[engine.Generation]int
	old    []engine.Generation // to be retired
	times  atomic.Int64
}

func (r *replacing) run(t *testing.T, stop *atomic.Bool) {
	for n := 1; !stop.Load(); n++ {
		tier := n % len(r.tiers)
		g, err := r.in.Replace(r.tiers[tier].weights, nil)
		if err != nil {
			t.Error(err)
			return
		}
		r.times.Add(1)
		r.mu.Lock()
		r.tierOf[g] = tier
		r.old = append(r.old, g-1)
		full := len(r.old) >= 2
		r.mu.Unlock()
		for full && !stop.Load() {
			time.Sleep(100 * time.Microsecond)
			r.mu.Lock()
			full = len(r.old) >= 2
			r.mu.Unlock()
		}
	}
}

// choose retires what is too much, and returns a generation with its tier: the instance's owner calls it.
func (r *replacing) choose(t *testing.T, random *rand.Rand) (engine.Generation, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.old) >= 2 {
		if err := r.in.Retire(r.old[0]); err != nil {
			t.Error(err)
		}
		delete(r.tierOf, r.old[0])
		r.old = r.old[1:]
	}
	all := make([]engine.Generation, 0, 3)
	for g := range r.tierOf {
		all = append(all, g)
	}
	g := all[random.IntN(len(all))]
	return g, r.tierOf[g]
}

// Three instances on one device: one serves and has its weights replaced, two run in the background, of which one
// shares the first one's pages. The number of active workers changes all the time.
func TestNeighboursChangeNoByte(t *testing.T) {
	answers := 12
	if testing.Short() {
		answers = 4
	}
	prompt := stepTokens(230)
	for _, kv := range kvTypes {
		t.Run(kv.String(), func(t *testing.T) {
			p, tiers := makeTiers(t, kv, prompt, 3)
			device := open(t, "auto", 3)
			serving := loadWith(t, device, p, tiers[0].weights, kv, nil)
			sharing := loadWith(t, device, p, tiers[1].weights, kv, serving)
			apart := loadWith(t, device, p, tiers[2].weights, kv, nil)
			weights := &replacing{in: serving, tiers: tiers, tierOf: map[engine.Generation]int{1: 0}}
			var stop atomic.Bool
			var aborted atomic.Int64
			var owners, others sync.WaitGroup
			check := func(d *driver, tier, n int, pages []int32) {
				got, err := d.answer(prompt, pages)
				if err != nil {
					t.Error(err)
				} else if !slices.Equal(bytesOf(got), bytesOf(tiers[tier].want)) {
					t.Errorf("answer %d of tier %d, background %v, differs from what the tier answers alone", n, tier, d.background)
				}
			}
			for i, in := range []engine.Instance{sharing, apart} {
				d, r := newDriver(t, in), random(uint64(i))
				d.background, d.aborted = true, &aborted
				d.chunk = func() int { return 1 + r.IntN(60) }
				owners.Go(func() { // until weights were replaced twice: a busy machine may take its time for that
					for n := 0; n < answers || weights.times.Load() < 2 && !t.Failed(); n++ {
						check(d, i+1, n, stepPages(40-20*i))
					}
				})
			}
			d, r := newDriver(t, serving), random(7)
			d.chunk = func() int { return 1 + r.IntN(20) }
			d.pause = func() { time.Sleep(time.Duration(r.IntN(1500)) * time.Microsecond) }
			others.Go(func() {
				for n := 0; n < answers || !stop.Load(); n++ {
					var tier int
					d.generation, tier = weights.choose(t, r)
					check(d, tier, n, stepPages(0))
				}
			})
			others.Go(func() { weights.run(t, &stop) })
			others.Go(func() {
				for workers := random(8); !stop.Load(); time.Sleep(50 * time.Microsecond) {
					device.SetActive(workers.IntN(5)) // 0 and 4 too: it knows how many there are
				}
			})
			owners.Wait()
			stop.Store(true)
			others.Wait()
			if aborted.Load() == 0 {
				t.Error("no step gave way: the test tests nothing")
			}
			t.Logf("%d steps gave way, weights were replaced %d times", aborted.Load(), weights.times.Load())
		})
	}
}

// A background sequence comes to its end beside five loops that leave no time between their steps, with the bytes that it has
// alone.
func TestBackgroundEndsBesideOthers(t *testing.T) {
	prompt := stepTokens(120)
	p, tiers := makeTiers(t, engine.F16, prompt, 1)
	device := open(t, "auto", 2)
	var stop atomic.Bool
	var served sync.WaitGroup
	for i := range 5 {
		d := newDriver(t, loadWith(t, device, p, tiers[0].weights, engine.F16, nil))
		d.chunk = func() int { return 5 + i }
		served.Go(func() {
			for !stop.Load() {
				if _, err := d.answer(prompt, stepPages(0)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	background := loadWith(t, device, p, tiers[0].weights, engine.F16, nil)
	d := newDriver(t, background)
	d.background = true
	ended := make(chan []float32, 1)
	go func() {
		got, err := d.answer(prompt, stepPages(0))
		if err != nil {
			t.Error(err)
		}
		ended <- got
	}()
	select {
	case got := <-ended:
		stop.Store(true)
		same(t, "logits", got, tiers[0].want)
	case <-time.After(30 * time.Second):
		t.Errorf("it has not come to its end in 30 s, %d of its steps gave way", d.aborted.Load())
		stop.Store(true)
		<-ended
	}
	served.Wait()
}

// A background step gives way to the steps of others alone: what nobody disturbs is computed to its end.
func TestBackgroundRunsUndisturbed(t *testing.T) {
	prompt := stepTokens(100)
	p, tiers := makeTiers(t, engine.F16, prompt, 1)
	d := newDriver(t, loadWith(t, open(t, "auto", 2), p, tiers[0].weights, engine.F16, nil))
	d.background = true
	got, err := d.answer(prompt, stepPages(0))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "logits", got, tiers[0].want)
	if d.aborted.Load() > 0 {
		t.Errorf("%d steps gave way to nobody", d.aborted.Load())
	}
}

// Pages leave and enter beside steps: a sequence that decodes has its full pages exported and imported elsewhere
// meanwhile, where it goes on as from its own.
func TestPagesMoveBesideSteps(t *testing.T) {
	prompt := stepTokens(240)
	p, tiers := makeTiers(t, engine.Q8_0, prompt, 1)
	d := newDriver(t, loadWith(t, open(t, "auto", 2), p, tiers[0].weights, engine.Q8_0, nil))
	own, other := stepPages(0), stepPages(30)
	const chunk = engine.PageTokens
	var tickets []*engine.Ticket
	move := func(page int) { // of both groups
		for g, limits := range d.in.Limits().Groups {
			buffer := make([]byte, limits.PageBytes)
			out, err := d.in.Export(engine.GroupID(g+1), own[page], buffer)
			if err == nil {
				err = out.Wait()
			}
			if err != nil {
				t.Fatal(err)
			}
			in, err := d.in.Import(engine.GroupID(g+1), other[page], buffer)
			if err != nil {
				t.Fatal(err)
			}
			tickets = append(tickets, in)
		}
	}
	for first := 0; first+chunk <= 224; first += chunk {
		d.batch.Reset()
		d.batch.Generation = d.generation
		if _, err := d.batch.AddSequence(prompt[first:first+chunk], first, both(own)); err != nil {
			t.Fatal(err)
		}
		if err := d.in.Submit(d.batch); err != nil {
			t.Fatal(err)
		}
		if first > 0 {
			move(first/chunk - 1)
		}
		refused := new(engine.BatchError)
		if err := moved(d.in.Export(1, own[first/chunk], make([]byte, d.in.Limits().Groups[0].PageBytes))); !errors.As(err, &refused) {
			t.Errorf("the page that a step writes was exported: %v", err)
		}
		if err := d.in.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	move(224/chunk - 1)
	for _, ticket := range tickets {
		if err := ticket.Wait(); err != nil {
			t.Error(err)
		}
	}
	var got []float32
	tokens := prompt
	for first := 224; len(tokens) < len(prompt)+8; {
		logits, token, err := d.step(tokens[first:], first, other)
		if err != nil {
			t.Fatal(err)
		}
		first, got, tokens = len(tokens), append(got, logits...), append(tokens, token)
	}
	same(t, "logits", got, tiers[0].want)
}
