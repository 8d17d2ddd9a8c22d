/* round_body.h owns the rounding of activations to blocks of int8. */

/* two_int16 is both in the lanes of one int32: what a sum of 16 bits starts with, in every row's lane. */
INLINE int32_t FN(two_int16)(int32_t first, int32_t second)
{
	return (int32_t)((uint32_t)second << 16 | (uint16_t)first);
}

/* quantise_block rounds 32 values half to even; x beyond the row's end is zero. A NaN or an infinity
 * among them gives a NaN or infinite scale, which shows in the result instead of hiding. A scale below
 * the normal numbers has no finite inverse: such a block, less than 1.5e-36 all over, is zero. */
INLINE void FN(quantise_block)(const struct acts *a, int64_t at, vf low, vf high)
{
	const vf most = v_set1(127.0f), least = v_set1(-127.0f);
	int nan = v_any(v_isnan(low)) || v_any(v_isnan(high)); /* v_highest would pass over it */
	float d = (nan ? NAN : v_highest(v_max(v_abs(low), v_abs(high)))) / 127.0f;
	vf inverse = v_set1(d >= 0x1p-126f ? 1.0f / d : 0.0f);
	/* A product that is NaN becomes the least. */
	vi q[2] = {v_to_int(v_min(v_max(v_mul(low, inverse), least), most)),
	           v_to_int(v_min(v_max(v_mul(high, inverse), least), most))};
	int32_t pair[2][2], sum[2];
	for (int h = 0; h < 2; h++) {
		vi_pairs(q[h], pair[h]);
		sum[h] = pair[h][0] + pair[h][1];
		a->half_start[at * 2 + h] = FN(two_int16)(-32 * pair[h][0], -32 * pair[h][1]);
	}
	a->start[at] = FN(two_int16)(-16 * (pair[0][0] + pair[1][0]), -16 * (pair[0][1] + pair[1][1]));
	vi_store_i8(a->q + at * BLOCK, q[0]);
	vi_store_i8(a->q + at * BLOCK + LANES, q[1]);
	a->d[at] = d;
	a->sum[at] = d * (float)(sum[0] + sum[1]);
	a->total[at] = sum[0] + sum[1];
	for (int h = 0; h < 2; h++) {
		a->half_sum[at * 2 + h] = d * (float)sum[h];
		a->half_total[at * 2 + h] = sum[h];
	}
}

static void FN(quantise)(const struct acts *a, int t, const float *x, int n)
{
	for (int k = 0; k < n; k += BLOCK) {
		int left = n - k - LANES;
		vf low = left >= 0 ? v_load(x + k) : v_load_n(x + k, n - k, 0.0f);
		vf high = left >= LANES ? v_load(x + k + LANES)
		          : left > 0    ? v_load_n(x + k + LANES, left, 0.0f)
		                        : v_zero();
		FN(quantise_block)(a, (int64_t)t * a->blocks + k / BLOCK, low, high);
	}
}
