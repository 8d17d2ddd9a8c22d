//go:build cuda

package cuda

// #include <stdlib.h>
// #include "layout.h"
import "C"

import (
	"unsafe"

	"gorgonia.org/cu"

	"chimera/engine"
)

// This file owns the weights' way to the device: blocks go in as the file has them and are interleaved there;
// vectors are turned to floats on the way.

// upload moves all weights and gives the file's pages back as they are done with.
func (in *instance) upload(w engine.Weights) error {
	s, err := newStager(in.device, in.longest())
	if err != nil {
		return err
	}
	var total, done int64
	for _, to := range in.weights {
		total += to.bytes
	}
	for i, to := range in.weights {
		if err = in.uploadOne(s, w, i); err != nil {
			break
		}
		if done += to.bytes; in.options.Progress != nil {
			in.options.Progress(done, total)
		}
	}
	for i := 0; err == nil && i < len(in.Ropes); i++ {
		err = in.uploadFrequencies(s, w, i)
	}
	if err == nil {
		err = s.finish()
	}
	for _, weight := range in.Program.Weights {
		w.Release(weight.Name)
	}
	return oneCause(err, s.close())
}

// longest is what the longest weight takes in the staging ring: whole groups of rows, of no wider type than float.
func (l *lowered) longest() (bytes int64) {
	for _, w := range l.Program.Weights {
		groups := (int64(w.Rows) + group - 1) / group
		bytes = max(bytes, groups*group*int64(w.Cols)*4)
	}
	return bytes
}

func (in *instance) uploadOne(s *stager, w engine.Weights, i int) error {
	source, to := in.Program.Weights[i], in.weights[i]
	if to.plain != 0 {
		values, err := plainValues(w, source)
		if err != nil {
			return err
		}
		return sendFloats(s, to.plain, values)
	}
	t, err := w.Tensor(source.Name)
	if err != nil {
		return err
	}
	rowBytes := int64(len(t.Data)) / int64(t.Rows)
	data := t.Data[int64(source.FirstRow)*rowBytes:][:int64(source.Rows)*rowBytes]
	return s.send(transfer{
		bytes: int64(len(data)), unit: group * rowBytes,
		fill: func(dst []byte, offset int64) error {
			copy(dst, data[offset:])
			return nil
		},
		arguments: func(c chunk, dst []byte) { repackArguments(to.matrix, t.Type, rowBytes, c, dst) },
		each: func(c chunk, stream cu.Stream) error {
			groups := int((c.bytes + group*rowBytes - 1) / (group * rowBytes))
			return in.device.launch(in.functions["repack"], grid{groups, 1, 1}, grid{256, 1, 1}, stream, c.arguments)
		},
	})
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

// plainValues are a vector's elements from FirstRow on, or a matrix's rows.
func plainValues(w engine.Weights, source engine.Weight) ([]float32, error) {
	t, err := w.Tensor(source.Name)
	if err != nil {
		return nil, err
	}
	if source.Rows > 1 || t.Rows > 1 {
		values := make([]float32, source.Rows*source.Cols)
		return values, w.Dequantize(source.Name, source.FirstRow, source.Rows, values)
	}
	whole := make([]float32, t.Cols)
	err = w.Dequantize(source.Name, 0, 1, whole)
	return whole[source.FirstRow:][:source.Cols], err
}

func sendFloats(s *stager, to Pointer, values []float32) error {
	bytes := bytesOf(values)
	return s.upload(to, int64(len(bytes)), func(dst []byte, offset int64) error {
		copy(dst, bytes[offset:])
		return nil
	})
}

// uploadFrequencies makes a rope's frequencies, in double precision as the CPU backend does.
func (in *instance) uploadFrequencies(s *stager, w engine.Weights, i int) error {
	r := in.Ropes[i]
	scaling := C.struct_rope_scaling{
		base: C.double(r.Base), scale: C.double(r.Scale), extension: C.double(r.Extension),
		low: C.double(r.Low), high: C.double(r.High),
	}
	if r.Factors != engine.NoWeight {
		factors, err := plainValues(w, in.Program.Weight(r.Factors))
		if err != nil {
			return err
		}
		c := C.CBytes(bytesOf(factors)) // scaling may not hold a Go pointer
		defer C.free(c)
		scaling.factors = (*C.float)(c)
	}
	frequency := make([]float32, r.Dim/2)
	C.rope_frequencies(&scaling, C.int(r.Dim), (*C.float)(unsafe.Pointer(&frequency[0])))
	return sendFloats(s, in.buffers.frequencies[i], frequency)
}
