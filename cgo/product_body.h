/* product_body.h owns the products.
 *
 * A lane is a weight row, so each output has one accumulator and K ascends: its bits cannot depend on
 * the tile, the batch or the number of threads. Quantised blocks: the int8 sum is exact in int32
 * however it is formed, then acc = fma(dw*da, isum, acc) and, with a minimum, fma(mw, da*asum, acc).
 *
 * A few tokens read quantised weights as they are packed, and take them apart in registers (row_product_body.h). More
 * tokens share that work (panel_body.h). A kernel is a tile of GROUPS x TOKENS accumulators, both constants. */

/* Tiles of floats by what fits the registers: 32 zmm hold 2 x 8 accumulators, 16 ymm half of it. One token takes
 * several groups at once to hide the latency of fma. */
#if defined(ISA_AVX512)
enum { FN(float_tokens) = 8, FN(float_tile) = 2, FN(float_row_groups) = 8 };
#elif defined(ISA_AVX2)
enum { FN(float_tokens) = 4, FN(float_tile) = 1, FN(float_row_groups) = 4 };
#else
enum { FN(float_tokens) = 1, FN(float_tile) = 1, FN(float_row_groups) = 1 };
#endif

INLINE vf FN(load_weight)(const uint8_t *p, int64_t k, const int form)
{
	if (form == FORM_F32)
		return v_load((const float *)p + k * GROUP);
	if (form == FORM_F16)
		return v_load_f16((const uint16_t *)p + k * GROUP);
	return v_load_bf16((const uint16_t *)p + k * GROUP);
}

INLINE void FN(tile_float)(const struct packed *w, const struct acts *x, int g0, int t0, float *out, int ld,
                           const int groups, const int tokens, const int form)
{
	const uint8_t *data = w->data + g0 * w->group_bytes;
	const float *rows = x->x + (int64_t)t0 * x->cols;
	vf acc[TILE_CELLS];
	UNROLL
	for (int i = 0; i < groups * tokens; i++)
		acc[i] = v_zero();
	for (int k = 0; k < w->cols; k++) {
		UNROLL
		for (int g = 0; g < groups; g++) {
			vf weight = FN(load_weight)(data + g * w->group_bytes, k, form);
			UNROLL
			for (int t = 0; t < tokens; t++)
				acc[g * tokens + t] =
				        v_fma(weight, v_set1(rows[(int64_t)t * x->cols + k]), acc[g * tokens + t]);
		}
	}
	FN(store_tile)(acc, out, ld, groups, tokens);
}

/* float_groups runs all groups for `tokens` tokens, `groups` at a time, then one by one. */
INLINE void FN(float_groups)(const struct packed *w, const struct acts *x, int g0, int g1, int t, float *out, int ld,
                             const int groups, const int tokens, const int form)
{
	int g = g0;
	for (; g + groups <= g1; g += groups)
		FN(tile_float)(w, x, g, t, out + (int64_t)(g - g0) * GROUP, ld, groups, tokens, form);
	for (; groups > 1 && g < g1; g++)
		FN(tile_float)(w, x, g, t, out + (int64_t)(g - g0) * GROUP, ld, 1, tokens, form);
}

INLINE void FN(product_floats)(const struct packed *w, const struct acts *x, int g0, int g1, int t0, int t1, float *out,
                               int ld, const int form)
{
	int t = t0;
	for (; t + FN(float_tokens) <= t1; t += FN(float_tokens))
		FN(float_groups)
	(w, x, g0, g1, t, out + (int64_t)(t - t0) * ld, ld, FN(float_tile), FN(float_tokens), form);
	for (; t < t1; t++)
		FN(float_groups)(w, x, g0, g1, t, out + (int64_t)(t - t0) * ld, ld, FN(float_row_groups), 1, form);
}

#define PRODUCT_FLOATS(name, form) \
	static void FN(name)(const struct packed *w, const struct acts *x, int g0, int g1, int t0, int t1, float *out, \
	                     int ld) \
	{ \
		FN(product_floats)(w, x, g0, g1, t0, t1, out, ld, form); \
	}
#define PRODUCT(name, form) \
	static void FN(name)(const struct packed *w, const struct acts *x, int g0, int g1, int t0, int t1, float *out, \
	                     int ld) \
	{ \
		if (t1 - t0 <= FN(few_tokens)(form_of(form))) \
			FN(product_rows)(w, x, g0, g1, t0, t1, out, ld, form); \
		else \
			FN(product_panels)(w, x, g0, g1, t0, t1, out, ld, form); \
	}
PRODUCT_FLOATS(product_f32, FORM_F32)
PRODUCT_FLOATS(product_f16, FORM_F16)
PRODUCT_FLOATS(product_bf16, FORM_BF16)
PRODUCT(product_q4_0, FORM_Q4_0)
PRODUCT(product_q4_1, FORM_Q4_1)
PRODUCT(product_q5_0, FORM_Q5_0)
PRODUCT(product_q5_1, FORM_Q5_1)
PRODUCT(product_q8_0, FORM_Q8_0)
PRODUCT(product_q2_k, FORM_Q2_K)
PRODUCT(product_q3_k, FORM_Q3_K)
PRODUCT(product_q4_k, FORM_Q4_K)
PRODUCT(product_q5_k, FORM_Q5_K)
PRODUCT(product_q6_k, FORM_Q6_K)
PRODUCT(product_iq4_nl, FORM_IQ4_NL)
PRODUCT(product_iq4_xs, FORM_IQ4_XS)
PRODUCT(product_mxfp4, FORM_MXFP4)

#define PRODUCT_KERNELS \
	{ \
		.product = \
		        { \
		                [FORM_F32] = FN(product_f32),       [FORM_F16] = FN(product_f16), \
		                [FORM_BF16] = FN(product_bf16),     [FORM_Q4_0] = FN(product_q4_0), \
		                [FORM_Q4_1] = FN(product_q4_1),     [FORM_Q5_0] = FN(product_q5_0), \
		                [FORM_Q5_1] = FN(product_q5_1),     [FORM_Q8_0] = FN(product_q8_0), \
		                [FORM_Q2_K] = FN(product_q2_k),     [FORM_Q3_K] = FN(product_q3_k), \
		                [FORM_Q4_K] = FN(product_q4_k),     [FORM_Q5_K] = FN(product_q5_k), \
		                [FORM_Q6_K] = FN(product_q6_k),     [FORM_IQ4_NL] = FN(product_iq4_nl), \
		                [FORM_IQ4_XS] = FN(product_iq4_xs), [FORM_MXFP4] = FN(product_mxfp4), \
		        }, \
		.quantise = FN(quantise), \
	}
