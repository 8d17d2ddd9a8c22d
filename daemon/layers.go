package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"chimera/api"
	"chimera/config"
	"chimera/engine"
	"chimera/loader"
	"chimera/model"
	"chimera/quality/score"
	"chimera/quality/suite"
	"chimera/weights"
)

// This file owns how far a tier is from its source layer by layer, both reading the same texts: where in the model a tier loses what it loses.
//
// Two programs are loaded at each: the model with taps behind its layers, and its end alone (model.BuildLens), which makes of each layer's state what
// would be expected if the others were left out. Rejected: norm and head behind each layer in one program, which would need outputs
// for each of them; and to keep the states of one tier until the other is loaded, a GiB of them for a model of 7 B.

// LayersRequest is what chimera layers measures.
type LayersRequest struct {
	Model    string
	Suite    *suite.Suite
	Progress func(done, total uint64)
}

// Layers is how far a tier is from its source.
type Layers struct {
	Model  string            `json:"model"`
	Tier   string            `json:"tier"`
	Suite  string            `json:"suite"`
	Digest string            `json:"digest"` // of the suite
	Places int               `json:"places"` // tokens of references, behind each of which states were compared
	Layers []LayerDifference `json:"layers"` // the embedding's first
}

// LayerDifference is a layer's, each a mean over the places.
type LayerDifference struct {
	Layer     int     `json:"layer"`          // from 1; 0: the embedding
	Error     float64 `json:"relative_error"` // ||tier - source|| / ||source|| of the stream's states
	KL        float64 `json:"kl"`             // of what the states give through the last norm and the head, in nats: see score.Divergence
	Agreement float64 `json:"agreement"`      // how often that has the same likeliest token, 0 to 1
}

// side is the source or the tier: its model, and its end.
type side struct {
	*loader.Loaded
	model, lens *evaluator
	end         engine.Instance
}

// comparison is the comparison under way.
type comparison struct {
	source, tier side
	width        int // of a state
	layers       []LayerDifference
	top          int // how many of the source's likeliest tokens are compared
}

