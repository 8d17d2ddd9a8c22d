/* rope.h owns rotary positions: frequencies at load, sines and cosines once per step (Su et al. 2021,
 * arXiv 2104.09864; YaRN: Peng et al. 2023, arXiv 2309.00071). Angles are formed in float, as the
 * reference implementation does. */
#ifndef CHIMERA_ROPE_H
#define CHIMERA_ROPE_H
#include "dmath.h"
#include "portable.h"

/* What engine.Rope says, as numbers. */
struct rope_scaling {
	double base, scale;          /* scale: 1 / factor of linear scaling or YaRN */
	double extension, low, high; /* YaRN's ramp over pair indices; extension 0: none */
	const float *factors;        /* (dim / 2) divisors, or NULL */
};

/* How much of pair i's own frequency YaRN keeps: 1 below low, 0 above high. */
static inline PORTABLE double kept(const struct rope_scaling *s, int i)
{
	double ramp = (i - s->low) / (s->high - s->low);
	ramp = ramp < 0.0 ? 0.0 : ramp > 1.0 ? 1.0 : ramp;
	return (1.0 - ramp) * s->extension;
}

/* rope_frequencies writes (dim / 2) angles per position. */
static inline PORTABLE void rope_frequencies(const struct rope_scaling *s, int dim, float *frequency)
{
	for (int i = 0; i < dim / 2; i++) {
		double f = d_pow(s->base, -2.0 * i / dim);
		if (s->factors)
			f /= s->factors[i];
		if (s->extension > 0.0)
			f = f * s->scale * (1.0 - kept(s, i)) + f * kept(s, i);
		else
			f *= s->scale;
		frequency[i] = (float)f;
	}
}

/* rope_angle is the cosine and sine of position * frequency, times magnitude. */
static inline PORTABLE void rope_angle(int position, float frequency, float magnitude, float *cosine, float *sine)
{
	float angle = (float)position * frequency;
	double s, c;
	d_sincos(angle, &s, &c);
	*cosine = (float)c * magnitude;
	*sine = (float)s * magnitude;
}
#endif
