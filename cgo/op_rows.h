/* op_rows.h owns the phase that gathers the output rows. */
#ifndef CHIMERA_OP_ROWS_H
#define CHIMERA_OP_ROWS_H
#include "run.h"

struct op_rows {
	const struct value *in; /* a row per token */
	struct value *out;      /* a row per output */
};

extern const struct runner rows_runner;
#endif
