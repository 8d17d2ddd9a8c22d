/* product.cuh owns the products: packed weights times activation rows.
 *
 * A thread block is one group of 16 weight rows by one or PRODUCT_TOKENS activation rows, (16, 8) threads.
 * The bits are the CPU's: each output has one accumulator, K ascending. Quantised blocks: a block's sum of
 * bytes is exact in int32, so the eight threads of a lane form the sums of different blocks side by side;
 * then one thread per output walks them in order, acc = fma(d * da, isum, acc) and, with a minimum,
 * acc = fma(m, sum, acc). So loads run in parallel and only a short chain is serial. */
#ifndef CHIMERA_PRODUCT_CUH
#define CHIMERA_PRODUCT_CUH
#include "lane.cuh"
#include "../interleave.h"

/* Shared memory of one tile: what a thread block has loaded and not yet added. */
template <int TOKENS> struct block_tile {
	enum { BLOCKS = TOKENS == 1 ? 32 : PRODUCT_SLICES };
	float d[BLOCKS][2][PRODUCT_LANES], m[BLOCKS][2][PRODUCT_LANES];
	int32_t sum[BLOCKS][TOKENS][2][PRODUCT_LANES];
};

template <int TOKENS> struct float_tile {
	enum { VALUES = 64 };
	float w[VALUES][PRODUCT_LANES];
	float x[TOKENS][VALUES];
};

template <int TOKENS> union tile {
	struct block_tile<TOKENS> blocks;
	struct float_tile<TOKENS> floats;
};

/* The activation rows of a thread block: `tokens` of them from row `first`. */
struct product_rows {
	const struct device_value *in;
	const struct device_acts *acts;
	int first, tokens;
};

/* rows_from: thread block y takes TOKENS rows of those from first to end. */
template <int TOKENS>
static __device__ struct product_rows rows_from(const struct device_value *in, const struct device_acts *acts,
                                                int first, int end)
{
	struct product_rows rows = {in, acts, first + (int)blockIdx.y * TOKENS, 0};
	rows.tokens = max(0, min(TOKENS, end - rows.first));
	return rows;
}

/* A quantised form as constants. */
template <int FORM> struct form_traits {
	static const int minimum = FORM == PACK_U4 || FORM == PACK_I8M || FORM == PACK_I8HM;
	static const int halves = FORM == PACK_I8H || FORM == PACK_I8HM ? 2 : 1;
	static const int nibbles = FORM == PACK_U4;
	static const int q = 64 * halves * (1 + minimum); /* offset of the quants in a block of 16 rows */
	static const int bytes = q + (nibbles ? 256 : 512);
};

/* four_of is step k of a lane's block: four values as bytes. Nibbles are below 16: signed bytes all the same. */
template <int FORM> static __device__ int32_t four_of(const uint8_t *block, int lane, int k)
{
	const int32_t *q = (const int32_t *)(block + form_traits<FORM>::q) + lane;
	if (!form_traits<FORM>::nibbles)
		return q[k * PRODUCT_LANES];
	int32_t word = q[k / 2 * PRODUCT_LANES];
	return (k % 2 ? word >> 4 : word) & 0x0f0f0f0f;
}

/* load_block puts block b of the thread's lane, times all rows, at place `at` of the tile. */
template <int FORM, int TOKENS>
static __device__ void load_block(struct block_tile<TOKENS> *tile, const struct product_rows *rows,
                                  const uint8_t *group, int b, int at)
{
	typedef form_traits<FORM> form;
	const struct device_acts *a = rows->acts;
	const uint8_t *block = group + (int64_t)b * form::bytes;
	const float *scale = (const float *)block;
	int lane = threadIdx.x;
	int32_t w[8];
#pragma unroll
	for (int k = 0; k < 8; k++)
		w[k] = four_of<FORM>(block, lane, k);
	for (int h = 0; h < form::halves; h++) {
		tile->d[at][h][lane] = scale[h * PRODUCT_LANES + lane];
		if (form::minimum)
			tile->m[at][h][lane] = scale[(form::halves + h) * PRODUCT_LANES + lane];
	}
#pragma unroll
	for (int t = 0; t < TOKENS; t++) {
		if (t >= rows->tokens)
			break;
		const int32_t *q = (const int32_t *)(a->q + ((int64_t)(rows->first + t) * a->blocks + b) * BLOCK);
		int32_t sum[2] = {0, 0};
#pragma unroll
		for (int k = 0; k < 8; k++)
			sum[k * form::halves / 8] = __dp4a(w[k], q[k], sum[k * form::halves / 8]);
		for (int h = 0; h < form::halves; h++)
			tile->sum[at][t][h][lane] = sum[h];
	}
}

