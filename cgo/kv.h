/* kv.h owns the layout of KV pages.
 *
 * A page of a group holds PAGE_TOKENS positions of the group's layers: [layer][kv head] blocks of head_bytes, each
 * K then V. K is stored transposed, (key_width, 16), so that a vector of scores is the 16 positions of a page; V is
 * stored (16, value_pad). In a latent group V is the last value_width elements of K, stored once. q8_0 has halves as
 * scales, one per position and BLOCK of the head. */
#ifndef CHIMERA_KV_H
#define CHIMERA_KV_H
#include "cpu.h"
#include "half.h"
#include "portable.h"
#include <math.h>
#include <string.h>

enum { PAGE_TOKENS = 16, SPLIT_TOKENS = 256, MAX_HEAD_DIM = 1024 };
enum kv_type { KV_F32, KV_F16, KV_Q8_0 };
/* engine.Mask */
enum kv_mask { MASK_CAUSAL = 1, MASK_WINDOW, MASK_BIDIRECTIONAL, MASK_CROSS };

struct kv_layout {
	int32_t type; /* enum kv_type */
	int32_t layers, kv_heads;
	int32_t key_width, value_width;
	int32_t value_pad;                /* value_width rounded up to LANES: V rows */
	int32_t key_blocks, value_blocks; /* BLOCKs of a head, the last one short */
	int32_t latent;                   /* V is the end of K: it has no bytes of its own */
	int64_t k_scales;                 /* offsets inside a head's block */
	int64_t v, v_scales;
	int64_t head_bytes; /* a multiple of 64 */
	int64_t page_bytes;
};

static inline PORTABLE int64_t kv_round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

static inline PORTABLE int64_t kv_element(int type) { return type == KV_F32 ? 4 : type == KV_F16 ? 2 : 1; }

static inline PORTABLE int64_t kv_scale_bytes(int type, int blocks)
{
	return type == KV_Q8_0 ? kv_round_up((int64_t)blocks * PAGE_TOKENS * 2, 64) : 0;
}

static inline PORTABLE void kv_layout_init(struct kv_layout *l, int type, int layers, int kv_heads, int key_width,
                                           int value_width, int latent)
{
	l->type = type;
	l->layers = layers;
	l->kv_heads = kv_heads;
	l->key_width = key_width;
	l->value_width = value_width;
	l->value_pad = (int32_t)kv_round_up(value_width, 16);
	l->key_blocks = (key_width + BLOCK - 1) / BLOCK;
	l->value_blocks = (value_width + BLOCK - 1) / BLOCK;
	l->latent = latent;
	l->k_scales = kv_round_up(kv_element(type) * key_width * PAGE_TOKENS, 64);
	l->v = l->k_scales + kv_scale_bytes(type, l->key_blocks);
	l->v_scales = l->v;
	l->head_bytes = l->v;
	if (!latent) {
		l->v_scales += kv_round_up(kv_element(type) * l->value_pad * PAGE_TOKENS, 64);
		l->head_bytes = l->v_scales + kv_scale_bytes(type, l->value_blocks);
	}
	l->page_bytes = l->head_bytes * kv_heads * layers;
}

/* kv_clear_after zeroes the slots behind `slot`: what a page holds past its last position must be
 * finite, since masked lanes are computed before they are masked. */
static inline PORTABLE void kv_clear_after(const struct kv_layout *l, uint8_t *head, int slot)
{
	int64_t element = kv_element(l->type);
	int from = slot + 1, n = PAGE_TOKENS - from;
	for (int d = 0; d < l->key_width; d++)
		memset(head + element * (d * PAGE_TOKENS + from), 0, (size_t)(element * n));
	if (l->type == KV_Q8_0)
		for (int b = 0; b < l->key_blocks; b++)
			memset(head + l->k_scales + 2 * (b * PAGE_TOKENS + from), 0, (size_t)(2 * n));
	if (l->latent)
		return;
	memset(head + l->v + element * from * l->value_pad, 0, (size_t)(element * n * l->value_pad));
	if (l->type == KV_Q8_0)
		memset(head + l->v_scales + 2 * from * l->value_blocks, 0, (size_t)(2 * n * l->value_blocks));
}

/* kv_round_block rounds n elements of a head, one BLOCK or what is left, as Q8_0 does: d = amax / 127,
 * stored as a half. q_step: K lies transposed. A NaN anywhere makes the scale NaN, and so all that is read of the
 * block: rounding hides none. */
static inline PORTABLE void kv_round_block(const float *x, int n, int8_t *q, int q_step, uint16_t *scale)
{
	float amax = 0.0f;
	for (int i = 0; i < n; i++) {
		float v = fabsf(x[i]);
		amax = v <= amax ? amax : v; /* NaN: taken, */
		if (v != v)
			break; /* and kept */
	}
	float d = amax / 127.0f, inverse = d > 0.0f ? 1.0f / d : 0.0f;
	*scale = float_to_half(d);
	for (int i = 0; i < n; i++) {
		float r = rintf(x[i] * inverse);
		r = r > 127.0f ? 127.0f : r >= -127.0f ? r : -127.0f; /* a NaN, whose scale is NaN, becomes -127 */
		q[(int64_t)i * q_step] = (int8_t)r;
	}
}
#endif
