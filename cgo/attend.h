/* attend.h owns the interface of attention, which alone reads pages. */
#ifndef CHIMERA_ATTEND_H
#define CHIMERA_ATTEND_H
#include "kv.h"

/* The queries of one kv head: `rows` query vectors of consecutive tokens, `group` heads each, token
 * first: row r is token r / group, head r % group. */
struct attend_args {
	const struct kv_layout *kv;
	const uint8_t *base;  /* the pool, moved to this layer and kv head */
	const int32_t *pages; /* the sequence's page table */
	const float *q;       /* first query; heads adjacent, tokens q_stride apart */
	float *out;           /* likewise */
	int64_t q_stride, out_stride;
	int32_t first_position; /* of the first token */
	int32_t rows, group;
	int32_t window; /* 0: none */
	float scale, softcap;
};

struct attend_kernels {
	void (*attend)(const struct attend_args *a);
	/* store writes one position's K and V, (head_dim) each, into a head's block. */
	void (*store)(const struct kv_layout *l, uint8_t *head, int slot, const float *k, const float *v);
};
#endif
