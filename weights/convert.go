package weights

import (
	"encoding/binary"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// This file owns rewriting a whole file with its tensors in other types; conversion.go says which.

// Convert writes src to w with its tensors in the types that c asks for. A value that is not finite ends it.
func Convert(w io.Writer, src *File, c Conversion) error {
	types, err := c.types(src)
	if err != nil {
		return err
	}
	m := src.metadata.clone()
	m.dropPrefix("split.")
	describeTypes(m, src.tensors, types)
	var total, done uint64
	var tensors []OutTensor
	for i, t := range src.tensors {
		total += t.Values()
		tensors = append(tensors, OutTensor{Name: t.Name, Type: types[i], Shape: t.Shape, Write: func(w io.Writer) error {
			err := c.tensor(w, src, t, types[i])
			done += t.Values()
			if c.Progress != nil {
				c.Progress(done, total)
			}
			return err
		}})
	}
	return WriteFile(w, m, tensors)
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

// fileTypes are the values of general.file_type for files whose matrices are mostly of a type.
var fileTypes = map[Type]uint64{
	F32: 0, F16: 1, Q4_0: 2, Q4_1: 3, Q8_0: 7, Q5_0: 8, Q5_1: 9, Q2_K: 10, Q3_K: 12, Q4_K: 15, Q5_K: 17, Q6_K: 18,
	IQ4_NL: 25, IQ4_XS: 30, BF16: 32, MXFP4: 38,
}

// quantizationVersion is that of the formats of blocks, as general.quantization_version gives it.
const quantizationVersion = 2

// describeTypes states in the metadata what the tensors are: the type of most values of matrices, and the version of the
// blocks' formats where there are blocks.
func describeTypes(m *Metadata, tensors []Tensor, types []Type) {
	const fileType, version = "general.file_type", "general.quantization_version"
	values, most, blocks := map[Type]uint64{}, F32, false
	for i, t := range tensors {
		if len(t.Shape) < 2 {
			continue
		}
		values[types[i]] += t.Values()
		if n := values[types[i]]; n > values[most] || n == values[most] && types[i] > most {
			most = types[i]
		}
		size, _ := types[i].Block()
		blocks = blocks || size > 1
	}
	if n, ok := fileTypes[most]; ok {
		m.Set(fileType, Value{Type: Uint32, Any: n})
	} else {
		m.dropPrefix(fileType)
	}
	if blocks {
		m.Set(version, Value{Type: Uint32, Any: uint64(quantizationVersion)})
	} else {
		m.dropPrefix(version)
	}
}

func (c *Conversion) tensor(w io.Writer, src *File, t Tensor, to Type) error {
	var values []float32
	var out []byte
	return src.finitePieces(t, func(rows []byte) error {
		if to == t.Type {
			_, err := w.Write(rows)
			return err
		}
		values = t.values(rows, values)
		if err := Dequantize(t.Type, rows, values); err != nil {
			return err
		}
		bytes := len(values) / int(t.Shape[0]) * int(Tensor{Type: to, Shape: t.Shape}.RowBytes())
		out = slices.Grow(out[:0], bytes)[:bytes]
		if err := c.quantize(out, to, values, int(t.Shape[0])); err != nil {
			return err
		}
		_, err := w.Write(out)
		return err
	})
}

// quantize shares rows out among the processors: a search takes ten times as long as reading what it is for.
func (c *Conversion) quantize(dst []byte, to Type, src []float32, columns int) error {
	rows := len(src) / columns
	each := (rows + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
	rowBytes := len(dst) / rows
	errs := make(chan error, rows)
	var group sync.WaitGroup
	for first := 0; first < rows; first += each {
		last := min(first+each, rows)
		group.Go(func() {
			errs <- c.Search.Quantize(dst[first*rowBytes:last*rowBytes], to, src[first*columns:last*columns], columns)
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// values is room for those of whole rows, in the memory of what is used no more.
func (t Tensor) values(rows []byte, used []float32) []float32 {
	n := len(rows) / int(t.RowBytes()) * int(t.Shape[0])
	return slices.Grow(used[:0], n)[:n]
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
	d := Magnitude(block) / 127
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

// Magnitude is the largest of the absolute values.
func Magnitude(x []float32) (most float32) {
	for _, v := range x {
		most = max(most, float32(math.Abs(float64(v))))
	}
	return most
}
