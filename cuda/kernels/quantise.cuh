/* quantise.cuh owns the rounding of activations to int8. */
#ifndef CHIMERA_QUANTISE_CUH
#define CHIMERA_QUANTISE_CUH
#include "lane.cuh"

/* round_block rounds the block of n values at x to int8, half to even. A NaN or an infinity among them gives a
 * NaN or infinite scale, which shows in the result instead of hiding. A scale below the normal numbers has no
 * finite inverse: such a block is zero. */
static __device__ void round_block(const struct device_acts *a, int64_t at, const float *x, int n)
{
	float highest = 0.0f;
	bool nan = false;
	for (int i = 0; i < n; i++) {
		highest = v_max(v_abs(x[i]), highest);
		nan |= v_isnan(x[i]);
	}
	float d = (nan ? NAN : highest) / 127.0f, inverse = d >= 0x1p-126f ? 1.0f / d : 0.0f;
	int sum[2] = {0, 0};
	for (int i = 0; i < BLOCK; i++) {
		int v = i < n ? v_to_int(x[i] * inverse) : v_to_int(0.0f * inverse);
		v = v > 127 ? 127 : v < -127 ? -127 : v;
		a->q[at * BLOCK + i] = (int8_t)v;
		sum[i / 16] += v;
	}
	a->d[at] = d;
	a->sum[at] = d * (float)(sum[0] + sum[1]);
	a->half_sum[at * 2] = d * (float)sum[0];
	a->half_sum[at * 2 + 1] = d * (float)sum[1];
}

static __device__ void round_row(const struct device_acts *a, int row, const float *x, int n)
{
	for (int b = threadIdx.x; b * BLOCK < n; b += ROW_THREADS)
		round_block(a, (int64_t)row * a->blocks + b, x + b * BLOCK, min(BLOCK, n - b * BLOCK));
}
#endif
