package model

import (
	"math"

	"chimera/engine"
)

// This file owns reading rotary embeddings: plain, linear, YaRN, and with factors per frequency.

// rope reads the file's rotary embedding with the given base. Unknown scaling types are refused: a
// wrong rope shows only in quality.
func (s *statement) rope(style engine.RopeStyle, base float64) *engine.Rope {
	h := s.h
	r := &engine.Rope{
		Style: style, Dim: h.countOr("rope.dimension_count", s.head, s.head), Base: base,
		Scale: 1, Magnitude: 1,
	}
	if r.Dim%2 != 0 {
		h.fail("key %s (by default %s) is %d, it must be even", h.key("rope.dimension_count"), h.key("attention.key_length"), r.Dim)
	}
	if h.has("rope_freqs.weight") {
		r.Factors = s.Vector("rope_freqs.weight", r.Dim/2)
	}
	s.scaleRope(r)
	return r
}

func (s *statement) scaleRope(r *engine.Rope) {
	h := s.h
	kind, _, err := h.file.Metadata().String(h.key("rope.scaling.type"))
	h.note(err)
	factor := h.scaling("rope.scaling.factor", h.scaling("rope.scale_linear", 1))
	switch kind {
	case "", "none":
		if kind == "" && factor != 1 {
			r.Scale = 1 / factor
		}
	case "linear":
		r.Scale = 1 / factor
	case "yarn":
		s.yarn(r, factor)
	default:
		h.fail("key %s is %q: none, linear and yarn are supported", h.key("rope.scaling.type"), kind)
	}
}

// yarn follows Peng et al. 2023 (arXiv 2309.00071): frequencies that turn more than beta_fast times
// over the original context keep their speed, those below beta_slow are interpolated, between lies a
// ramp over pair indices; attention's temperature goes into the magnitude of sine and cosine. Where the file
// states that magnitude, it replaces the one inferred from the factor: converters write the training
// configuration's attention_factor there, which means just this.
func (s *statement) yarn(r *engine.Rope, factor float64) {
	h := s.h
	original := float64(h.countOr("rope.scaling.original_context_length", maxContext, s.context))
	fast := h.factor("rope.scaling.yarn_beta_fast", 32)
	slow := h.factor("rope.scaling.yarn_beta_slow", 1)
	pair := func(turns float64) float64 {
		return float64(r.Dim) * math.Log(original/(turns*2*math.Pi)) / (2 * math.Log(r.Base))
	}
	r.Extension = h.factor("rope.scaling.yarn_ext_factor", 1)
	r.Scale = 1 / factor
	r.Low = math.Max(0, math.Floor(pair(fast)))
	r.High = math.Min(float64(r.Dim-1), math.Ceil(pair(slow)))
	if r.High <= r.Low {
		r.High = r.Low + 0.001 // a ramp of no width would divide by zero
	}
	inferred := 1.0
	if factor > 1 {
		inferred = 0.1*math.Log(factor) + 1
	}
	r.Magnitude = h.factor("rope.scaling.yarn_attn_factor", inferred) * h.factor("rope.scaling.attn_factor", 1)
}
