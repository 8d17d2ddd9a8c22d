/* op_rope.h owns the phase that forms sines and cosines of the step's positions, and what is done with them:
 * a head is normalised and turned on its way to a page or to attention. */
#ifndef CHIMERA_OP_ROPE_H
#define CHIMERA_OP_ROPE_H
#include "run.h"

/* A rotary embedding: frequencies made at load, sines and cosines once per step. */
struct rope {
	const float *frequency; /* (dim / 2) */
	float *cosine, *sine;   /* (T, dim / 2) */
	int32_t dim, style;     /* enum rope_style */
	float magnitude;
};

struct op_rope {
	const struct rope *rope;
};

extern const struct runner rope_runner;

/* What is done to each head of a row. */
struct turn {
	const float *gamma; /* RMS norm, (head width), or NULL */
	const struct rope *rope;
	float epsilon;
};

/* turn_head writes a token's head of n elements, normalised and turned, to out. */
void turn_head(const struct run *r, const struct turn *t, int token, const float *head, int n, float *out);
#endif
