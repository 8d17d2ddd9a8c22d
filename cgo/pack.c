/* pack.c owns the interleaving of weights at load: sixteen rows side by side, block by block. */
#include "pack.h"
#include "gguf_blocks.h"
#include "half.h"

enum { Q_BYTES = GROUP * BLOCK, SCALES = GROUP * sizeof(float) };

int pack_form(uint32_t type)
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
static int64_t block_bytes(int form)
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

int64_t pack_group_bytes(int form, int cols)
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

static struct parts parts_of(int form, uint8_t *block)
{
	struct parts p = {.d = (float *)block, .halves = form == PACK_I8H || form == PACK_I8HM ? 2 : 1};
	float *end = p.d + p.halves * GROUP;
	if (form == PACK_U4 || form == PACK_I8M || form == PACK_I8HM) {
		p.m = end;
		end += p.halves * GROUP;
	}
	p.q = (uint8_t *)end;
	return p;
}

static void put_block(int form, uint8_t *block, int lane, const struct block32 *b)
{
	struct parts p = parts_of(form, block);
	for (int h = 0; h < p.halves; h++) {
		p.d[h * GROUP + lane] = b->d[h];
		if (p.m)
			p.m[h * GROUP + lane] = b->m[h];
	}
	for (int k = 0; k < BLOCK; k++) {
		if (form == PACK_U4)
			p.q[k / 8 * 64 + lane * 4 + k % 4] |= (uint8_t)(b->q[k] << (k / 4 % 2 * 4));
		else
			p.q[k / 4 * 64 + lane * 4 + k % 4] = (uint8_t)b->q[k];
	}
}

static void get_block(int form, uint8_t *block, int lane, struct block32 *b)
{
	struct parts p = parts_of(form, block);
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

static void pack_quantised_row(const struct packed *w, uint32_t type, const uint8_t *src, uint8_t *group, int lane)
{
	for (int i = 0; i < w->cols / BLOCK; i++) {
		struct block32 b;
		block32_read(type, src, i, &b);
		put_block(w->form, group + i * block_bytes(w->form), lane, &b);
	}
}

static void pack_float_row(const struct packed *w, const uint8_t *src, uint8_t *group, int lane)
{
	int size = w->form == PACK_F32 ? 4 : 2;
	for (int k = 0; k < w->cols; k++)
		memcpy(group + ((int64_t)k * GROUP + lane) * size, src + (int64_t)k * size, (size_t)size);
}

void pack_groups(const struct packed *w, uint32_t type, const uint8_t *src, int64_t row_bytes, int first, int groups)
{
	for (int g = first; g < first + groups; g++) {
		uint8_t *group = (uint8_t *)w->data + g * w->group_bytes;
		memset(group, 0, (size_t)w->group_bytes);
		for (int lane = 0; lane < GROUP && g * GROUP + lane < w->rows; lane++) {
			const uint8_t *row = src + (int64_t)(g * GROUP + lane) * row_bytes;
			if (w->form < PACK_U4)
				pack_float_row(w, row, group, lane);
			else
				pack_quantised_row(w, type, row, group, lane);
		}
	}
}

static void unpack_float_row(const struct packed *w, const uint8_t *group, int lane, float *out)
{
	for (int k = 0; k < w->cols; k++) {
		int64_t at = (int64_t)k * GROUP + lane;
		uint32_t bits;
		if (w->form == PACK_F32) {
			out[k] = ((const float *)group)[at];
		} else if (w->form == PACK_F16) {
			out[k] = half_to_float(((const uint16_t *)group)[at]);
		} else {
			bits = (uint32_t)((const uint16_t *)group)[at] << 16;
			memcpy(&out[k], &bits, 4);
		}
	}
}

void unpack_row(const struct packed *w, int row, float *out)
{
	uint8_t *group = (uint8_t *)w->data + row / GROUP * w->group_bytes;
	if (w->form < PACK_U4) {
		unpack_float_row(w, group, row % GROUP, out);
		return;
	}
	for (int i = 0; i < w->cols / BLOCK; i++) {
		struct block32 b;
		get_block(w->form, group + i * block_bytes(w->form), row % GROUP, &b);
		for (int k = 0; k < BLOCK; k++) {
			float product = b.d[k / 16] * (float)b.q[k];
			out[i * BLOCK + k] = parts_of(w->form, group).m ? product + b.m[k / 16] : product;
		}
	}
}
