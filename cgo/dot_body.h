/* dot_body.h owns products of bytes: how each instruction set forms the int32 sum of a block, which is exact however it
 * is formed. */

/* Tile loops are unrolled so that accumulators become registers; the scalar oracle stays loops. */
#if defined(ISA_AVX512) || defined(ISA_AVX2)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL
#endif

/* The bytes that kernels multiply are codes, signed or not. Instructions that sum two products into 16 bits can add
 * further ones there, up to `run` steps, before the sum is widened: 2 * 127 * highest code * run < 2^15. */
struct FN(bytes) {
	int is_signed;
	int centre; /* what is taken off a byte, through the sums of activations */
	int run;    /* steps of four inputs */
};

#if defined(ISA_VNNI) /* takes unsigned bytes times signed ones, into 32 bits */
enum { FN(signed_centre) = 128, FN(largest_sum) = INT32_MAX };
#elif defined(ISA_AVX512) || defined(ISA_AVX2)
enum { FN(signed_centre) = 0, FN(largest_sum) = INT16_MAX };
#else
enum { FN(signed_centre) = 128, FN(largest_sum) = INT32_MAX };
#endif

enum { FN(mxfp4_centre) = 16 }; /* its codes stand for -12 to 12, and 16 is a centre of sums of 16 bits */

INLINE struct FN(bytes) FN(bytes_of)(const struct form f)
{
	const int highest = f.table == TABLE_MXFP4 ? 28 : (1 << (f.low + f.high)) - 1;
	const int steps = 8 / f.halves, fit = FN(largest_sum) / (2 * 127 * highest);
	const int run = fit >= steps ? steps : fit >= 4 ? 4 : 2;
	if (f.table == TABLE_IQ4 || f.low == 8)
		return (struct FN(bytes)){!FN(signed_centre), FN(signed_centre), FN(signed_centre) ? steps : 1};
	return (struct FN(bytes)){0, f.table == TABLE_MXFP4 ? FN(mxfp4_centre) : f.centre, run};
}

/* Bytes of the tables, each value plus what is taken off again. */
#define WITH(value, c) (uint8_t)((value) + (c))
static const uint8_t FN(iq4)[16] = {
        WITH(-127, FN(signed_centre)), WITH(-104, FN(signed_centre)), WITH(-83, FN(signed_centre)),
        WITH(-65, FN(signed_centre)),  WITH(-49, FN(signed_centre)),  WITH(-35, FN(signed_centre)),
        WITH(-22, FN(signed_centre)),  WITH(-10, FN(signed_centre)),  WITH(1, FN(signed_centre)),
        WITH(13, FN(signed_centre)),   WITH(25, FN(signed_centre)),   WITH(38, FN(signed_centre)),
        WITH(53, FN(signed_centre)),   WITH(69, FN(signed_centre)),   WITH(89, FN(signed_centre)),
        WITH(113, FN(signed_centre)),
};
static const uint8_t FN(mxfp4)[16] = {16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4};

/* through looks each byte, 0 to 15, up. */
#if defined(ISA_AVX512)
INLINE vi FN(through)(const uint8_t *table, vi codes)
{
	return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table)), codes);
}
#elif defined(ISA_AVX2)
INLINE vi FN(through)(const uint8_t *table, vi codes)
{
	__m256i t = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
	return (vi){_mm256_shuffle_epi8(t, codes.a), _mm256_shuffle_epi8(t, codes.b)};
}
#else
INLINE vi FN(through)(const uint8_t *table, vi codes)
{
	uint8_t b[4 * LANES];
	memcpy(b, codes.x, sizeof b);
	for (int i = 0; i < 4 * LANES; i++)
		b[i] = table[b[i]];
	memcpy(codes.x, b, sizeof b);
	return codes;
}
#endif

/* dot adds the products of a step to a run's sum, which begins at begin(start) in the block's first run; widen adds
 * that to the block's sum; signed bytes are added at once. */
#if defined(ISA_VNNI)
INLINE vi FN(begin)(vi start) { return start; }
INLINE vi FN(dot)(vi run, vi w, vi x) { return _mm512_dpbusd_epi32(run, w, x); }
INLINE vi FN(widen)(vi sum, vi run) { return run; }
#elif defined(ISA_AVX512)
INLINE vi FN(begin)(vi start) { return vi_zero(); }
INLINE vi FN(dot)(vi run, vi w, vi x)
{
	run = _mm512_add_epi16(run, _mm512_maddubs_epi16(w, x));
	__asm("" : "+v"(run));
	return run;
}
INLINE vi FN(widen)(vi sum, vi run) { return _mm512_add_epi32(sum, _mm512_madd_epi16(run, _mm512_set1_epi16(1))); }
/* |w| <= 128 and |x| <= 127: two products stay below 2^15, so maddubs cannot saturate. */
INLINE vi FN(dot_signed)(vi sum, vi w, vi x)
{
	x = _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(w), _mm512_setzero_si512(), x);
	return FN(widen)(sum, _mm512_maddubs_epi16(_mm512_abs_epi8(w), x));
}
#elif defined(ISA_AVX2)
/* pinned keeps gcc from adding up as a tree, whose leaves it spills: three times the stores, two thirds of the speed.
 */
