/* op_quantise.h owns the phase that rounds a value's rows for the products that follow. */
#ifndef CHIMERA_OP_QUANTISE_H
#define CHIMERA_OP_QUANTISE_H
#include "run.h"

struct op_quantise {
	const struct value *in;
};

extern const struct runner quantise_runner;
#endif