// CompareLayers reads the references of a suite with a model as its file has it, and at the tier that c says.
func CompareLayers(ctx context.Context, c *config.Config, r LayersRequest) (l *Layers, err error) {
	o := offlineOptions(c)
	if o.Tier == "" || o.Tier == api.SourceTier {
		return nil, &config.Error{Err: errors.New("tier: the source is what a tier is compared with: give another, such as q4_k")}
	}
	f, err := loader.OpenFile(r.Model)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	x, stop, err := newComparison(f, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	texts, err := newCalibration(r.Suite, x.source.Loaded)
	if err != nil {
		return nil, err
	}
	l = &Layers{Model: f.Name(), Tier: o.Tier, Suite: r.Suite.Name, Digest: r.Suite.Digest()}
	for i, line := range texts.lines {
		n, err := x.line(ctx, line)
		if err != nil {
			return nil, err
		}
		if l.Places += n; r.Progress != nil {
			r.Progress(uint64(i+1), uint64(len(texts.lines)))
		}
	}
	l.Layers = x.means(l.Places)
	return l, nil
}

// newComparison loads both sides on one device.
func newComparison(f *weights.File, o loader.Options) (x *comparison, stop func() error, err error) {
	states, err := model.BuildLayers(f)
	if err != nil {
		return nil, nil, err
	}
	end, err := model.BuildLens(f)
	if err != nil {
		return nil, nil, err
	}
	backend, err := o.OpenBackend(f.Name())
	if err != nil {
		return nil, nil, err
	}
	x = &comparison{width: end.VectorWidth(), top: min(expectedTokens, end.Vocab)}
	x.layers = make([]LayerDifference, states.TapWidth()/x.width)
	stop = func() error { return errors.Join(x.source.close(), x.tier.close(), backend.Close()) }
	source := o
	source.Tier = api.SourceTier
	if err = x.source.load(backend, f, states, end, source); err == nil {
		err = x.tier.load(backend, f, states, end, o)
	}
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return x, stop, nil
}

func (s *side) load(b loader.Backend, f *weights.File, states, end *engine.Program, o loader.Options) (err error) {
	w, room := o.Weights(f), func(plan *engine.Plan) error { return loader.CheckRoom(plan, b, o.HeapBytes, 0) }
	if s.Loaded, err = loader.LoadOn(b, f, states, o, w, room); err != nil {
		return err
	}
	if s.model, err = newEvaluator(s.Instance); err != nil {
		return err
	}
	options, err := o.LoadOptions(end)
	if err != nil {
		return err
	}
	options.MaxVectors = min(options.MaxTokens, options.MaxContext, s.Instance.Limits().MaxTaps)
	options.MaxTokens, options.MaxOutputs, options.MaxTargets = options.MaxVectors, options.MaxVectors, options.MaxVectors*expectedTokens
	plan, err := b.Plan(end, w, options)
	if err == nil {
		err = room(plan)
	}
	if err != nil {
		return loader.OfFile(f, err)
	}
	if s.end, err = b.Load(end, w, options); err != nil {
		return loader.OfFile(f, err)
	}
	s.lens, err = newEvaluator(s.end)
	return err
}

// close gives back what was loaded; the file is the caller's.
func (s *side) close() (err error) {
	if s.end != nil {
		err = s.end.Close()
	}
	if s.Loaded != nil {
		err = errors.Join(err, s.Instance.Close())
	}
	return err
}

// line compares the states behind a text's places, and tells how many these were.
func (x *comparison) line(ctx context.Context, line calibrationLine) (places int, err error) {
	l, at := x.source.Instance.Limits(), x.source.lens.in.Limits().MaxVectors
	last := len(line.ids) - 1
	for first := 0; first < last; {
		if err := context.Cause(ctx); err != nil {
			return 0, err
		}
		from := max(first, line.from)
		end := min(first+l.MaxTokens, last, from+at)
		var outputs []engine.Output
		for row := from; row < end; row++ {
			outputs = append(outputs, engine.Output{Row: int32(row - first), Mode: engine.Tapped})
		}
		for _, s := range []*side{&x.source, &x.tier} {
			if err := s.model.step(line.ids[first:end], first, outputs); err != nil {
				return 0, err
			}
		}
		if err := x.compare(len(outputs)); err != nil {
			return 0, err
		}
		places, first = places+len(outputs), end
	}
	return places, nil
}

// compare adds what the taps of a step's outputs say.
func (x *comparison) compare(outputs int) error {
	if outputs == 0 {
		return nil
	}
	for n := range x.layers {
		layer := &x.layers[n]
		var of, by [][]float32 // of the source, by the tier
		for i := range outputs {
			of = append(of, x.source.model.batch.TapsOf(i)[n*x.width:][:x.width])
			by = append(by, x.tier.model.batch.TapsOf(i)[n*x.width:][:x.width])
			layer.Error += relativeError(by[i], of[i])
		}
		if err := x.expect(of, by, layer); err != nil {
			return fmt.Errorf("layer %d: %w", n, err)
		}
	}
	return nil
}

// relativeError is how far x is from a state, by the state's length; of a state of zeros 0 or 1.
func relativeError(x, state []float32) float64 {
	var off, length float64
	for i, v := range state {
		d := float64(x[i]) - float64(v)
		off, length = off+d*d, length+float64(v)*float64(v)
	}
	if off == 0 {
		return 0
	}
	if length == 0 {
		return 1
	}
	return math.Sqrt(off / length)
}

// expect adds how far what both ends make of a layer's states is apart: the source's likeliest tokens, and what the tier gives to these.
func (x *comparison) expect(of, by [][]float32, layer *LayerDifference) error {
	source, tier := x.source.lens, x.tier.lens
	ask := engine.Output{Mode: engine.LogSumExp, Top: int32(x.top)}
	if err := source.states(of, ask, nil); err != nil {
		return err
	}
	targets := make([][]int32, len(of))
	for i := range of {
		for _, t := range source.batch.TopOf(i) {
			targets[i] = append(targets[i], t.Token)
		}
	}
	ask.Top = 1
	if err := tier.states(by, ask, targets); err != nil {
		return err
	}
	own, others := make([]float64, x.top), make([]float64, x.top)
	for i := range of {
		top, total := source.batch.TopOf(i), float64(source.batch.Results[i].LogSumExp)
		for k, logit := range tier.batch.TargetLogitsOf(i) {
			own[k] = min(float64(top[k].Logit)-total, 0)
			others[k] = min(float64(logit)-float64(tier.batch.Results[i].LogSumExp), 0)
		}
		kl, err := score.Divergence(own, others)
		if err != nil {
			return err
		}
		if layer.KL += kl; tier.batch.TopOf(i)[0].Token == top[0].Token {
			layer.Agreement++
		}
	}
	return nil
}

// states feeds rows that are given as vectors, and asks for the same of each, with targets if there are any.
func (e *evaluator) states(rows [][]float32, ask engine.Output, targets [][]int32) error {
	e.batch.Reset()
	e.batch.Generation = e.in.Generation()
	var tokens []int32
	for _, row := range rows {
		token, err := e.batch.AddVector(row)
		if err != nil {
			return err
		}
		tokens = append(tokens, token)
	}
	if _, err := e.batch.AddSequence(tokens, 0, nil); err != nil {
		return err
	}
	for i := range rows {
		ask.Row = int32(i)
		var of []int32
		if targets != nil {
			of = targets[i]
		}
		if _, err := e.batch.AddOutput(ask, nil, nil, of...); err != nil {
			return err
		}
	}
	return e.compute()
}

// means are the layers' by the number of places.
func (x *comparison) means(places int) []LayerDifference {
	for i := range x.layers {
		l := &x.layers[i]
		l.Layer = i
		l.Error, l.KL, l.Agreement = l.Error/float64(places), l.KL/float64(places), l.Agreement/float64(places)
	}
	return x.layers
}

// Print writes a table.
func (l *Layers) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "layer\trelative error\tKL\tagreement\t")
	for _, d := range l.Layers {
		name := fmt.Sprint(d.Layer)
		if d.Layer == 0 {
			name = "embedding"
		}
		fmt.Fprintf(w, "%s\t%.4f\t%.5f\t%.4f\t\n", name, d.Error, d.KL, d.Agreement)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\ntier %s beside its source, behind %d tokens of the references of suite %s; KL in nats a token\n", l.Tier, l.Places, l.Suite)
	return err
}