INLINE vi FN(pinned)(vi sum)
{
	__asm("" : "+x"(sum.a), "+x"(sum.b));
	return sum;
}
INLINE vi FN(begin)(vi start) { return vi_zero(); }
INLINE vi FN(dot)(vi run, vi w, vi x)
{
	return FN(pinned)((vi){_mm256_add_epi16(run.a, _mm256_maddubs_epi16(w.a, x.a)),
	                       _mm256_add_epi16(run.b, _mm256_maddubs_epi16(w.b, x.b))});
}
INLINE vi FN(widen)(vi sum, vi run)
{
	const __m256i ones = _mm256_set1_epi16(1);
	return (vi){_mm256_add_epi32(sum.a, _mm256_madd_epi16(run.a, ones)),
	            _mm256_add_epi32(sum.b, _mm256_madd_epi16(run.b, ones))};
}
/* |w| <= 128 and |x| <= 127: two products stay below 2^15, so maddubs cannot saturate. */
INLINE vi FN(dot_signed)(vi sum, vi w, vi x)
{
	sum = FN(widen)(sum, (vi){_mm256_maddubs_epi16(_mm256_abs_epi8(w.a), _mm256_sign_epi8(x.a, w.a)),
	                          _mm256_maddubs_epi16(_mm256_abs_epi8(w.b), _mm256_sign_epi8(x.b, w.b))});
	return FN(pinned)(sum);
}
#else
INLINE vi FN(begin)(vi start) { return start; }
INLINE vi FN(dot)(vi run, vi w, vi x)
{
	uint8_t a[4 * LANES];
	int8_t b[4 * LANES];
	memcpy(a, w.x, sizeof a);
	memcpy(b, x.x, sizeof b);
	for (int i = 0; i < 4 * LANES; i++)
		run.x[i / 4] += a[i] * b[i];
	return run;
}
INLINE vi FN(widen)(vi sum, vi run) { return run; }
#endif

/* inputs is step k of block b of a token, in every lane. */
INLINE vi FN(inputs)(const struct acts *x, int64_t at, const int k)
{
	int32_t four;
	memcpy(&four, x->q + at * BLOCK + k * 4, 4);
	return vi_set1(four);
}

/* taken_off is where a sum starts: minus what its codes have too much. */
INLINE vi FN(taken_off)(const struct acts *x, int64_t at, const int h, const int halves, const int centre)
{
	return centre ? vi_set1(-centre * (halves == 2 ? x->half_total[at * 2 + h] : x->total[at])) : vi_zero();
}

/* Sums of 16 bits wrap around, so it is what is left of them in the end that must fit, not the sum of codes: with codes
 * of 5 bits less 16 and all of a block, or of 6 bits less 32 and half of one, it is 2 * 127 * 16 * 8 < 2^15 at most.
 * What is taken off is then of each lane of 16 bits, and of these two centres (acts.start).
 *
 * Signed bytes w are multiplied as magnitudes of up to 128, by inputs whose bits are flipped where w < 0: ~x is -x - 1,
 * so |w| is to be added again for each of these. Two products are 2^15 - 1 at most, and -2^15 at least: 128 is a
 * magnitude of a negative w alone, and flipped inputs are 126 at most. */
#if defined(ISA_VNNI) || !(defined(ISA_AVX512) || defined(ISA_AVX2))
INLINE int FN(centre_of)(const int centre, const int halves) { return centre; }
INLINE vi FN(start)(const struct acts *x, int64_t at, const int h, const int halves, const int centre)
{
	return FN(taken_off)(x, at, h, halves, centre);
}
/* Never called: no bytes are signed. */
INLINE vi FN(dot_signed)(vi sum, vi w, vi x) { return sum; }
INLINE vi FN(flip)(vi w) { return w; }
INLINE vi FN(magnitude)(vi w) { return w; }
INLINE vi FN(dot_flipped)(vi sum, vi magnitude, const uint8_t *flip, vi x) { return sum; }
#else
/* centre_of is what codes of a panel that have a centre have too much. */
INLINE int FN(centre_of)(const int centre, const int halves) { return !centre ? 0 : halves == 2 ? 32 : 16; }
INLINE vi FN(start)(const struct acts *x, int64_t at, const int h, const int halves, const int centre)
{
	return centre ? vi_set1(halves == 2 ? x->half_start[at * 2 + h] : x->start[at]) : vi_zero();
}
#if defined(ISA_AVX512)
INLINE vi FN(flip)(vi w) { return _mm512_movm_epi8(_mm512_movepi8_mask(w)); }
INLINE vi FN(magnitude)(vi w) { return _mm512_abs_epi8(w); }
INLINE vi FN(dot_flipped)(vi sum, vi magnitude, const uint8_t *flip, vi x)
{
	x = vi_xor(x, vi_load((const int32_t *)flip));
	return FN(widen)(sum, _mm512_maddubs_epi16(magnitude, x));
}
#else
INLINE vi FN(flip)(vi w) { return TWOI(_mm256_cmpgt_epi8, vi_zero(), w); }
INLINE vi FN(magnitude)(vi w) { return (vi){_mm256_abs_epi8(w.a), _mm256_abs_epi8(w.b)}; }
INLINE vi FN(dot_flipped)(vi sum, vi magnitude, const uint8_t *flip, vi x)
{
	x = vi_xor(x, vi_load((const int32_t *)flip));
	return FN(pinned)(FN(widen)(sum, TWOI(_mm256_maddubs_epi16, magnitude, x)));
}
#endif
#endif
