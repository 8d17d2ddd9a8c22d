/* rope.h owns rotary positions: frequencies at load, sines and cosines once per step. */
#ifndef CHIMERA_ROPE_H
#define CHIMERA_ROPE_H
#include <stdint.h>

/* What engine.Rope says, as numbers. */
struct rope_scaling {
	double base, scale;          /* scale: 1 / factor of linear scaling or YaRN */
	double extension, low, high; /* YaRN's ramp over pair indices; extension 0: none */
	const float *factors;        /* (dim / 2) divisors, or NULL */
};

/* rope_frequencies writes (dim / 2) angles per position. */
void rope_frequencies(const struct rope_scaling *s, int dim, float *frequency);

/* rope_angles writes cosine and sine of position * frequency, times magnitude, (half) each. */
void rope_angles(int position, const float *frequency, int half, float magnitude, float *cosine, float *sine);
#endif
