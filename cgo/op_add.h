/* op_add.h owns the phase that adds two values. */
#ifndef CHIMERA_OP_ADD_H
#define CHIMERA_OP_ADD_H
#include "run.h"

struct op_add {
	const struct value *a, *b;
	struct value *out; /* may be either */
};

extern const struct runner add_runner;
#endif
