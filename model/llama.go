package model

import (
	"math"

	"chimera/engine"
)

// llama states Llama and what shares its file form (Mistral, SmolLM2 ...): RMS norm before each block,
// rotary positions on adjacent pairs, grouped queries, a gated SiLU feed-forward (Touvron et al. 2023).
func llama(h *hyper) (*engine.Program, error) {
	size := h.shape()
	epsilon := h.epsilon("attention.layer_norm_rms_epsilon")
	if h.err != nil {
		return nil, h.err
	}
	s := h.state(size)
	rope := s.rope(engine.RopeAdjacent, h.base("rope.freq_base", 10000))
	group := s.everyLayer(h.window()) // Mistral's window
	s.Add(engine.Embed{Table: s.Weight("token_embd.weight", s.vocab, s.width), Scale: 1, Out: s.x})
	s.tapStream(0)
	for i := range s.layers {
		s.Add(s.rms(block(i, "attn_norm.weight"), epsilon, s.x, engine.NoValue, s.y))
		s.qkv(i)
		s.attend(group, engine.Store{Rope: rope}, engine.Attend{Scale: float32(1 / math.Sqrt(float64(s.head))), Rope: rope})
		out := s.linear(i, "attn_output", s.x, s.width, s.heads*s.value)
		out.Residual = s.x
		s.Add(engine.Linears{In: s.attended, Outputs: []engine.Linear{out}})
		s.Add(s.rms(block(i, "ffn_norm.weight"), epsilon, s.x, engine.NoValue, s.y))
		s.gated(i, engine.SiLU, s.x, s.x)
		s.tapStream(i + 1)
	}
	s.output(func(in, out engine.ValueID) engine.Norm {
		return s.rms("output_norm.weight", epsilon, in, engine.NoValue, out)
	})
	return s.Program()
}
