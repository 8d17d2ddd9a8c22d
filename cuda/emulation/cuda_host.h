/* cuda_host.h owns the words of CUDA C++ that the kernels use, given to a host compiler: forced in front of every
 * .cu file (g++ -x c++ -include cuda_host.h), so that tests run the kernel sources themselves, without a GPU.
 *
 * A thread block runs at a time, so __shared__ is a static variable and the built-in variables are globals; its
 * threads are fibers (block.cc) that leave one another only at barriers and warp operations. Arithmetic is the
 * device's: -ffp-contract=off here, -fmad=false there, fma written out in both. What is not here does not compile,
 * which is meant: an intrinsic enters with its exact host twin or not at all. */
#ifndef CHIMERA_CUDA_HOST_H
#define CHIMERA_CUDA_HOST_H
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define __global__ __attribute__((visibility("default"), used)) /* found by name: extern "C" */
#define __device__
#define __host__
#define __constant__
#define __shared__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)
/* Beside a kernel lies how many threads a block of it may have, for the driver to find by name. */
#define KERNEL_BOUND(name, threads, ...) \
	extern "C" { \
	extern __attribute__((visibility("default"))) const int name##_bound; \
	const int name##_bound = threads; \
	}

struct dim3 {
	unsigned x, y, z;
	constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
typedef dim3 uint3;

struct alignas(8) int2 {
	int x, y;
};
struct alignas(8) uint2 {
	unsigned x, y;
};
struct alignas(8) float2 {
	float x, y;
};
struct alignas(16) int4 {
	int x, y, z, w;
};
struct alignas(16) uint4 {
	unsigned x, y, z, w;
};
struct alignas(16) float4 {
	float x, y, z, w;
};
static inline int2 make_int2(int x, int y) { return {x, y}; }
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

extern dim3 threadIdx, blockIdx, blockDim, gridDim;
#define warpSize 32

/* Where a thread stands, for the text of an error. */
struct emulation_site {
	const char *what, *file;
	int line;
};

enum emulation_warp_op { WARP_SYNC, WARP_INDEX, WARP_UP, WARP_DOWN, WARP_XOR, WARP_BALLOT };

void emulation_barrier(emulation_site site);
uint64_t emulation_warp(emulation_site site, emulation_warp_op op, unsigned mask, uint64_t value, int operand,
                        int width);
void emulation_trap(emulation_site site);

#define EMULATION_SITE(what) (emulation_site{what, __FILE__, __LINE__})
#define __syncthreads() emulation_barrier(EMULATION_SITE("__syncthreads"))
#define __trap() emulation_trap(EMULATION_SITE("__trap"))

/* The kernels' warp operations name all their arguments but mask of __syncwarp and width. */
#define __syncwarp(...) \
	((void)emulation_warp(EMULATION_SITE("__syncwarp"), WARP_SYNC, emulation_first(__VA_ARGS__), 0, 0, 32))
#define __ballot_sync(mask, predicate) \
	((unsigned)emulation_warp(EMULATION_SITE("__ballot_sync"), WARP_BALLOT, mask, (predicate) ? 1 : 0, 0, 32))
#define __any_sync(mask, predicate) (__ballot_sync(mask, predicate) != 0)
#define __all_sync(mask, predicate) (__ballot_sync(mask, !(predicate)) == 0)
#define __shfl_sync(mask, ...) emulation_shuffle(EMULATION_SITE("__shfl_sync"), WARP_INDEX, mask, __VA_ARGS__)
#define __shfl_up_sync(mask, ...) emulation_shuffle(EMULATION_SITE("__shfl_up_sync"), WARP_UP, mask, __VA_ARGS__)
#define __shfl_down_sync(mask, ...) emulation_shuffle(EMULATION_SITE("__shfl_down_sync"), WARP_DOWN, mask, __VA_ARGS__)
#define __shfl_xor_sync(mask, ...) emulation_shuffle(EMULATION_SITE("__shfl_xor_sync"), WARP_XOR, mask, __VA_ARGS__)

static inline unsigned emulation_first(unsigned mask = 0xffffffffu) { return mask; }

template <typename T>
static inline T emulation_shuffle(emulation_site site, emulation_warp_op op, unsigned mask, T value, int operand,
                                  int width = 32)
{
	static_assert(sizeof(T) == 4 || sizeof(T) == 8, "CUDA shuffles words of 4 or 8 bytes");
	uint64_t word = 0;
	memcpy(&word, &value, sizeof value);
	word = emulation_warp(site, op, mask, word, operand, width);
	memcpy(&value, &word, sizeof value);
	return value;
}

/* Atomics: fibers of one system thread, so plain reads and writes. Each gives the value that was there. */
#define EMULATION_ATOMIC(name, T, expression) \
	static inline T name(T *at, T value) \
	{ \
		T old = *at; \
		*at = (expression); \
		return old; \
	}
#define EMULATION_ATOMICS(T) \
	EMULATION_ATOMIC(atomicAdd, T, old + value) \
	EMULATION_ATOMIC(atomicExch, T, value)
#define EMULATION_INTEGER_ATOMICS(T) \
	EMULATION_ATOMICS(T) \
	EMULATION_ATOMIC(atomicMin, T, value < old ? value : old) \
	EMULATION_ATOMIC(atomicMax, T, value > old ? value : old) \
	EMULATION_ATOMIC(atomicAnd, T, old &value) \
	EMULATION_ATOMIC(atomicOr, T, old | value) \
	static inline T atomicCAS(T *at, T expected, T value) \
	{ \
		T old = *at; \
		*at = old == expected ? value : old; \
		return old; \
	}
EMULATION_INTEGER_ATOMICS(unsigned)
EMULATION_INTEGER_ATOMICS(unsigned long long)
EMULATION_ATOMICS(float)
EMULATION_ATOMIC(atomicMin, int, value < old ? value : old)
EMULATION_ATOMIC(atomicMax, int, value > old ? value : old)
EMULATION_ATOMIC(atomicAnd, int, old &value)
EMULATION_ATOMIC(atomicOr, int, old | value)
EMULATION_ATOMIC(atomicExch, int, value)
static inline int atomicAdd(int *at, int value) /* wraps, as the device's does */
{
	return (int)atomicAdd((unsigned *)at, (unsigned)value);
}
static inline int atomicCAS(int *at, int expected, int value)
{
	return (int)atomicCAS((unsigned *)at, (unsigned)expected, (unsigned)value);
}
static inline void __threadfence(void) {}
static inline void __threadfence_block(void) {}

template <typename T> static inline T __ldg(const T *p) { return *p; }
template <typename T> static inline T __ldcs(const T *p) { return *p; }

/* Bits. */
template <typename To, typename From> static inline To emulation_bits(From from)
{
	static_assert(sizeof(To) == sizeof(From), "a reinterpretation keeps the size");
	To to;
	memcpy(&to, &from, sizeof to);
	return to;
}
static inline int __float_as_int(float x) { return emulation_bits<int>(x); }
static inline unsigned __float_as_uint(float x) { return emulation_bits<unsigned>(x); }
static inline float __int_as_float(int x) { return emulation_bits<float>(x); }
static inline float __uint_as_float(unsigned x) { return emulation_bits<float>(x); }
static inline long long __double_as_longlong(double x) { return emulation_bits<long long>(x); }
static inline double __longlong_as_double(long long x) { return emulation_bits<double>(x); }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b)
{
	return (unsigned long long)((unsigned __int128)a * b >> 64);
}

