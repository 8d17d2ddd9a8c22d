package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"chimera/api"
	"chimera/config"
	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/gpu"
	"chimera/internal/fixtures"
	"chimera/scheduler"
)

// This file owns a device without arithmetic, on which models of real files are loaded: what they take and how they fail is the
// test's.

// fakeDevice implements heldBackend. A model is known by its file's name.
type fakeDevice struct {
	memory  int64                         // 0: nobody knows
	bytes   map[string]int64              // that models take beside their pages; 1 where it is not said
	page    int64                         // bytes of a page
	load    func(name string) error       // asked by each load, which it may hold up
	step    func(step int) error          // of each instance
	replace func(name string) error       // asked when other weights are made of a model
	tune    func(in *enginetest.Instance) // each instance
	places  []gpu.Place

	mu     sync.Mutex
	used   int64
	pages  map[string]int64 // (models) bytes of their pools
	loads  []string         // in their order
	live   []string         // that are loaded, in the order of their loads
	made   int              // loads that came to their end
	closed bool
}

func newFakeDevice() *fakeDevice {
	return &fakeDevice{bytes: map[string]int64{}, pages: map[string]int64{}}
}

// nameOf is the name of the file that weights are read from: what is missing there names it.
func nameOf(w engine.Weights) string {
	_, err := w.Tensor("none")
	path, _, _ := strings.Cut(err.Error(), ": ")
	return strings.TrimSuffix(filepath.Base(path), ".gguf")
}

func (d *fakeDevice) size(name string) int64 { return max(1, d.bytes[name]) }

func (*fakeDevice) Name() string        { return "fake" }
func (d *fakeDevice) GPUs() []gpu.Place { return d.places }
func (*fakeDevice) SetActive(int)       {}

func (d *fakeDevice) Available() (int64, string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.memory == 0 {
		return 0, ""
	}
	return d.memory - d.used, "the test"
}

func (d *fakeDevice) Plan(_ *engine.Program, w engine.Weights, o engine.LoadOptions) (*engine.Plan, error) {
	return &engine.Plan{WeightBytes: d.size(nameOf(w)), KVBytes: d.page * int64(o.Pages[0])}, nil
}

func (d *fakeDevice) Load(p *engine.Program, w engine.Weights, o engine.LoadOptions) (engine.Instance, error) {
	name := nameOf(w)
	d.mu.Lock()
	d.loads = append(d.loads, name)
	d.mu.Unlock()
	if d.load != nil {
		if err := d.load(name); err != nil {
			return nil, err
		}
	}
	for i := range 4 { // a backend reads in pieces, and ends with what a piece says
		o.Progress(int64(i), 4)
		if err := w.Read("output_norm.weight", 0, make([]byte, 4)); err != nil && !errors.Is(err, engine.ErrModelFile) {
			return nil, err
		}
	}
	in := enginetest.New(engine.Limits{
		MaxTokens: o.MaxTokens, MaxSequences: o.MaxSequences, MaxOutputs: o.MaxOutputs, MaxTop: o.MaxTop, MaxContext: o.MaxContext,
		Groups: []engine.GroupLimits{enginetest.Full(o.Pages[0])}, Vocab: 4, MaxTaps: 16, TapWidth: p.TapWidth(),
	})
	in.Fail = d.step
	if d.tune != nil {
		d.tune(in)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pages[name] = d.page * int64(o.Pages[0])
	d.used += d.size(name) + d.pages[name]
	d.live = append(d.live, name)
	d.made++
	return &fakeInstance{in, d, name}, nil
}

func (d *fakeDevice) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if len(d.live) > 0 {
		return fmt.Errorf("closed with %q", d.live)
	}
	return nil
}

// loaded are those that are there.
func (d *fakeDevice) loaded() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.live, " ")
}

// loadings are all loads that began.
func (d *fakeDevice) loadings() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.loads, " ")
}

// fakeInstance gives its memory back.
type fakeInstance struct {
	*enginetest.Instance
	device *fakeDevice
	name   string
}

