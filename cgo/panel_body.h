/* panel_body.h owns products of quantised weights with several tokens.
 *
 * Blocks of one or two groups are unpacked into a panel, which stays in L1 while all tokens pass over it. Whatever the
 * form, a panel has bytes that dot_body.h multiplies, and their scales as floats, so that few kernels do for all forms.
 */

/* Tile sizes by what fits the registers: 32 zmm hold 2 x 4 accumulators with their sums, 16 ymm 3 x 2. */
#if defined(ISA_AVX512)
enum { FN(int_tokens) = 4, FN(tile_groups) = 2 };
#elif defined(ISA_AVX2)
enum { FN(int_tokens) = 3, FN(tile_groups) = 1 };
#else
enum { FN(int_tokens) = 1, FN(tile_groups) = 1 };
#endif

/* What of a form is left when it is unpacked. */
struct FN(shape) {
	int halves, minimum; /* minimum: whether there are any */
	int is_signed;       /* magnitudes and flips (dot_body.h), not codes */
	int centre;          /* what is taken off a code where sums start */
	int added;           /* what a code has more than it had packed */
	int run;             /* steps whose sum fits before it is widened */
};

INLINE struct FN(shape) FN(shape_of)(const struct form f)
{
	const struct FN(bytes) y = FN(bytes_of)(f);
	const int centre = FN(centre_of)(y.centre, f.halves);
	return (struct FN(shape)){
	        .halves = f.halves,
	        .minimum = f.minimum != MINIMUM_NONE,
	        .is_signed = y.is_signed,
	        .centre = centre,
	        .added = centre - y.centre,
	        .run = centre ? 8 / f.halves : y.run,
	};
}

/* A block: bytes, flips and what is to be added for them if signed, scales [halves][16], minimums [halves][16]. */
enum { PANEL_FLIPS = 512, PANEL_ADDED = 1024 };

INLINE int FN(panel_scales)(const struct FN(shape) s) { return s.is_signed ? PANEL_ADDED + 64 : 512; }
INLINE int FN(panel_block_bytes)(const struct FN(shape) s)
{
	return FN(panel_scales)(s) + 64 * s.halves * (1 + s.minimum);
}

/* With its scales a panel has 18 KiB at most: it and a tile's inputs are in L1. */
enum { PANEL_BLOCKS = 16, PANEL_BYTES = PANEL_BLOCKS * (PANEL_ADDED + 128) };

INLINE void FN(unpack_bytes)(uint8_t *panel, const uint8_t *planes, const struct form f, const struct FN(shape) s)
{
	vi added = vi_zero();
	UNROLL
	for (int k = 0; k < 8; k++) {
		vi bytes = FN(load_bytes)(f, planes, k);
		if (s.added)
			bytes = vi_add(bytes, vi_set1(s.added * 0x01010101));
		if (s.is_signed) {
			vi flip = FN(flip)(bytes);
			bytes = FN(magnitude)(bytes);
			added = FN(dot)(added, vi_and(bytes, flip), vi_set1(0x01010101));
			vi_store((int32_t *)(panel + PANEL_FLIPS + k * 64), flip);
		}
		vi_store((int32_t *)(panel + k * 64), bytes);
	}
	if (s.is_signed)
		vi_store((int32_t *)(panel + PANEL_ADDED), FN(widen)(vi_zero(), added));
}

/* unpack writes blocks [b0, b1) of a group. */
INLINE void FN(unpack)(uint8_t *panel, const uint8_t *group, int b0, int b1, const struct form f,
                       const struct FN(shape) s)
{
	for (int b = b0; b < b1; b++, panel += FN(panel_block_bytes)(s)) {
		const uint8_t *block = FN(block_at)(f, group, b), *shared = FN(shared_at)(f, group, b);
		float *d = (float *)(panel + FN(panel_scales)(s)), *m = d + s.halves * GROUP;
		FN(ask)(block + PANEL_BLOCKS * form_block(f), form_block(f)); /* the next panel's */
		FN(unpack_bytes)(panel, block + form_scales(f) + form_minimums(f), f, s);
		UNROLL
		for (int h = 0; h < s.halves; h++) {
			v_store(d + h * GROUP, FN(block_scale)(f, block, FN(shared_scale)(f, shared), h));
			if (s.minimum)
				v_store(m + h * GROUP, FN(block_minimum)(f, block, FN(shared_minimum)(f, shared), h));
		}
	}
}

/* panel_run adds steps [k0, k1) of a block to every cell of the tile. */
INLINE void FN(panel_run)(vi *sum, const uint8_t *const *w, const struct acts *x, int t0, int b, const int k0,
                          const int k1, const int groups, const int tokens, const int is_signed)
{
	UNROLL
	for (int k = k0; k < k1; k++) {
		UNROLL
		for (int g = 0; g < groups; g++) {
			vi bytes = vi_load((const int32_t *)(w[g] + k * 64));
			UNROLL
			for (int t = 0; t < tokens; t++) {
				vi a = FN(inputs)(x, (int64_t)(t0 + t) * x->blocks + b, k), *to = &sum[g * tokens + t];
				if (is_signed)
					*to = FN(dot_flipped)(*to, bytes, w[g] + PANEL_FLIPS + k * 64, a);
				else
					*to = FN(dot)(*to, bytes, a);
			}
		}
	}
}

