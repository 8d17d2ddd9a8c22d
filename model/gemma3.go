package model

import (
	"math"

	"chimera/engine"
)

// gemma3 states Gemma 3: embeddings times sqrt(width), norms before and after each block, QK-norm,
// five layers with a sliding window and the local rope base to one that sees all (Gemma Team 2025,
// arXiv 2503.19786). The converter has folded the norms' "1 +" into their weights.
func gemma3(h *hyper) (*engine.Program, error) {
	size := h.shape()
	epsilon := h.epsilon("attention.layer_norm_rms_epsilon")
	if h.err != nil {
		return nil, h.err
	}
	s := h.state(size)
	global := s.rope(engine.RopeHalves, h.base("rope.freq_base", 1e6))
	local := &engine.Rope{
		Style: engine.RopeHalves, Dim: global.Dim, Base: h.base("rope.freq_base_swa", 10000),
		Scale: 1, Magnitude: 1,
	}
	window, windowed := h.window(), h.windowed(s.layers, 6)
	s.Add(engine.Embed{
		Table: s.Weight("token_embd.weight", s.vocab, s.width), Scale: float32(math.Sqrt(float64(s.width))), Out: s.x,
	})
	s.tapStream(0)
	if window == 0 {
		windowed = make([]bool, s.layers)
	}
	s.groups(count(windowed), window)
	for i := range s.layers {
		if windowed[i] {
			s.gemmaLayer(i, epsilon, s.window, local)
		} else {
			s.gemmaLayer(i, epsilon, s.full, global)
		}
		s.tapStream(i + 1)
	}
	s.output(func(in, out engine.ValueID) engine.Norm {
		return s.rms("output_norm.weight", epsilon, in, engine.NoValue, out)
	})
	return s.Program()
}

// count is how many are true.
func count(list []bool) (n int) {
	for _, b := range list {
		if b {
			n++
		}
	}
	return n
}

func (s *statement) gemmaLayer(i int, epsilon float32, group engine.GroupID, rope *engine.Rope) {
	s.Add(s.rms(block(i, "attn_norm.weight"), epsilon, s.x, engine.NoValue, s.y))
	s.qkv(i)
	s.gemmaAttend(i, epsilon, group, rope)
	s.Add(engine.Linears{In: s.attended, Outputs: []engine.Linear{
		s.linear(i, "attn_output", s.y, s.width, s.heads*s.value),
	}})
	s.Add(s.rms(block(i, "post_attention_norm.weight"), epsilon, s.y, s.x, s.x))
	s.Add(s.rms(block(i, "ffn_norm.weight"), epsilon, s.x, engine.NoValue, s.y))
	s.gated(i, engine.GELUTanh, engine.NoValue, s.y)
	s.Add(s.rms(block(i, "post_ffw_norm.weight"), epsilon, s.y, s.x, s.x))
}

// gemma27Layers is the depth of the 27B model, the only one whose queries are scaled by width / heads
// instead of the head size, which no key of the file says.
const gemma27Layers = 62

func (s *statement) gemmaAttend(i int, epsilon float32, group engine.GroupID, rope *engine.Rope) {
	scaled := float64(s.head)
	if s.layers == gemma27Layers {
		scaled = float64(s.width) / float64(s.heads)
	}
	s.attend(group,
		engine.Store{Norm: s.Vector(block(i, "attn_k_norm.weight"), s.head), Epsilon: epsilon, Rope: rope},
		engine.Attend{
			Norm: s.Vector(block(i, "attn_q_norm.weight"), s.head), Epsilon: epsilon, Rope: rope,
			Scale: float32(1 / math.Sqrt(scaled)),
		})
}
