/* attend.h owns the KV page layout and the interface of attention, which alone reads pages.
 *
 * A page holds PAGE_TOKENS positions of every layer: [layer][kv head] blocks of head_bytes, each K then
 * V. K is stored transposed, (head_dim, 16), so that a vector of scores is the 16 positions of a page;
 * V is stored (16, head_pad). q8_0 has halves as scales, one per position and BLOCK of the head. */
#ifndef CHIMERA_ATTEND_H
#define CHIMERA_ATTEND_H
#include "cpu.h"

enum { PAGE_TOKENS = 16, SPLIT_TOKENS = 256, MAX_HEAD_DIM = 512 };
enum kv_type { KV_F32, KV_F16, KV_Q8_0 };

struct kv_layout {
	int32_t type; /* enum kv_type */
	int32_t layers, kv_heads, head_dim;
	int32_t head_pad; /* head_dim rounded up to LANES: V rows */
	int32_t blocks;   /* BLOCKs of a head, the last one short */
	int64_t k_scales; /* offsets inside a head's block */
	int64_t v, v_scales;
	int64_t head_bytes; /* a multiple of 64 */
	int64_t page_bytes;
};

void kv_layout_init(struct kv_layout *l, int type, int layers, int kv_heads, int head_dim);

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

/* kv_clear_after zeroes the slots behind `slot`: what a page holds past its last position must be
 * finite, since masked lanes are computed before they are masked. */
void kv_clear_after(const struct kv_layout *l, uint8_t *head, int slot);
#endif
