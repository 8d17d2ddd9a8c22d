/* op_store.cu owns the writing of keys and values: norms of heads, rotation, rounding to the KV type, pages.
 * Thread block (x, y) takes KV head y of token x. */
#include "turn.cuh"

/* Where a head's keys and values go. */
struct slot {
	const struct kv_layout *kv;
	uint8_t *head;
	int slot;
};

static __device__ void store_floats(const struct slot *s, const float *k, const float *v)
{
	const struct kv_layout *kv = s->kv;
	for (int i = threadIdx.x; i < kv->key_width; i += ROW_THREADS) {
		int64_t at = (int64_t)i * PAGE_TOKENS + s->slot;
		if (kv->type == KV_F32)
			((float *)s->head)[at] = k[i];
		else
			((uint16_t *)s->head)[at] = float_to_half(k[i]);
	}
	for (int i = threadIdx.x; v && i < kv->value_width; i += ROW_THREADS) {
		int64_t at = (int64_t)s->slot * kv->value_pad + i;
		if (kv->type == KV_F32)
			((float *)(s->head + kv->v))[at] = v[i];
		else
			((uint16_t *)(s->head + kv->v))[at] = float_to_half(v[i]);
	}
}

/* A thread takes a block of K, then one of V. */
static __device__ void store_blocks(const struct slot *s, const float *k, const float *v)
{
	const struct kv_layout *kv = s->kv;
	for (int b = threadIdx.x; b < kv->key_blocks; b += ROW_THREADS)
		kv_round_block(k + b * BLOCK, min(BLOCK, kv->key_width - b * BLOCK),
		               (int8_t *)s->head + b * BLOCK * PAGE_TOKENS + s->slot, PAGE_TOKENS,
		               (uint16_t *)(s->head + kv->k_scales) + b * PAGE_TOKENS + s->slot);
	for (int b = threadIdx.x; v && b < kv->value_blocks; b += ROW_THREADS)
		kv_round_block(v + b * BLOCK, min(BLOCK, kv->value_width - b * BLOCK),
		               (int8_t *)(s->head + kv->v) + (int64_t)s->slot * kv->value_pad + b * BLOCK, 1,
		               (uint16_t *)(s->head + kv->v_scales) + s->slot * kv->value_blocks + b);
}

static __device__ void clear_keys(const struct slot *s, int slot)
{
	const struct kv_layout *kv = s->kv;
	int64_t element = kv_element(kv->type);
	for (int d = threadIdx.x; d < kv->key_width; d += ROW_THREADS)
		memset(s->head + element * ((int64_t)d * PAGE_TOKENS + slot), 0, element);
	for (int b = threadIdx.x; kv->type == KV_Q8_0 && b < kv->key_blocks; b += ROW_THREADS)
		((uint16_t *)(s->head + kv->k_scales))[b * PAGE_TOKENS + slot] = 0;
}

static __device__ void clear_values(const struct slot *s, int slot)
{
	const struct kv_layout *kv = s->kv;
	int64_t element = kv_element(kv->type);
	for (int d = threadIdx.x; d < kv->value_pad; d += ROW_THREADS)
		memset(s->head + kv->v + element * ((int64_t)slot * kv->value_pad + d), 0, element);
	for (int b = threadIdx.x; kv->type == KV_Q8_0 && b < kv->value_blocks; b += ROW_THREADS)
		((uint16_t *)(s->head + kv->v_scales))[slot * kv->value_blocks + b] = 0;
}

/* clear_after zeroes the slots behind: the bytes that kv_clear_after zeroes. */
static __device__ void clear_after(const struct slot *s)
{
	for (int slot = s->slot + 1; slot < PAGE_TOKENS; slot++) {
		clear_keys(s, slot);
		if (!s->kv->latent)
			clear_values(s, slot);
	}
}

/* slot_of is where KV head `head` of a row lies. */
static __device__ struct slot slot_of(const struct device_batch *b, const struct op_store *o, int row, int head)
{
	const struct kv_layout *kv = &o->group.kv;
	const struct table *t = &b->tables[(int64_t)b->sequence_of[row] * o->group.groups + o->group.index];
	int position = b->positions[row];
	int64_t page = b->pages[t->first + position / PAGE_TOKENS - t->base];
	struct slot s = {kv, o->group.pages + page * kv->page_bytes, position % PAGE_TOKENS};
	s.head += ((int64_t)o->layer * kv->kv_heads + head) * kv->head_bytes;
	return s;
}

/* The last token of a sequence that opened its page in this step clears the slots behind it: what a page holds
 * past its last position must be finite. Other tokens write only slots before. */
KERNEL(store, ROW_THREADS)(const struct phase *p)
{
	__shared__ float k[MAX_HEAD_DIM];
	const struct device_batch *b = p->batch;
	const struct op_store *o = &p->op.store;
	const struct kv_layout *kv = &o->group.kv;
	int row = blockIdx.x, head = blockIdx.y;
	if (row >= b->counts->tokens)
		return;
	turn_head<ROW_THREADS>(&o->turn, row, row_of(&o->k, row) + (int64_t)head * kv->key_width, kv->key_width, k);
	const float *v = o->v.data ? row_of(&o->v, row) + (int64_t)head * kv->value_width : NULL;
	struct slot s = slot_of(b, o, row, head);
	if (kv->type == KV_Q8_0)
		store_blocks(&s, k, v);
	else
		store_floats(&s, k, v);
	const struct sequence_rows *seq = &b->sequences[b->sequence_of[row]];
	int in_sequence = row - seq->first_token;
	if (in_sequence == seq->token_count - 1 && in_sequence >= s.slot)
		clear_after(&s);
}
