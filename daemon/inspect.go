package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"chimera/config"
	"chimera/engine"
	"chimera/loader"
	"chimera/model"
	"chimera/weights"
)

// This file owns looking into a model file: what chimera show prints.

// ErrModelFile is in the chain of every error about a missing, malformed or unsupported model file.
var ErrModelFile = engine.ErrModelFile

// Inspection says what a model file holds and how it would be run.
type Inspection struct {
	Summary  loader.Summary    `json:"summary"`
	Keys     []string          `json:"-"` // of Metadata, in the file's order
	Metadata map[string]any    `json:"metadata"`
	Tensors  []InspectedTensor `json:"tensors"`
	Plan     *engine.Plan      `json:"plan"`
}

// InspectedTensor is one tensor of an Inspection.
type InspectedTensor struct {
	Name   string   `json:"name"`
	Type   string   `json:"type"`
	Shape  []uint64 `json:"shape"`            // ne0 first
	SHA256 string   `json:"sha256,omitempty"` // of its float32 values, little-endian
}

// Inspect reads a model file. sums asks for the tensors' checksums, which reads all of it. A file that can't
// be run has no plan; then planRefusal says why, and the rest of the Inspection stands.
func Inspect(path string, c *config.Config, sums bool) (s *Inspection, planRefusal, err error) {
	f, err := loader.OpenFile(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	s = &Inspection{Summary: loader.Summarize(f), Keys: f.Metadata().Keys(), Metadata: map[string]any{}, Tensors: []InspectedTensor{}}
	for _, key := range s.Keys {
		v, _ := f.Metadata().Get(key)
		s.Metadata[key] = v.Any
	}
	for _, t := range f.Tensors() {
		row, err := inspectTensor(f, t, sums)
		if err != nil {
			return nil, nil, err
		}
		s.Tensors = append(s.Tensors, row)
	}
	if s.Summary.ChatProblem, err = loader.TemplateProblem(f); err != nil {
		return nil, nil, err
	}
	s.Plan, planRefusal = planFile(f, c)
	return s, planRefusal, nil
}

func inspectTensor(f *weights.File, t weights.Tensor, sum bool) (row InspectedTensor, err error) {
	row = InspectedTensor{Name: t.Name, Type: t.Type.String(), Shape: t.Shape}
	if sum {
		if row.SHA256, err = tensorSHA256(f, t); err != nil {
			err = fmt.Errorf("%w: %w", err, ErrModelFile)
		}
	}
	return row, err
}

// tensorSHA256 is the checksum of a tensor's values as little-endian float32.
func tensorSHA256(f *weights.File, t weights.Tensor) (string, error) {
	hash := sha256.New()
	var values []float32
	var raw []byte
	err := f.Pieces(t, func(rows []byte) error {
		n := len(rows) / int(t.RowBytes()) * int(t.Shape[0])
		values = slices.Grow(values[:0], n)[:n]
		if err := weights.Dequantize(t.Type, rows, values); err != nil {
			return fmt.Errorf("%s: tensor %s: %w", f.Name(), t.Name, err)
		}
		raw = weights.Quantize(weights.F32, values, raw[:0])
		hash.Write(raw)
		return nil
	})
	return hex.EncodeToString(hash.Sum(nil)), err
}

// planFile is the plan that serving the file with these settings would have.
func planFile(f *weights.File, c *config.Config) (*engine.Plan, error) {
	p, err := model.Build(f)
	if err != nil {
		return nil, err
	}
	return loader.Plan(f, p, loader.OptionsOf(c))
}
