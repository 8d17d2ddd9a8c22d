package cgo

// #include "pack.h"
import "C"

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"chimera/engine"
)

// This file owns the weights' way from their file into packed memory.

// packGroups is how many groups of 16 rows a chunk packs.
const packGroups = 4

// pack interleaves the weights, one tensor per goroutine at a time.
func (w *weights) pack(b *Backend, l *lowered, from engine.Weights, progress func(done, total int64)) error {
	var total, done atomic.Int64
	for _, p := range w.packed {
		total.Add(p.bytes())
	}
	tasks := make(chan int)
	errs := make(chan error, len(w.packed))
	var group sync.WaitGroup
	for range min(b.threads, runtime.NumCPU()) {
		group.Go(func() {
			for i := range tasks {
				if err := w.packOne(b, l, from, i); err != nil {
					errs <- err
				}
				n := done.Add(w.packed[i].bytes())
				if progress != nil {
					progress(n, total.Load())
				}
			}
		})
	}
	for i := range w.packed {
		tasks <- i
	}
	close(tasks)
	group.Wait()
	for _, weight := range l.Program.Weights {
		from.Release(weight.Name)
	}
	close(errs)
	return <-errs
}

func (w *weights) packOne(b *Backend, l *lowered, from engine.Weights, i int) error {
	weight, packed := l.Program.Weights[i], w.packed[i]
	if packed.plain != nil {
		return b.queue.gate.run(func() error { return copyPlain(from, weight, packed.plain) })
	}
	t, err := from.Tensor(weight.Name)
	if err != nil {
		return err
	}
	rowBytes := int64(len(t.Data)) / int64(t.Rows)
	src := t.Data[int64(weight.FirstRow)*rowBytes:][:int64(weight.Rows)*rowBytes]
	for g := 0; g < int(packed.matrix.groups); g += packGroups {
		_ = b.queue.gate.run(func() error {
			n := min(packGroups, int(packed.matrix.groups)-g)
			C.pack_groups(&packed.matrix, C.uint32_t(t.Type), (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(src))),
				C.int64_t(rowBytes), C.int(g), C.int(n))
			return nil
		})
	}
	return nil
}

// copyPlain dequantises a vector (FirstRow counts its elements) or the rows of a plain matrix.
func copyPlain(w engine.Weights, weight engine.Weight, dst []float32) error {
	t, err := w.Tensor(weight.Name)
	if err != nil {
		return err
	}
	if weight.Rows > 1 || t.Rows > 1 {
		return w.Dequantize(weight.Name, weight.FirstRow, weight.Rows, dst)
	}
	whole := make([]float32, t.Cols)
	if err := w.Dequantize(weight.Name, 0, 1, whole); err != nil {
		return err
	}
	copy(dst, whole[weight.FirstRow:])
	return nil
}
