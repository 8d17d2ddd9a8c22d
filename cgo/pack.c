/* pack.c owns the interleaving of weights at load: sixteen rows side by side, block by block. */
#include "pack.h"

/* put_plane writes the `bits` bits of each code that are above `from`, of one lane. */
static void put_plane(uint8_t *plane, int bits, int from, int lane, const uint8_t *q)
{
	uint32_t mask = ((1u << bits) - 1) * 0x01010101;
	int each = 8 / bits; /* steps of four inputs in a word */
	for (int v = 0; v < bits; v++) {
		uint32_t word = 0, codes;
		for (int i = 0; i < each; i++) {
			memcpy(&codes, q + (v * each + i) * 4, 4);
			word |= (codes >> from & mask) << i * bits;
		}
		memcpy(plane + v * 64 + lane * 4, &word, 4);
	}
}

/* get_plane adds them to the codes. */
static void get_plane(const uint8_t *plane, int bits, int from, int lane, uint8_t *q)
{
	int mask = (1 << bits) - 1, each = 8 / bits;
	for (int k = 0; k < BLOCK; k++) {
		uint8_t byte = plane[k / 4 / each * 64 + lane * 4 + k % 4];
		q[k] = (uint8_t)(q[k] | (byte >> k / 4 % each * bits & mask) << from);
	}
}

static void put_half(uint8_t *halves, int lane, uint16_t h) { memcpy(halves + 2 * lane, &h, 2); }

static uint16_t get_half(const uint8_t *halves, int lane)
{
	uint16_t h;
	memcpy(&h, halves + 2 * lane, 2);
	return h;
}

static void put_scales(const struct form f, uint8_t *block, uint8_t *shared, int lane, const struct code32 *c)
{
	for (int h = 0; h < f.halves && f.scale != SCALE_HALF; h++)
		block[h * GROUP + lane] =
		        (uint8_t)(f.scale == SCALE_NIBBLE ? c->scale[h] | c->minimum[h] << 4 : c->scale[h]);
	if (f.scale == SCALE_HALF)
		put_half(block, lane, c->d);
	if (f.minimum == MINIMUM_HALF)
		put_half(block + form_scales(f), lane, c->m);
	if (f.minimum == MINIMUM_BYTE)
		block[form_scales(f) + lane] = c->minimum[0];
	if (f.super > 1)
		put_half(shared, lane, c->d);
	if (f.super > 1 && f.minimum != MINIMUM_NONE)
		put_half(shared + 2 * GROUP, lane, c->m);
}

static void get_scales(const struct form f, const uint8_t *block, const uint8_t *shared, int lane, struct code32 *c)
{
	for (int h = 0; h < 2; h++) {
		uint8_t scale = f.scale == SCALE_HALF ? 0 : block[h % f.halves * GROUP + lane];
		c->scale[h] = f.scale == SCALE_NIBBLE ? scale & 15 : scale;
		c->minimum[h] = f.minimum == MINIMUM_BYTE ? block[form_scales(f) + lane] : scale >> 4;
	}
	c->d = f.super > 1 ? get_half(shared, lane) : f.scale == SCALE_HALF ? get_half(block, lane) : 0;
	c->m = 0;
	if (f.minimum == MINIMUM_HALF)
		c->m = get_half(block + form_scales(f), lane);
	else if (f.super > 1 && f.minimum != MINIMUM_NONE)
		c->m = get_half(shared + 2 * GROUP, lane);
}

static void pack_quantised_row(const struct packed *w, const uint8_t *src, uint8_t *group, int lane)
{
	const struct form f = form_of(w->form);
	struct code32 c;
	for (int i = 0; i < w->cols / BLOCK; i++) {
		uint8_t *shared = group + i / f.super * form_super(f);
		uint8_t *block = shared + form_shared(f) + i % f.super * form_block(f);
		uint8_t *planes = block + form_scales(f) + form_minimums(f);
		code32_read(w->form, src, i, &c);
		put_scales(f, block, shared, lane, &c);
		put_plane(planes, f.low, 0, lane, c.q);
		if (f.high)
			put_plane(planes + f.low * 64, f.high, f.low, lane, c.q);
	}
}

static void pack_float_row(const struct packed *w, const uint8_t *src, uint8_t *group, int lane)
{
	int size = w->form == FORM_F32 ? 4 : 2;
	for (int k = 0; k < w->cols; k++)
		memcpy(group + ((int64_t)k * GROUP + lane) * size, src + (int64_t)k * size, (size_t)size);
}

void pack_groups(const struct packed *w, const uint8_t *src, int64_t row_bytes, int first, int groups)
{
	for (int g = first; g < first + groups; g++) {
		uint8_t *group = (uint8_t *)w->data + g * w->group_bytes;
		if ((g + 1) * GROUP > w->rows)
			memset(group, 0, (size_t)w->group_bytes);
		for (int lane = 0; lane < GROUP && g * GROUP + lane < w->rows; lane++) {
			const uint8_t *row = src + (int64_t)((g - first) * GROUP + lane) * row_bytes;
			if (w->form <= FORM_BF16)
				pack_float_row(w, row, group, lane);
			else
				pack_quantised_row(w, row, group, lane);
		}
	}
}

void unpack_row(const struct packed *w, int row, float *out)
{
	const struct form f = form_of(w->form);
	const uint8_t *group = w->data + row / GROUP * w->group_bytes;
	int lane = row % GROUP;
	for (int k = 0; w->form <= FORM_BF16 && k < w->cols; k++)
		out[k] = float_at(w->form, group, (int64_t)k * GROUP + lane);
	for (int i = 0; w->form > FORM_BF16 && i < w->cols / BLOCK; i++) {
		const uint8_t *shared = group + i / f.super * form_super(f);
		const uint8_t *block = shared + form_shared(f) + i % f.super * form_block(f);
		const uint8_t *planes = block + form_scales(f) + form_minimums(f);
		struct code32 c = {{0}, {0}, {0}, 0, 0};
		get_scales(f, block, shared, lane, &c);
		get_plane(planes, f.low, 0, lane, c.q);
		if (f.high)
			get_plane(planes + f.low * 64, f.high, f.low, lane, c.q);
		code_values(f, &c, out + i * BLOCK);
	}
}
