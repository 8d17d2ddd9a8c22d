/* op_store.h owns the phase that writes keys and values to pages. */
#ifndef CHIMERA_OP_STORE_H
#define CHIMERA_OP_STORE_H
#include "op_rope.h"
#include "run.h"

struct op_store {
	const struct value *k, *v; /* (T, kv heads * key_width and value_width); v: NULL in a latent group */
	struct turn turn;          /* of K */
	int32_t group, layer;      /* from 0 */
};

/* What a row needs: one head of K. */
enum { STORE_SCRATCH = MAX_HEAD_DIM * 4 };

extern const struct runner store_runner;
#endif
