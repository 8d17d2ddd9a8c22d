// Package loader makes a model file ready to compute: it is opened, its program built, its tier chosen, what it takes planned and checked, its weights loaded on a
// device; and its vocabulary and template are read. Nothing here serves, and nothing knows a daemon.
package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"chimera/cgo"
	"chimera/config"
	"chimera/cores"
	"chimera/engine"
	"chimera/model"
	"chimera/paths"
	group "chimera/quality/control"
	"chimera/weights"
)

// This file owns bringing a model file up to a running instance: read, state, plan, check, load.

// Options are the settings that every verb which loads a model shares.
type Options struct {
	Threads      int
	KVType       string
	Tier         string // one of config.TierNames; "": the source's
	ISA          string
	Device       string // auto, cpu or cuda:N
	Context      int    // 0: what the model was trained for, at most config.DefaultContext
	StepTokens   int
	MaxSequences int
	MaxLogprobs  int
	Contexts     int   // full contexts that the pools hold; 0: pooledContexts, which serving one model takes
	SmallPages   bool  // see engine.LoadOptions
	HeapBytes    int64 // what the Go heap may take beside the plan; 0: too little to count
	Progress     func(done, total int64)
}

// OptionsOf are the settings that concern loading.
func OptionsOf(c *config.Config) Options {
	return Options{
		Threads: c.Threads, KVType: c.KVType, Tier: c.Tiers.First(), ISA: c.ISA, Device: c.Device, Context: c.Ctx, StepTokens: max(c.StepTokens, c.MaxSequences),
		MaxSequences: c.MaxSequences, MaxLogprobs: c.MaxLogprobs, HeapBytes: HeapBytes(c),
	}
}

// Loaded is a model file with its instance.
type Loaded struct {
	File     *weights.File
	Program  *engine.Program
	Instance engine.Instance
	Policy   engine.Policy
	own      Backend // the device, where it is this model's alone; else nil
}

// Open reads a model file; every error that is the file's fault satisfies engine.ErrModelFile.
func Open(path string) (*weights.File, *engine.Program, error) {
	f, err := OpenFile(path)
	if err != nil {
		return nil, nil, err
	}
	p, err := model.Build(f)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, p, nil
}

// OpenFile opens a model file, or the cached model of that name, without asking whether its architecture
// can be run.
func OpenFile(path string) (*weights.File, error) {
	f, err := weights.Open(paths.Model(path))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", modelFileError(path, err), engine.ErrModelFile)
	}
	return f, nil
}

func modelFileError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: there is no such file, nor a model of that name in %s", path, filepath.Join(paths.Cache(), "models"))
	}
	return err
}

// LoadOptions turns the settings into an instance's sizes.
func (o Options) LoadOptions(p *engine.Program) (engine.LoadOptions, error) {
	kv, err := engine.ParseKVType(o.KVType)
	if err != nil {
		return engine.LoadOptions{}, err
	}
	context := o.Context
	if context == 0 {
		context = min(p.Context, config.DefaultContext)
	}
	if context > p.Context {
		return engine.LoadOptions{}, &config.Error{Err: fmt.Errorf("ctx: %d positions, the model was trained for %d: choose at most that", context, p.Context)}
	}
	options := engine.LoadOptions{
		Policy: engine.Policy{KV: kv}, MaxTokens: o.StepTokens, MaxSequences: o.MaxSequences, MaxOutputs: o.StepTokens,
		MaxTop: max(o.MaxLogprobs, group.TopTokens), MaxContext: context, SmallPages: o.SmallPages, Progress: o.Progress,
	}
	for _, g := range p.Groups {
		options.Pages = append(options.Pages, o.Pages(g, context))
	}
	return options, nil
}

// Workers is how many to compute with, and what says so.
func (o Options) Workers() (n int, bound string) {
	if o.Threads > 0 {
		return o.Threads, "the setting"
	}
	return cores.Available()
}

// PooledContexts is how many full contexts the pools hold: most sequences are short, and what they
// leave is the prefix cache.
const PooledContexts = 4

// Pages is how many pages a group's pool holds: those of full contexts, of which a windowed group needs few, and one for each
// sequence to write in. Slots are as many as all sequences take.
func (o Options) Pages(g engine.Group, context int) int {
	most := g.PagesFor(context, o.StepTokens)
	if g.State > 0 {
		return most * o.MaxSequences
	}
	contexts := PooledContexts
	if o.Contexts > 0 {
		contexts = o.Contexts
	}
	return most*min(o.MaxSequences, contexts) + o.MaxSequences
}

// Load brings up the model at path.
func Load(path string, o Options) (*Loaded, error) {
	f, p, err := Open(path)
	if err != nil {
		return nil, err
	}
	l, err := LoadOpened(f, p, o)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// OfFile says which file an error is the fault of, unless it says so itself.
func OfFile(f *weights.File, err error) error {
	var format *weights.FormatError
	var path *fs.PathError
	if !errors.Is(err, engine.ErrModelFile) || errors.As(err, &format) || errors.As(err, &path) {
		return err
	}
	return fmt.Errorf("%s: %w", f.Name(), err)
}

// LoadOpened brings a model up on a device of its own.
func LoadOpened(f *weights.File, p *engine.Program, o Options) (*Loaded, error) {
	backend, err := o.OpenBackend(f.Name())
	if err != nil {
		return nil, err
	}
	var l *Loaded
	err = Widening(f, o.Tier, func() (err error) {
		l, err = LoadOn(backend, f, p, o, o.Weights(f), func(plan *engine.Plan) error { return CheckRoom(plan, backend, o.HeapBytes, 0) })
		return err
	})
	if err != nil {
		return nil, errors.Join(err, backend.Close())
	}
	l.own = backend
	return l, nil
}

// LoadOn plans, loads when there is room for the plan, and leaves f open. w are f's tensors.
func LoadOn(b Backend, f *weights.File, p *engine.Program, o Options, w engine.Weights, room func(*engine.Plan) error) (*Loaded, error) {
	options, err := o.LoadOptions(p)
	if err != nil {
		return nil, err
	}
	plan, err := b.Plan(p, w, options)
	if err != nil {
		return nil, OfFile(f, err)
	}
	if err := room(plan); err != nil {
		return nil, err
	}
	in, err := b.Load(p, w, options)
	if err != nil {
		return nil, OfFile(f, err)
	}
	return &Loaded{File: f, Program: p, Instance: in, Policy: options.Policy}, nil
}

// Plan returns what Load would do, without doing it.
func Plan(f *weights.File, p *engine.Program, o Options) (*engine.Plan, error) {
	options, err := o.LoadOptions(p)
	if err != nil {
		return nil, err
	}
	backend, err := o.OpenBackend(f.Name())
	if err != nil {
		return nil, err
	}
	plan, err := backend.Plan(p, o.Weights(f), options)
	return plan, errors.Join(err, backend.Close())
}

// Close stops the instance, gives a device of its own back and closes the file.
func (l *Loaded) Close() error {
	err := l.Instance.Close()
	if l.own != nil {
		err = errors.Join(err, l.own.Close())
	}
	return errors.Join(err, l.File.Close())
}

// Capabilities are what this build and machine can run; gpus is empty in a build for the CPU alone.
func Capabilities() (instructionSets, architectures []string, gpus string) {
	for _, isa := range []string{"scalar", "avx2", "avx512f", "avx512vnni"} {
		if cgo.HasISA(isa) {
			instructionSets = append(instructionSets, isa)
		}
	}
	return instructionSets, model.Architectures(), gpusFound()
}
