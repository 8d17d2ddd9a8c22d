/* pack.c owns the interleaving of weights at load: sixteen rows side by side, block by block. */
#include "pack.h"

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
			const uint8_t *row = src + (int64_t)((g - first) * GROUP + lane) * row_bytes;
			if (w->form < PACK_U4)
				pack_float_row(w, row, group, lane);
			else
				pack_quantised_row(w, type, row, group, lane);
		}
	}
}

void unpack_row(const struct packed *w, int row, float *out)
{
	const uint8_t *group = w->data + row / GROUP * w->group_bytes;
	int lane = row % GROUP;
	if (w->form < PACK_U4) {
		for (int k = 0; k < w->cols; k++)
			out[k] = unpack_float(w->form, group, lane, k);
		return;
	}
	for (int i = 0; i < w->cols / BLOCK; i++)
		unpack_block(w->form, group, lane, i, out + i * BLOCK);
}
