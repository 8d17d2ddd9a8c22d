/* interleave.h owns the form of matrices that are packed for a GPU, and the way from a file's tensor to one and back. A
 * GPU multiplies what it reads as it is; the CPU keeps smaller forms (cgo/form.h) and takes them apart. The values are
 * the same. */
#ifndef CHIMERA_INTERLEAVE_H
#define CHIMERA_INTERLEAVE_H
#include "../cgo/cpu.h"
#include "../cgo/gguf_blocks.h"
#include "../cgo/portable.h"

/* How a packed matrix stores 16 rows, block by block. Quantised values are w = d*q (+ m), with d and m
 * as floats, each the number that the file's format defines, so unpacking gives the file's values.
 * Bytes of q: four consecutive k of lane 0, of lane 1 ... (64 bytes), eight times for a block. */
enum pack_form {
	PACK_F32 = FORM_F32,   /* float [k][16] */
	PACK_F16 = FORM_F16,   /* half  [k][16] */
	PACK_BF16 = FORM_BF16, /* bf16  [k][16] */
	PACK_U4,               /* per 32: d[16] m[16] nibbles[256]: byte i holds q of k and, above, of k + 4 */
	PACK_I8,               /* per 32: d[16] q[512] */
	PACK_I8M,              /* per 32: d[16] m[16] q[512] */
	PACK_I8H,              /* per 32, in halves of 16: d[2][16] q[512] */
	PACK_I8HM,             /* per 32, in halves of 16: d[2][16] m[2][16] q[512] */
	PACK_FORMS
};

enum { Q_BYTES = GROUP * BLOCK, SCALES = GROUP * sizeof(float) };

/* pack_form tells how a GGUF type is packed, or -1 if it is not known. */
static inline PORTABLE int pack_form(uint32_t type)
{
	switch (type) {
	case TYPE_F32:
		return PACK_F32;
	case TYPE_F16:
		return PACK_F16;
	case TYPE_BF16:
		return PACK_BF16;
	case TYPE_Q4_0:
	case TYPE_Q4_1:
	case TYPE_Q4_K:
		return PACK_U4;
	case TYPE_Q8_0:
	case TYPE_Q5_0:
	case TYPE_IQ4_NL:
	case TYPE_IQ4_XS:
	case TYPE_MXFP4:
		return PACK_I8;
	case TYPE_Q5_1:
	case TYPE_Q5_K:
		return PACK_I8M;
	case TYPE_Q3_K:
	case TYPE_Q6_K:
		return PACK_I8H;
	case TYPE_Q2_K:
		return PACK_I8HM;
	}
	return -1;
}

/* block_bytes is the size of 16 x 32 quantised values. */
static inline PORTABLE int64_t block_bytes(int form)
{
	switch (form) {
	case PACK_U4:
		return 2 * SCALES + Q_BYTES / 2;
	case PACK_I8:
		return SCALES + Q_BYTES;
	case PACK_I8HM:
		return 4 * SCALES + Q_BYTES;
	default:
		return 2 * SCALES + Q_BYTES;
	}
}

/* pack_group_bytes is the size of 16 packed rows. */
static inline PORTABLE int64_t pack_group_bytes(int form, int cols)
{
	if (form == PACK_F32)
		return (int64_t)cols * GROUP * 4;
	if (form < PACK_U4)
		return (int64_t)cols * GROUP * 2;
	return cols / BLOCK * block_bytes(form);
}

/* The places of a block's parts. */
struct parts {
	float *d, *m; /* d[half * GROUP + lane]; m NULL without minimums */
	uint8_t *q;
	int halves;
};

static inline PORTABLE int has_minimum(int form) { return form == PACK_U4 || form == PACK_I8M || form == PACK_I8HM; }

static inline PORTABLE struct parts parts_of(int form, uint8_t *block)
{
	struct parts p;
	float *end;
	p.halves = form == PACK_I8H || form == PACK_I8HM ? 2 : 1;
	p.d = (float *)block;
	p.m = NULL;
	end = p.d + p.halves * GROUP;
	if (has_minimum(form)) {
		p.m = end;
		end += p.halves * GROUP;
	}
	p.q = (uint8_t *)end;
	return p;
}

static inline PORTABLE void put_block(int form, uint8_t *block, int lane, const struct block32 *b)
{
	struct parts p = parts_of(form, block);
	for (int h = 0; h < p.halves; h++) {
		p.d[h * GROUP + lane] = b->d[h];
		if (p.m)
			p.m[h * GROUP + lane] = b->m[h];
	}
	for (int k = 0; k < BLOCK; k += 8) { /* four bytes at a time: a lane's neighbours in a vector */
		uint32_t low, high;
		memcpy(&low, b->q + k, 4);
		memcpy(&high, b->q + k + 4, 4);
		if (form == PACK_U4) {
			low |= high << 4;
			memcpy(p.q + k / 8 * 64 + lane * 4, &low, 4);
		} else {
			memcpy(p.q + k / 4 * 64 + lane * 4, &low, 4);
			memcpy(p.q + (k / 4 + 1) * 64 + lane * 4, &high, 4);
		}
	}
}

static inline PORTABLE void get_block(int form, const uint8_t *block, int lane, struct block32 *b)
{
	struct parts p = parts_of(form, (uint8_t *)block);
	for (int h = 0; h < 2; h++) {
		int at = (p.halves == 2 ? h : 0) * GROUP + lane;
		b->d[h] = p.d[at];
		b->m[h] = p.m ? p.m[at] : 0.0f;
	}
	for (int k = 0; k < BLOCK; k++) {
		if (form == PACK_U4)
			b->q[k] = p.q[k / 8 * 64 + lane * 4 + k % 4] >> (k / 4 % 2 * 4) & 15;
		else
			b->q[k] = (int8_t)p.q[k / 4 * 64 + lane * 4 + k % 4];
	}
}

/* unpack_float is value k of a lane of a float group. */
static inline PORTABLE float unpack_float(int form, const uint8_t *group, int lane, int k)
{
	return float_at(form, group, (int64_t)k * GROUP + lane);
}

/* block_value is value k of a block. */
static inline PORTABLE float block_value(int form, const struct block32 *b, int k)
{
	float product = b->d[k / 16] * (float)b->q[k];
	return has_minimum(form) ? product + b->m[k / 16] : product;
}

/* unpack_block writes the 32 values of block i of a lane of a quantised group. */
static inline PORTABLE void unpack_block(int form, const uint8_t *group, int lane, int i, float *out)
{
	struct block32 b;
	get_block(form, group + i * block_bytes(form), lane, &b);
	for (int k = 0; k < BLOCK; k++)
		out[k] = block_value(form, &b, k);
}
#endif
