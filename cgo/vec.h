/* vec.h owns the sixteen-lane vector that every kernel body is written in.
 *
 * A kernel body is one .h file, included once by each instruction set's .c file, which first sets the
 * target by pragma and defines ISA. Whatever the set, a vector has sixteen virtual lanes: one zmm, two
 * ymm, or an array. Lane i does the same operations in the same order everywhere, so results are equal
 * to the last bit; only operations that IEEE 754 rounds correctly are offered (no rcp, no rsqrt), and
 * the only reduction whose order shows is the fixed tree of v_sum. v_highest is the largest lane, none of which may be
 * NaN; vi_total adds all lanes, vi_pairs lanes 4k and 4k + 1, and the others; vi_store_i8 takes lanes that fit a byte;
 * v_lower is lanes 0 to 7 twice, v_upper lanes 8 to 15.
 *
 * Rejected: one hand-written body per set. Three bodies drift apart; one cannot.
 */
#include "half.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LANES 16
#define CAT_(a, b) a##_##b
#define CAT(a, b) CAT_(a, b)
#define FN(name) CAT(name, ISA) /* FN(norm_rows) is norm_rows_avx2 in avx2.c */
#if defined(ISA_AVX512) || defined(ISA_AVX2)
#define INLINE static inline __attribute__((always_inline, unused))
#else /* forced inlining of sixteen-lane loops costs minutes of compilation and buys nothing here */
#define INLINE static inline __attribute__((unused))
#endif

#if defined(ISA_AVX512)
#include <immintrin.h>
typedef __m512 vf;    /* 16 x float */
typedef __m512i vi;   /* 16 x int32 */
typedef __mmask16 vm; /* 16 x bool */

