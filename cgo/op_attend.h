/* op_attend.h owns the phase that attends to a layer's pages. */
#ifndef CHIMERA_OP_ATTEND_H
#define CHIMERA_OP_ATTEND_H
#include "op_rope.h"
#include "run.h"

struct op_attend {
	const struct value *q; /* (T, heads * key_width) */
	struct value *out;     /* (T, heads * value_width) */
	struct turn turn;      /* of Q */
	int32_t group, layer;  /* from 0 */
	int32_t heads;
	float scale, softcap;
};

/* What a chunk needs: its queries, normalised and turned. */
enum { ATTEND_SCRATCH = QUERY_TOKENS * QUERY_HEADS * MAX_HEAD_DIM * 4 };

extern const struct runner attend_runner;
#endif