/* add_blocks adds `count` blocks of the tile, the first of them block b, to the accumulator of row t. */
template <int FORM, int TOKENS>
static __device__ float add_blocks(const struct block_tile<TOKENS> *tile, const struct product_rows *rows, int t, int b,
                                   int count, float acc)
{
	typedef form_traits<FORM> form;
	const struct device_acts *a = rows->acts;
	int64_t first = (int64_t)(rows->first + t) * a->blocks + b;
	const float *sums = form::halves == 2 ? a->half_sum : a->sum;
	int lane = threadIdx.x;
	for (int i = 0; i < count; i++) {
		for (int h = 0; h < form::halves; h++) {
			acc = fmaf(tile->d[i][h][lane] * a->d[first + i], (float)tile->sum[i][t][h][lane], acc);
			if (form::minimum)
				acc = fmaf(tile->m[i][h][lane], sums[(first + i) * form::halves + h], acc);
		}
	}
	return acc;
}

/* The result is that of (lane, row threadIdx.y), in the threads with threadIdx.y < rows->tokens. */
template <int FORM, int TOKENS>
static __device__ float product_quantised(struct block_tile<TOKENS> *tile, const struct product_rows *rows,
                                          const uint8_t *group, int cols)
{
	const int step = block_tile<TOKENS>::BLOCKS;
	int slice = threadIdx.y, blocks = cols / BLOCK;
	float acc = 0.0f;
	for (int b = 0; b < blocks; b += step) {
		int count = min(step, blocks - b);
		for (int i = slice; i < count; i += PRODUCT_SLICES)
			load_block<FORM, TOKENS>(tile, rows, group, b + i, i);
		__syncthreads();
		if (slice < rows->tokens)
			acc = add_blocks<FORM, TOKENS>(tile, rows, slice, b, count, acc);
		__syncthreads();
	}
	return acc;
}

template <int FORM> static __device__ float weight_at(const uint8_t *group, int64_t at)
{
	if (FORM == PACK_F32)
		return ((const float *)group)[at];
	if (FORM == PACK_F16)
		return half_to_float(((const uint16_t *)group)[at]);
	return __uint_as_float((uint32_t)((const uint16_t *)group)[at] << 16);
}

template <int FORM, int TOKENS>
static __device__ float product_float(struct float_tile<TOKENS> *tile, const struct product_rows *rows,
                                      const uint8_t *group, int cols)
{
	const int step = float_tile<TOKENS>::VALUES;
	int lane = threadIdx.x, slice = threadIdx.y, thread = slice * PRODUCT_LANES + lane;
	float acc = 0.0f;
	for (int k = 0; k < cols; k += step) {
		int count = min(step, cols - k);
		for (int i = slice; i < count; i += PRODUCT_SLICES)
			tile->w[i][lane] = weight_at<FORM>(group, (int64_t)(k + i) * PRODUCT_LANES + lane);
		for (int t = 0; t < rows->tokens; t++)
			for (int i = thread; i < count; i += PRODUCT_LANES * PRODUCT_SLICES)
				tile->x[t][i] = row_of(rows->in, rows->first + t)[k + i];
		__syncthreads();
		if (slice < rows->tokens)
			for (int i = 0; i < count; i++)
				acc = fmaf(tile->w[i][lane], tile->x[slice][i], acc);
		__syncthreads();
	}
	return acc;
}

template <int TOKENS>
static __device__ float product(union tile<TOKENS> *tile, const struct product_rows *rows, const struct packed *w)
{
	const uint8_t *group = w->data + blockIdx.x * w->group_bytes;
	switch (w->form) {
	case PACK_F32:
		return product_float<PACK_F32, TOKENS>(&tile->floats, rows, group, w->cols);
	case PACK_F16:
		return product_float<PACK_F16, TOKENS>(&tile->floats, rows, group, w->cols);
	case PACK_BF16:
		return product_float<PACK_BF16, TOKENS>(&tile->floats, rows, group, w->cols);
	case PACK_U4:
		return product_quantised<PACK_U4, TOKENS>(&tile->blocks, rows, group, w->cols);
	case PACK_I8:
		return product_quantised<PACK_I8, TOKENS>(&tile->blocks, rows, group, w->cols);
	case PACK_I8M:
		return product_quantised<PACK_I8M, TOKENS>(&tile->blocks, rows, group, w->cols);
	case PACK_I8H:
		return product_quantised<PACK_I8H, TOKENS>(&tile->blocks, rows, group, w->cols);
	default:
		return product_quantised<PACK_I8HM, TOKENS>(&tile->blocks, rows, group, w->cols);
	}
}

#define PRODUCT_THREADS (PRODUCT_LANES * PRODUCT_SLICES)
#endif
