/* gguf_blocks.h owns the block formats of GGUF: 32 values of any of them as integers, scales and
 * minimums. The layouts are those of the ggml project's format description; `weights` has the same
 * knowledge in Go for tools, and the tests hold both to the same checksums. */
#ifndef CHIMERA_GGUF_BLOCKS_H
#define CHIMERA_GGUF_BLOCKS_H
#include "form.h"
#include "half.h"
#include "portable.h"
#include <stdint.h>
#include <string.h>

/* GGUF type ids. */
enum {
	TYPE_F32 = 0,
	TYPE_F16 = 1,
	TYPE_Q4_0 = 2,
	TYPE_Q4_1 = 3,
	TYPE_Q5_0 = 6,
	TYPE_Q5_1 = 7,
	TYPE_Q8_0 = 8,
	TYPE_Q2_K = 10,
	TYPE_Q3_K = 11,
	TYPE_Q4_K = 12,
	TYPE_Q5_K = 13,
	TYPE_Q6_K = 14,
	TYPE_IQ4_NL = 20,
	TYPE_IQ4_XS = 23,
	TYPE_BF16 = 30,
	TYPE_MXFP4 = 39,
};

/* 32 values as a file has them: codes, what they are multiplied by and what is added, in the form's terms. */
struct code32 {
	uint8_t q[32];
	uint8_t scale[2], minimum[2];
	uint16_t d, m; /* halves; m is dmin where there are super-blocks */
};

/* 32 values: w[i] = d[i / 16] * q[i] + m[i / 16]. */
struct block32 {
	int8_t q[32];
	float d[2], m[2];
};

/* gguf_form is the form of a GGUF type, or -1 if it is not known. */
static inline PORTABLE int gguf_form(uint32_t type)
{
	switch (type) {
	case TYPE_F32:
		return FORM_F32;
	case TYPE_F16:
		return FORM_F16;
	case TYPE_Q4_0:
		return FORM_Q4_0;
	case TYPE_Q4_1:
		return FORM_Q4_1;
	case TYPE_Q5_0:
		return FORM_Q5_0;
	case TYPE_Q5_1:
		return FORM_Q5_1;
	case TYPE_Q8_0:
		return FORM_Q8_0;
	case TYPE_Q2_K:
		return FORM_Q2_K;
	case TYPE_Q3_K:
		return FORM_Q3_K;
	case TYPE_Q4_K:
		return FORM_Q4_K;
	case TYPE_Q5_K:
		return FORM_Q5_K;
	case TYPE_Q6_K:
		return FORM_Q6_K;
	case TYPE_IQ4_NL:
		return FORM_IQ4_NL;
	case TYPE_IQ4_XS:
		return FORM_IQ4_XS;
	case TYPE_BF16:
		return FORM_BF16;
	case TYPE_MXFP4:
		return FORM_MXFP4;
	}
	return -1;
}

