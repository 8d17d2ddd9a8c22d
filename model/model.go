// Package model turns a model file's hyper-parameters into an engine.Program: one file per
// architecture, each a function that states the forward pass and reads top-down as the architecture.
//
// This file owns the table of architectures and Build.
package model

import (
	"fmt"
	"sort"
	"strings"

	"chimera/engine"
	"chimera/weights"
)

// build states one architecture's forward pass.
type build func(*hyper) (*engine.Program, error)

var architectures = map[string]build{
	"llama":  llama,
	"gemma3": gemma3,
	"gpt2":   gpt2,
}

// Architectures lists what Build knows, sorted.
func Architectures() []string {
	var names []string
	for name := range architectures {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Build reads the hyper-parameters of f and returns the forward pass, with every weight found in the
// file in the shape that the program wants. Errors satisfy errors.Is(err, engine.ErrModelFile) and
// name file and field.
//
// It has one tap, of the final state: the output rows behind the last norm.
func Build(f *weights.File) (*engine.Program, error) {
	return (&hyper{file: f}).whole()
}

// whole builds a program that uses all of the file.
func (h *hyper) whole() (*engine.Program, error) {
	p, err := h.build()
	if err != nil {
		return nil, err
	}
	return p, h.refuseExtra(p)
}

// build reads the architecture, and states it as h says.
func (h *hyper) build() (*engine.Program, error) {
	h.architecture = h.text("general.architecture")
	if h.err != nil {
		return nil, h.err
	}
	state, ok := architectures[h.architecture]
	if !ok {
		return nil, h.refuse(&engine.UnsupportedError{
			What:   fmt.Sprintf("architecture %q", h.architecture),
			Reason: "this build knows " + strings.Join(Architectures(), ", "),
		})
	}
	if err := h.refuseExperts(); err != nil {
		return nil, err
	}
	h.checkVocabulary()
	p, err := state(h)
	if h.err != nil {
		return nil, h.err
	}
	if err != nil {
		return nil, h.refuse(err)
	}
	return p, checkTensors(h.file, p)
}

// checkTensors compares every weight of the program with the file.
func checkTensors(f *weights.File, p *engine.Program) error {
	ends := map[string]uint64{} // where the last part of each tensor ends
	for _, w := range p.Weights {
		ends[w.Name] = max(ends[w.Name], end(f, w))
	}
	for _, w := range p.Weights {
		t, ok := f.Tensor(w.Name)
		if !ok {
			return fail(f, "tensor %s is missing", w.Name)
		}
		if !engine.DType(t.Type).Known() {
			return fail(f, "tensor %s has type %s, which cannot be computed with", w.Name, t.Type)
		}
		rows, cols, need := t.Rows(), t.Shape[0], ends[w.Name]
		if isVector(t, w) {
			if cols != need {
				return fail(f, "tensor %s has %d elements, the model needs %d", w.Name, cols, need)
			}
			continue
		}
		if cols != uint64(w.Cols) || rows != need {
			return fail(f, "tensor %s is %d x %d, the model needs %d x %d", w.Name, cols, rows, w.Cols, need)
		}
	}
	return nil
}

// isVector tells whether w counts the elements of t, not its rows.
func isVector(t weights.Tensor, w engine.Weight) bool { return w.Rows == 1 && t.Rows() == 1 }

// end is the row, or a vector's element, behind w's last.
func end(f *weights.File, w engine.Weight) uint64 {
	if t, ok := f.Tensor(w.Name); ok && isVector(t, w) {
		return uint64(w.FirstRow + w.Cols)
	}
	return uint64(w.FirstRow + w.Rows)
}

// fail is an error about a model's file that names it.
func fail(f *weights.File, format string, args ...any) error {
	return fmt.Errorf("%s: %w: %w", f.Name(), fmt.Errorf(format, args...), engine.ErrModelFile)
}
