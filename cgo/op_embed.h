/* op_embed.h owns the phase that writes the rows of tokens. */
#ifndef CHIMERA_OP_EMBED_H
#define CHIMERA_OP_EMBED_H
#include "run.h"

struct op_embed {
	struct packed table;    /* (vocab, width) */
	const float *positions; /* (context, width) or NULL */
	struct value *out;
	float scale;
};

extern const struct runner embed_runner;
#endif