static inline PORTABLE uint16_t half_bits(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

static inline PORTABLE uint32_t word_at(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* nibbles: code i is the low half of byte i, code i + 16 its high half. */
static inline PORTABLE void nibbles(const uint8_t *p, uint8_t *q)
{
	for (int i = 0; i < 16; i++) {
		q[i] = p[i] & 15;
		q[i + 16] = p[i] >> 4;
	}
}

/* fifth_bits adds bit i of `bits` to code i as 16. */
static inline PORTABLE void fifth_bits(uint32_t bits, uint8_t *q)
{
	for (int i = 0; i < 32; i++)
		q[i] = (uint8_t)(q[i] | (bits >> i & 1) << 4);
}

static inline PORTABLE void read_q4_0(const uint8_t *p, struct code32 *b)
{
	nibbles(p + 2, b->q);
	b->d = half_bits(p);
}

static inline PORTABLE void read_q4_1(const uint8_t *p, struct code32 *b)
{
	nibbles(p + 4, b->q);
	b->d = half_bits(p);
	b->m = half_bits(p + 2);
}

static inline PORTABLE void read_q5_0(const uint8_t *p, struct code32 *b)
{
	nibbles(p + 6, b->q);
	fifth_bits(word_at(p + 2), b->q);
	b->d = half_bits(p);
}

static inline PORTABLE void read_q5_1(const uint8_t *p, struct code32 *b)
{
	nibbles(p + 8, b->q);
	fifth_bits(word_at(p + 4), b->q);
	b->d = half_bits(p);
	b->m = half_bits(p + 2);
}

static inline PORTABLE void read_q8_0(const uint8_t *p, struct code32 *b)
{
	memcpy(b->q, p + 2, 32);
	b->d = half_bits(p);
}

static inline PORTABLE void read_mxfp4(const uint8_t *p, struct code32 *b)
{
	nibbles(p + 1, b->q);
	b->scale[0] = b->scale[1] = p[0];
}

/* 256 values: scales[16] (scale low, minimum high nibble), qs[64] of two bits, d, dmin. */
static inline PORTABLE void read_q2_k(const uint8_t *p, int part, struct code32 *b)
{
	const uint8_t *q = p + 16 + part / 4 * 32;
	for (int i = 0; i < 32; i++)
		b->q[i] = q[i] >> part % 4 * 2 & 3;
	for (int h = 0; h < 2; h++) {
		b->scale[h] = p[part * 2 + h] & 15;
		b->minimum[h] = p[part * 2 + h] >> 4;
	}
	b->d = half_bits(p + 80);
	b->m = half_bits(p + 82);
}

/* six_bits is scale i of the 16 that Q3_K packs in 12 bytes: four low bits, then two high ones. */
static inline PORTABLE int six_bits(const uint8_t *p, int i)
{
	int low = i < 8 ? p[i] & 15 : p[i - 8] >> 4;
	return low | (p[8 + i % 4] >> i / 4 * 2 & 3) << 4;
}

/* 256 values: hmask[32], qs[64], scales[12], d; a clear mask bit means 4 less. */
static inline PORTABLE void read_q3_k(const uint8_t *p, int part, struct code32 *b)
{
	const uint8_t *q = p + 32 + part / 4 * 32;
	for (int i = 0; i < 32; i++)
		b->q[i] = (uint8_t)((q[i] >> part % 4 * 2 & 3) | (p[i] >> part & 1) << 2);
	for (int h = 0; h < 2; h++)
		b->scale[h] = (uint8_t)(six_bits(p + 96, part * 2 + h) - 32);
	b->d = half_bits(p + 108);
}

/* scale_min is pair i of the eight six-bit scales and minimums that Q4_K and Q5_K pack in 12 bytes. */
static inline PORTABLE void scale_min(const uint8_t *p, int i, struct code32 *b)
{
	int scale = p[i] & 63, minimum = p[i + 4] & 63; /* for i below 4 */
	if (i >= 4) {
		scale = (p[i + 4] & 15) | p[i - 4] >> 6 << 4;
		minimum = p[i + 4] >> 4 | p[i] >> 6 << 4;
	}
	b->scale[0] = b->scale[1] = (uint8_t)scale;
	b->minimum[0] = b->minimum[1] = (uint8_t)minimum;
}

/* 256 values: d, dmin, scales[12], qs[128]: 32 low nibbles, then the 32 high ones. */
static inline PORTABLE void read_q4_k(const uint8_t *p, int part, struct code32 *b)
{
	const uint8_t *q = p + 16 + part / 2 * 32;
	for (int i = 0; i < 32; i++)
		b->q[i] = q[i] >> part % 2 * 4 & 15;
	scale_min(p + 4, part, b);
	b->d = half_bits(p);
	b->m = half_bits(p + 2);
}

/* As Q4_K, with qh[32] before qs: bit `part` of byte i is value i's fifth bit. */
static inline PORTABLE void read_q5_k(const uint8_t *p, int part, struct code32 *b)
{
	const uint8_t *q = p + 48 + part / 2 * 32;
	for (int i = 0; i < 32; i++)
		b->q[i] = (uint8_t)((q[i] >> part % 2 * 4 & 15) | (p[16 + i] >> part & 1) << 4);
	scale_min(p + 4, part, b);
	b->d = half_bits(p);
	b->m = half_bits(p + 2);
}

/* 256 values: ql[128], qh[64], scales[16] int8, d. */
static inline PORTABLE void read_q6_k(const uint8_t *p, int part, struct code32 *b)
{
	const uint8_t *low = p + part / 4 * 64 + part % 2 * 32, *high = p + 128 + part / 4 * 32;
	for (int i = 0; i < 32; i++)
		b->q[i] = (uint8_t)((low[i] >> part / 2 % 2 * 4 & 15) | (high[i] >> part % 4 * 2 & 3) << 4);
	for (int h = 0; h < 2; h++)
		b->scale[h] = p[192 + part * 2 + h];
	b->d = half_bits(p + 208);
}

/* 256 values: d, scales_h (16 bits), scales_l[4], qs[128]. */
static inline PORTABLE void read_iq4_xs(const uint8_t *p, int part, struct code32 *b)
{
	int high = (p[2] | p[3] << 8) >> part * 2 & 3;
	int scale = (p[4 + part / 2] >> part % 2 * 4 & 15) | high << 4;
	nibbles(p + 8 + part * 16, b->q);
	b->scale[0] = b->scale[1] = (uint8_t)(scale - 32);
	b->d = half_bits(p);
}

/* code32_read reads values [32 * index, 32 * index + 32) of a row. */
static inline PORTABLE void code32_read(int form, const uint8_t *row, int index, struct code32 *out)
{
	int part = index % 8;
	int64_t i = index, k = index / 8;
	memset(out, 0, sizeof *out);
	switch (form) {
	case FORM_Q4_0:
	case FORM_IQ4_NL:
		read_q4_0(row + i * 18, out);
		break;
	case FORM_Q4_1:
		read_q4_1(row + i * 20, out);
		break;
	case FORM_Q5_0:
		read_q5_0(row + i * 22, out);
		break;
	case FORM_Q5_1:
		read_q5_1(row + i * 24, out);
		break;
	case FORM_Q8_0:
		read_q8_0(row + i * 34, out);
		break;
	case FORM_MXFP4:
		read_mxfp4(row + i * 17, out);
		break;
	case FORM_Q2_K:
		read_q2_k(row + k * 84, part, out);
		break;
	case FORM_Q3_K:
		read_q3_k(row + k * 110, part, out);
		break;
	case FORM_Q4_K:
		read_q4_k(row + k * 144, part, out);
		break;
	case FORM_Q5_K:
		read_q5_k(row + k * 176, part, out);
		break;
	case FORM_Q6_K:
		read_q6_k(row + k * 210, part, out);
		break;
	case FORM_IQ4_XS:
		read_iq4_xs(row + k * 136, part, out);
		break;
	}
}

/* e8m0_scale is 2^(e - 128): half of E8M0's, as MXFP4's table holds doubled values. */
static inline PORTABLE float e8m0_scale(uint8_t e)
{
	uint32_t bits = e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23;
	float d;
	memcpy(&d, &bits, sizeof d);
	return d;
}

/* code_scale and code_minimum are what a half of a block is multiplied by and what is added to it. */
static inline PORTABLE float code_scale(const struct form f, const struct code32 *c, int half)
{
	switch (f.scale) {
	case SCALE_HALF:
		return half_to_float(c->d);
	case SCALE_POWER:
		return e8m0_scale(c->scale[half]);
	default: /* a nibble is never negative */
		return half_to_float(c->d) * (float)(int8_t)c->scale[half];
	}
}

static inline PORTABLE float code_minimum(const struct form f, const struct code32 *c, int half)
{
	switch (f.minimum) {
	case MINIMUM_NONE:
		return 0.0f;
	case MINIMUM_CENTRE:
		return -8.0f * half_to_float(c->d);
	case MINIMUM_HALF:
		return half_to_float(c->m);
	default:
		return -(half_to_float(c->m) * (float)c->minimum[half]);
	}
}

/* code_value is the integer that a code stands for. The tables stand inside a function: that is where nvcc lets device
 * code see them. */
static inline PORTABLE int8_t code_value(const struct form f, uint8_t code)
{
	static const int8_t iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
	static const int8_t mxfp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}; /* E2M1, doubled */
	if (f.table == TABLE_NONE)
		return (int8_t)(code - f.centre);
	return f.table == TABLE_IQ4 ? iq4[code] : mxfp4[code];
}

/* block32_read decodes values [32 * index, 32 * index + 32) of a row. */
static inline PORTABLE void block32_read(uint32_t type, const uint8_t *row, int index, struct block32 *out)
{
	int id = gguf_form(type);
	struct form f = form_of(id);
	struct code32 c;
	code32_read(id, row, index, &c);
	for (int i = 0; i < 32; i++)
		out->q[i] = code_value(f, c.q[i]);
	for (int h = 0; h < 2; h++) {
		out->d[h] = code_scale(f, &c, h);
		out->m[h] = code_minimum(f, &c, h);
	}
}

/* code_values writes the 32 values of a block. */
static inline PORTABLE void code_values(const struct form f, const struct code32 *c, float *out)
{
	for (int k = 0; k < 32; k++) {
		float product = code_scale(f, c, k / 16) * (float)code_value(f, c->q[k]);
		out[k] = f.minimum == MINIMUM_NONE ? product : product + code_minimum(f, c, k / 16);
	}
}

/* float_at is value `at` of floats. */
static inline PORTABLE float float_at(int form, const uint8_t *data, int64_t at)
{
	uint32_t bits;
	float value;
	if (form == FORM_F32)
		return ((const float *)data)[at];
	if (form == FORM_F16)
		return half_to_float(((const uint16_t *)data)[at]);
	bits = (uint32_t)((const uint16_t *)data)[at] << 16;
	memcpy(&value, &bits, 4);
	return value;
}

/* plain_row writes the (cols) values of a row as the file has it. As with packed rows, zeros of quantised types have no
 * sign. */
static inline PORTABLE void plain_row(uint32_t type, const uint8_t *row, int cols, float *out)
{
	int form = gguf_form(type);
	struct code32 c;
	for (int k = 0; form <= FORM_BF16 && k < cols; k++)
		out[k] = float_at(form, row, k);
	for (int i = 0; form > FORM_BF16 && i < cols / 32; i++) {
		code32_read(form, row, i, &c);
		code_values(form_of(form), &c, out + i * 32);
	}
}
#endif
