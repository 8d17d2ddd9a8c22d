/* row_product_body.h owns products of few tokens, as a decoding step has them: weights are read as they are packed and
 * taken apart in registers, once for the tokens of a tile.
 *
 * A tile is GROUPS x TOKENS. Up to few_tokens that is less work than to unpack into a panel (panel_body.h): a block
 * of Q4_1 takes two tokens 12.3 ns on a Zen 3, where a panel takes 21.3, and two of one 16. */

/* The accumulators of a tile, at most. An array of a size that only inlining makes constant stays in memory. */
enum { TILE_CELLS = 16 };

INLINE void FN(store_tile)(const vf *acc, float *out, int ld, const int groups, const int tokens)
{
	UNROLL
	for (int g = 0; g < groups; g++)
		UNROLL
	for (int t = 0; t < tokens; t++)
		v_store(out + (int64_t)t * ld + g * GROUP, acc[g * tokens + t]);
}

/* Tokens of a tile, at most: the sums of three and one group fill AVX2's registers. How far ahead of their use a single
 * stream's weights are asked for: two to seven blocks, since a page's end stops the processor's own prefetching. On
 * AVX-512 neither was measured. */
#if defined(ISA_AVX2)
enum { FN(row_tokens) = 3, FN(row_ahead) = 2048 };
#else
enum { FN(row_tokens) = 1, FN(row_ahead) = 0 };
#endif

/* row_groups is how many groups a tile of so many tokens takes. Each is a stream of memory: where next to nothing is
 * computed, as with 8 bits on AVX2, four bring more than asking ahead does. On AVX-512 four hide the latency of fma. */
INLINE int FN(row_groups)(const struct form f, const int tokens)
{
#if defined(ISA_AVX512)
	return 4;
#elif defined(ISA_AVX2)
	return f.low == 8 && tokens == 1 ? 4 : 1;
#else
	return 1;
#endif
}

/* few_tokens is how many are computed so at most. To put two planes together is work that is worth sharing sooner. */
INLINE int FN(few_tokens)(const struct form f) { return FN(row_tokens) == 1 || f.high ? FN(row_tokens) : 6; }

/* row_sums are the sums of half h of a block, (groups, tokens). */
INLINE void FN(row_sums)(vi *sum, const uint8_t *const *block, const struct acts *x, int64_t at, const int h,
                         const int groups, const int tokens, const struct form f)
{
	const struct FN(bytes) y = FN(bytes_of)(f);
	const int steps = 8 / f.halves, cells = groups * tokens;
	UNROLL
	for (int i = 0; i < cells; i++)
		sum[i] = FN(taken_off)(x, at + (int64_t)(i % tokens) * x->blocks, h, f.halves, y.centre);
	UNROLL
	for (int r = 0; r < steps; r += y.run) {
		vi run[TILE_CELLS];
		UNROLL
		for (int i = 0; i < cells; i++)
			run[i] = FN(begin)(sum[i]);
		UNROLL
		for (int k = h * steps + r; k < h * steps + r + y.run; k++) {
			UNROLL
			for (int i = 0; i < cells; i++) {
				vi w = FN(load_bytes)(f, block[i / tokens] + form_scales(f) + form_minimums(f), k);
				vi a = FN(inputs)(x, at + (int64_t)(i % tokens) * x->blocks, k);
				if (y.is_signed)
					sum[i] = FN(dot_signed)(sum[i], w, a);
				else
					run[i] = FN(dot)(run[i], w, a);
			}
		}
		UNROLL
		for (int i = 0; i < cells; i++)
			sum[i] = y.is_signed ? sum[i] : FN(widen)(sum[i], run[i]);
	}
}

/* What the blocks of a super-block share. */
struct FN(row_shared) {
	vf d, least;
};

