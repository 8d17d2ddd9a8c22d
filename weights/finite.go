package weights

import (
	"encoding/binary"
	"fmt"
)

// This file owns finding values that are no numbers. One NaN or infinity among a model's weights makes every logit one,
// so a file that holds any is refused where it is read to be computed with.

// lanes are the floats of a type in eight bytes: the bits of their exponents, and of the lowest of each. An exponent of
// ones, and no other, carries into the sign's place, which is free, when the lowest bit is added.
type lanes struct{ exponents, lowest uint64 }

const signs16, signs32 = 0x8000_8000_8000_8000, 0x8000_0000_8000_0000

var floatLanes = map[Type]lanes{
	F32:  {0x7f80_0000_7f80_0000, 0x0080_0000_0080_0000},
	F16:  {0x7c00_7c00_7c00_7c00, 0x0400_0400_0400_0400},
	BF16: {0x7f80_7f80_7f80_7f80, 0x0080_0080_0080_0080},
}

// scaleHalves are where the scales and minimums of a block stand, each a half. All else of a block are integers,
// whose products with finite halves are finite.
var scaleHalves = map[Type][]int{
	Q4_0: {0}, Q4_1: {0, 2}, Q5_0: {0}, Q5_1: {0, 2}, Q8_0: {0}, IQ4_NL: {0}, IQ4_XS: {0},
	Q2_K: {80, 82}, Q3_K: {108}, Q4_K: {0, 2}, Q5_K: {0, 2}, Q6_K: {208},
}

// notFinite returns the first value of whole rows that is not finite, or of the first block that holds one. Types that
// can't be dequantised have none that is known.
func notFinite(t Type, rows []byte) (value uint64, found bool) {
	if l, ok := floatLanes[t]; ok {
		return l.notFinite(t, rows)
	}
	values, bytes := t.Block()
	halves, mxfp4 := scaleHalves[t], t == MXFP4
	if halves == nil && !mxfp4 {
		return 0, false
	}
	for at := uint64(0); at < uint64(len(rows)); at += bytes {
		block := rows[at:][:bytes]
		for _, h := range halves {
			if block[h+1]&0x7c == 0x7c {
				return at / bytes * values, true
			}
		}
		if mxfp4 && overflowsMXFP4(block) {
			return at / bytes * values, true
		}
	}
	return 0, false
}

func (l lanes) notFinite(t Type, rows []byte) (value uint64, found bool) {
	_, bytes := t.Block()
	signs := uint64(signs16)
	if t == F32 {
		signs = signs32
	}
	at := 0
	for ; at+8 <= len(rows); at += 8 {
		if (binary.LittleEndian.Uint64(rows[at:])&l.exponents+l.lowest)&signs != 0 {
			break
		}
	}
	var one [8]byte
	for ; at < len(rows); at += int(bytes) { // in the last bytes, or those where one was found
		copy(one[:bytes], rows[at:])
		if (binary.LittleEndian.Uint64(one[:])&l.exponents+l.lowest)&signs&(1<<(8*bytes)-1) != 0 {
			return uint64(at) / bytes, true
		}
	}
	return 0, false
}

// overflowsMXFP4 tells whether a block's scale is the format's NaN, or so large that a value of it is infinite.
func overflowsMXFP4(block []byte) bool {
	const nan, large = 255, 253 // 12 x 2^(253-128) is infinite, the largest below it is not
	if block[0] < large {
		return false
	}
	var values [32]float32
	readMXFP4(block, values[:])
	for _, x := range values {
		if x-x != 0 {
			return true
		}
	}
	return block[0] == nan
}

// ReadFinite is Read for values that are computed with: those that are not finite give a *FormatError that names the
// tensor and where in it they are.
func (f *File) ReadFinite(t Tensor, firstRow uint64, dst []byte) error {
	if err := f.Read(t, firstRow, dst); err != nil {
		return err
	}
	return f.checkFinite(t, firstRow, dst)
}

// finitePieces is Pieces with ReadFinite's check.
func (f *File) finitePieces(t Tensor, use func(rows []byte) error) error {
	row := uint64(0)
	return f.Pieces(t, func(rows []byte) error {
		if err := f.checkFinite(t, row, rows); err != nil {
			return err
		}
		row += uint64(len(rows)) / t.RowBytes()
		return use(rows)
	})
}

func (f *File) checkFinite(t Tensor, firstRow uint64, rows []byte) error {
	value, found := notFinite(t.Type, rows)
	if !found {
		return nil
	}
	what := "is NaN or infinite"
	if values, _ := t.Type.Block(); values > 1 {
		what = fmt.Sprintf("begins a block of %s whose scale or minimum is NaN or infinite", t.Type)
	}
	return &FormatError{
		File: f.shards[t.shard].path, Field: "tensor " + t.Name, Kind: ErrMalformed,
		Reason: fmt.Sprintf("value %d of row %d %s: the file is damaged, or its model diverged in training", value%t.Shape[0], firstRow+value/t.Shape[0], what),
	}
}
