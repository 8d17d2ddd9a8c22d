/* product_body.h owns the products.
 *
 * A lane is a weight row, so each output has one accumulator and K ascends: its bits cannot depend on
 * the tile, the batch or the number of threads. Quantised blocks: the int8 sum is exact in int32
 * however it is formed, then acc = fma(dw*da, isum, acc) and, with a minimum, fma(mw, da*asum, acc).
 *
 * A kernel is a tile of GROUPS x TOKENS accumulators, both constants, so that all of them stay in
 * registers; the forms differ in how a block's weights become bytes and how bytes are multiplied. */

/* Tile loops are unrolled so that accumulators become registers; the scalar oracle stays loops. */
#if defined(ISA_AVX512) || defined(ISA_AVX2)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL
#endif

/* ---- four products of bytes per lane, summed into int32 ---- */

#if defined(ISA_AVX512) || defined(ISA_AVX2)
typedef struct {
	vi w;    /* weights: unsigned, or shifted to unsigned */
	vi sign; /* signed weights where the instruction wants unsigned ones */
} FN(bytes);
#endif

#if defined(ISA_VNNI)
#define FN_DOT_OFFSET 1 /* signed weights enter as w + 128: the sum starts at -128 * asum */
INLINE FN(bytes) FN(unsigned_bytes)(vi w) { return (FN(bytes)){w, w}; }
INLINE FN(bytes) FN(signed_bytes)(vi w) { return (FN(bytes)){_mm512_xor_si512(w, _mm512_set1_epi8(-128)), w}; }
INLINE vi FN(dot4)(vi sum, FN(bytes) w, const int8_t *a, const int is_signed)
{
	int32_t four;
	memcpy(&four, a, 4);
	return _mm512_dpbusd_epi32(sum, w.w, _mm512_set1_epi32(four));
}
#elif defined(ISA_AVX512)
#define FN_DOT_OFFSET 0
INLINE FN(bytes) FN(unsigned_bytes)(vi w) { return (FN(bytes)){w, w}; }
INLINE FN(bytes) FN(signed_bytes)(vi w) { return (FN(bytes)){_mm512_abs_epi8(w), w}; }
/* |w| <= 128 and |a| <= 127: two products stay below 2^15, so maddubs cannot saturate. */
INLINE vi FN(dot4)(vi sum, FN(bytes) w, const int8_t *a, const int is_signed)
{
	int32_t four;
	memcpy(&four, a, 4);
	vi x = _mm512_set1_epi32(four);
	if (is_signed)
		x = _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(w.sign), _mm512_setzero_si512(), x);
	vi pairs = _mm512_maddubs_epi16(w.w, x);
	return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}
