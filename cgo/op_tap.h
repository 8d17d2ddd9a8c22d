/* op_tap.h owns the phase that copies a value's rows for the outputs that ask for them. */
#ifndef CHIMERA_OP_TAP_H
#define CHIMERA_OP_TAP_H
#include "run.h"

struct op_tap {
	const struct value *in; /* a row per token or per output */
	int32_t first;          /* where its elements begin in a row of batch.taps */
	int32_t reserved;
};

extern const struct runner tap_runner;
#endif
