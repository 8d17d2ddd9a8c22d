/* dmath.h owns double-precision functions that give the same bits on every machine: only additions,
 * products, quotients and rint, which IEEE 754 fixes. They stand behind rope tables and log-sum-exp:
 * few calls, so plain series to full precision instead of tuned polynomials. */
#ifndef CHIMERA_DMATH_H
#define CHIMERA_DMATH_H
#include "portable.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

static inline PORTABLE double power_of_two(int n)
{
	uint64_t bits = (uint64_t)(n + 1023) << 52;
	double r;
	memcpy(&r, &bits, sizeof r);
	return r;
}

/* d_exp: relative error below 1e-15 in [-700, 700], 0 or inf beyond. x = n ln 2 + r with |r| <= 0.35, then Taylor to
 * r^15 / 15! < 1e-19. */
static inline PORTABLE double d_exp(double x)
{
	double n = rint(x * 1.4426950408889634074), r, sum = 1.0;
	if (!(x > -700.0))
		return x != x ? x : 0.0;
	if (x > 700.0)
		return INFINITY;
	r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
	for (int k = 15; k > 0; k--)
		sum = 1.0 + sum * r / k;
	return sum * power_of_two((int)n);
}

/* d_log: x > 0 and normal; a NaN stays one. x = m 2^e with m in [0.7, 1.41); log m = 2 atanh((m-1)/(m+1)), a series in
 * s^2 < 0.03. */
static inline PORTABLE double d_log(double x)
{
	uint64_t bits;
	double m, s, z, sum = 0.0;
	int e;
	if (x != x)
		return x;
	memcpy(&bits, &x, sizeof bits);
	e = (int)(bits >> 52 & 2047) - 1023;
	bits = (bits & 0xfffffffffffffull) | 0x3ff0000000000000ull;
	memcpy(&m, &bits, sizeof m);
	if (m > 1.4142135623730951) {
		m *= 0.5;
		e++;
	}
	s = (m - 1.0) / (m + 1.0);
	z = s * s;
	for (int k = 23; k > 0; k -= 2)
		sum = sum * z + 1.0 / k;
	return e * 6.93147180369123816490e-01 + (e * 1.90821492927058770002e-10 + 2.0 * s * sum);
}

/* d_pow: x > 0. */
static inline PORTABLE double d_pow(double x, double y) { return d_exp(y * d_log(x)); }

/* d_sincos: |x| < 2^30, absolute error below 1e-15 * max(1, |x|). x = n pi/2 + r with pi/2 in three parts (n stays
 * below 2^30, each part has 33 bits), then Taylor. */
static inline PORTABLE void d_sincos(double x, double *sine, double *cosine)
{
	double n = rint(x * 6.36619772367581382433e-01), r, z, s = 0.0, c = 0.0;
	int quadrant = (int)((int64_t)n & 3);
	r = x - n * 1.57079632673412561417e+00;
	r -= n * 6.07710050630396597660e-11;
	r -= n * 2.02226624879595063154e-21;
	z = r * r;
	for (int k = 17; k > 1; k -= 2)
		s = (1.0 + s) * -z / (k * (k - 1));
	for (int k = 18; k > 0; k -= 2)
		c = (1.0 + c) * -z / (k * (k - 1));
	s = r + r * s;
	c = 1.0 + c;
	*sine = quadrant == 0 ? s : quadrant == 1 ? c : quadrant == 2 ? -s : -c;
	*cosine = quadrant == 0 ? c : quadrant == 1 ? -s : quadrant == 2 ? -c : s;
}
#endif
