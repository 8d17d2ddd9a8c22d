package model

import (
	"fmt"
	"math"
	"strings"

	"chimera/engine"
	"chimera/weights"
)

// This file owns reading hyper-parameters: typed, ranged, and with errors that name the key.

// hyper reads the keys of one model file. Like a bufio.Scanner it keeps the first error, so that an
// architecture can read all it needs and be checked once.
type hyper struct {
	file         *weights.File
	parts        parts
	architecture string
	err          error
}

// Ranges that no real model leaves; they keep arithmetic on what a file claims far from overflow.
const (
	maxWidth   = 1 << 20
	maxLayers  = 1024
	maxContext = 1 << 30
	maxVocab   = 1 << 22
	maxHead    = 1024 // backends size their scratch by it
)

func (h *hyper) refuse(err error) error {
	return fmt.Errorf("%s: %w", h.file.Name(), err)
}

func (h *hyper) fail(format string, args ...any) {
	if h.err == nil {
		h.err = fail(h.file, format, args...)
	}
}

// key prefixes a name with the architecture, as GGUF does.
func (h *hyper) key(name string) string { return h.architecture + "." + name }

func (h *hyper) text(key string) string {
	s, ok, err := h.file.Metadata().String(key)
	h.note(err)
	if !ok && err == nil {
		h.fail("key %s is missing", key)
	}
	return s
}

func (h *hyper) note(err error) {
	if err != nil && h.err == nil {
		h.err = fmt.Errorf("%w: %w", err, engine.ErrModelFile)
	}
}

// count reads architecture.name as an integer in [1, most].
func (h *hyper) count(name string, most int) int {
	n, ok := h.optional(name, most)
	if !ok && h.err == nil {
		h.fail("key %s is missing", h.key(name))
	}
	return n
}

// optional reads architecture.name if it is there.
func (h *hyper) optional(name string, most int) (int, bool) {
	n, ok, err := h.file.Metadata().Uint(h.key(name))
	h.note(err)
	if !ok || err != nil {
		return 0, false
	}
	if n < 1 || n > uint64(most) {
		h.outside(name, n, most)
		return 1, true
	}
	return int(n), true
}

func (h *hyper) outside(name string, n any, most int) {
	h.fail("key %s is %d, it must lie between 1 and %d", h.key(name), n, most)
}

func (h *hyper) countOr(name string, most, otherwise int) int {
	if n, ok := h.optional(name, most); ok {
		return n
	}
	return otherwise
}

// countOrNone is countOr for what files write 0 or -1 for where there is none: a window, a pattern's period.
func (h *hyper) countOrNone(name string, most, otherwise int) int {
	v, _ := h.file.Metadata().Get(h.key(name))
	if v.Any == uint64(0) || v.Any == int64(0) || v.Any == minusOne(v.Type) {
		return 0
	}
	return h.countOr(name, most, otherwise)
}

// minusOne is how an integer type's -1 is read, also where the type has no sign.
func minusOne(t weights.ValueType) any {
	switch t {
	case weights.Uint32:
		return uint64(math.MaxUint32)
	case weights.Uint64:
		return uint64(math.MaxUint64)
	}
	return int64(-1)
}

// real reads architecture.name as a number in [least, most].
func (h *hyper) real(name string, otherwise, least, most float64) float64 {
	x, ok, err := h.file.Metadata().Float(h.key(name))
	h.note(err)
	if !ok || err != nil {
		return otherwise
	}
	if !(x >= least && x <= most) { // NaN lies nowhere
		h.fail("key %s is %v, it must lie between %v and %v", h.key(name), x, least, most)
		return otherwise
	}
	return x
}

// scaling is factor for a stretching of which files write 0 where there is none.
func (h *hyper) scaling(name string, otherwise float64) float64 {
	if x, ok, err := h.file.Metadata().Float(h.key(name)); ok && err == nil && x == 0 {
		return 1
	}
	return h.factor(name, otherwise)
}

// factor reads architecture.name as a number to multiply or divide by: not so small or large that the
// result would leave the range of float32.
func (h *hyper) factor(name string, otherwise float64) float64 {
	return h.real(name, otherwise, 1e-6, 1e6)
}

