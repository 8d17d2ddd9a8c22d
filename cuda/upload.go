//go:build cuda

package cuda

// #include <stdlib.h>
// #include "layout.h"
import "C"

import (
	"runtime"
	"slices"
	"sync"
	"unsafe"

	"gorgonia.org/cu"

	"chimera/engine"
	"chimera/engine/lowering"
)

// This file owns the weights' way to the device: blocks are read from the file straight into the staging ring and go in as they
// are, to be interleaved there; vectors are turned to floats on the way.

// uploading is a load under way.
type uploading struct {
	*lowering.Reader
	in      *instance
	to      *generation
	ring    *stager
	factors map[engine.WeightID][]float32 // of ropes, whose frequencies are made here
}

// upload moves all weights of a generation, and its launches' structs.
func (in *instance) upload(g *generation, w engine.Weights, progress func(done, total int64)) error {
	s, err := newStager(in.device, g.longest())
	if err != nil {
		return err
	}
	u := &uploading{Reader: g.NewReader(w, progress), in: in, to: g, ring: s, factors: map[engine.WeightID][]float32{}}
	for i := 0; err == nil && i < len(g.weights); i++ {
		err = u.weight(engine.WeightID(i + 1))
	}
	for i := 0; err == nil && i < len(g.Ropes); i++ {
		err = u.frequencies(i)
	}
	if err == nil {
		err = u.phases()
	}
	if err == nil {
		err = s.finish()
	}
	if err == nil {
		g.digest = u.Digest()
	}
	return oneCause(err, s.close())
}

// longest is what the longest transfer takes in the staging ring: of a weight whole groups of rows, of no wider type than float.
func (l *lowered) longest() (bytes int64) {
	bytes = C.sizeof_struct_phase
	for _, w := range l.Program.Weights {
		groups := (int64(w.Rows) + group - 1) / group
		bytes = max(bytes, groups*group*int64(w.Cols)*4)
	}
	return bytes
}

func (u *uploading) weight(id engine.WeightID) error {
	if to := u.to.weights[id-1]; to.plain == 0 {
		return u.matrix(id, to.matrix)
	}
	return u.plain(id, u.to.weights[id-1].plain)
}

// matrix sends blocks in chunks of whole pieces.
func (u *uploading) matrix(id engine.WeightID, to C.struct_packed) error {
	first, _ := u.PiecesOf(id)
	t := u.Tensor(id)
	rowBytes, piece := int64(t.RowBytes), int64(u.Pieces[first].Rows)*int64(t.RowBytes)
	return u.ring.send(transfer{
		bytes: int64(u.Program.Weight(id).Rows) * rowBytes, unit: piece,
		fill:      func(dst []byte, offset int64) error { return u.read(first+int(offset/piece), dst, int(piece)) },
		arguments: func(c chunk, dst []byte) { repackArguments(to, t.Type, rowBytes, c, dst) },
		each: func(c chunk, stream cu.Stream) error {
			groups := int((c.bytes + group*rowBytes - 1) / (group * rowBytes))
			return u.in.device.launch(u.in.functions["repack"], grid{groups, 1, 1}, grid{256, 1, 1}, stream, c.arguments)
		},
	})
}

// read fills dst with pieces of that size from the first on, several at a time: one thread sums up more slowly than a
// bus copies.
func (u *uploading) read(first int, dst []byte, size int) error {
	var group sync.WaitGroup
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	errs := make([]error, (len(dst)+size-1)/size)
	for i := range errs {
		free <- struct{}{}
		group.Go(func() {
			_, errs[i] = u.Read(first+i, dst[i*size:])
			<-free
		})
	}
	group.Wait()
	if failed := slices.IndexFunc(errs, func(err error) bool { return err != nil }); failed >= 0 {
		return errs[failed]
	}
	return nil
}