#elif defined(ISA_AVX2)
#define FN_DOT_OFFSET 0
INLINE FN(bytes) FN(unsigned_bytes)(vi w) { return (FN(bytes)){w, w}; }
INLINE FN(bytes) FN(signed_bytes)(vi w) { return (FN(bytes)){{_mm256_abs_epi8(w.a), _mm256_abs_epi8(w.b)}, w}; }
INLINE __m256i FN(dot4_half)(__m256i sum, __m256i w, __m256i sign, __m256i x, const int is_signed)
{
	__m256i pairs = _mm256_maddubs_epi16(w, is_signed ? _mm256_sign_epi8(x, sign) : x);
	return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
INLINE vi FN(dot4)(vi sum, FN(bytes) w, const int8_t *a, const int is_signed)
{
	int32_t four;
	memcpy(&four, a, 4);
	__m256i x = _mm256_set1_epi32(four);
	return (vi){FN(dot4_half)(sum.a, w.w.a, w.sign.a, x, is_signed),
	            FN(dot4_half)(sum.b, w.w.b, w.sign.b, x, is_signed)};
}
#else
#define FN_DOT_OFFSET 0
typedef struct {
	uint8_t x[4 * LANES];
	int is_signed;
} FN(bytes);
INLINE FN(bytes) FN(make_bytes)(vi w, int is_signed)
{
	FN(bytes) b = {.is_signed = is_signed};
	memcpy(b.x, w.x, sizeof b.x);
	return b;
}
INLINE FN(bytes) FN(unsigned_bytes)(vi w) { return FN(make_bytes)(w, 0); }
INLINE FN(bytes) FN(signed_bytes)(vi w) { return FN(make_bytes)(w, 1); }
INLINE vi FN(dot4)(vi sum, FN(bytes) w, const int8_t *a, const int is_signed)
{
	for (int lane = 0; lane < LANES; lane++)
		for (int i = 0; i < 4; i++) {
			uint8_t b = w.x[lane * 4 + i];
			sum.x[lane] += (is_signed ? (int8_t)b : b) * a[i];
		}
	return sum;
}
#endif

/* ---- quantised products ---- */

/* A form as constants. */
struct FN(form) {
	int nibbles, halves, minimum;
	int bytes; /* of a block of 16 rows */
};

INLINE struct FN(form) FN(form_of)(const int form)
{
	const int minimum = form == PACK_U4 || form == PACK_I8M || form == PACK_I8HM;
	const int halves = form == PACK_I8H || form == PACK_I8HM ? 2 : 1;
	const int nibbles = form == PACK_U4;
	return (struct FN(form)){nibbles, halves, minimum, 64 * halves * (1 + minimum) + (nibbles ? 256 : 512)};
}

/* load_bytes is step k4 of a block: four values of each lane. */
INLINE FN(bytes) FN(load_bytes)(const uint8_t *q, const int k4, const int nibbles)
{
	if (!nibbles)
		return FN(signed_bytes)(vi_load((const int32_t *)(q + k4 * 64)));
	vi w = vi_load((const int32_t *)(q + k4 / 2 * 64));
	return FN(unsigned_bytes)(vi_and(k4 % 2 ? vi_shr(w, 4) : w, vi_set1(0x0f0f0f0f)));
}

/* block adds one block of 32 to every accumulator of the tile. */
INLINE void FN(block)(vf *acc, const uint8_t *const *w, const struct acts *x, int t0, int b, const int groups,
                      const int tokens, const int form)
{
	const struct FN(form) f = FN(form_of)(form);
	const int steps = 8 / f.halves;
	UNROLL
	for (int h = 0; h < f.halves; h++) {
		vi sum[groups * tokens];
		UNROLL
		for (int t = 0; t < tokens; t++) {
			int64_t at = (int64_t)(t0 + t) * x->blocks + b;
			vi start = FN_DOT_OFFSET && !f.nibbles
			                   ? vi_set1(f.halves == 2 ? x->half_offset[at * 2 + h] : x->offset[at])
			                   : vi_zero();
			UNROLL
			for (int g = 0; g < groups; g++)
				sum[g * tokens + t] = start;
		}
		UNROLL
		for (int k = 0; k < steps; k++) {
			UNROLL
			for (int g = 0; g < groups; g++) {
				const uint8_t *q = w[g] + 64 * f.halves * (1 + f.minimum);
				FN(bytes) bytes = FN(load_bytes)(q, h * steps + k, f.nibbles);
				UNROLL
				for (int t = 0; t < tokens; t++) {
					const int8_t *a = x->q + (int64_t)(t0 + t) * x->blocks * BLOCK + b * BLOCK +
					                  (h * steps + k) * 4;
					sum[g * tokens + t] = FN(dot4)(sum[g * tokens + t], bytes, a, !f.nibbles);
				}
			}
		}
		UNROLL
		for (int g = 0; g < groups; g++) {
			vf d = v_load((const float *)w[g] + h * GROUP);
			vf m = f.minimum ? v_load((const float *)w[g] + (f.halves + h) * GROUP) : d;
			UNROLL
			for (int t = 0; t < tokens; t++) {
				int64_t at = (int64_t)(t0 + t) * x->blocks + b;
				vf *a = &acc[g * tokens + t];
				*a = v_fma(v_mul(d, v_set1(x->d[at])), v_from_int(sum[g * tokens + t]), *a);
				if (f.minimum)
					*a = v_fma(m, v_set1(f.halves == 2 ? x->half_sum[at * 2 + h] : x->sum[at]), *a);
			}
		}
	}
}

INLINE void FN(store_tile)(const vf *acc, float *out, int ld, const int groups, const int tokens)
{
	UNROLL
	for (int g = 0; g < groups; g++)
		UNROLL
	for (int t = 0; t < tokens; t++)
		v_store(out + (int64_t)t * ld + g * GROUP, acc[g * tokens + t]);
}

INLINE void FN(tile_quantised)(const struct packed *w, const struct acts *x, int g0, int t0, float *out, int ld,
                               const int groups, const int tokens, const int form)
{
	const struct FN(form) f = FN(form_of)(form);
	const uint8_t *at[groups];
	vf acc[groups * tokens];
	UNROLL
	for (int g = 0; g < groups; g++)
		at[g] = w->data + (g0 + g) * w->group_bytes;
	UNROLL
	for (int i = 0; i < groups * tokens; i++)
		acc[i] = v_zero();
	for (int b = 0; b < w->cols / BLOCK; b++) {
		FN(block)(acc, at, x, t0, b, groups, tokens, form);
		UNROLL
		for (int g = 0; g < groups; g++)
			at[g] += f.bytes;
	}
	FN(store_tile)(acc, out, ld, groups, tokens);
}

/* ---- float products ---- */

INLINE vf FN(load_weight)(const uint8_t *p, int64_t k, const int form)
{
	if (form == PACK_F32)
		return v_load((const float *)p + k * GROUP);
	if (form == PACK_F16)
		return v_load_f16((const uint16_t *)p + k * GROUP);
	return v_load_bf16((const uint16_t *)p + k * GROUP);
}

INLINE void FN(tile_float)(const struct packed *w, const struct acts *x, int g0, int t0, float *out, int ld,
                           const int groups, const int tokens, const int form)
{
	const uint8_t *data = w->data + g0 * w->group_bytes;
	const float *rows = x->x + (int64_t)t0 * x->cols;
	vf acc[groups * tokens];
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

INLINE void FN(tile)(const struct packed *w, const struct acts *x, int g, int t, float *out, int ld, const int groups,
                     const int tokens, const int form)
{
	if (form < PACK_U4)
		FN(tile_float)(w, x, g, t, out, ld, groups, tokens, form);
	else
		FN(tile_quantised)(w, x, g, t, out, ld, groups, tokens, form);
}

/* Tile sizes by what fits the registers: 32 zmm hold 2 x 8 float or 2 x 4 quantised accumulators with
 * their sums, 16 ymm half of it. One token takes several groups at once to hide the latency of fma. */
#if defined(ISA_AVX512)
enum { FN(float_tokens) = 8, FN(int_tokens) = 4, FN(tile_groups) = 2, FN(row_groups) = 8 };
#elif defined(ISA_AVX2)
enum { FN(float_tokens) = 4, FN(int_tokens) = 4, FN(tile_groups) = 1, FN(row_groups) = 4 };
#else
enum { FN(float_tokens) = 1, FN(int_tokens) = 1, FN(tile_groups) = 1, FN(row_groups) = 1 };
#endif

/* rows runs all groups for `tokens` tokens, `groups` at a time, then one by one. */
INLINE void FN(groups)(const struct packed *w, const struct acts *x, int g0, int g1, int t, float *out, int ld,
                       const int groups, const int tokens, const int form)
{
	int g = g0;
	for (; g + groups <= g1; g += groups)
		FN(tile)(w, x, g, t, out + (int64_t)(g - g0) * GROUP, ld, groups, tokens, form);
	for (; g < g1; g++)
		FN(tile)(w, x, g, t, out + (int64_t)(g - g0) * GROUP, ld, 1, tokens, form);
}

INLINE void FN(product)(const struct packed *w, const struct acts *x, int g0, int g1, int t0, int t1, float *out,
                        int ld, const int form)
{
	const int tokens = form < PACK_U4 ? FN(float_tokens) : FN(int_tokens);
	int t = t0;
	for (; t + tokens <= t1; t += tokens)
		FN(groups)(w, x, g0, g1, t, out + (int64_t)(t - t0) * ld, ld, FN(tile_groups), tokens, form);
	for (; t < t1; t++)
		FN(groups)(w, x, g0, g1, t, out + (int64_t)(t - t0) * ld, ld, FN(row_groups), 1, form);
}

#define PRODUCT(name, form) \
	static void FN(name)(const struct packed *w, const struct acts *x, int g0, int g1, int t0, int t1, float *out, \
	                     int ld) \
	{ \
		FN(product)(w, x, g0, g1, t0, t1, out, ld, form); \
	}
PRODUCT(product_f32, PACK_F32)
PRODUCT(product_f16, PACK_F16)
PRODUCT(product_bf16, PACK_BF16)
PRODUCT(product_u4, PACK_U4)
PRODUCT(product_i8, PACK_I8)
PRODUCT(product_i8m, PACK_I8M)
PRODUCT(product_i8h, PACK_I8H)
PRODUCT(product_i8hm, PACK_I8HM)

/* ---- rounding of activations ---- */

/* quantise_block rounds 32 values half to even; x beyond the row's end is zero. A NaN or an infinity
 * among them gives a NaN or infinite scale, which shows in the result instead of hiding. A scale below
 * the normal numbers has no finite inverse: such a block, less than 1.5e-36 all over, is zero. */
INLINE void FN(quantise_block)(const struct acts *a, int64_t at, vf low, vf high)
{
	int nan = v_any(v_isnan(low)) || v_any(v_isnan(high)); /* v_highest would pass over it */
	float d = (nan ? NAN : v_highest(v_max(v_abs(low), v_abs(high)))) / 127.0f;
	float inverse = d >= 0x1p-126f ? 1.0f / d : 0.0f;
	vi q[2] = {v_to_int(v_mul(low, v_set1(inverse))), v_to_int(v_mul(high, v_set1(inverse)))};
	int32_t values[BLOCK], sum[2] = {0, 0};
	vi_store(values, q[0]);
	vi_store(values + LANES, q[1]);
	for (int i = 0; i < BLOCK; i++) {
		int v = values[i] > 127 ? 127 : values[i] < -127 ? -127 : values[i];
		a->q[at * BLOCK + i] = (int8_t)v;
		sum[i / 16] += v;
	}
	a->d[at] = d;
	a->sum[at] = d * (float)(sum[0] + sum[1]);
	a->offset[at] = -128 * (sum[0] + sum[1]);
	for (int h = 0; h < 2; h++) {
		a->half_sum[at * 2 + h] = d * (float)sum[h];
		a->half_offset[at * 2 + h] = -128 * sum[h];
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

#define PRODUCT_KERNELS \
	{ \
		.product = {FN(product_f32), FN(product_f16), FN(product_bf16), FN(product_u4), \
		            FN(product_i8),  FN(product_i8m), FN(product_i8h),  FN(product_i8hm)}, \
		.quantise = FN(quantise), \
	}
