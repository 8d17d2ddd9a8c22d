/* op_head.h owns the phase that ends a program: logits of LOGIT_ROWS rows at a time, sampled where they are. */
#ifndef CHIMERA_OP_HEAD_H
#define CHIMERA_OP_HEAD_H
#include "run.h"

struct op_head {
	const struct value *in; /* a row per output */
	struct packed weight;   /* (vocab, width) */
	const float *bias;      /* (vocab) or NULL */
	float scale, softcap;
};

/* A round forms logits, the next samples: sample_scratch_bytes is what a row of that needs. */
extern const struct runner head_runner;
#endif
