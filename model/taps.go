package model

import (
	"fmt"

	"chimera/engine"
	"chimera/weights"
)

// This file owns what of a model can be looked at beside its answers: its states layer by layer, and what its head makes of one.

// parts is what is stated of a model.
type parts uint8

const (
	served parts = iota // all of it, with a tap of the final state
	layers              // all of it, with a tap of the stream of the embedding and behind each layer
	lens                // what stands behind the layers, for states that are given as vectors
)

// BuildLayers is as Build, but that the taps are the stream's: the embedding's first, then that behind each layer. Their widths are equal.
func BuildLayers(f *weights.File) (*engine.Program, error) {
	return (&hyper{file: f, parts: layers}).whole()
}

// BuildLens returns the end of the model alone: the last norm and the head. Its input rows are given as vectors (engine.VectorRow), and a
// state that was tapped behind the last layer gives the model's logits. It has no groups.
//
// A state of an earlier layer gives what the model would expect if the layers between were left out: the logit lens (nostalgebraist 2020;
// Belrose et al. 2023, arXiv 2303.08112).
func BuildLens(f *weights.File) (*engine.Program, error) {
	return (&hyper{file: f, parts: lens}).build()
}

// tapStream states a tap of the stream behind a layer, counted from 1; 0: of the embedding.
func (s *statement) tapStream(layer int) {
	if s.h.parts == layers {
		s.Add(engine.Tap{Name: fmt.Sprintf("layer %d", layer), In: s.x})
	}
}

// tapFinal states a tap of the final state.
func (s *statement) tapFinal(last engine.ValueID) {
	if s.h.parts == served {
		s.Add(engine.Tap{Name: "final state", In: last})
	}
}

// startLens forgets the layers, if the end alone is wanted. The table of tokens is there for the form's sake: no row of it is read.
func (s *statement) startLens() {
	if s.h.parts != lens {
		return
	}
	s.Builder = engine.NewBuilder(s.h.architecture, s.vocab, s.context)
	s.x = s.Value("x", s.width)
	s.Add(engine.Embed{Table: s.Weight("token_embd.weight", s.vocab, s.width), Scale: 1, Out: s.x})
}