/* panel_sums adds up half h of a block. */
INLINE void FN(panel_sums)(vi *sum, const uint8_t *const *w, const struct acts *x, int t0, int b, const int h,
                           const int groups, const int tokens, const struct FN(shape) s)
{
	const int steps = 8 / s.halves, cells = groups * tokens;
	UNROLL
	for (int i = 0; i < cells; i++)
		sum[i] = s.is_signed ? vi_load((const int32_t *)(w[i / tokens] + PANEL_ADDED)) : vi_zero();
	if (s.is_signed) {
		FN(panel_run)(sum, w, x, t0, b, 0, 8, groups, tokens, 1);
		return;
	}
	UNROLL
	for (int r = 0; r < steps; r += s.run) {
		vi run[TILE_CELLS];
		UNROLL
		for (int i = 0; i < cells; i++)
			run[i] = r ? vi_zero()
			           : FN(start)(x, (int64_t)(t0 + i % tokens) * x->blocks + b, h, s.halves, s.centre);
		FN(panel_run)(run, w, x, t0, b, h * steps + r, h * steps + r + s.run, groups, tokens, 0);
		UNROLL
		for (int i = 0; i < cells; i++)
			sum[i] = FN(widen)(sum[i], run[i]);
	}
}

/* panel_block adds one block of the panels to every accumulator of the tile. */
INLINE void FN(panel_block)(vf *acc, const uint8_t *const *w, const struct acts *x, int t0, int b, const int groups,
                            const int tokens, const struct FN(shape) s)
{
	UNROLL
	for (int h = 0; h < s.halves; h++) {
		vi sum[TILE_CELLS];
		FN(panel_sums)(sum, w, x, t0, b, h, groups, tokens, s);
		UNROLL
		for (int g = 0; g < groups; g++) {
			const float *scales = (const float *)(w[g] + FN(panel_scales)(s));
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
                           int ld, const int groups, const int tokens, const struct FN(shape) s)
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
		FN(panel_block)(acc, at, x, t0, b, groups, tokens, s);
		UNROLL
		for (int g = 0; g < groups; g++)
			at[g] += FN(panel_block_bytes)(s);
	}
	FN(store_tile)(acc, out, ld, groups, tokens);
}

/* panel_tiles takes tokens int_tokens at a time, then two, then the last. */
INLINE void FN(panel_tiles)(const uint8_t *const *panels, const struct acts *x, int t0, int t1, int b0, int b1,
                            float *out, int ld, const int groups, const struct FN(shape) s)
{
	int t = t0;
	for (; t + FN(int_tokens) <= t1; t += FN(int_tokens))
		FN(panel_tile)
	(panels, x, t, b0, b1, out + (int64_t)(t - t0) * ld, ld, groups, FN(int_tokens), s);
	if (FN(int_tokens) > 2 && t + 2 <= t1) {
		FN(panel_tile)(panels, x, t, b0, b1, out + (int64_t)(t - t0) * ld, ld, groups, 2, s);
		t += 2;
	}
	if (FN(int_tokens) > 1 && t < t1)
		FN(panel_tile)(panels, x, t, b0, b1, out + (int64_t)(t - t0) * ld, ld, groups, 1, s);
}

/* The shapes that forms unpack to; each is compiled once, for one group and for tile_groups. */
#define SHAPE(name, halves, minimum, is_signed, centre_of, run) \
	static __attribute__((noinline, unused)) void FN(name)(const uint8_t *const *panels, int groups, \
	                                                       const struct acts *x, int t0, int t1, int b0, int b1, \
	                                                       float *out, int ld, int centre) \
	{ \
		const struct FN(shape) s = {halves, minimum, is_signed, centre_of, 0, run}; \
		if (FN(tile_groups) > 1 && groups == FN(tile_groups)) \
			FN(panel_tiles)(panels, x, t0, t1, b0, b1, out, ld, FN(tile_groups), s); \
		else \
			FN(panel_tiles)(panels, x, t0, t1, b0, b1, out, ld, 1, s); \
	}
SHAPE(panel_min, 1, 1, 0, 0, 8)
SHAPE(panel_min_run4, 1, 1, 0, 0, 4)
SHAPE(panel_centred, 1, 0, 0, centre, 8)
SHAPE(panel_signed, 1, 0, 1, 0, 8)
SHAPE(panel_halves_centred, 2, 0, 0, centre, 4)
SHAPE(panel_halves_min, 2, 1, 0, 0, 4)

typedef void FN(panel_fn)(const uint8_t *const *panels, int groups, const struct acts *x, int t0, int t1, int b0,
                          int b1, float *out, int ld, int centre);

INLINE FN(panel_fn) * FN(panel_of)(const struct FN(shape) s)
{
	if (s.is_signed)
		return FN(panel_signed);
	if (s.halves == 2)
		return s.minimum ? FN(panel_halves_min) : FN(panel_halves_centred);
	if (s.minimum)
		return s.run == 8 ? FN(panel_min) : FN(panel_min_run4);
	return FN(panel_centred);
}

INLINE void FN(product_panels)(const struct packed *w, const struct acts *x, int g0, int g1, int t0, int t1, float *out,
                               int ld, const int form)
{
	const struct form f = form_of(form);
	const struct FN(shape) s = FN(shape_of)(f);
	_Alignas(64) uint8_t panel[FN(tile_groups)][PANEL_BYTES];
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
			(s)(panels, n, x, t0, t1, b0, b1, out + (int64_t)(g - g0) * GROUP, ld, s.centre);
		}
	}
}
