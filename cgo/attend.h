/* attend.h owns the interface of attention, which alone reads pages. */
#ifndef CHIMERA_ATTEND_H
#define CHIMERA_ATTEND_H
#include "kv.h"

/* Queries of one kv head: `rows` query vectors of consecutive tokens, `heads` each, token first: row r is token
 * r / heads, head r % heads. */
struct attend_args {
	const struct kv_layout *kv;
	const uint8_t *base;  /* the pool, moved to this layer and kv head */
	const int32_t *pages; /* the sequence's page table, from page number first_page on */
	int32_t first_page;
	int32_t first_position; /* of the first token */
	int32_t rows, heads;
	int32_t mask;       /* enum kv_mask */
	int32_t window;     /* WINDOW: positions that a query sees, its own included */
	int32_t length;     /* BIDIRECTIONAL, CROSS: positions that every query sees */
	const float *q;     /* (rows, key_width) */
	float *out;         /* first row; heads adjacent, tokens out_stride apart */
	int64_t out_stride; /* in floats */
	float scale, softcap;
};

struct attend_kernels {
	void (*attend)(const struct attend_args *a);
	/* store writes one position's K, (key_width), and V, (value_width), into a head's block; v is NULL where V is
	 * the end of K. */
	void (*store)(const struct kv_layout *l, uint8_t *head, int slot, const float *k, const float *v);
};
#endif