/* c + the four products of bytes, wrapping. */
static inline int __dp4a(int a, int b, int c)
{
	int8_t x[4], y[4];
	memcpy(x, &a, sizeof x);
	memcpy(y, &b, sizeof y);
	return (int)((unsigned)c + (unsigned)(x[0] * y[0] + x[1] * y[1] + x[2] * y[2] + x[3] * y[3]));
}
static inline unsigned __dp4a(unsigned a, unsigned b, unsigned c)
{
	for (int i = 0; i < 32; i += 8)
		c += (a >> i & 255) * (b >> i & 255);
	return c;
}

/* Arithmetic that is rounded to nearest and never fused. */
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fsqrt_rn(float a) { return sqrtf(a); }
static inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dmul_rn(double a, double b) { return a * b; }

/* Conversions saturate and make 0 of NaN on the device; in C they are undefined. */
static inline int emulation_to_int(double whole)
{
	if (whole != whole)
		return 0;
	return whole >= 2147483647.0 ? INT32_MAX : whole <= -2147483648.0 ? INT32_MIN : (int)whole;
}
static inline int __float2int_rn(float x) { return emulation_to_int(rintf(x)); }
static inline int __float2int_rz(float x) { return emulation_to_int(truncf(x)); }
static inline int __float2int_rd(float x) { return emulation_to_int(floorf(x)); }
static inline int __double2int_rn(double x) { return emulation_to_int(rint(x)); }
static inline float __int2float_rn(int x) { return (float)x; }
static inline float __uint2float_rn(unsigned x) { return (float)x; }

/* CUDA's min and max; those of floats drop a NaN, like fminf. */
#define EMULATION_MIN_MAX(T) \
	static inline T min(T a, T b) { return b < a ? b : a; } \
	static inline T max(T a, T b) { return a < b ? b : a; }
EMULATION_MIN_MAX(int)
EMULATION_MIN_MAX(unsigned)
EMULATION_MIN_MAX(long)
EMULATION_MIN_MAX(unsigned long)
EMULATION_MIN_MAX(long long)
EMULATION_MIN_MAX(unsigned long long)
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline double min(double a, double b) { return fmin(a, b); }
static inline double max(double a, double b) { return fmax(a, b); }
#endif
