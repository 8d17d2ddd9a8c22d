package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"chimera/config"
	"chimera/loader"
	"chimera/model"
	"chimera/quality/mix"
	"chimera/quality/suite"
	"chimera/quality/tier"
	"chimera/weights"
)

// This file owns mixes: which type each matrix of a model gets within a number of bytes, by what each type costs each of them.
//
// Each cost is measured: the divergence of the model with all matrices in the largest type from itself with one of them in another. That type costs next to
// nothing, and a CPU computes with it several times as fast as with floats. Rejected: to measure one type of each matrix and to extend that by the errors of its
// values, since at two bits the divergence is no longer in proportion to them.

// MixSize is how large a mix may be: Bits a value on average over the matrices that are chosen for, or else Bytes of all tensors together.
type MixSize struct {
	Bits  float64
	Bytes int64
}

// mixTypes are what is chosen from, the largest first. Above it nothing is left to gain: of q8_0 the translation model's divergence is 0.0001.
var mixTypes = []weights.Type{weights.Q8_0, weights.Q6_K, weights.Q5_K, weights.Q4_K, weights.Q3_K, weights.Q2_K}

// MixRequest is what ChooseMix chooses by.
type MixRequest struct {
	Model       string
	Size        MixSize
	Calibration *suite.Suite // its tuning half counts
	Progress    func(done, total uint64)
}

// Mix is a type for each matrix that there is a choice for.
type Mix struct {
	Tensors  []MixedTensor
	Sum      float64 // of the tensors' costs
	Measured float64 // of all of it, in the same unit, on the same places
	Places   int
}

// MixedTensor is a matrix of a mix. KL is what its type costs alone, in nats a token.
type MixedTensor struct {
	Name   string
	Type   weights.Type
	Bytes  int64
	Values uint64
	KL     float64
}

// mixing is the choice under way.
type mixing struct {
	source, base *calibration // of the model as it is, and with all candidates in their largest types
	loaded       *loader.Loaded
	evaluator    *evaluator
	candidates   []candidate
	tell         func(done, total uint64)
	done         uint64
	total        uint64
}

// candidate is a matrix with the types that it may have, the largest first.
type candidate struct {
	tensor  weights.Tensor
	types   []weights.Type
	options []mix.Option
}

// ChooseMix measures what each type costs each matrix on the references of a suite, and chooses. The same model, suite and size give the same mix.
func ChooseMix(ctx context.Context, r MixRequest) (m *Mix, err error) {
	x, err := newMixing(r)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, x.loaded.Close()) }()
	budget, err := r.Size.budget(x.loaded.File, x.candidates) // before minutes of measuring
	if err != nil {
		return nil, err
	}
	if err := x.measure(ctx); err != nil {
		return nil, err
	}
	return x.choose(ctx, budget)
}

