package weights

// This file owns the K formats: 256 values to a block, in sub-blocks of 16 or 32 with scales of their
// own.

// readQ2K: scales[16] (scale low, minimum high), qs[64] of two bits, d, dmin.
func readQ2K(b []byte, dst []float32) {
	d, dmin := half(b[80:]), half(b[82:])
	for part := range 8 {
		q, shift := b[16+part/4*32:], part%4*2
		for i := range 32 {
			s := b[part*2+i/16]
			scale, minimum := d*float32(s&15), dmin*float32(s>>4)
			dst[part*32+i] = float32(scale*float32(q[i]>>shift&3)) - minimum
		}
	}
}

// sixBits is scale i of the 16 that Q3_K packs in 12 bytes: four low bits, then two high ones.
func sixBits(p []byte, i int) int {
	low := p[i%8]
	if i >= 8 {
		low >>= 4
	}
	return int(low&15 | p[8+i%4]>>(i/4*2)&3<<4)
}

// readQ3K: hmask[32], qs[64], scales[12], d; a clear mask bit means 4 less.
func readQ3K(b []byte, dst []float32) {
	d := half(b[108:])
	for part := range 8 {
		q, shift := b[32+part/4*32:], part%4*2
		for i := range 32 {
			v := int(q[i] >> shift & 3)
			if b[i]>>part&1 == 0 {
				v -= 4
			}
			scale := d * float32(sixBits(b[96:], part*2+i/16)-32)
			dst[part*32+i] = scale * float32(v)
		}
	}
}

// scaleMin is pair i of the eight six-bit scales and minimums that Q4_K and Q5_K pack in 12 bytes.
func scaleMin(p []byte, i int) (scale, minimum float32) {
	if i < 4 {
		return float32(p[i] & 63), float32(p[i+4] & 63)
	}
	return float32(p[i+4]&15 | p[i-4]>>6<<4), float32(p[i+4]>>4 | p[i]>>6<<4)
}

// readQ4K: d, dmin, scales[12], qs[128]: 32 low nibbles, then the 32 high ones.
func readQ4K(b []byte, dst []float32) {
	d, dmin := half(b), half(b[2:])
	for part := range 8 {
		s, m := scaleMin(b[4:], part)
		scale, minimum := d*s, dmin*m
		for i, q := range b[16+part/2*32:][:32] {
			dst[part*32+i] = float32(scale*float32(q>>(part%2*4)&15)) - minimum
		}
	}
}

// readQ5K is Q4_K with qh[32] before qs: bit `part` of byte i is value i's fifth.
func readQ5K(b []byte, dst []float32) {
	d, dmin := half(b), half(b[2:])
	for part := range 8 {
		s, m := scaleMin(b[4:], part)
		scale, minimum := d*s, dmin*m
		for i, q := range b[48+part/2*32:][:32] {
			v := q>>(part%2*4)&15 | b[16+i]>>part&1<<4
			dst[part*32+i] = float32(scale*float32(v)) - minimum
		}
	}
}

// readQ6K: ql[128], qh[64], scales[16] int8, d.
func readQ6K(b []byte, dst []float32) {
	d := half(b[208:])
	for part := range 8 {
		low, high := b[part/4*64+part%2*32:], b[128+part/4*32:]
		for i := range 32 {
			v := int(low[i]>>(part/2%2*4)&15|high[i]>>(part%4*2)&3<<4) - 32
			scale := d * float32(int8(b[192+part*2+i/16]))
			dst[part*32+i] = scale * float32(v)
		}
	}
}

// readIQ4XS: d, scales_h (16 bits), scales_l[4], qs[128] through the table of IQ4_NL.
func readIQ4XS(b []byte, dst []float32) {
	d, high := half(b), int(b[2])|int(b[3])<<8
	for part := range 8 {
		s := int(b[4+part/2]>>(part%2*4)&15) | high>>(part*2)&3<<4
		through(&iq4Values, d*float32(s-32), b[8+part*16:][:16], dst[part*32:])
	}
}
