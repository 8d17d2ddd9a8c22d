/* pack.h owns the form of packed matrices, and the way from a file's tensor to one and back. */
#ifndef CHIMERA_PACK_H
#define CHIMERA_PACK_H
#include "cpu.h"
#include "gguf_blocks.h"
#include "half.h"
#include "portable.h"

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

/* float_at is value `at` of floats in a file's type. */
static inline PORTABLE float float_at(int form, const uint8_t *data, int64_t at)
{
	uint32_t bits;
	float value;
	if (form == PACK_F32)
		return ((const float *)data)[at];
	if (form == PACK_F16)
		return half_to_float(((const uint16_t *)data)[at]);
	bits = (uint32_t)((const uint16_t *)data)[at] << 16;
	memcpy(&value, &bits, 4);
	return value;
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

/* plain_row writes the (cols) values of a row as the file has it. As with packed rows, zeros of quantised types have no
 * sign. */
static inline PORTABLE void plain_row(uint32_t type, const uint8_t *row, int cols, float *out)
{
	int form = pack_form(type);
	struct block32 b;
	if (form < PACK_U4) {
		for (int k = 0; k < cols; k++)
			out[k] = float_at(form, row, k);
		return;
	}
	for (int i = 0; i < cols / BLOCK; i++) {
		block32_read(type, row, i, &b);
		for (int k = 0; k < BLOCK; k++)
			out[i * BLOCK + k] = block_value(form, &b, k);
	}
}

/* pack_groups packs groups [first, first + groups) of w->rows source rows of row_bytes each into
 * w->data; rows beyond the last are zeros. src is the first of these groups' rows. */
void pack_groups(const struct packed *w, uint32_t type, const uint8_t *src, int64_t row_bytes, int first, int groups);
/* unpack_row writes one row's (cols) values, equal to the format's own dequantisation (MXFP4's negative
 * zero becomes zero). */
void unpack_row(const struct packed *w, int row, float *out);
#endif
