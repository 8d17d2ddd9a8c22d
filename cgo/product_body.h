/* product_body.h owns the products.
 *
 * A lane is a weight row, so each output has one accumulator and K ascends: its bits cannot depend on
 * the tile, the batch or the number of threads. Quantised blocks: the int8 sum is exact in int32
 * however it is formed, then acc = fma(dw*da, isum, acc) and, with a minimum, fma(mw, da*asum, acc).
 *
 * A few tokens take weights apart in registers (row_product_body.h). More tokens share the work: blocks of
 * one or two groups are unpacked into a panel, which stays in L1 while all tokens pass over it. A kernel is a tile of
 * GROUPS x TOKENS accumulators, both constants. */

/* ---- panels: some blocks of a group, unpacked for all tokens of a tile ---- */

enum {
	PANEL_BLOCKS = 16
}; /* with scales and minimums 12 KiB at most, so that two panels and a tile's inputs are in L1 */

/* What of a form is left when it is unpacked. */
struct FN(shape) {
	int halves, minimum; /* minimum: whether there are any */
	struct FN(bytes) bytes;
};

INLINE int FN(panel_block_bytes)(const struct FN(shape) s) { return 512 + 64 * s.halves * (1 + s.minimum); }

/* unpack writes blocks [b0, b1) of a group: bytes, scales [halves][16], minimums [halves][16] each. */
INLINE void FN(unpack)(uint8_t *panel, const uint8_t *group, int b0, int b1, const struct form f,
                       const struct FN(shape) s)
{
	for (int b = b0; b < b1; b++, panel += FN(panel_block_bytes)(s)) {
		const uint8_t *block = FN(block_at)(f, group, b), *shared = FN(shared_at)(f, group, b);
		float *d = (float *)(panel + 512), *m = d + s.halves * GROUP;
		FN(ask)(block + PANEL_BLOCKS * form_block(f), form_block(f)); /* the next panel's */
		UNROLL
		for (int k = 0; k < 8; k++)
			vi_store((int32_t *)(panel + k * 64),
			         FN(load_bytes)(f, block + form_scales(f) + form_minimums(f), k));
		UNROLL
		for (int h = 0; h < s.halves; h++) {
			v_store(d + h * GROUP, FN(block_scale)(f, block, FN(shared_scale)(f, shared), h));
			if (s.minimum)
				v_store(m + h * GROUP, FN(block_minimum)(f, block, FN(shared_minimum)(f, shared), h));
		}
	}
}

/* panel_block adds one block of the panels to every accumulator of the tile. */
INLINE void FN(panel_block)(vf *acc, const uint8_t *const *w, const struct acts *x, int t0, int b, const int groups,
                            const int tokens, const struct FN(shape) s, int centre)
{
	const int steps = 8 / s.halves;
	UNROLL
	for (int h = 0; h < s.halves; h++) {
		vi sum[TILE_CELLS];
		UNROLL
		for (int t = 0; t < tokens; t++) {
			vi start = FN(taken_off)(x, (int64_t)(t0 + t) * x->blocks + b, h, s.halves, centre);
			UNROLL
			for (int g = 0; g < groups; g++)
				sum[g * tokens + t] = start;
		}
		UNROLL
		for (int r = 0; r < steps; r += s.bytes.run) {
			vi run[TILE_CELLS];
			UNROLL
			for (int i = 0; i < groups * tokens; i++)
				run[i] = FN(begin)(sum[i]);
			UNROLL
			for (int k = h * steps + r; k < h * steps + r + s.bytes.run; k++) {
				UNROLL
				for (int g = 0; g < groups; g++) {
					vi bytes = vi_load((const int32_t *)(w[g] + k * 64));
					UNROLL
					for (int t = 0; t < tokens; t++) {
						vi a = FN(inputs)(x, (int64_t)(t0 + t) * x->blocks + b, k);
						if (s.bytes.is_signed)
							sum[g * tokens + t] =
							        FN(dot_signed)(sum[g * tokens + t], bytes, a);
						else
							run[g * tokens + t] = FN(dot)(run[g * tokens + t], bytes, a);
					}
				}
			}
			UNROLL
			for (int i = 0; i < groups * tokens; i++)
				sum[i] = s.bytes.is_signed ? sum[i] : FN(widen)(sum[i], run[i]);
		}
		UNROLL
		for (int g = 0; g < groups; g++) {
			const float *scales = (const float *)(w[g] + 512);
			vf d = v_load(scales + h * GROUP);
			vf m = s.minimum ? v_load(scales + (s.halves + h) * GROUP) : d;
			UNROLL
			for (int t = 0; t < tokens; t++) {
				int64_t at = (int64_t)(t0 + t) * x->blocks + b;
				vf *a = &acc[g * tokens + t];
				*a = v_fma(v_mul(d, v_set1(x->d[at])), v_from_int(sum[g * tokens + t]), *a);
				if (s.minimum)
					*a = v_fma(m, v_set1(s.halves == 2 ? x->half_sum[at * 2 + h] : x->sum[at]), *a);
			}
		}
	}
}

/* panel_tile goes over blocks [b0, b1) for some tokens; what came before is in out. */
INLINE void FN(panel_tile)(const uint8_t *const *panels, const struct acts *x, int t0, int b0, int b1, float *out,
                           int ld, const int groups, const int tokens, const struct FN(shape) s, int centre)
{
	const uint8_t *at[TILE_CELLS];
	vf acc[TILE_CELLS];
	UNROLL
	for (int g = 0; g < groups; g++) {
		at[g] = panels[g];
		UNROLL
		for (int t = 0; t < tokens; t++)
			acc[g * tokens + t] = b0 ? v_load(out + (int64_t)t * ld + g * GROUP) : v_zero();
	}
	for (int b = b0; b < b1; b++) {
		FN(panel_block)(acc, at, x, t0, b, groups, tokens, s, centre);
		UNROLL
		for (int g = 0; g < groups; g++)
			at[g] += FN(panel_block_bytes)(s);
	}
	FN(store_tile)(acc, out, ld, groups, tokens);
}

