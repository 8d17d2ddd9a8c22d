package weights

import "math"

// This file owns the 16-bit floats.

// HalfToFloat widens an IEEE half.
func HalfToFloat(h uint16) float32 {
	sign, exponent, mantissa := uint32(h&0x8000)<<16, uint32(h>>10&31), uint32(h&0x3ff)
	switch exponent {
	case 0:
		f := float32(mantissa) * (1.0 / (1 << 24)) // exact
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		if mantissa != 0 {
			mantissa |= 0x200 // a NaN turns quiet, as the processor's conversion does
		}
		return math.Float32frombits(sign | 0x7f800000 | mantissa<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | mantissa<<13)
}

// FloatToHalf rounds to nearest even; too large becomes infinity.
func FloatToHalf(f float32) uint16 {
	u := math.Float32bits(f)
	sign, a := uint16(u>>16&0x8000), u&0x7fffffff
	switch {
	case a > 0x7f800000:
		return sign | 0x7e00 | uint16(a>>13&0x3ff)
	case a >= 0x47800000:
		return sign | 0x7c00
	case a < 0x38800000: // a subnormal: adding 0.5 rounds at 2^-24
		return sign | uint16(math.Float32bits(math.Float32frombits(a)+0.5)-0x3f000000)
	}
	a += 0xfff + a>>13&1
	return sign | uint16((a-0x38000000)>>13)
}

// BFloatToFloat widens a bfloat16.
func BFloatToFloat(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }
