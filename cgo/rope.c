/* rope.c owns rotary frequencies and angles (Su et al. 2021, arXiv 2104.09864; YaRN: Peng et al. 2023,
 * arXiv 2309.00071). Angles are formed in float, as the reference implementation does. */
#include "rope.h"
#include "dmath.h"

/* How much of pair i's own frequency YaRN keeps: 1 below low, 0 above high. */
static double kept(const struct rope_scaling *s, int i)
{
	double ramp = (i - s->low) / (s->high - s->low);
	ramp = ramp < 0.0 ? 0.0 : ramp > 1.0 ? 1.0 : ramp;
	return (1.0 - ramp) * s->extension;
}

void rope_frequencies(const struct rope_scaling *s, int dim, float *frequency)
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

void rope_angles(int position, const float *frequency, int half, float magnitude, float *cosine, float *sine)
{
	for (int i = 0; i < half; i++) {
		float angle = (float)position * frequency[i];
		double s, c;
		d_sincos(angle, &s, &c);
		cosine[i] = (float)c * magnitude;
		sine[i] = (float)s * magnitude;
	}
}
