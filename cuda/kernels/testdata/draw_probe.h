/* draw_probe.h owns what draw_probe.cu takes and gives. */
#ifndef CHIMERA_DRAW_PROBE_H
#define CHIMERA_DRAW_PROBE_H
#include "../../plan.h"

struct draw_probe_args {
	const float *weights;
	const int32_t *list; /* or NULL */
	int32_t n;
	double *chunk;
	double *mass;   /* (n + 1): of places [0, i) */
	int32_t *place; /* (n + 1): where a walk passes that mass */
	const struct output *output;
	int32_t smallest_class; /* of all weights, under the cuts of output and all of the mass in order of ids */
};
#endif
