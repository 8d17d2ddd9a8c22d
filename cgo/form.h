/* form.h owns the forms of packed weights: what of a GGUF type is kept, and where in a packed group it lies.
 *
 * Sixteen rows are packed side by side. A form keeps the file's information and no more, since a token reads every
 * weight: 2.6 to 8.5 bits of each, up to 4% more than the file has, for scales of 6 bits that are kept in bytes. Scales
 * are multiplied out where they are used: a half times a number of 8 bits is exact in a float, so the product is the
 * number that the file's format defines.
 *
 * A quantised value is w = d * (code - centre) (+ m), or d * table[code]. Codes lie in planes, their low 2, 4 or 8 bits
 * apart from the 1 or 2 above: a plane of n bits is vectors of 64 bytes, each byte of which has 8/n codes of a lane.
 * Byte j of lane i has the codes of inputs j, 4 + j, 8 + j ... of the vector's, the first in its lowest bits, so that a
 * step of four inputs is a shift and a mask.
 *
 *     block of 32 inputs:    scales, minimums, low plane [low * 64], high plane [high * 64]
 *     block of 256 (K):      half d[16], half dmin[16] if there are minimums, then eight blocks of 32
 *
 * Rejected: scales as floats beside every block, values of 5 and 6 bits in bytes: 6 to 12 bits a weight. */
#ifndef CHIMERA_FORM_H
#define CHIMERA_FORM_H
#include "cpu.h"
#include "portable.h"

enum form_id {
	FORM_F32, /* float [k][16] */
	FORM_F16, /* half  [k][16] */
	FORM_BF16,
	FORM_Q4_0,
	FORM_Q4_1,
	FORM_Q5_0,
	FORM_Q5_1,
	FORM_Q8_0,
	FORM_Q2_K,
	FORM_Q3_K,
	FORM_Q4_K,
	FORM_Q5_K,
	FORM_Q6_K,
	FORM_IQ4_NL,
	FORM_IQ4_XS,
	FORM_MXFP4,
	FORM_COUNT
};

/* What is kept of a scale, for 16 rows. */
enum scale_kind {
	SCALE_HALF,   /* half [16] */
	SCALE_BYTE,   /* int8 [halves][16], times d */
	SCALE_NIBBLE, /* uint8 [halves][16], low nibble, times d; its high nibble, times dmin, is the minimum */
	SCALE_POWER,  /* uint8 [16]: of two, as MXFP4 has it */
};

enum minimum_kind {
	MINIMUM_NONE,
	MINIMUM_CENTRE, /* -8 * d: nothing is kept */
	MINIMUM_HALF,   /* half [16] */
	MINIMUM_BYTE,   /* uint8 [16], times -dmin */
	MINIMUM_NIBBLE, /* see SCALE_NIBBLE */
};

enum code_table { TABLE_NONE, TABLE_IQ4, TABLE_MXFP4 };

/* A form in constants, which kernels fold. */
struct form {
	int low, high; /* bits of a code in each plane */
	int centre;    /* what is taken off a code */
	int table;     /* enum code_table */
	int halves;    /* 2: scales are of 16 inputs, not of 32 */
	int scale;     /* enum scale_kind */
	int minimum;   /* enum minimum_kind */
	int super;     /* blocks that share d: 8, or 1 */
};

static inline PORTABLE FOLDED struct form form_of(const int id)
{
	switch (id) {
	case FORM_Q4_0:
		return (struct form){4, 0, 0, TABLE_NONE, 1, SCALE_HALF, MINIMUM_CENTRE, 1};
	case FORM_Q4_1:
		return (struct form){4, 0, 0, TABLE_NONE, 1, SCALE_HALF, MINIMUM_HALF, 1};
	case FORM_Q5_0:
		return (struct form){4, 1, 16, TABLE_NONE, 1, SCALE_HALF, MINIMUM_NONE, 1};
	case FORM_Q5_1:
		return (struct form){4, 1, 0, TABLE_NONE, 1, SCALE_HALF, MINIMUM_HALF, 1};
	case FORM_Q8_0:
		return (struct form){8, 0, 0, TABLE_NONE, 1, SCALE_HALF, MINIMUM_NONE, 1};
	case FORM_Q2_K:
		return (struct form){2, 0, 0, TABLE_NONE, 2, SCALE_NIBBLE, MINIMUM_NIBBLE, 8};
	case FORM_Q3_K:
		return (struct form){2, 1, 4, TABLE_NONE, 2, SCALE_BYTE, MINIMUM_NONE, 8};
	case FORM_Q4_K:
		return (struct form){4, 0, 0, TABLE_NONE, 1, SCALE_BYTE, MINIMUM_BYTE, 8};
	case FORM_Q5_K:
		return (struct form){4, 1, 0, TABLE_NONE, 1, SCALE_BYTE, MINIMUM_BYTE, 8};
	case FORM_Q6_K:
		return (struct form){4, 2, 32, TABLE_NONE, 2, SCALE_BYTE, MINIMUM_NONE, 8};
	case FORM_IQ4_NL:
		return (struct form){4, 0, 0, TABLE_IQ4, 1, SCALE_HALF, MINIMUM_NONE, 1};
	case FORM_IQ4_XS:
		return (struct form){4, 0, 0, TABLE_IQ4, 1, SCALE_BYTE, MINIMUM_NONE, 8};
	case FORM_MXFP4:
		return (struct form){4, 0, 0, TABLE_MXFP4, 1, SCALE_POWER, MINIMUM_NONE, 1};
	default: /* floats, a plane of their own */
		return (struct form){0, 0, 0, TABLE_NONE, 1, 0, MINIMUM_NONE, 1};
	}
}

/* Bytes of 16 rows: of a block's scales, of its minimums, of the block, of what eight blocks share, of all of a
 * super-block. */
static inline PORTABLE FOLDED int form_scales(const struct form f)
{
	return f.scale == SCALE_HALF ? 2 * GROUP : f.halves * GROUP;
}

static inline PORTABLE FOLDED int form_minimums(const struct form f)
{
	return f.minimum == MINIMUM_HALF ? 2 * GROUP : f.minimum == MINIMUM_BYTE ? GROUP : 0;
}

static inline PORTABLE FOLDED int form_block(const struct form f)
{
	return form_scales(f) + form_minimums(f) + (f.low + f.high) * 64;
}

static inline PORTABLE FOLDED int form_shared(const struct form f)
{
	return f.super == 1 ? 0 : f.minimum == MINIMUM_NONE ? 2 * GROUP : 4 * GROUP;
}

static inline PORTABLE FOLDED int form_super(const struct form f) { return form_shared(f) + f.super * form_block(f); }
#endif