/* row_add adds the sums of half h of a block, scaled, to the accumulators. */
INLINE void FN(row_add)(vf *acc, const vi *sum, const uint8_t *const *block, const struct FN(row_shared) * shared,
                        const struct acts *x, int64_t at, const int h, const int groups, const int tokens,
                        const struct form f)
{
	UNROLL
	for (int g = 0; g < groups; g++) {
		vf d = FN(block_scale)(f, block[g], shared[g].d, h);
		vf m = f.minimum ? FN(block_minimum)(f, block[g], shared[g].least, h) : d;
		UNROLL
		for (int t = 0; t < tokens; t++) {
			int64_t b = at + (int64_t)t * x->blocks;
			vf *a = &acc[g * tokens + t];
			*a = v_fma(v_mul(d, v_set1(x->d[b])), v_from_int(sum[g * tokens + t]), *a);
			if (f.minimum)
				*a = v_fma(m, v_set1(f.halves == 2 ? x->half_sum[b * 2 + h] : x->sum[b]), *a);
		}
	}
}

/* row_tile is all blocks of some groups by some tokens. */
INLINE void FN(row_tile)(const struct packed *w, const struct acts *x, int g0, int t0, float *out, int ld,
                         const int groups, const int tokens, const int form)
{
	const struct form f = form_of(form);
	const uint8_t *block[TILE_CELLS];
	struct FN(row_shared) shared[TILE_CELLS];
	vi sum[TILE_CELLS];
	vf acc[TILE_CELLS];
	UNROLL
	for (int i = 0; i < groups * tokens; i++)
		acc[i] = v_zero();
	UNROLL
	for (int g = 0; g < groups; g++)
		block[g] = w->data + (g0 + g) * w->group_bytes;
	int64_t at = (int64_t)t0 * x->blocks, end = at + w->cols / BLOCK;
	while (at < end) {
		UNROLL
		for (int g = 0; g < groups; g++) {
			shared[g] =
			        (struct FN(row_shared)){FN(shared_scale)(f, block[g]), FN(shared_minimum)(f, block[g])};
			block[g] += form_shared(f);
		}
		for (int64_t next = at + f.super; at < next; at++) {
			UNROLL
			for (int h = 0; h < f.halves; h++) {
				FN(row_sums)(sum, block, x, at, h, groups, tokens, f);
				FN(row_add)(acc, sum, block, shared, x, at, h, groups, tokens, f);
			}
			UNROLL
			for (int g = 0; g < groups; g++) {
				if (FN(row_ahead) && groups == 1)
					FN(ask)(block[g] + FN(row_ahead), form_block(f));
				block[g] += form_block(f);
			}
		}
	}
	FN(store_tile)(acc, out, ld, groups, tokens);
}

/* row_tiles runs some tokens over groups. */
INLINE void FN(row_tiles)(const struct packed *w, const struct acts *x, int g0, int g1, int t, float *out, int ld,
                          const int tokens, const int form)
{
	const int groups = FN(row_groups)(form_of(form), tokens);
	int g = g0;
	for (; g + groups <= g1; g += groups)
		FN(row_tile)(w, x, g, t, out + (int64_t)(g - g0) * GROUP, ld, groups, tokens, form);
	for (; groups > 1 && g < g1; g++)
		FN(row_tile)(w, x, g, t, out + (int64_t)(g - g0) * GROUP, ld, 1, tokens, form);
}

/* product_rows lets all tokens pass over some groups, which are in L1 behind the first of them: three at a time, but
 * four as two and two. */
INLINE void FN(product_rows)(const struct packed *w, const struct acts *x, int g0, int g1, int t0, int t1, float *out,
                             int ld, const int form)
{
	const int groups = FN(row_groups)(form_of(form), t1 - t0);
	for (int g = g0; g < g1; g += groups) {
		int end = g + groups < g1 ? g + groups : g1;
		for (int t = t0, n; t < t1; t += n) {
			float *o = out + (int64_t)(t - t0) * ld + (int64_t)(g - g0) * GROUP;
			n = t1 - t == 4 ? 2 : t1 - t;
			n = n < FN(row_tokens) ? n : FN(row_tokens);
			if (FN(row_tokens) > 2 && n == 3)
				FN(row_tiles)(w, x, g, end, t, o, ld, 3, form);
			else if (FN(row_tokens) > 1 && n == 2)
				FN(row_tiles)(w, x, g, end, t, o, ld, 2, form);
			else
				FN(row_tiles)(w, x, g, end, t, o, ld, 1, form);
		}
	}
}
