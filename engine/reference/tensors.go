package reference

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	"chimera/engine"
	"chimera/weights"
)

// This file owns tensors in memory, of random numbers in each format.

// Tensors are weights in memory; they implement engine.Weights.
type Tensors map[string]memoryTensor

type memoryTensor struct {
	engine.Tensor
	data            []byte // (Rows, RowBytes)
	mean, deviation float64
}

// Tensor returns the named tensor.
func (w Tensors) Tensor(name string) (engine.Tensor, error) {
	t, ok := w[name]
	if !ok {
		return engine.Tensor{}, fmt.Errorf("no tensor %s", name)
	}
	return t.Tensor, nil
}

// Has tells whether the tensor exists.
func (w Tensors) Has(name string) bool { _, ok := w[name]; return ok }

// Read copies rows.
func (w Tensors) Read(name string, firstRow int, dst []byte) error {
	t := w[name]
	if n := copy(dst, t.data[firstRow*t.RowBytes:]); n < len(dst) {
		return fmt.Errorf("tensor %s ends after %d of %d bytes", name, n, len(dst))
	}
	return nil
}

// Ahead does nothing: the tensors are there.
func (w Tensors) Ahead(string, int, int) {}

// format is what must be known of a type to make random blocks of it: all bits are random, but that its scales
// have one size and their products with the integers are centred.
type format struct {
	dtype engine.DType
	scale int     // where a block's scale stands, a half; none in floats
	low   int     // where its minimum's scale stands, 0: none
	ratio float64 // of that to the scale, so that the mean is near 0
	rms   float64 // of the values, for a scale of 1
}

// formats are those with blocks; rms and ratio follow from all integers and sub-scales being equally likely.
var formats = []format{
	{engine.Q4_0, 0, 0, 0, 4.6}, {engine.Q4_1, 0, 2, -7.5, 4.6}, {engine.Q5_0, 0, 0, 0, 9.2}, {engine.Q5_1, 0, 2, -15.5, 9.2},
	{engine.Q8_0, 0, 0, 0, 74}, {engine.IQ4_NL, 0, 0, 0, 66}, {engine.MXFP4, -1, 0, 0, 5.8},
	{engine.Q2_K, 80, 82, 1.5, 15}, {engine.Q3_K, 108, 0, 0, 42}, {engine.Q4_K, 0, 2, 7.5, 240}, {engine.Q5_K, 0, 2, 15.5, 490},
	{engine.Q6_K, 208, 0, 0, 1370}, {engine.IQ4_XS, 0, 0, 0, 1200},
}

// add makes a tensor of random values around mean with a deviation.
func (w Tensors) add(r *rand.Rand, name string, t engine.DType, rows, cols int, mean, deviation float64) {
	data := make([]byte, 0, rows*cols)
	for _, f := range formats {
		if f.dtype != t {
			continue
		}
		values, bytes := weights.Type(t).Block()
		for range rows * cols / int(values) {
			data = f.appendBlock(data, r, int(bytes), deviation)
		}
	}
	for range rows * cols {
		x := float32(mean + deviation*r.NormFloat64())
		switch t {
		case engine.F32:
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
		case engine.F16:
			data = binary.LittleEndian.AppendUint16(data, weights.FloatToHalf(x))
		case engine.BF16:
			data = binary.LittleEndian.AppendUint16(data, uint16(math.Float32bits(x)>>16))
		}
	}
	w[name] = memoryTensor{engine.Tensor{Name: name, Type: t, Rows: rows, Cols: cols, RowBytes: len(data) / rows}, data, mean, deviation}
}

func (f format) appendBlock(data []byte, r *rand.Rand, bytes int, deviation float64) []byte {
	from := len(data)
	for range bytes {
		data = append(data, byte(r.Uint32()))
	}
	b, d := data[from:], deviation/f.rms*(0.8+0.4*r.Float64())
	if f.scale < 0 { // MXFP4's scale is a power of two
		b[0] = byte(128 + math.Round(math.Log2(d)))
		return data
	}
	binary.LittleEndian.PutUint16(b[f.scale:], weights.FloatToHalf(float32(d)))
	if f.low > 0 {
		binary.LittleEndian.PutUint16(b[f.low:], weights.FloatToHalf(float32(d*f.ratio)))
	}
	return data
}

// typesFor lists the types that rows of so many columns may have.
func typesFor(cols int, floats bool) []engine.DType {
	types := []engine.DType{engine.F32, engine.F16, engine.BF16}
	for _, f := range formats {
		if values, _ := weights.Type(f.dtype).Block(); !floats && cols%int(values) == 0 {
			types = append(types, f.dtype)
		}
	}
	return types
}