INLINE vf v_set1(float x) { return _mm512_set1_ps(x); }
INLINE vf v_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void v_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
INLINE vf v_add(vf a, vf b) { return _mm512_add_ps(a, b); }
INLINE vf v_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
INLINE vf v_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
INLINE vf v_div(vf a, vf b) { return _mm512_div_ps(a, b); }
INLINE vf v_sqrt(vf a) { return _mm512_sqrt_ps(a); }
INLINE vf v_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
/* v_max and v_min give b where either is NaN: a > b ? a : b. */
INLINE vf v_max(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE vf v_min(vf a, vf b) { return _mm512_min_ps(a, b); }
INLINE vi v_bits(vf a) { return _mm512_castps_si512(a); }
INLINE vf v_float(vi a) { return _mm512_castsi512_ps(a); }     /* the same bits */
INLINE vf v_round(vf a) { return _mm512_roundscale_ps(a, 8); } /* half to even */
INLINE vi v_to_int(vf a) { return _mm512_cvtps_epi32(a); }     /* half to even */
INLINE vf v_from_int(vi a) { return _mm512_cvtepi32_ps(a); }
INLINE vi vi_set1(int32_t x) { return _mm512_set1_epi32(x); }
INLINE vi vi_load(const int32_t *p) { return _mm512_loadu_si512(p); }
INLINE void vi_store(int32_t *p, vi a) { _mm512_storeu_si512(p, a); }
INLINE vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
INLINE vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
INLINE vi vi_mul(vi a, vi b) { return _mm512_mullo_epi32(a, b); }
INLINE vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
INLINE vi vi_or(vi a, vi b) { return _mm512_or_si512(a, b); }
INLINE vi vi_xor(vi a, vi b) { return _mm512_xor_si512(a, b); }
#define vi_shl(a, n) _mm512_slli_epi32(a, n)
#define vi_shr(a, n) _mm512_srli_epi32(a, n)
#define vi_sar(a, n) _mm512_srai_epi32(a, n)
INLINE vm v_lt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
INLINE vm v_isnan(vf a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
INLINE int v_any(vm m) { return m != 0; } /* whether any lane is set */
INLINE vf v_select(vm m, vf yes, vf no) { return _mm512_mask_blend_ps(m, no, yes); }
INLINE vf v_load_f16(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
INLINE void v_store_f16(uint16_t *p, vf a)
{
	_mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
INLINE vf v_load_bf16(const uint16_t *p)
{
	__m512i w = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
	return _mm512_castsi512_ps(_mm512_slli_epi32(w, 16));
}
INLINE void vi_store_i8(int8_t *p, vi a) { _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(a)); }
INLINE int32_t vi_total(vi a) { return _mm512_reduce_add_epi32(a); }
INLINE void vi_pairs(vi a, int32_t *sum)
{
	__m256i eight = _mm256_add_epi32(_mm512_castsi512_si256(a), _mm512_extracti64x4_epi64(a, 1));
	__m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
	_mm_storel_epi64((__m128i *)sum, _mm_hadd_epi32(four, four));
}
INLINE float v_highest(vf a) { return _mm512_reduce_max_ps(a) + 0.0f; }
INLINE vf v_lower(vf a) { return _mm512_shuffle_f32x4(a, a, 0x44); }
INLINE vf v_upper(vf a) { return _mm512_shuffle_f32x4(a, a, 0xee); }
INLINE vi vi_load_u8(const uint8_t *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)); }
INLINE vf v_load_i8(const int8_t *p)
{
	return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

#elif defined(ISA_AVX2)
#include <immintrin.h>
typedef struct {
	__m256 a, b;
} vf;
typedef struct {
	__m256i a, b;
} vi;
typedef vf vm;

#define TWO(op, x, y) ((vf){op((x).a, (y).a), op((x).b, (y).b)})
#define TWOI(op, x, y) ((vi){op((x).a, (y).a), op((x).b, (y).b)})
INLINE vf v_set1(float x) { return (vf){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
INLINE vf v_load(const float *p) { return (vf){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
INLINE void v_store(float *p, vf x)
{
	_mm256_storeu_ps(p, x.a);
	_mm256_storeu_ps(p + 8, x.b);
}
INLINE vf v_add(vf x, vf y) { return TWO(_mm256_add_ps, x, y); }
INLINE vf v_sub(vf x, vf y) { return TWO(_mm256_sub_ps, x, y); }
INLINE vf v_mul(vf x, vf y) { return TWO(_mm256_mul_ps, x, y); }
INLINE vf v_div(vf x, vf y) { return TWO(_mm256_div_ps, x, y); }
INLINE vf v_sqrt(vf x) { return (vf){_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)}; }
INLINE vf v_fma(vf x, vf y, vf z) { return (vf){_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
INLINE vf v_max(vf x, vf y) { return TWO(_mm256_max_ps, x, y); }
INLINE vf v_min(vf x, vf y) { return TWO(_mm256_min_ps, x, y); }
INLINE vi v_bits(vf x) { return (vi){_mm256_castps_si256(x.a), _mm256_castps_si256(x.b)}; }
INLINE vf v_float(vi x) { return (vf){_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)}; }
INLINE vf v_round(vf x) { return (vf){_mm256_round_ps(x.a, 8), _mm256_round_ps(x.b, 8)}; }
INLINE vi v_to_int(vf x) { return (vi){_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }
INLINE vf v_from_int(vi x) { return (vf){_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
INLINE vi vi_set1(int32_t x) { return (vi){_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
INLINE vi vi_load(const int32_t *p)
{
	return (vi){_mm256_loadu_si256((const __m256i *)p), _mm256_loadu_si256((const __m256i *)(p + 8))};
}
INLINE void vi_store(int32_t *p, vi x)
{
	_mm256_storeu_si256((__m256i *)p, x.a);
	_mm256_storeu_si256((__m256i *)(p + 8), x.b);
}
INLINE vi vi_add(vi x, vi y) { return TWOI(_mm256_add_epi32, x, y); }
INLINE vi vi_sub(vi x, vi y) { return TWOI(_mm256_sub_epi32, x, y); }
INLINE vi vi_mul(vi x, vi y) { return TWOI(_mm256_mullo_epi32, x, y); }
INLINE vi vi_and(vi x, vi y) { return TWOI(_mm256_and_si256, x, y); }
INLINE vi vi_or(vi x, vi y) { return TWOI(_mm256_or_si256, x, y); }
INLINE vi vi_xor(vi x, vi y) { return TWOI(_mm256_xor_si256, x, y); }
#define vi_shl(x, n) ((vi){_mm256_slli_epi32((x).a, n), _mm256_slli_epi32((x).b, n)})
#define vi_shr(x, n) ((vi){_mm256_srli_epi32((x).a, n), _mm256_srli_epi32((x).b, n)})
#define vi_sar(x, n) ((vi){_mm256_srai_epi32((x).a, n), _mm256_srai_epi32((x).b, n)})
INLINE vm v_lt(vf x, vf y) { return (vm){_mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ)}; }
INLINE vm v_isnan(vf x) { return (vm){_mm256_cmp_ps(x.a, x.a, _CMP_UNORD_Q), _mm256_cmp_ps(x.b, x.b, _CMP_UNORD_Q)}; }
INLINE int v_any(vm m) { return (_mm256_movemask_ps(m.a) | _mm256_movemask_ps(m.b)) != 0; }
INLINE vf v_select(vm m, vf yes, vf no)
{
	return (vf){_mm256_blendv_ps(no.a, yes.a, m.a), _mm256_blendv_ps(no.b, yes.b, m.b)};
}
INLINE vf v_load_f16(const uint16_t *p)
{
	return (vf){_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)),
	            _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)))};
}
INLINE void v_store_f16(uint16_t *p, vf x)
{
	_mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
	_mm_storeu_si128((__m128i *)(p + 8), _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}
INLINE __m256 v_half_bf16(const uint16_t *p)
{
	__m256i w = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
	return _mm256_castsi256_ps(_mm256_slli_epi32(w, 16));
}
INLINE vf v_load_bf16(const uint16_t *p) { return (vf){v_half_bf16(p), v_half_bf16(p + 8)}; }
INLINE void vi_store_i8(int8_t *p, vi x)
{
	__m256i w = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xd8); /* packing is by halves */
	_mm_storeu_si128((__m128i *)p, _mm_packs_epi16(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1)));
}
INLINE void vi_pairs(vi x, int32_t *sum)
{
	__m256i eight = _mm256_add_epi32(x.a, x.b);
	__m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
	_mm_storel_epi64((__m128i *)sum, _mm_hadd_epi32(four, four));
}
INLINE int32_t vi_total(vi x)
{
	int32_t sum[2];
	vi_pairs(x, sum);
	return sum[0] + sum[1];
}
INLINE float v_highest(vf x)
{
	__m256 eight = _mm256_max_ps(x.a, x.b);
	__m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
	four = _mm_max_ps(four, _mm_movehl_ps(four, four));
	return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four))) + 0.0f;
}
INLINE vf v_lower(vf x) { return (vf){x.a, x.a}; }
INLINE vf v_upper(vf x) { return (vf){x.b, x.b}; }
INLINE vi vi_load_u8(const uint8_t *p)
{
	return (vi){_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)),
	            _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(p + 8)))};
}
INLINE vf v_load_i8(const int8_t *p)
{
	__m256i a = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p));
	__m256i b = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(p + 8)));
	return (vf){_mm256_cvtepi32_ps(a), _mm256_cvtepi32_ps(b)};
}

