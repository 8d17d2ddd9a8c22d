/* half.h owns the scalar conversions between float and IEEE half, bit-equal to vcvtph2ps and
 * vcvtps2ph (round to nearest even; a NaN stays quiet and keeps its upper payload). */
#ifndef CHIMERA_HALF_H
#define CHIMERA_HALF_H
#include "portable.h"
#include <stdint.h>
#include <string.h>

static inline PORTABLE float half_to_float(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = (h >> 10) & 31, man = h & 0x3ff, u;
	float f;
	if (exp == 31) {
		u = sign | 0x7f800000 | man << 13 | (man ? 0x400000 : 0);
	} else if (exp) {
		u = sign | (exp + 112) << 23 | man << 13;
	} else {
		f = (float)man * 0x1p-24f; /* exact */
		memcpy(&u, &f, 4);
		u |= sign;
	}
	memcpy(&f, &u, 4);
	return f;
}

static inline PORTABLE uint16_t float_to_half(float f)
{
	uint32_t u, sign, a;
	memcpy(&u, &f, 4);
	sign = u >> 16 & 0x8000;
	a = u & 0x7fffffff;
	if (a > 0x7f800000)
		return (uint16_t)(sign | 0x7e00 | (a >> 13 & 0x3ff));
	if (a >= 0x47800000) /* 65536 and up; 65520 to 65536 overflow by the rounding below */
		return (uint16_t)(sign | 0x7c00);
	if (a < 0x38800000) { /* below 2^-14: a subnormal, rounded by adding 0.5 */
		float m;
		memcpy(&m, &a, 4);
		m += 0.5f; /* ulp of [0.5, 1) is 2^-24, a half's smallest subnormal */
		memcpy(&a, &m, 4);
		return (uint16_t)(sign | (a - 0x3f000000));
	}
	a += 0xfff + (a >> 13 & 1);
	return (uint16_t)(sign | (a - 0x38000000) >> 13);
}
#endif
