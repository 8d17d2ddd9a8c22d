package weights

import (
	"encoding/binary"
	"fmt"
	"math"
)

// This file owns dequantisation. The formats are the ggml project's; products are rounded before they
// are added (the explicit float32 conversions keep the compiler from fusing), which the checksums of
// the reference implementations demand.

var iq4Values = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}
var mxfp4Values = [16]float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// blockReader writes one block's values to dst.
type blockReader func(b []byte, dst []float32)

var blockReaders = map[Type]blockReader{
	F32:  func(b []byte, dst []float32) { dst[0] = math.Float32frombits(binary.LittleEndian.Uint32(b)) },
	F16:  func(b []byte, dst []float32) { dst[0] = half(b) },
	BF16: func(b []byte, dst []float32) { dst[0] = BFloatToFloat(binary.LittleEndian.Uint16(b)) },
	Q4_0: readQ4_0, Q4_1: readQ4_1, Q5_0: readQ5_0, Q5_1: readQ5_1, Q8_0: readQ8_0,
	Q2_K: readQ2K, Q3_K: readQ3K, Q4_K: readQ4K, Q5_K: readQ5K, Q6_K: readQ6K,
	IQ4_NL: readIQ4NL, IQ4_XS: readIQ4XS, MXFP4: readMXFP4,
}

// Dequantize writes the values of src, whole blocks of type t, to dst. It fails if t is not one of the
// listed types or the sizes do not fit each other.
func Dequantize(t Type, src []byte, dst []float32) error {
	read, ok := blockReaders[t]
	if !ok {
		return fmt.Errorf("%s can't be dequantised: %w", t, ErrUnsupported)
	}
	values, bytes := t.Block()
	n := uint64(len(src)) / bytes
	if n*bytes != uint64(len(src)) || n*values != uint64(len(dst)) {
		return fmt.Errorf("%s: %d bytes are not the blocks of %d values", t, len(src), len(dst))
	}
	for i := range n {
		read(src[i*bytes:][:bytes], dst[i*values:][:values])
	}
	return nil
}

func half(b []byte) float32 { return HalfToFloat(binary.LittleEndian.Uint16(b)) }

func readQ4_0(b []byte, dst []float32) {
	d := half(b)
	for i, q := range b[2:] {
		dst[i] = float32(int(q&15)-8) * d
		dst[i+16] = float32(int(q>>4)-8) * d
	}
}

func readQ4_1(b []byte, dst []float32) {
	d, m := half(b), half(b[2:])
	for i, q := range b[4:] {
		dst[i] = float32(float32(q&15)*d) + m
		dst[i+16] = float32(float32(q>>4)*d) + m
	}
}

// fifth is bit i of high, as 16.
func fifth(high uint32, i int) int { return int(high>>i&1) << 4 }

func readQ5_0(b []byte, dst []float32) {
	d, high := half(b), binary.LittleEndian.Uint32(b[2:])
	for i, q := range b[6:] {
		dst[i] = float32((int(q&15)|fifth(high, i))-16) * d
		dst[i+16] = float32((int(q>>4)|fifth(high, i+16))-16) * d
	}
}

func readQ5_1(b []byte, dst []float32) {
	d, m, high := half(b), half(b[2:]), binary.LittleEndian.Uint32(b[4:])
	for i, q := range b[8:] {
		dst[i] = float32(float32(int(q&15)|fifth(high, i))*d) + m
		dst[i+16] = float32(float32(int(q>>4)|fifth(high, i+16))*d) + m
	}
}

func readQ8_0(b []byte, dst []float32) {
	d := half(b)
	for i, q := range b[2:] {
		dst[i] = float32(int8(q)) * d
	}
}

func readIQ4NL(b []byte, dst []float32) { through(&iq4Values, half(b), b[2:], dst) }

// through looks nibbles up: value i is the low half of byte i, value i+16 its high half.
func through(table *[16]float32, d float32, q []byte, dst []float32) {
	for i, v := range q {
		dst[i] = d * table[v&15]
		dst[i+16] = d * table[v>>4]
	}
}

// readMXFP4: the scale is 2^(e-128), half of E8M0's, as the table holds doubled values.
func readMXFP4(b []byte, dst []float32) {
	bits := uint32(0x00200000) << min(b[0], 1)
	if b[0] >= 2 {
		bits = uint32(b[0]-1) << 23
	}
	through(&mxfp4Values, math.Float32frombits(bits), b[1:], dst)
}