#else /* scalar: the oracle, written to be read */
typedef struct {
	float x[LANES];
} vf;
typedef struct {
	int32_t x[LANES];
} vi;
typedef struct {
	uint8_t x[LANES];
} vm;

/* clang-format takes a MAP for the start of the next function's name. */
/* clang-format off */
#define EACH for (int i = 0; i < LANES; i++)
#define MAP(type, lane) { type r; EACH r.x[i] = (lane); return r; } /* a function's body: each lane of its result */

INLINE vf v_set1(float x)              MAP(vf, x)
INLINE vf v_load(const float *p)       MAP(vf, p[i])
INLINE void v_store(float *p, vf a)    { EACH p[i] = a.x[i]; }
INLINE vf v_add(vf a, vf b)            MAP(vf, a.x[i] + b.x[i])
INLINE vf v_sub(vf a, vf b)            MAP(vf, a.x[i] - b.x[i])
INLINE vf v_mul(vf a, vf b)            MAP(vf, a.x[i] * b.x[i])
INLINE vf v_div(vf a, vf b)            MAP(vf, a.x[i] / b.x[i])
INLINE vf v_sqrt(vf a)                 MAP(vf, sqrtf(a.x[i]))
INLINE vf v_fma(vf a, vf b, vf c)      MAP(vf, fmaf(a.x[i], b.x[i], c.x[i]))
INLINE vf v_max(vf a, vf b)            MAP(vf, a.x[i] > b.x[i] ? a.x[i] : b.x[i])
INLINE vf v_min(vf a, vf b)            MAP(vf, a.x[i] < b.x[i] ? a.x[i] : b.x[i])

INLINE int32_t s_bits(float x)         { int32_t r; memcpy(&r, &x, 4); return r; }
INLINE float s_float(int32_t x)        { float r; memcpy(&r, &x, 4); return r; }
INLINE int32_t s_to_int(float x) /* out of range and NaN give INT_MIN, as cvtps2dq does */
{
	return x >= -2147483648.0f && x < 2147483648.0f ? (int32_t)rintf(x) : INT32_MIN;
}
INLINE vi v_bits(vf a)                 MAP(vi, s_bits(a.x[i]))
INLINE vf v_float(vi a)                MAP(vf, s_float(a.x[i]))
INLINE vf v_round(vf a)                MAP(vf, rintf(a.x[i]))
INLINE vi v_to_int(vf a)               MAP(vi, s_to_int(a.x[i]))
INLINE vf v_from_int(vi a)             MAP(vf, (float)a.x[i])

