package model

import (
	"fmt"

	"chimera/engine"
)

// This file owns what the architectures share: the sizes of a transformer and the statements that
// recur in each.

// shape holds the sizes of a decoder-only transformer.
type shape struct {
	layers, width, feed int
	heads, kvHeads      int
	head, value         int // elements of a head's queries and keys, and of its values
	vocab, context      int
}

// shape reads the sizes under GGUF's common keys.
func (h *hyper) shape() shape {
	s := shape{
		layers:  h.count("block_count", maxLayers),
		width:   h.count("embedding_length", maxWidth),
		context: h.count("context_length", maxContext),
		vocab:   h.vocab(),
	}
	if h.err != nil {
		return s
	}
	s.feed = h.countEachLayer("feed_forward_length", s.layers, maxWidth)
	s.heads = h.countEachLayer("attention.head_count", s.layers, maxWidth)
	if n, ok := h.eachLayer("attention.head_count_kv", s.layers, maxWidth); ok {
		s.kvHeads = n
	} else {
		s.kvHeads = s.heads
	}
	if h.err != nil {
		return s
	}
	s.head = h.countOr("attention.key_length", maxWidth, s.width/s.heads)
	s.value = h.countOr("attention.value_length", maxWidth, s.head)
	if s.heads%s.kvHeads != 0 {
		h.fail("key %s is %d, which %s %d does not divide", h.key("attention.head_count"), s.heads,
			h.key("attention.head_count_kv"), s.kvHeads)
	}
	h.checkHead("attention.key_length", s.heads, s.head)
	h.checkHead("attention.value_length", s.heads, s.value)
	return s
}

func (h *hyper) checkHead(key string, heads, elements int) {
	if elements < 2 || elements > maxHead || heads*elements > maxWidth {
		h.fail("key %s: %d heads of %d elements; a head has 2 to %d, all together at most %d", h.key(key), heads, elements, maxHead, maxWidth)
	}
}

// statement is a program being stated, with the values that every layer reuses.
type statement struct {
	*engine.Builder
	shape
	h *hyper
	// x is the residual stream, y what a block works on, q k v and attended belong to attention, inner
	// to the feed-forward block.
	x, y, q, k, v, attended, inner engine.ValueID
	// Layers by what they see, and how many of each are stated so far.
	full, window engine.GroupID
	stated       map[engine.GroupID]int
}

func (h *hyper) state(s shape) *statement {
	b := engine.NewBuilder(h.architecture, s.vocab, s.context)
	return &statement{
		Builder: b, shape: s, h: h,
		x: b.Value("x", s.width), y: b.Value("y", s.width),
		q: b.Value("q", s.heads*s.head), k: b.Value("k", s.kvHeads*s.head), v: b.Value("v", s.kvHeads*s.value),
		attended: b.Value("attended", s.heads*s.value), inner: b.Value("inner", s.feed),
		stated: map[engine.GroupID]int{},
	}
}

// groups declares the layers' memory: those that see all, and those that see a window.
func (s *statement) groups(windowed, window int) {
	g := engine.Group{Heads: s.kvHeads, KeyWidth: s.head, ValueWidth: s.value}
	if full := s.layers - windowed; full > 0 {
		g.Name, g.Layers, g.Mask = "full", full, engine.Causal
		s.full = s.Group(g)
	}
	if windowed > 0 {
		g.Name, g.Layers, g.Mask, g.Window = "window", windowed, engine.Window, window
		s.window = s.Group(g)
	}
}

// everyLayer declares one group for all layers, with a window or without (0).
func (s *statement) everyLayer(window int) engine.GroupID {
	if window > 0 {
		s.groups(s.layers, window)
		return s.window
	}
	s.groups(0, 0)
	return s.full
}

// attend states that k and v are stored in the group's next layer, and attention over it.
func (s *statement) attend(g engine.GroupID, store engine.Store, attend engine.Attend) {
	s.stated[g]++
	store.Group, store.Layer, store.K, store.V = g, s.stated[g], s.k, s.v
	attend.Group, attend.Layer, attend.Q, attend.Out, attend.Heads = g, s.stated[g], s.q, s.attended, s.heads
	s.Add(store)
	s.Add(attend)
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
		Out:    out,
	}
}

// rms is out = rms norm of in.
func (s *statement) rms(tensor string, epsilon float32, in, residual, out engine.ValueID) engine.Norm {
	return engine.Norm{
		Kind: engine.RMSNorm, Gamma: s.Vector(tensor, s.width), Epsilon: epsilon, In: in, Residual: residual, Out: out,
	}
}

// qkv states the three projections of y, which some files hold as one tensor.
func (s *statement) qkv(layer int) {
	if s.h.has(block(layer, "attn_qkv.weight")) {
		s.fusedQKV(layer)
		return
	}
	s.Add(engine.Linears{In: s.y, Outputs: []engine.Linear{
		s.linear(layer, "attn_q", s.q, s.heads*s.head, s.width),
		s.linear(layer, "attn_k", s.k, s.kvHeads*s.head, s.width),
		s.linear(layer, "attn_v", s.v, s.kvHeads*s.value, s.width),
	}})
}

// fusedQKV states the three parts of attn_qkv, rows one after another in the file.
func (s *statement) fusedQKV(layer int) {
	name, bias := block(layer, "attn_qkv.weight"), block(layer, "attn_qkv.bias")
	part := func(first, rows int, out engine.ValueID) engine.Linear {
		l := engine.Linear{Weight: s.WeightRows(name, first, rows, s.width), Out: out}
		if s.h.has(bias) {
			l.Bias = s.VectorPart(bias, first, rows)
		}
		return l
	}
	queries, keys := s.heads*s.head, s.kvHeads*s.head
	s.Add(engine.Linears{In: s.y, Outputs: []engine.Linear{
		part(0, queries, s.q),
		part(queries, keys, s.k),
		part(queries+keys, s.kvHeads*s.value, s.v),
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
	s.startLens()
	rows, last := s.OutputValue("rows", s.width), s.OutputValue("last", s.width)
	name := "output.weight"
	if !s.h.has(name) {
		name = "token_embd.weight"
	}
	s.Add(engine.Rows{In: s.x, Out: rows})
	s.Add(norm(rows, last))
	s.tapFinal(last)
	s.Add(engine.Head{
		In: last, Weight: s.Weight(name, s.vocab, s.width), Bias: s.bias("output.bias", s.vocab), Scale: 1,
		Softcap: float32(s.h.real("final_logit_softcapping", 0, 0, 1e6)),
	})
}
