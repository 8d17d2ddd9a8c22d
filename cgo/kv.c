/* kv.c owns the geometry of KV pages. */
#include "attend.h"
#include <string.h>

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

void kv_layout_init(struct kv_layout *l, int type, int layers, int kv_heads, int head_dim)
{
	int64_t element = type == KV_F32 ? 4 : type == KV_F16 ? 2 : 1;
	int64_t k, scales;
	l->type = type;
	l->layers = layers;
	l->kv_heads = kv_heads;
	l->head_dim = head_dim;
	l->head_pad = (int32_t)round_up(head_dim, 16);
	l->blocks = (head_dim + BLOCK - 1) / BLOCK;
	k = round_up(element * head_dim * PAGE_TOKENS, 64);
	scales = type == KV_Q8_0 ? round_up((int64_t)l->blocks * PAGE_TOKENS * 2, 64) : 0;
	l->k_scales = k;
	l->v = k + scales;
	l->v_scales = l->v + round_up(element * l->head_pad * PAGE_TOKENS, 64);
	l->head_bytes = l->v_scales + scales;
	l->page_bytes = l->head_bytes * kv_heads * layers;
}

void kv_clear_after(const struct kv_layout *l, uint8_t *head, int slot)
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
