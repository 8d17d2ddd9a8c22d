package model

import (
	"fmt"

	"chimera/engine"
)

// This file owns what the architectures share: the sizes of a transformer and the statements that
// recur in each.

// shape holds the sizes of a decoder-only transformer.
type shape struct {
	layers, width, feed   int
	heads, kvHeads, head  int
	vocab, context        int
	queryWidth, keyValues int // heads x head, kvHeads x head
}

// shape reads the sizes under GGUF's common keys.
func (h *hyper) shape() shape {
	s := shape{
		layers:  h.count("block_count", maxLayers),
		width:   h.count("embedding_length", maxWidth),
		feed:    h.count("feed_forward_length", maxWidth),
		heads:   h.count("attention.head_count", maxWidth),
		context: h.count("context_length", maxContext),
		vocab:   h.vocab(),
	}
	if h.err != nil {
		return s
	}
	s.kvHeads = h.countOr("attention.head_count_kv", maxWidth, s.heads)
	s.head = h.countOr("attention.key_length", maxWidth, s.width/s.heads)
	if v := h.countOr("attention.value_length", maxWidth, s.head); v != s.head {
		h.fail("key %s is %d and %s is %d: different sizes are not supported",
			h.key("attention.key_length"), s.head, h.key("attention.value_length"), v)
	}
	if s.heads%s.kvHeads != 0 {
		h.fail("key %s is %d, which %s %d does not divide", h.key("attention.head_count"), s.heads,
			h.key("attention.head_count_kv"), s.kvHeads)
	}
	if s.head < 2 || s.head > maxHead || s.heads*s.head > maxWidth {
		h.fail("key %s: %d heads of %d elements; a head has 2 to %d, all together at most %d",
			h.key("attention.key_length"), s.heads, s.head, maxHead, maxWidth)
	}
	s.queryWidth, s.keyValues = s.heads*s.head, s.kvHeads*s.head
	return s
}

// statement is a program being stated, with the values that every layer reuses.
type statement struct {
	*engine.Builder
	shape
	h *hyper
	// x is the residual stream, y what a block works on, q k v and attended belong to attention, inner
	// to the feed-forward block.
	x, y, q, k, v, attended, inner engine.ValueID
}

func (h *hyper) state(s shape) *statement {
	b := engine.NewBuilder(engine.Program{
		Architecture: h.architecture, Layers: s.layers, KVHeads: s.kvHeads, HeadDim: s.head,
		Vocab: s.vocab, Context: s.context,
	})
	return &statement{
		Builder: b, shape: s, h: h,
		x: b.Value("x", s.width), y: b.Value("y", s.width),
		q: b.Value("q", s.queryWidth), k: b.Value("k", s.keyValues), v: b.Value("v", s.keyValues),
		attended: b.Value("attended", s.queryWidth), inner: b.Value("inner", s.feed),
	}
}

// block names a tensor of a layer.
func block(layer int, name string) string { return fmt.Sprintf("blk.%d.%s", layer, name) }

// bias is the layer's vector if the file has it.
func (s *statement) bias(name string, n int) engine.WeightID {
	if !s.h.has(name) {
		return engine.NoWeight
	}
	return s.Vector(name, n)
}

// linear is out = weight.x + bias, where the file has a bias.
func (s *statement) linear(layer int, name string, out engine.ValueID, rows, cols int) engine.Linear {
	return engine.Linear{
		Weight: s.Weight(block(layer, name+".weight"), rows, cols),
		Bias:   s.bias(block(layer, name+".bias"), rows),
		Gate:   engine.NoWeight, GateBias: engine.NoWeight, Residual: engine.NoValue, Out: out,
	}
}

// rms is out = rms norm of in.
func (s *statement) rms(tensor string, epsilon float32, in, residual, out engine.ValueID) engine.Norm {
	return engine.Norm{
		Kind: engine.RMSNorm, Gamma: s.Vector(tensor, s.width), Beta: engine.NoWeight,
		Epsilon: epsilon, In: in, Residual: residual, Out: out,
	}
}

// qkv states the three projections of y, which some files hold as one tensor.
func (s *statement) qkv(layer int) {
	if s.h.has(block(layer, "attn_qkv.weight")) {
		s.fusedQKV(layer)
		return
	}
	s.Add(engine.Linears{In: s.y, Outputs: []engine.Linear{
		s.linear(layer, "attn_q", s.q, s.queryWidth, s.width),
		s.linear(layer, "attn_k", s.k, s.keyValues, s.width),
		s.linear(layer, "attn_v", s.v, s.keyValues, s.width),
	}})
}

// fusedQKV states the three parts of attn_qkv, rows one after another in the file.
func (s *statement) fusedQKV(layer int) {
	name, bias := block(layer, "attn_qkv.weight"), block(layer, "attn_qkv.bias")
	part := func(first, rows int, out engine.ValueID) engine.Linear {
		l := engine.Linear{
			Weight: s.WeightRows(name, first, rows, s.width), Bias: engine.NoWeight,
			Gate: engine.NoWeight, GateBias: engine.NoWeight, Residual: engine.NoValue, Out: out,
		}
		if s.h.has(bias) {
			l.Bias = s.VectorPart(bias, first, rows)
		}
		return l
	}
	s.Add(engine.Linears{In: s.y, Outputs: []engine.Linear{
		part(0, s.queryWidth, s.q),
		part(s.queryWidth, s.keyValues, s.k),
		part(s.queryWidth+s.keyValues, s.keyValues, s.v),
	}})
}

// gated states out = down(act(gate y) * up y) + residual, each with its bias where the file has one.
func (s *statement) gated(layer int, act engine.Activation, residual, out engine.ValueID) {
	up := s.linear(layer, "ffn_up", s.inner, s.feed, s.width)
	up.Gate = s.Weight(block(layer, "ffn_gate.weight"), s.feed, s.width)
	up.GateBias = s.bias(block(layer, "ffn_gate.bias"), s.feed)
	up.Activation = act
	s.Add(engine.Linears{In: s.y, Outputs: []engine.Linear{up}})
	down := s.linear(layer, "ffn_down", out, s.width, s.feed)
	down.Residual = residual
	s.Add(engine.Linears{In: s.inner, Outputs: []engine.Linear{down}})
}

// output states the output rows, the last norm and the logits; the embedding serves where the file has
// no output matrix of its own.
func (s *statement) output(norm func(in, out engine.ValueID) engine.Norm) {
	rows, last := s.OutputValue("rows", s.width), s.OutputValue("last", s.width)
	name := "output.weight"
	if !s.h.has(name) {
		name = "token_embd.weight"
	}
	s.Add(engine.Rows{In: s.x, Out: rows})
	s.Add(norm(rows, last))
	s.Add(engine.Head{
		In: last, Weight: s.Weight(name, s.vocab, s.width), Bias: s.bias("output.bias", s.vocab), Scale: 1,
		Softcap: float32(s.h.real("final_logit_softcapping", 0, 0, 1e6)),
	})
}
