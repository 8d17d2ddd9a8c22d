//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"unsafe"

	"chimera/engine"
	"chimera/engine/lowering"
	"chimera/hostmem"
)

// This file owns where things lie in a GPU's memory: every byte is counted before any is taken, by
// carving the same way twice, first without memory.

// arena hands out pieces of one device allocation, front to back, each aligned to 256 bytes, as the
// driver's own allocations are. With base 0 it only adds up.
type arena struct {
	base Pointer
	at   int64
}

const arenaAlign = 256

func (a *arena) take(bytes int64) Pointer {
	p := a.base + Pointer(a.at)
	a.at += (bytes + arenaAlign - 1) / arenaAlign * arenaAlign
	if a.base == 0 {
		return 0
	}
	return p
}

// buffers are the activations, scratch and step arrays of an instance, as device addresses.
type buffers struct {
	values             []Pointer // per value: (MaxTokens or MaxOutputs, width) floats
	q, d, sum, halfSum Pointer   // struct device_acts
	cosines, sines     []Pointer // per rope: (MaxTokens, dim / 2)
	logits             Pointer   // (headRows, vocab)
	scratch            Pointer   // (headRows, sampleScratch)
	partials           Pointer   // (MaxSequences, heads, splits, value_pad + 2)
	ids, sequenceOf    Pointer   // (MaxTokens)
	wholeRow           Pointer   // (MaxOutputs)
	batch              Pointer   // struct device_batch
	mirror             Pointer   // the arrays of a batch, laid out as in pinned memory
	copyPairs          Pointer   // struct copy_pages_args and its pairs
}

// copyPairs is how many pages one launch of copy_pages moves.
const copyPairs = 512

func (l *lowered) blocks() int64 { return int64(l.ActCols+actBlock-1) / actBlock }

func (l *lowered) ropeHalf(i int) int64 { return int64(l.Ropes[i].Dim) / 2 }

// splits is how many attention splits the longest sequence has: what another program wrote may be longer than this
// one's context, the pool bounds it.
func (l *lowered) splits(o engine.LoadOptions) int64 {
	longest := o.MaxContext
	for i, g := range l.Program.Groups {
		if g.Mask == engine.Cross {
			longest = max(longest, o.Pages[i]*engine.PageTokens)
		}
	}
	return int64(longest+C.SPLIT_TOKENS-1) / C.SPLIT_TOKENS
}

// partialFloats is what the splits of one sequence leave of any attention, at most.
func (l *lowered) partialFloats(o engine.LoadOptions) (n int64) {
	for _, ph := range l.Phases {
		if a, ok := ph.Op.(engine.Attend); ok && ph.Kind == lowering.Attend {
			layout := kvLayout(l.Program.Group(a.Group), o.Policy.KV)
			n = max(n, int64(a.Heads)*l.splits(o)*int64(layout.value_pad+2))
		}
	}
	return n
}

func sampleScratch(vocab int) int64 { return int64(C.sample_row_bytes(C.int32_t(vocab))) }

func carveBuffers(a *arena, l *lowered, o engine.LoadOptions) *buffers {
	b := &buffers{}
	tokens, outputs := int64(o.MaxTokens), int64(o.MaxOutputs)
	for _, v := range l.Program.Values {
		b.values = append(b.values, a.take(int64(lowering.RowsOf(v.Rows, o)*v.Width)*4))
	}
	n := max(tokens, outputs, int64(o.MaxSequences)) * l.blocks()
	b.q, b.d, b.sum, b.halfSum = a.take(n*actBlock), a.take(n*4), a.take(n*4), a.take(n*8)
	for i := range l.Ropes {
		half := l.ropeHalf(i) * 4
		b.cosines, b.sines = append(b.cosines, a.take(tokens*half)), append(b.sines, a.take(tokens*half))
	}
	vocab := int64(l.Program.Vocab)
	b.logits, b.scratch = a.take(headRows*vocab*4), a.take(headRows*sampleScratch(l.Program.Vocab))
	b.partials = a.take(int64(o.MaxSequences) * l.partialFloats(o) * 4)
	b.ids, b.sequenceOf, b.wholeRow = a.take(tokens*4), a.take(tokens*4), a.take(outputs*4)
	b.batch = a.take(C.sizeof_struct_device_batch)
	b.mirror = a.take(batchBytes(l.Program, o))
	b.copyPairs = a.take(C.sizeof_struct_copy_pages_args + copyPairs*8)
	return b
}

// weight is where a weight lies: interleaved for products and tables, plain for vectors and learned
// positions, which are read row by row.
type weight struct {
	matrix C.struct_packed // data is set by point
	plain  Pointer
	bytes  int64
}

func carveWeights(a *arena, l *lowered) []weight {
	plain := lowering.PlainWeights(l.Program)
	weights := make([]weight, len(l.Program.Weights))
	for i, w := range l.Program.Weights {
		if plain[i] {
			weights[i].bytes = int64(w.Rows) * int64(w.Cols) * 4
			weights[i].plain = a.take(weights[i].bytes)
			continue
		}
		m := C.struct_packed{form: C.int32_t(C.pack_form(C.uint32_t(l.Tensors[i].Type)))}
		m.rows, m.cols = C.int32_t(w.Rows), C.int32_t(w.Cols)
		m.groups = C.int32_t((w.Rows + group - 1) / group)
		m.group_bytes = C.pack_group_bytes(C.int(m.form), C.int(w.Cols))
		weights[i].bytes = int64(m.groups) * int64(m.group_bytes)
		point(&m.data, a.take(weights[i].bytes))
		weights[i].matrix = m
	}
	return weights
}

// point writes a device address into a C pointer. Such an address means nothing to the host, so it never
// passes through a Go pointer.
func point[T any](field **T, p Pointer) { *(*Pointer)(unsafe.Pointer(field)) = p }

// batchBytes is the size of a batch with its counts, on the host and on the device alike.
func batchBytes(p *engine.Program, o engine.LoadOptions) int64 {
	c := &hostmem.Carver{}
	carveBatch(c, p, o)
	return (c.Need() + arenaAlign - 1) / arenaAlign * arenaAlign
}

func carveBatch(c *hostmem.Carver, p *engine.Program, o engine.LoadOptions) ([]C.struct_step_counts, engine.BatchArrays) {
	return hostmem.Take[C.struct_step_counts](c, 1), lowering.CarveBatch(c, p, o)
}