/* ---- float products ---- */

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

/* ---- tiles over a range ---- */

/* Tile sizes by what fits the registers: 32 zmm hold 2 x 8 float or 2 x 4 quantised accumulators with
 * their sums, 16 ymm half of it. One token takes several groups at once to hide the latency of fma. */
#if defined(ISA_AVX512)
enum { FN(float_tokens) = 8, FN(int_tokens) = 4, FN(tile_groups) = 2, FN(float_row_groups) = 8 };
#elif defined(ISA_AVX2)
enum { FN(float_tokens) = 4, FN(int_tokens) = 3, FN(tile_groups) = 1, FN(float_row_groups) = 4 };
#else
enum { FN(float_tokens) = 1, FN(int_tokens) = 1, FN(tile_groups) = 1, FN(float_row_groups) = 1 };
#endif

/* panel_tiles takes tokens four at a time, then two, then the last. */
INLINE void FN(panel_tiles)(const uint8_t *const *panels, const struct acts *x, int t0, int t1, int b0, int b1,
                            float *out, int ld, const int groups, const struct FN(shape) s, int centre)
{
	int t = t0;
	for (; t + FN(int_tokens) <= t1; t += FN(int_tokens))
		FN(panel_tile)
	(panels, x, t, b0, b1, out + (int64_t)(t - t0) * ld, ld, groups, FN(int_tokens), s, centre);
	if (FN(int_tokens) > 2 && t + 2 <= t1) {
		FN(panel_tile)(panels, x, t, b0, b1, out + (int64_t)(t - t0) * ld, ld, groups, 2, s, centre);
		t += 2;
	}
	if (FN(int_tokens) > 1 && t < t1)
		FN(panel_tile)(panels, x, t, b0, b1, out + (int64_t)(t - t0) * ld, ld, groups, 1, s, centre);
}

/* The shapes that forms unpack to; each is compiled once, for one group and for tile_groups. */
#define SHAPE(name, halves, minimum, is_signed, run) \
	static __attribute__((noinline, unused)) void FN(name)(const uint8_t *const *panels, int groups, \
	                                                       const struct acts *x, int t0, int t1, int b0, int b1, \
	                                                       float *out, int ld, int centre) \
	{ \
		const struct FN(shape) s = {halves, minimum, {is_signed, 0, run}}; \
		if (FN(tile_groups) > 1 && groups == FN(tile_groups)) \
			FN(panel_tiles)(panels, x, t0, t1, b0, b1, out, ld, FN(tile_groups), s, centre); \
		else \
			FN(panel_tiles)(panels, x, t0, t1, b0, b1, out, ld, 1, s, centre); \
	}
SHAPE(panel_min_run8, 1, 1, 0, 8)
SHAPE(panel_min_run4, 1, 1, 0, 4)
SHAPE(panel_run4, 1, 0, 0, 4)
SHAPE(panel_halves_run4, 2, 0, 0, 4)
SHAPE(panel_halves_run2, 2, 0, 0, 2)
SHAPE(panel_halves_min_run4, 2, 1, 0, 4)
SHAPE(panel_signed, 1, 0, 1, 1)
SHAPE(panel_run8, 1, 0, 0, 8)

typedef void FN(panel_fn)(const uint8_t *const *panels, int groups, const struct acts *x, int t0, int t1, int b0,
                          int b1, float *out, int ld, int centre);

INLINE FN(panel_fn) * FN(panel_of)(const struct FN(shape) s)
{
	if (s.bytes.is_signed)
		return FN(panel_signed);
	if (s.halves == 2)
		return s.minimum          ? FN(panel_halves_min_run4)
		       : s.bytes.run == 4 ? FN(panel_halves_run4)
		                          : FN(panel_halves_run2);
	if (s.minimum)
		return s.bytes.run == 8 ? FN(panel_min_run8) : FN(panel_min_run4);
	return s.bytes.run == 8 ? FN(panel_run8) : FN(panel_run4);
}

INLINE void FN(product_panels)(const struct packed *w, const struct acts *x, int g0, int g1, int t0, int t1, float *out,
                               int ld, const int form)
{
	const struct form f = form_of(form);
	const struct FN(shape) s = {f.halves, f.minimum != MINIMUM_NONE, FN(bytes_of)(f)};
	_Alignas(64) uint8_t panel[FN(tile_groups)][PANEL_BLOCKS * (512 + 256)];
	const uint8_t *panels[FN(tile_groups)];
	int blocks = w->cols / BLOCK;
	for (int g = g0, n; g < g1; g += n) {
		n = g + FN(tile_groups) <= g1 ? FN(tile_groups) : 1;
		for (int b0 = 0; b0 < blocks; b0 += PANEL_BLOCKS) {
			int b1 = b0 + PANEL_BLOCKS < blocks ? b0 + PANEL_BLOCKS : blocks;
			for (int i = 0; i < n; i++) {
				FN(unpack)(panel[i], w->data + (g + i) * w->group_bytes, b0, b1, f, s);
				panels[i] = panel[i];
			}
			FN(panel_of)
			(s)(panels, n, x, t0, t1, b0, b1, out + (int64_t)(g - g0) * GROUP, ld, s.bytes.centre);
		}
	}
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
	(w, x, g0, g1, t, out + (int64_t)(t - t0) * ld, ld, FN(tile_groups), FN(float_tokens), form);
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