// repackArguments writes a struct repack_args into the staging buffer, before the rows it is about.
func repackArguments(to C.struct_packed, t engine.DType, rowBytes int64, c chunk, dst []byte) {
	a := (*C.struct_repack_args)(unsafe.Pointer(&dst[0]))
	*a = C.struct_repack_args{to: to, row_bytes: C.int64_t(rowBytes), _type: C.uint32_t(t)}
	rows := c.bytes / rowBytes
	a.first_group, a.rows = C.int32_t(c.offset/(group*rowBytes)), C.int32_t(rows)
	a.groups = C.int32_t((rows + group - 1) / group)
	point(&a.from, c.data)
}

// plain sends floats, piece by piece.
func (u *uploading) plain(id engine.WeightID, to Pointer) error {
	first, end := u.PiecesOf(id)
	for i := first; i < end; i++ {
		values, err := u.values(i)
		if err == nil {
			err = sendFloats(u.ring, to, values)
		}
		if err != nil {
			return err
		}
		to += Pointer(4 * len(values))
		if slices.ContainsFunc(u.Ropes, func(r engine.Rope) bool { return r.Factors == id }) {
			u.factors[id] = append(u.factors[id], values...)
		}
	}
	return nil
}

// values are a piece's elements as floats.
func (u *uploading) values(i int) ([]float32, error) {
	piece := u.Pieces[i]
	t := u.Tensor(piece.Weight)
	rows, err := u.Read(i, make([]byte, piece.Rows*t.RowBytes))
	if err != nil {
		return nil, err
	}
	from, to := u.Part(piece.Weight)
	row, values := make([]float32, t.Cols), make([]float32, 0, piece.Rows*(to-from))
	for r := range piece.Rows {
		C.plain_row(C.uint32_t(t.Type), (*C.uint8_t)(unsafe.Pointer(&rows[r*t.RowBytes])), C.int(t.Cols), (*C.float)(unsafe.Pointer(&row[0])))
		values = append(values, row[from:to]...)
	}
	return values, nil
}

func sendFloats(s *stager, to Pointer, values []float32) error {
	bytes := bytesOf(values)
	return s.upload(to, int64(len(bytes)), func(dst []byte, offset int64) error {
		copy(dst, bytes[offset:])
		return nil
	})
}

// frequencies makes a rope's, in double precision as the CPU backend does.
func (u *uploading) frequencies(i int) error {
	r := u.Ropes[i]
	scaling := C.struct_rope_scaling{
		base: C.double(r.Base), scale: C.double(r.Scale), extension: C.double(r.Extension),
		low: C.double(r.Low), high: C.double(r.High),
	}
	if err := u.CheckFactors(func(id engine.WeightID) []float32 { return u.factors[id] }); err != nil {
		return err
	}
	if r.Factors != engine.NoWeight {
		c := C.CBytes(bytesOf(u.factors[r.Factors])) // scaling may not hold a Go pointer
		defer C.free(c)
		scaling.factors = (*C.float)(c)
	}
	frequency := make([]float32, r.Dim/2)
	C.rope_frequencies(&scaling, C.int(r.Dim), (*C.float)(unsafe.Pointer(&frequency[0])))
	return sendFloats(u.ring, u.to.frequencies[i], frequency)
}

// phases writes the launches' structs, whole ones to a chunk. They are full of device addresses, which must not lie on
// the Go heap.
func (u *uploading) phases() error {
	f := u.in.filler(u.to)
	return u.ring.send(transfer{
		bytes: int64(len(u.to.launches)) * C.sizeof_struct_phase, unit: C.sizeof_struct_phase, to: u.to.phases,
		fill: func(dst []byte, offset int64) error {
			first := int(offset / C.sizeof_struct_phase)
			for i := range len(dst) / C.sizeof_struct_phase {
				c := (*C.struct_phase)(unsafe.Pointer(&dst[i*C.sizeof_struct_phase]))
				*c = C.struct_phase{}
				point(&c.batch, f.buffers.batch)
				u.to.launches[first+i].fill(c)
			}
			return nil
		},
	})
}
