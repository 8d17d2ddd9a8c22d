/* op_norm.h owns the phase that normalises rows, and rounds them where products follow. */
#ifndef CHIMERA_OP_NORM_H
#define CHIMERA_OP_NORM_H
#include "run.h"

struct op_norm {
	const struct value *in, *residual; /* residual: NULL without one */
	struct value *out;
	const float *gamma, *beta; /* (width) or NULL */
	float epsilon;
	int32_t norm;     /* enum norm_kind */
	int32_t quantise; /* also write `out` to the instance's quantised activations */
};

extern const struct runner norm_runner;
#endif
