/* gguf_blocks.h owns the block formats of GGUF: 32 values of any of them as integers, scales and
 * minimums. The layouts are those of the ggml project's format description; `weights` has the same
 * knowledge in Go for tools, and the tests hold both to the same checksums. */
#ifndef CHIMERA_GGUF_BLOCKS_H
#define CHIMERA_GGUF_BLOCKS_H
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

/* 32 values: w[i] = d[i / 16] * q[i] + m[i / 16]. */
struct block32 {
	int8_t q[32];
	float d[2], m[2];
};

static inline PORTABLE float half_at(const uint8_t *p) { return half_to_float((uint16_t)(p[0] | p[1] << 8)); }

static inline PORTABLE uint32_t word_at(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline PORTABLE void set_scales(struct block32 *b, float d, float m)
{
	b->d[0] = b->d[1] = d;
	b->m[0] = b->m[1] = m;
}

/* nibbles: value i is the low half of byte i, value i + 16 its high half. */
static inline PORTABLE void nibbles(const uint8_t *p, int8_t *q)
{
	for (int i = 0; i < 16; i++) {
		q[i] = p[i] & 15;
		q[i + 16] = p[i] >> 4;
	}
}

/* The tables stand inside functions: that is where nvcc lets device code see them. */
static inline PORTABLE void through_iq4(int8_t *q)
{
	static const int8_t values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
	for (int i = 0; i < 32; i++)
		q[i] = values[q[i]];
}

/* Doubled values of E2M1. */
static inline PORTABLE void through_mxfp4(int8_t *q)
{
	static const int8_t values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
	for (int i = 0; i < 32; i++)
		q[i] = values[q[i]];
}

/* fifth_bits adds bit i of `bits` to value i as 16. */
static inline PORTABLE void fifth_bits(uint32_t bits, int8_t *q)
{
	for (int i = 0; i < 32; i++)
		q[i] = (int8_t)(q[i] | (bits >> i & 1) << 4);
}

static inline PORTABLE void read_q4_0(const uint8_t *p, struct block32 *b)
{
	float d = half_at(p);
	nibbles(p + 2, b->q);
	set_scales(b, d, -8.0f * d);
}

static inline PORTABLE void read_q4_1(const uint8_t *p, struct block32 *b)
{
	nibbles(p + 4, b->q);
	set_scales(b, half_at(p), half_at(p + 2));
}

static inline PORTABLE void read_q5_0(const uint8_t *p, struct block32 *b)
{
	nibbles(p + 6, b->q);
	fifth_bits(word_at(p + 2), b->q);
	for (int i = 0; i < 32; i++)
		b->q[i] = (int8_t)(b->q[i] - 16);
	set_scales(b, half_at(p), 0.0f);
}

static inline PORTABLE void read_q5_1(const uint8_t *p, struct block32 *b)
{
	nibbles(p + 8, b->q);
	fifth_bits(word_at(p + 4), b->q);
	set_scales(b, half_at(p), half_at(p + 2));
}

static inline PORTABLE void read_q8_0(const uint8_t *p, struct block32 *b)
{
	for (int i = 0; i < 32; i++)
		b->q[i] = (int8_t)p[2 + i];
	set_scales(b, half_at(p), 0.0f);
}

static inline PORTABLE void read_iq4_nl(const uint8_t *p, struct block32 *b)
{
	nibbles(p + 2, b->q);
	through_iq4(b->q);
	set_scales(b, half_at(p), 0.0f);
}

/* The scale is a power of two, 2^(e - 128): half of E8M0's, as the table holds doubled values. */
static inline PORTABLE void read_mxfp4(const uint8_t *p, struct block32 *b)
{
	uint32_t bits = p[0] < 2 ? 0x00200000u << p[0] : (uint32_t)(p[0] - 1) << 23;
	float d;
	memcpy(&d, &bits, sizeof d);
	nibbles(p + 1, b->q);
	through_mxfp4(b->q);
	set_scales(b, d, 0.0f);
}

/* 256 values: scales[16] (scale low, minimum high nibble), qs[64] of two bits, d, dmin. */
static inline PORTABLE void read_q2_k(const uint8_t *p, int part, struct block32 *b)
{
	float d = half_at(p + 80), dmin = half_at(p + 82);
	const uint8_t *q = p + 16 + part / 4 * 32;
	for (int i = 0; i < 32; i++)
		b->q[i] = q[i] >> part % 4 * 2 & 3;
	for (int h = 0; h < 2; h++) {
		uint8_t s = p[part * 2 + h];
		b->d[h] = d * (float)(s & 15);
		b->m[h] = -(dmin * (float)(s >> 4));
	}
}

/* six_bits is scale i of the 16 that Q3_K packs in 12 bytes: four low bits, then two high ones. */
static inline PORTABLE int six_bits(const uint8_t *p, int i)
{
	int low = i < 8 ? p[i] & 15 : p[i - 8] >> 4;
	return low | (p[8 + i % 4] >> i / 4 * 2 & 3) << 4;
}

/* 256 values: hmask[32], qs[64], scales[12], d; a clear mask bit means 4 less. */
static inline PORTABLE void read_q3_k(const uint8_t *p, int part, struct block32 *b)
{
	float d = half_at(p + 108);
	const uint8_t *q = p + 32 + part / 4 * 32;
	for (int i = 0; i < 32; i++)
		b->q[i] = (int8_t)((q[i] >> part % 4 * 2 & 3) - (p[i] >> part & 1 ? 0 : 4));
	for (int h = 0; h < 2; h++) {
		b->d[h] = d * (float)(six_bits(p + 96, part * 2 + h) - 32);
		b->m[h] = 0.0f;
	}
}

/* scale_min is pair i of the eight six-bit scales and minimums that Q4_K and Q5_K pack in 12 bytes. */
static inline PORTABLE void scale_min(const uint8_t *p, int i, int *scale, int *min)
{
	if (i < 4) {
		*scale = p[i] & 63;
		*min = p[i + 4] & 63;
		return;
	}
	*scale = (p[i + 4] & 15) | p[i - 4] >> 6 << 4;
	*min = p[i + 4] >> 4 | p[i] >> 6 << 4;
}

static inline PORTABLE void set_scale_min(const uint8_t *p, int part, struct block32 *b)
{
	int scale, min;
	scale_min(p + 4, part, &scale, &min);
	set_scales(b, half_at(p) * (float)scale, -(half_at(p + 2) * (float)min));
}

/* 256 values: d, dmin, scales[12], qs[128]: 32 low nibbles, then the 32 high ones. */
static inline PORTABLE void read_q4_k(const uint8_t *p, int part, struct block32 *b)
{
	const uint8_t *q = p + 16 + part / 2 * 32;
	for (int i = 0; i < 32; i++)
		b->q[i] = q[i] >> part % 2 * 4 & 15;
	set_scale_min(p, part, b);
}

/* As Q4_K, with qh[32] before qs: bit `part` of byte i is value i's fifth bit. */
static inline PORTABLE void read_q5_k(const uint8_t *p, int part, struct block32 *b)
{
	const uint8_t *q = p + 48 + part / 2 * 32;
	for (int i = 0; i < 32; i++)
		b->q[i] = (int8_t)((q[i] >> part % 2 * 4 & 15) | (p[16 + i] >> part & 1) << 4);
	set_scale_min(p, part, b);
}

/* 256 values: ql[128], qh[64], scales[16] int8, d. */
static inline PORTABLE void read_q6_k(const uint8_t *p, int part, struct block32 *b)
{
	const uint8_t *low = p + part / 4 * 64 + part % 2 * 32, *high = p + 128 + part / 4 * 32;
	float d = half_at(p + 208);
	for (int i = 0; i < 32; i++) {
		int q = (low[i] >> part / 2 % 2 * 4 & 15) | (high[i] >> part % 4 * 2 & 3) << 4;
		b->q[i] = (int8_t)(q - 32);
	}
	for (int h = 0; h < 2; h++) {
		b->d[h] = d * (float)(int8_t)p[192 + part * 2 + h];
		b->m[h] = 0.0f;
	}
}

/* 256 values: d, scales_h (16 bits), scales_l[4], qs[128]. */
static inline PORTABLE void read_iq4_xs(const uint8_t *p, int part, struct block32 *b)
{
	int high = (p[2] | p[3] << 8) >> part * 2 & 3;
	int scale = (p[4 + part / 2] >> part % 2 * 4 & 15) | high << 4;
	nibbles(p + 8 + part * 16, b->q);
	through_iq4(b->q);
	set_scales(b, half_at(p) * (float)(scale - 32), 0.0f);
}

/* block32_read decodes values [32 * index, 32 * index + 32) of a row. */
static inline PORTABLE void block32_read(uint32_t type, const uint8_t *row, int index, struct block32 *out)
{
	int part = index % 8;
	int64_t i = index, k = index / 8;
	switch (type) {
	case TYPE_Q4_0:
		read_q4_0(row + i * 18, out);
		break;
	case TYPE_Q4_1:
		read_q4_1(row + i * 20, out);
		break;
	case TYPE_Q5_0:
		read_q5_0(row + i * 22, out);
		break;
	case TYPE_Q5_1:
		read_q5_1(row + i * 24, out);
		break;
	case TYPE_Q8_0:
		read_q8_0(row + i * 34, out);
		break;
	case TYPE_IQ4_NL:
		read_iq4_nl(row + i * 18, out);
		break;
	case TYPE_MXFP4:
		read_mxfp4(row + i * 17, out);
		break;
	case TYPE_Q2_K:
		read_q2_k(row + k * 84, part, out);
		break;
	case TYPE_Q3_K:
		read_q3_k(row + k * 110, part, out);
		break;
	case TYPE_Q4_K:
		read_q4_k(row + k * 144, part, out);
		break;
	case TYPE_Q5_K:
		read_q5_k(row + k * 176, part, out);
		break;
	case TYPE_Q6_K:
		read_q6_k(row + k * 210, part, out);
		break;
	case TYPE_IQ4_XS:
		read_iq4_xs(row + k * 136, part, out);
		break;
	default:
		memset(out, 0, sizeof *out);
	}
}
#endif