// base reads the base of a rotary embedding; 1 would turn every pair alike, and YaRN divide by zero.
func (h *hyper) base(name string, otherwise float64) float64 {
	return h.real(name, otherwise, 2, 1e12)
}

// epsilon reads a norm's epsilon, which has no default: a wrong one shows only in quality.
func (h *hyper) epsilon(name string) float32 {
	if _, ok, err := h.file.Metadata().Float(h.key(name)); !ok && err == nil {
		h.fail("key %s is missing", h.key(name))
	}
	return float32(h.real(name, 0, 0, 1))
}

// window is the layers' sliding window, 0 if there is none.
func (h *hyper) window() int { return h.countOrNone("attention.sliding_window", maxContext, 0) }

// windowed tells which layers have the sliding window: those of the file's list, or all but each n-th, where
// n is the file's or, if it is silent, period; with 0 there is no n-th.
func (h *hyper) windowed(layers, period int) []bool {
	const name = "attention.sliding_window_pattern"
	if v, ok := h.file.Metadata().Get(h.key(name)); ok && v.Type == weights.Array {
		list, _, err := h.file.Metadata().Bools(h.key(name))
		h.note(err)
		if err == nil && len(list) != layers {
			h.fail("key %s has %d entries for %d layers", h.key(name), len(list), layers)
		}
		return append(list, make([]bool, layers)...)[:layers]
	}
	period = h.countOrNone(name, maxLayers, period)
	list := make([]bool, layers)
	for i := range list {
		list[i] = period == 0 || (i+1)%period != 0
	}
	return list
}

func (h *hyper) has(tensor string) bool {
	_, ok := h.file.Tensor(tensor)
	return ok
}

// vocab is the number of rows of the token embedding: the truth that the other places repeat.
func (h *hyper) vocab() int {
	t, ok := h.file.Tensor("token_embd.weight")
	if !ok {
		h.fail("tensor token_embd.weight is missing")
		return 1
	}
	if t.Rows() < 1 || t.Rows() > maxVocab {
		h.fail("tensor token_embd.weight has %d rows", t.Rows())
		return 1
	}
	return int(t.Rows())
}

// checkVocabulary refuses a vocabulary of the wrong types, or one with ids that the embedding has no rows
// for. Fewer tokens than rows is padding.
func (h *hyper) checkVocabulary() {
	m := h.file.Metadata()
	tokens, _, err := m.Strings("tokenizer.ggml.tokens")
	h.note(err)
	_, _, err = m.Strings("tokenizer.ggml.merges")
	h.note(err)
	_, _, err = m.Floats("tokenizer.ggml.scores")
	h.note(err)
	_, _, err = m.Ints("tokenizer.ggml.token_type")
	h.note(err)
	if rows := h.vocab(); len(tokens) > rows {
		h.fail("key tokenizer.ggml.tokens has %d tokens, tensor token_embd.weight %d rows", len(tokens), rows)
	}
}

// refuseExtra refuses a file with a tensor that the program does not use: a bias or a norm left out would
// show in quality alone. Old converters kept tables of the rotary embedding, which say nothing new.
func (h *hyper) refuseExtra(p *engine.Program) error {
	used := map[string]bool{}
	for _, w := range p.Weights {
		used[w.Name] = true
	}
	for _, t := range h.file.Tensors() {
		if !used[t.Name] && !strings.HasSuffix(t.Name, ".attn_rot_embd.weight") && !strings.HasSuffix(t.Name, "rotary_emb.inv_freq") {
			return h.refuse(&engine.UnsupportedError{
				What: "tensor " + t.Name, Reason: "this architecture has no such tensor, or this build does not know its use",
			})
		}
	}
	return nil
}

// refuseExperts names the features that no program states yet.
func (h *hyper) refuseExperts() error {
	n, ok, err := h.file.Metadata().Uint(h.key("expert_count"))
	if err != nil {
		return fmt.Errorf("%w: %w", err, engine.ErrModelFile)
	}
	if ok && n > 0 {
		return h.refuse(&engine.UnsupportedError{
			What: fmt.Sprintf("a mixture of %d experts", n), Reason: "models with experts are not served yet",
		})
	}
	return nil
}
