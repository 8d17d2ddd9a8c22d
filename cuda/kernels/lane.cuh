/* lane.cuh owns what every kernel starts from: the functions of cgo/vmath_body.h for one lane, the order of
 * sums over sixteen of them, and rows.
 *
 * A GPU thread is one lane of the CPU's vectors: the body that gcc compiles for sixteen floats is compiled
 * here with a vector of one, so exp, tanh and erf are the same operations. */
#ifndef CHIMERA_LANE_CUH
#define CHIMERA_LANE_CUH
#include "../plan.h"

/* KERNEL(name, threads) begins a kernel whose thread blocks have at most so many threads; what follows, if anything, is
 * as of __launch_bounds__. The emulation keeps the bound, by which it refuses a launch as the driver does. */
#define KERNEL(name, ...) KERNEL_BOUND(name, __VA_ARGS__) extern "C" __global__ void __launch_bounds__(__VA_ARGS__) name
#ifndef KERNEL_BOUND
#define KERNEL_BOUND(...)
#endif

/* ---- a vector of one lane; see cgo/vec.h ---- */

typedef float vf;
typedef int32_t vi;
typedef bool vm;
#define INLINE static inline __device__

INLINE vf v_set1(float x) { return x; }
INLINE vf v_zero(void) { return 0.0f; }
INLINE vf v_add(vf a, vf b) { return a + b; }
INLINE vf v_sub(vf a, vf b) { return a - b; }
INLINE vf v_mul(vf a, vf b) { return a * b; }
INLINE vf v_div(vf a, vf b) { return a / b; }
INLINE vf v_fma(vf a, vf b, vf c) { return fmaf(a, b, c); }
INLINE vf v_max(vf a, vf b) { return a > b ? a : b; } /* b where either is NaN */
INLINE vf v_min(vf a, vf b) { return a < b ? a : b; }
INLINE vf v_round(vf a) { return rintf(a); }
INLINE vi v_bits(vf a) { return __float_as_int(a); }
INLINE vf v_float(vi a) { return __int_as_float(a); }
/* Out of range and NaN give INT_MIN, as the CPU's conversion does; the device's own saturates. */
INLINE vi v_to_int(vf a) { return a >= -2147483648.0f && a < 2147483648.0f ? (int32_t)rintf(a) : INT32_MIN; }
INLINE vi vi_set1(int32_t x) { return x; }
INLINE vi vi_add(vi a, vi b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
INLINE vi vi_sub(vi a, vi b) { return (int32_t)((uint32_t)a - (uint32_t)b); }
INLINE vi vi_and(vi a, vi b) { return a & b; }
INLINE vi vi_or(vi a, vi b) { return a | b; }
INLINE vi vi_xor(vi a, vi b) { return a ^ b; }
INLINE vi vi_shl(vi a, int n) { return (int32_t)((uint32_t)a << n); }
INLINE vi vi_sar(vi a, int n) { return a >> n; }
INLINE vm v_lt(vf a, vf b) { return a < b; }
INLINE vm v_isnan(vf a) { return a != a; }
INLINE vf v_select(vm m, vf yes, vf no) { return m ? yes : no; }
INLINE vf v_abs(vf a) { return v_float(vi_and(v_bits(a), 0x7fffffff)); }
INLINE vf v_neg(vf a) { return v_float(vi_xor(v_bits(a), INT32_MIN)); }

#include "../../cgo/vmath_body.h"

/* ---- sixteen lanes ---- */

enum { LANES = 16 };

/* lanes_sum adds x of sixteen neighbouring threads by the CPU's tree: i and i+8, then i+4, i+2, i+1. Each of
 * them gets the sum. All threads of the warp take part. */
INLINE float lanes_sum(float x)
{
	for (int step = 8; step > 0; step /= 2)
		x += __shfl_xor_sync(0xffffffffu, x, step, LANES);
	return x;
}

INLINE int round_up(int n, int to) { return (n + to - 1) / to * to; }

/* Floats, NaN aside, in the order of whole numbers: the highest of many does not depend on who comes first. */
INLINE int ordered(float x)
{
	int bits = __float_as_int(x);
	return bits < 0 ? bits ^ 0x7fffffff : bits;
}

INLINE float from_ordered(int x) { return __int_as_float(x < 0 ? x ^ 0x7fffffff : x); }

/* ---- rows ---- */

INLINE int rows_of(const struct phase *p, const struct device_value *v)
{
	const struct step_counts *counts = p->batch->counts;
	return v->domain == PER_OUTPUT     ? counts->outputs
	       : v->domain == PER_SEQUENCE ? counts->sequences
	                                   : counts->tokens;
}

INLINE float *row_of(const struct device_value *v, int row) { return v->data + (int64_t)row * v->width; }
#endif