// newMixing loads the model and reads the suite.
func newMixing(r MixRequest) (*mixing, error) {
	c := config.Default()
	c.Device, c.KVType = "cpu", "f32" // one kind of arithmetic, so that there is one mix
	l, e, err := openEvaluator(r.Model, &c, 0)
	if err != nil {
		return nil, err
	}
	x := &mixing{loaded: l, evaluator: e, tell: r.Progress}
	if x.source, err = newCalibration(r.Calibration.Of(suite.Tuning), l); err == nil {
		x.candidates, err = candidates(l)
	}
	if err == nil && len(x.candidates) == 0 {
		err = fmt.Errorf("%s: no matrix of it has more bits than the types that are chosen from", r.Model)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return x, nil
}

// candidates are the matrices that the program computes with and that quantisation does not keep, each with the types that are smaller than its own and hold its values.
func candidates(l *loader.Loaded) (list []candidate, err error) {
	used := map[string]bool{}
	for _, w := range l.Program.Weights {
		used[w.Name] = true
	}
	for _, t := range l.File.Tensors() {
		c := candidate{tensor: t}
		for _, q := range mixTypes {
			r := loader.Recipe(l.File, q)
			r.Floor = nil // what a role deserves is what is measured
			to, _ := r.Type(t.Name, t.Type, t.Shape)
			if !used[t.Name] || to == t.Type || len(t.Shape) < 2 || slices.Contains(c.types, to) {
				continue
			}
			holds, _, err := l.File.Holding(t, to)
			if err != nil {
				return nil, loader.OfFile(l.File, err)
			}
			if holds == to {
				c.types = append(c.types, to)
			}
		}
		if len(c.types) > 0 {
			list = append(list, c)
		}
	}
	return list, nil
}

// bytes is what a tensor takes as another type.
func bytesAs(t weights.Tensor, to weights.Type) int64 {
	return int64(weights.Tensor{Type: to, Shape: t.Shape}.RowBytes() * t.Rows())
}

// budget is how many bytes are the candidates'.
func (s MixSize) budget(f *weights.File, list []candidate) (int64, error) {
	values, least, others := uint64(0), int64(0), int64(0)
	for _, t := range f.Tensors() {
		others += bytesAs(t, t.Type)
	}
	for _, c := range list {
		values += c.tensor.Values()
		others -= bytesAs(c.tensor, c.tensor.Type)
		least += bytesAs(c.tensor, c.types[len(c.types)-1])
	}
	budget := s.Bytes - others
	if s.Bits > 0 {
		budget = int64(s.Bits * float64(values) / 8)
	}
	if budget < least {
		return 0, &config.Error{Err: fmt.Errorf("mix: there is none as small: with all matrices in their smallest type it has %d bytes, %.2f bits a value", least+others, 8*float64(least)/float64(values))}
	}
	return budget, nil
}

// measure finds out what each candidate costs as each of its types.
func (x *mixing) measure(ctx context.Context) error {
	if err := x.source.expect(ctx, x.evaluator); err != nil {
		return err
	}
	base := mixed{}
	for _, c := range x.candidates {
		base[c.tensor.Name] = c.types[0]
		x.total += uint64(len(c.types) - 1)
	}
	if err := x.become(base.recipe()); err != nil {
		return err
	}
	x.base = &calibration{lines: x.source.lines}
	if err := x.base.expect(ctx, x.evaluator); err != nil {
		return err
	}
	for i := range x.candidates {
		if err := x.candidate(ctx, &x.candidates[i], base); err != nil {
			return err
		}
	}
	return nil
}

// candidate finds out what one costs as each of its types. The largest is what the others are held against.
func (x *mixing) candidate(ctx context.Context, c *candidate, base mixed) error {
	c.options = []mix.Option{{Bytes: bytesAs(c.tensor, c.types[0])}}
	for _, to := range c.types[1:] {
		m := maps.Clone(base)
		m[c.tensor.Name] = to
		if err := x.become(m.recipe()); err != nil {
			return fmt.Errorf("tensor %s as %s: %w", c.tensor.Name, to, err)
		}
		kl, err := x.base.divergence(ctx, x.evaluator)
		if err != nil {
			return fmt.Errorf("tensor %s as %s: %w", c.tensor.Name, to, err)
		}
		c.options = append(c.options, mix.Option{Bytes: bytesAs(c.tensor, to), Cost: kl})
		if x.done++; x.tell != nil {
			x.tell(x.done, x.total)
		}
	}
	return nil
}

// become has the instance compute with the tensors as a recipe has them.
func (x *mixing) become(r weights.Recipe) error {
	in := x.loaded.Instance
	before := in.Generation()
	if _, err := in.Replace(tier.New(model.NewSource(x.loaded.File), r, loader.Search, loader.Pace), nil); err != nil {
		return loader.OfFile(x.loaded.File, err)
	}
	return in.Retire(before)
}

// choose takes the types that cost least, and measures what they cost together.
func (x *mixing) choose(ctx context.Context, budget int64) (*Mix, error) {
	var options [][]mix.Option
	for _, c := range x.candidates {
		options = append(options, c.options)
	}
	picks, err := mix.Choose(options, budget)
	if err != nil {
		return nil, err
	}
	m := &Mix{Places: len(x.source.places)}
	for i, c := range x.candidates {
		o := c.options[picks[i]]
		m.Tensors = append(m.Tensors, MixedTensor{c.tensor.Name, c.types[picks[i]], o.Bytes, c.tensor.Values(), o.Cost})
		m.Sum += o.Cost
	}
	if err := x.become(m.recipe()); err != nil {
		return nil, err
	}
	m.Measured, err = x.source.divergence(ctx, x.evaluator)
	return m, err
}

func (m *Mix) recipe() weights.Recipe {
	types := mixed{}
	for _, t := range m.Tensors {
		types[t.Name] = t.Type
	}
	return types.recipe()
}

// mixed are types of matrices, by name.
type mixed map[string]weights.Type

// recipe leaves all other tensors as they are.
func (m mixed) recipe() weights.Recipe {
	return weights.Recipe{Target: weights.F16, Mix: m, Keeps: func(name string) bool {
		_, chosen := m[name]
		return !chosen
	}}
}

// Print writes a table of the matrices, and what they come to.
func (m *Mix) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "TENSOR\tTYPE\tBYTES\tKL ALONE")
	bytes, values := int64(0), uint64(0)
	for _, t := range m.Tensors {
		fmt.Fprintf(w, "%s\t%s\t%d\t%.6f\n", t.Name, strings.ToLower(t.Type.String()), t.Bytes, t.KL)
		bytes, values = bytes+t.Bytes, values+t.Values
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%d bytes, %.3f bits a value; KL %.5f nats a token over %d places, where those of each alone add up to %.5f\n",
		bytes, 8*float64(bytes)/float64(values), m.Measured, m.Places, m.Sum)
	return err
}
