/* repack.cu owns the interleaving of weights on the device: thread block x packs group first_group + x. */
#include "lane.cuh"
#include "../interleave.h"

enum { REPACK_THREADS = 256, REPACK_STRIDE = REPACK_THREADS / GROUP };

static __device__ void repack_float_row(const struct packed *w, const uint8_t *from, uint8_t *group, int lane,
                                        int start)
{
	int size = w->form == PACK_F32 ? 4 : 2;
	for (int k = start; k < w->cols; k += REPACK_STRIDE)
		memcpy(group + ((int64_t)k * GROUP + lane) * size, from + (int64_t)k * size, (size_t)size);
}

static __device__ void repack_quantised_row(const struct packed *w, uint32_t type, const uint8_t *from, uint8_t *group,
                                            int lane, int start)
{
	for (int i = start; i < w->cols / BLOCK; i += REPACK_STRIDE) {
		struct block32 b;
		block32_read(type, from, i, &b);
		put_block(w->form, group + i * block_bytes(w->form), lane, &b);
	}
}

/* Sixteen neighbouring threads take the lanes, so that what they write is adjacent; the sixteen sets of them
 * take every sixteenth block. put_block only adds bits to nibbles: the group is cleared first, which also
 * makes the lanes beyond the last row zeros. */
KERNEL(repack, REPACK_THREADS)(const struct repack_args *a)
{
	if (blockIdx.x >= (unsigned)a->groups)
		return;
	const struct packed *w = &a->to;
	uint8_t *group = (uint8_t *)w->data + (int64_t)(a->first_group + blockIdx.x) * w->group_bytes;
	for (int64_t i = threadIdx.x; i < w->group_bytes / 4; i += REPACK_THREADS)
		((uint32_t *)group)[i] = 0; /* 16 rows of at least 2 bytes a value */
	__syncthreads();
	int lane = threadIdx.x % GROUP, row = blockIdx.x * GROUP + lane, start = threadIdx.x / GROUP;
	if (row >= a->rows)
		return;
	const uint8_t *from = a->from + row * a->row_bytes;
	if (w->form < PACK_U4)
		repack_float_row(w, from, group, lane, start);
	else
		repack_quantised_row(w, a->type, from, group, lane, start);
}
