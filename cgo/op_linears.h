/* op_linears.h owns the phase that multiplies weights with one input. */
#ifndef CHIMERA_OP_LINEARS_H
#define CHIMERA_OP_LINEARS_H
#include "run.h"

struct linear {
	struct packed weight, gate; /* gate.data is NULL without one */
	const float *bias;          /* (rows) or NULL */
	const float *gate_bias;     /* (rows) or NULL */
	const struct value *residual;
	struct value *out;
	int32_t activation; /* enum activation */
};

struct op_linears {
	const struct value *in;
	const struct linear *linear; /* (count) */
	int32_t count;
};

/* What a chunk needs: two product tiles, (TILE_TOKENS, TILE_GROUPS * 16) each. */
enum { LINEARS_SCRATCH = 2 * TILE_TOKENS * TILE_GROUPS * GROUP * 4 };

extern const struct runner linears_runner;
#endif