func (in *fakeInstance) Plan() *engine.Plan {
	return &engine.Plan{WeightBytes: in.device.size(in.name), KVBytes: in.device.pages[in.name]}
}

// Replace reads a piece, and names the weights by the type that a matrix has.
func (in *fakeInstance) Replace(w engine.Weights, progress func(done, total int64)) (engine.Generation, error) {
	if in.device.replace != nil {
		if err := in.device.replace(in.name); err != nil {
			return 0, err
		}
	}
	if err := w.Read("output_norm.weight", 0, make([]byte, 4)); err != nil && !errors.Is(err, engine.ErrModelFile) {
		return 0, err
	}
	matrix, err := w.Tensor("blk.0.attn_q.weight")
	if err != nil {
		return 0, err
	}
	return in.Instance.Replace(enginetest.Weights{Text: fmt.Sprint(in.name, matrix.Type)}, progress)
}

func (in *fakeInstance) Close() error {
	in.device.mu.Lock()
	defer in.device.mu.Unlock()
	i := slices.Index(in.device.live, in.name)
	if i < 0 {
		return fmt.Errorf("%s is closed twice", in.name)
	}
	in.device.live = slices.Delete(in.device.live, i, i+1)
	in.device.used -= in.device.size(in.name) + in.device.pages[in.name]
	return in.Instance.Close()
}

// fakeConfig are settings of models of these names. More of them is said in words: "b start pin".
func fakeConfig(t *testing.T, models ...string) config.Config {
	t.Helper()
	c, folder := config.Default(), t.TempDir()
	c.StepTokens, c.MaxSequences = 16, 4
	for i, m := range models {
		words := strings.Fields(m)
		model := config.Model{Path: fixtures.Talking(t, fixtures.Biased, folder, words[0]), Pin: slices.Contains(words, "pin"), Load: config.LoadOnDemand}
		if slices.Contains(words, "start") || i == 0 && !slices.Contains(words, "demand") {
			model.Load = config.LoadAtStart
		}
		c.Model = append(c.Model, model)
	}
	return c
}

// newFakeModels are the models of the settings, without a device.
func newFakeModels(t *testing.T, c config.Config) *runtimes {
	t.Helper()
	names, err := namedModels(c.Model)
	if err != nil {
		t.Fatal(err)
	}
	all := newRuntimes(c, names)
	all.promised = func() int64 { return 0 }
	return all
}

// serveFake has the models served by a device, until the test has ended.
func serveFake(t *testing.T, d *fakeDevice, c config.Config) *runtimes {
	t.Helper()
	all := newFakeModels(t, c)
	all.begin(holdDevice(d))
	t.Cleanup(func() {
		if all.end(); d.loaded() != "" || !d.closed {
			t.Errorf("left behind: %q, device closed: %t", d.loaded(), d.closed)
		}
	})
	return all
}

// patient waits as long as it takes.
var patient = api.Wait{}

// held is a hold that must be had.
func (all *runtimes) held(t *testing.T, name string) api.Held {
	t.Helper()
	h, err := all.Hold(t.Context(), name, patient)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return h
}

// used is a hold that has ended.
func (all *runtimes) used(t *testing.T, name string) {
	t.Helper()
	all.held(t, name).Release()
}

// answer asks the model for tokens.
func answer(ctx context.Context, h api.Held, tokens int) error {
	all, err := h.Model.Engine.SubmitGroup(ctx, []scheduler.Request{{Prompt: []int32{1, 2}, MaxTokens: tokens, Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}}})
	if err != nil {
		return err
	}
	for {
		if e, err := all[0].Next(ctx); err != nil || e.Finish != scheduler.Running {
			return errors.Join(err, e.Err)
		}
	}
}

// state is how a model is doing.
func (all *runtimes) state(name string) api.ModelState {
	for _, s := range all.States() {
		if s.Name == name {
			return s
		}
	}
	return api.ModelState{}
}

// httpOf is an error's answer.
func httpOf(err error) api.HTTPError {
	h := (*api.HTTPError)(nil)
	if !errors.As(err, &h) {
		return api.HTTPError{Code: fmt.Sprint(err)}
	}
	return *h
}