/* Integers wrap around, which C defines for unsigned ones alone. */
INLINE vi vi_set1(int32_t x)           MAP(vi, x)
INLINE vi vi_load(const int32_t *p)    MAP(vi, p[i])
INLINE void vi_store(int32_t *p, vi a) { EACH p[i] = a.x[i]; }
INLINE vi vi_add(vi a, vi b)           MAP(vi, (int32_t)((uint32_t)a.x[i] + (uint32_t)b.x[i]))
INLINE vi vi_sub(vi a, vi b)           MAP(vi, (int32_t)((uint32_t)a.x[i] - (uint32_t)b.x[i]))
INLINE vi vi_mul(vi a, vi b)           MAP(vi, (int32_t)((uint32_t)a.x[i] * (uint32_t)b.x[i]))
INLINE vi vi_and(vi a, vi b)           MAP(vi, a.x[i] & b.x[i])
INLINE vi vi_or(vi a, vi b)            MAP(vi, a.x[i] | b.x[i])
INLINE vi vi_xor(vi a, vi b)           MAP(vi, a.x[i] ^ b.x[i])
INLINE vi vi_shl(vi a, int n)          MAP(vi, (int32_t)((uint32_t)a.x[i] << n))
INLINE vi vi_shr(vi a, int n)          MAP(vi, (int32_t)((uint32_t)a.x[i] >> n))
INLINE vi vi_sar(vi a, int n)          MAP(vi, a.x[i] >> n)

INLINE vm v_lt(vf a, vf b)             MAP(vm, a.x[i] < b.x[i])
INLINE vm v_isnan(vf a)                MAP(vm, a.x[i] != a.x[i])
INLINE int v_any(vm m)                 { int any = 0; EACH any |= m.x[i]; return any; }
INLINE vf v_select(vm m, vf yes, vf no)      MAP(vf, m.x[i] ? yes.x[i] : no.x[i])
INLINE vf v_load_f16(const uint16_t *p)      MAP(vf, half_to_float(p[i]))
INLINE void v_store_f16(uint16_t *p, vf a)   { EACH p[i] = float_to_half(a.x[i]); }
INLINE vf v_load_bf16(const uint16_t *p)     MAP(vf, s_float((int32_t)((uint32_t)p[i] << 16)))
INLINE void vi_store_i8(int8_t *p, vi a)     { EACH p[i] = (int8_t)a.x[i]; }
INLINE int32_t vi_total(vi a)                { int32_t r = 0; EACH r += a.x[i]; return r; }
INLINE void vi_pairs(vi a, int32_t *sum)     { sum[0] = sum[1] = 0; EACH sum[i / 2 % 2] += a.x[i]; }
INLINE float v_highest(vf a)                 { float r = a.x[0]; EACH r = r > a.x[i] ? r : a.x[i]; return r + 0.0f; }
INLINE vf v_lower(vf a)                      MAP(vf, a.x[i % (LANES / 2)])
INLINE vf v_upper(vf a)                      MAP(vf, a.x[LANES / 2 + i % (LANES / 2)])
INLINE vi vi_load_u8(const uint8_t *p)       MAP(vi, p[i])
INLINE vf v_load_i8(const int8_t *p)         MAP(vf, (float)p[i])
/* clang-format on */
#endif

INLINE vf v_zero(void) { return v_set1(0.0f); }
INLINE vi vi_zero(void) { return vi_set1(0); }
INLINE vf v_abs(vf a) { return v_float(vi_and(v_bits(a), vi_set1(0x7fffffff))); }
INLINE vf v_neg(vf a) { return v_float(vi_xor(v_bits(a), vi_set1(INT32_MIN))); }

/* v_sum adds the lanes by the fixed tree: i and i+8, then i+4, i+2, i+1. */
INLINE float v_sum(vf a)
{
#if defined(ISA_AVX512) || defined(ISA_AVX2)
#ifdef ISA_AVX512
	__m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
#else
	__m256 eight = _mm256_add_ps(a.a, a.b);
#endif
	__m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
	four = _mm_add_ps(four, _mm_movehl_ps(four, four));
	return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
#else
	for (int step = 8; step > 0; step /= 2)
		for (int i = 0; i < step; i++)
			a.x[i] += a.x[i + step];
	return a.x[0];
#endif
}

/* v_load_n loads the first n lanes, the others are fill. */
INLINE vf v_load_n(const float *p, int n, float fill)
{
	float x[LANES];
	for (int i = 0; i < LANES; i++)
		x[i] = i < n ? p[i] : fill;
	return v_load(x);
}

INLINE void v_store_n(float *p, vf a, int n)
{
	float x[LANES];
	v_store(x, a);
	memcpy(p, x, (size_t)n * sizeof *p);
}
