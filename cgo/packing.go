package cgo

// #include "pack.h"
import "C"

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"chimera/engine"
	"chimera/engine/lowering"
	"chimera/hostmem"
)

// This file owns the weights' way from their file into packed memory. It is cut into chunks of a few groups of rows, which
// any thread may take in any order: a model of one tensor is packed on all of them, and a load can give way between two.

// packing is a load under way. Each chunk passes through a staging buffer, which stays in the cache of the core that
// fills it, sums it up and packs from it.
type packing struct {
	*lowering.Reader
	packed  []packedWeight
	toucher *toucher
	staging chan []byte // (PieceBytes) each, one per thread that packs
}

// packers is how many threads pack: more than cores would only take more staging.
func packers(threads int) int { return min(threads, runtime.NumCPU()) }

func carveStaging(c *hostmem.Carver, l *lowered, threads int) [][]byte {
	buffers := make([][]byte, packers(threads))
	for i := range buffers {
		buffers[i] = hostmem.Take[byte](c, l.PieceBytes())
	}
	return buffers
}

// loadWeights reads all weights and locks them, as every step reads all of them. What locking is refused is counted by
// hostmem. Locked before, every page would be zeroed first, by one thread.
func (b *Backend) loadWeights(l *lowered, o engine.LoadOptions, from engine.Weights, progress func(done, total int64)) (*weights, error) {
	w, err := newWeights(l, pagesOf(o)...)
	if err != nil {
		return nil, err
	}
	if err := w.pack(b, l, from, progress); err != nil {
		return nil, errors.Join(err, w.free())
	}
	_ = w.region.Lock()
	return w, nil
}

func (w *weights) pack(b *Backend, l *lowered, from engine.Weights, progress func(done, total int64)) error {
	need := &hostmem.Carver{}
	carveStaging(need, l, b.threads)
	region, err := hostmem.Alloc(hostmem.Staging, need.Need())
	if err != nil {
		return err
	}
	buffers := carveStaging(hostmem.NewCarver(region), l, b.threads)
	p := &packing{Reader: l.NewReader(from, progress), packed: w.packed, toucher: newToucher(w.region), staging: make(chan []byte, len(buffers))}
	for _, b := range buffers {
		p.staging <- b
	}
	if err := errors.Join(p.run(&b.queue.gate, len(buffers)), region.Free()); err != nil {
		return err
	}
	w.digest = p.Digest()
	return l.CheckFactors(func(id engine.WeightID) []float32 { return w.packed[id-1].plain })
}

// run packs every chunk on so many threads, as the gate lets them. The first error ends it.
func (p *packing) run(g *gate, threads int) error {
	var next atomic.Int64
	var group sync.WaitGroup
	errs := make(chan error, threads)
	g.begin()
	defer g.done()
	for range threads {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(p.Pieces) {
					return
				}
				if err := p.piece(i, g); err != nil {
					next.Store(int64(len(p.Pieces)))
					errs <- err
					return
				}
			}
		})
	}
	group.Wait()
	close(errs)
	return <-errs
}

// piece reads piece i and packs it, in one chunk; where reading computes, in as many as it takes.
func (p *packing) piece(i int, g *gate) error {
	buffer := <-p.staging
	defer func() { p.staging <- buffer }()
	if !p.Computes(i) {
		return g.run(func() error {
			rows, err := p.Read(i, buffer)
			if err != nil {
				return err
			}
			p.put(i, rows, g.serving())
			return nil
		})
	}
	rows, err := p.ReadParts(i, buffer, g.run)
	if err != nil {
		return err
	}
	return g.run(func() error {
		p.put(i, rows, g.serving())
		return nil
	})
}

// put packs the rows of piece i, beside steps or alone.
func (p *packing) put(i int, rows []byte, besideSteps bool) {
	piece := p.Pieces[i]
	if besideSteps {
		p.touch(piece)
	}
	t, to := p.Tensor(piece.Weight), &p.packed[piece.Weight-1]
	source, rowBytes := (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(rows))), C.int64_t(t.RowBytes)
	if to.plain == nil {
		C.pack_groups(&to.matrix, source, rowBytes, C.int(piece.First/group), C.int(padded(piece.Rows)/group))
		return
	}
	from, end := p.Part(piece.Weight)
	values := make([]float32, t.Cols)
	for row := range piece.Rows {
		C.plain_row(C.uint32_t(t.Type), (*C.uint8_t)(unsafe.Pointer(&rows[row*t.RowBytes])), C.int(t.Cols), floats(values))
		copy(to.plain[(piece.First+row)*(end-from):], values[from:end])
	}
}

// touch has the memory given that a piece is packed into. Plain weights are too small to matter.
func (p *packing) touch(piece lowering.Piece) {
	to := &p.packed[piece.Weight-1].matrix
	if to.data == nil {
		return
	}
	groupBytes := uintptr(to.group_bytes)
	from := uintptr(unsafe.Pointer(to.data)) - uintptr(p.toucher.region.Pointer()) + uintptr(piece.First/group)*groupBytes
	p.toucher.touch(from, from+uintptr(padded(piece.Rows)/group)*groupBytes)
}
