/* quantise_fit.h owns the arithmetic that all searches share: codes for given scales, their error, and the scales that
 * are best for given codes, by weighted least squares.
 *
 * Sums are taken in eight lanes and folded in one order, so that the compiler may use vectors without any choice of it
 * showing in the result. Blocks come scaled to values of about one: see quantise.c. */
#ifndef CHIMERA_QUANTISE_FIT_H
#define CHIMERA_QUANTISE_FIT_H

#include "half.h"

#define LANES 8

/* What a search works on: values divided by unit, a power of two, so that no square leaves a float's range. */
struct scaled {
	const float *x, *w;
	double unit;
};

/* half_at is the half that stands for a scale of scaled values, scale_of what it means to them. */
static inline uint16_t half_at(const struct scaled *s, float a) { return float_to_half((float)((double)a * s->unit)); }
static inline float scale_of(const struct scaled *s, uint16_t h) { return (float)((double)half_to_float(h) / s->unit); }

/* half_above is that, but no less than the scale: under it no integer scale leaves its range. Halves so small that they
 * are subnormal lie far apart. */
static inline uint16_t half_above(const struct scaled *s, float a)
{
	uint16_t h = half_at(s, a);
	float got = scale_of(s, h);
	return (uint16_t)(h + (a < 0 ? got > a : got < a));
}

/* The codes of a format: from low to high. */
struct codes {
	float low, high;
};

static inline float fold(const float *s) { return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])); }

/* nearest rounds half to even; |v| must be below 2^22. */
static inline float nearest(float v) { return (v + 0x1.8p23f) - 0x1.8p23f; }

static inline float within(float v, float low, float high)
{
	v = v > low ? v : low;
	return v < high ? v : high;
}

/* code_for is the code nearest to x where codes mean a * code - m; inverse is 1 / a. */
static inline float code_for(struct codes c, float x, float inverse, float m)
{
	return nearest(within((x + m) * inverse, c.low, c.high));
}

/* error_with is what n values cost at their nearest codes. */
static inline float error_with(struct codes c, const float *x, const float *w, int n, float a, float m)
{
	float s[LANES] = {0}, inverse = a != 0 ? 1 / a : 0;
	for (int i = 0; i < n; i += LANES)
		for (int l = 0; l < LANES; l++) {
			float e = x[i + l] - (a * code_for(c, x[i + l], inverse, m) - m);
			s[l] += w[i + l] * e * e;
		}
	return fold(s);
}

/* The sums that least squares needs, of values x at codes q with weights w. */
struct moments {
	float w, q, x, qq, qx;
};

static inline struct moments moments_at(struct codes c, const float *x, const float *w, int n, float a, float m)
{
	float sw[LANES] = {0}, sq[LANES] = {0}, sx[LANES] = {0}, sqq[LANES] = {0}, sqx[LANES] = {0};
	float inverse = a != 0 ? 1 / a : 0;
	for (int i = 0; i < n; i += LANES)
		for (int l = 0; l < LANES; l++) {
			float q = code_for(c, x[i + l], inverse, m), wq = w[i + l] * q;
			sw[l] += w[i + l];
			sq[l] += wq;
			sx[l] += w[i + l] * x[i + l];
			sqq[l] += wq * q;
			sqx[l] += wq * x[i + l];
		}
	return (struct moments){fold(sw), fold(sq), fold(sx), fold(sqq), fold(sqx)};
}

/* A scale, with the minimum beside it, and what they cost. */
struct fit {
	float a, m, error;
};

/* best_scale is the scale that least squares gives for the codes at a. */
static inline float best_scale(struct codes c, const float *x, const float *w, int n, float a)
{
	struct moments s = moments_at(c, x, w, n, a, 0);
	return s.qq > 0 ? s.qx / s.qq : a;
}

/* best_pair is the scale and the minimum for the codes at (a, m); `signed_minimum` is for formats whose minimum may
 * have either sign, all others have none below zero. */
static inline struct fit best_pair(struct codes c, const float *x, const float *w, int n, struct fit at,
                                   int signed_minimum)
{
	struct moments s = moments_at(c, x, w, n, at.a, at.m);
	float det = s.w * s.qq - s.q * s.q;
	struct fit f = at;
	if (det > 0) {
		f.a = (s.w * s.qx - s.x * s.q) / det;
		f.m = (s.q * s.qx - s.qq * s.x) / det;
	}
	if (!signed_minimum && !(f.m > 0)) {
		f.m = 0;
		f.a = s.qq > 0 ? s.qx / s.qq : at.a;
	}
	return f.a > 0 ? f : at;
}
#endif
