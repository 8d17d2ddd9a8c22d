/* kv.h owns the layout of KV pages.
 *
 * A page holds PAGE_TOKENS positions of every layer: [layer][kv head] blocks of head_bytes, each K then
 * V. K is stored transposed, (head_dim, 16), so that a vector of scores is the 16 positions of a page;
 * V is stored (16, head_pad). q8_0 has halves as scales, one per position and BLOCK of the head. */
#ifndef CHIMERA_KV_H
#define CHIMERA_KV_H
#include "cpu.h"
#include "half.h"
#include "portable.h"
#include <math.h>
#include <string.h>

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

static inline PORTABLE int64_t kv_round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

static inline PORTABLE void kv_layout_init(struct kv_layout *l, int type, int layers, int kv_heads, int head_dim)
{
	int64_t element = type == KV_F32 ? 4 : type == KV_F16 ? 2 : 1;
	int64_t k, scales;
	l->type = type;
	l->layers = layers;
	l->kv_heads = kv_heads;
	l->head_dim = head_dim;
	l->head_pad = (int32_t)kv_round_up(head_dim, 16);
	l->blocks = (head_dim + BLOCK - 1) / BLOCK;
	k = kv_round_up(element * head_dim * PAGE_TOKENS, 64);
	scales = type == KV_Q8_0 ? kv_round_up((int64_t)l->blocks * PAGE_TOKENS * 2, 64) : 0;
	l->k_scales = k;
	l->v = k + scales;
	l->v_scales = l->v + kv_round_up(element * l->head_pad * PAGE_TOKENS, 64);
	l->head_bytes = l->v_scales + scales;
	l->page_bytes = l->head_bytes * kv_heads * layers;
}

/* kv_clear_after zeroes the slots behind `slot`: what a page holds past its last position must be
 * finite, since masked lanes are computed before they are masked. */
static inline PORTABLE void kv_clear_after(const struct kv_layout *l, uint8_t *head, int slot)
{
	int64_t element = l->type == KV_F32 ? 4 : l->type == KV_F16 ? 2 : 1;
	int from = slot + 1, n = PAGE_TOKENS - from;
	for (int d = 0; d < l->head_dim; d++)
		memset(head + element * (d * PAGE_TOKENS + from), 0, (size_t)(element * n));
	memset(head + l->v + element * from * l->head_pad, 0, (size_t)(element * n * l->head_pad));
	if (l->type != KV_Q8_0)
		return;
	for (int b = 0; b < l->blocks; b++)
		memset(head + l->k_scales + 2 * (b * PAGE_TOKENS + from), 0, (size_t)(2 * n));
	memset(head + l->v_scales + 2 * from * l->blocks, 0, (size_t)(2 * n * l->blocks));
}

/* kv_round_block rounds n elements of a head, one BLOCK or what is left, as Q8_0 does: d = amax / 127,
 * stored as a half. q_step: K lies transposed. */
static inline PORTABLE void kv_round_block(const float *x, int n, int8_t *q, int q_step, uint16_t *scale)
{
	float amax = 0.0f;
	for (int i = 0; i < n; i++) {
		float v = fabsf(x[i]);
		amax = v > amax ? v : amax;
	}
	float d = amax / 127.0f, inverse = d > 0.0f ? 1.0f / d : 0.0f;
	*scale = float_to_half(d);
	for (int i = 0; i < n; i++) {
		float r = rintf(x[i] * inverse);
		r = r > 127.0f ? 127.0f : r >= -127.0f ? r : -127.0f; /* a NaN becomes -127 */
		q[(int64_t)i * q_step] = (int8_t)r;
	}
}
#endif
