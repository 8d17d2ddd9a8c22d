package weights

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// This file owns requantisation of a whole file to F32, F16 or Q8_0.

// fileTypes are the values of general.file_type.
var fileTypes = map[Type]uint64{F32: 0, F16: 1, Q8_0: 7}

// ParseTarget reads the name of a type that Convert writes.
func ParseTarget(name string) (Type, error) {
	for t := range fileTypes {
		if strings.EqualFold(t.String(), name) {
			return t, nil
		}
	}
	return 0, fmt.Errorf("type %q: files can be written as f32, f16 or q8_0", name)
}

// Convert writes src with its matrices as target to path. Vectors stay F32; rows that are no multiple
// of a block become F16. The file appears whole or not at all, also when ctx ends, and never in place of
// src. progress, if not nil, hears after each tensor how many values are done.
func Convert(ctx context.Context, src *File, path string, target Type, progress func(done, total uint64)) error {
	if info, err := os.Stat(path); err == nil && src.holds(info) {
		return fmt.Errorf("writing %s: it is the file that is read: name another", path)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer os.Remove(tmp.Name()) // gone already if all went well
	err = convertTo(untilDone{ctx, tmp}, src, target, progress)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return os.Rename(tmp.Name(), path)
}

// untilDone is a writer that fails when ctx has ended.
type untilDone struct {
	ctx context.Context
	io.Writer
}

func (w untilDone) Write(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.Writer.Write(b)
}

func convertTo(out io.Writer, src *File, target Type, progress func(done, total uint64)) error {
	m := src.metadata.clone()
	m.dropPrefix("split.")
	m.Set("general.file_type", Value{Type: Uint32, Any: fileTypes[target]})
	var total, done uint64
	var tensors []OutTensor
	for _, t := range src.tensors {
		total += t.Values()
		to := targetOf(t, target)
		tensors = append(tensors, OutTensor{Name: t.Name, Type: to, Shape: t.Shape, Write: func(w io.Writer) error {
			err := convertTensor(w, src, t, to)
			done += t.Values()
			if progress != nil {
				progress(done, total)
			}
			return err
		}})
	}
	return WriteFile(out, m, tensors)
}

func (m *Metadata) dropPrefix(prefix string) {
	kept := m.keys[:0:0]
	for _, k := range m.keys {
		if strings.HasPrefix(k, prefix) {
			delete(m.values, k)
		} else {
			kept = append(kept, k)
		}
	}
	m.keys = kept
}

func targetOf(t Tensor, target Type) Type {
	switch _, readable := blockReaders[t.Type]; {
	case !readable:
		return t.Type // integers and the like are copied
	case len(t.Shape) < 2:
		return F32
	case target == Q8_0 && t.Shape[0]%32 != 0:
		return F16
	}
	return target
}

func convertTensor(w io.Writer, src *File, t Tensor, to Type) error {
	var values []float32
	var out []byte
	return src.Pieces(t, func(rows []byte) error {
		if to == t.Type {
			_, err := w.Write(rows)
			return err
		}
		n := len(rows) / int(t.RowBytes()) * int(t.Shape[0])
		values = slices.Grow(values[:0], n)[:n]
		if err := Dequantize(t.Type, rows, values); err != nil {
			return err
		}
		out = Quantize(to, values, out[:0])
		_, err := w.Write(out)
		return err
	})
}

// Quantize appends src as t, one of F32, F16 and Q8_0. Q8_0 takes multiples of 32 values.
func Quantize(t Type, src []float32, dst []byte) []byte {
	switch t {
	case F32:
		for _, x := range src {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(x))
		}
	case F16:
		for _, x := range src {
			dst = binary.LittleEndian.AppendUint16(dst, FloatToHalf(x))
		}
	case Q8_0:
		for ; len(src) >= 32; src = src[32:] {
			dst = appendQ8_0(dst, src[:32])
		}
	}
	return dst
}

// appendQ8_0 rounds half away from zero, as the format's reference implementation does.
func appendQ8_0(dst []byte, block []float32) []byte {
	var amax float32
	for _, x := range block {
		amax = max(amax, float32(math.Abs(float64(x))))
	}
	d := amax / 127
	var inverse float32
	if d != 0 {
		inverse = 1 / d
	}
	dst = binary.LittleEndian.AppendUint16(dst, FloatToHalf(d))
	for _, x := range block {
		dst = append(dst, byte(int8(math.Round(float64(x*inverse)))))
	}
	return dst
}
