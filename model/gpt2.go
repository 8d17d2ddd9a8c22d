package model

import (
	"math"

	"chimera/engine"
)

// gpt2 states GPT-2: learned positions, layer norm with beta, one fused projection with bias, GELU by
// tanh (Radford et al. 2019).
func gpt2(h *hyper) (*engine.Program, error) {
	size := h.shape()
	epsilon := h.epsilon("attention.layer_norm_epsilon")
	if h.err != nil {
		return nil, h.err
	}
	s := h.state(size)
	norm := func(name string, in, out engine.ValueID) engine.Norm {
		return engine.Norm{
			Kind: engine.LayerNorm, Gamma: s.Vector(name+".weight", s.width), Beta: s.Vector(name+".bias", s.width),
			Epsilon: epsilon, In: in, Out: out,
		}
	}
	s.Add(engine.Embed{
		Table:     s.Weight("token_embd.weight", s.vocab, s.width),
		Positions: s.Weight("position_embd.weight", s.context, s.width), Scale: 1, Out: s.x,
	})
	s.tapStream(0)
	group := s.everyLayer(0)
	for i := range s.layers {
		s.Add(norm(block(i, "attn_norm"), s.x, s.y))
		s.fusedQKV(i)
		s.attend(group, engine.Store{}, engine.Attend{Scale: float32(1 / math.Sqrt(float64(s.head)))})
		out := s.linear(i, "attn_output", s.x, s.width, s.heads*s.value)
		out.Residual = s.x
		s.Add(engine.Linears{In: s.attended, Outputs: []engine.Linear{out}})
		s.Add(norm(block(i, "ffn_norm"), s.x, s.y))
		up := s.linear(i, "ffn_up", s.inner, s.feed, s.width)
		up.Activation = engine.GELUTanh
		s.Add(engine.Linears{In: s.y, Outputs: []engine.Linear{up}})
		down := s.linear(i, "ffn_down", s.x, s.width, s.feed)
		down.Residual = s.x
		s.Add(engine.Linears{In: s.inner, Outputs: []engine.Linear{down}})
		s.tapStream(i + 1)
	}
	s.output(func(in, out engine.ValueID) engine.Norm { return norm("output_norm", in, out) })
	return s.Program()
}
