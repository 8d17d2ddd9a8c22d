/* store.cu owns the writing of keys and values: norms of heads, rotation, rounding to the KV type, pages.
 * Thread block x takes token x: Q is out, K is in, V is in2; Q and K are changed in place. */
#include "lane.cuh"
#include "norm.cuh"

/* norm_heads: sixteen threads per head, so a warp takes two; a head that is not there goes along. */
static __device__ void norm_heads(float *x, const float *gamma, float epsilon, int heads, int n)
{
	int lane = threadIdx.x % LANES, per = ROW_THREADS / LANES;
	for (int first = 0; first < heads; first += per) {
		int h = first + threadIdx.x / LANES;
		float *head = x + (int64_t)h * n;
		struct norm_scale s = norm_scale_of(NORM_RMS, head, epsilon, h < heads ? n : 0, lane);
		for (int i = lane; h < heads && i < n; i += LANES)
			head[i] = (head[i] - s.mean) * s.scale * gamma[i];
	}
}

/* rope_heads turns the leading elements of each head by the row's sines and cosines. Two products and a sum,
 * each rounded. */
static __device__ void rope_heads(float *x, const struct device_rope *rope, int row, int heads, int n)
{
	int half = rope->dim / 2, step = rope->style == ROPE_ADJACENT ? 2 : 1;
	int second = rope->style == ROPE_ADJACENT ? 1 : half;
	const float *cosine = rope->cosine + (int64_t)row * half, *sine = rope->sine + (int64_t)row * half;
	for (int at = threadIdx.x; at < heads * half; at += ROW_THREADS) {
		int i = at % half;
		float *head = x + (int64_t)(at / half) * n;
		float a = head[i * step], b = head[i * step + second];
		head[i * step] = a * cosine[i] - b * sine[i];
		head[i * step + second] = a * sine[i] + b * cosine[i];
	}
}

/* Where one token's keys and values go. */
struct slot {
	const struct kv_layout *kv;
	uint8_t *page; /* heads of this layer */
	int slot;
};

static __device__ uint8_t *head_of(const struct slot *s, int head) { return s->page + head * s->kv->head_bytes; }

static __device__ void store_floats(const struct slot *s, const float *k, const float *v)
{
	const struct kv_layout *kv = s->kv;
	int n = kv->head_dim;
	for (int i = threadIdx.x; i < kv->kv_heads * n; i += ROW_THREADS) {
		uint8_t *head = head_of(s, i / n);
		int64_t key = (int64_t)(i % n) * PAGE_TOKENS + s->slot, value = (int64_t)s->slot * kv->head_pad + i % n;
		if (kv->type == KV_F32) {
			((float *)head)[key] = k[i];
			((float *)(head + kv->v))[value] = v[i];
		} else {
			((uint16_t *)head)[key] = float_to_half(k[i]);
			((uint16_t *)(head + kv->v))[value] = float_to_half(v[i]);
		}
	}
}

/* A thread takes a block of K, then the same of V. */
static __device__ void store_blocks(const struct slot *s, const float *k, const float *v)
{
	const struct kv_layout *kv = s->kv;
	for (int i = threadIdx.x; i < kv->kv_heads * kv->blocks; i += ROW_THREADS) {
		int h = i / kv->blocks, b = i % kv->blocks, first = b * BLOCK, n = min(BLOCK, kv->head_dim - first);
		int64_t from = (int64_t)h * kv->head_dim + first, value = (int64_t)s->slot * kv->head_pad + first;
		uint8_t *head = head_of(s, h);
		kv_round_block(k + from, n, (int8_t *)head + first * PAGE_TOKENS + s->slot, PAGE_TOKENS,
		               (uint16_t *)(head + kv->k_scales) + b * PAGE_TOKENS + s->slot);
		kv_round_block(v + from, n, (int8_t *)(head + kv->v) + value, 1,
		               (uint16_t *)(head + kv->v_scales) + s->slot * kv->blocks + b);
	}
}

static __device__ void clear_element(const struct kv_layout *kv, uint8_t *head, int slot, int d)
{
	int element = kv->type == KV_F32 ? 4 : kv->type == KV_F16 ? 2 : 1;
	if (d < kv->head_dim)
		memset(head + element * ((int64_t)d * PAGE_TOKENS + slot), 0, element);
	memset(head + kv->v + element * ((int64_t)slot * kv->head_pad + d), 0, element);
	if (kv->type != KV_Q8_0 || d >= kv->blocks)
		return;
	((uint16_t *)(head + kv->k_scales))[d * PAGE_TOKENS + slot] = 0;
	((uint16_t *)(head + kv->v_scales))[slot * kv->blocks + d] = 0;
}

/* clear_after zeroes the slots behind: the bytes that kv_clear_after zeroes, a thread per element. */
static __device__ void clear_after(const struct slot *s)
{
	const struct kv_layout *kv = s->kv;
	int behind = PAGE_TOKENS - 1 - s->slot, per_head = behind * kv->head_pad;
	for (int i = threadIdx.x; i < kv->kv_heads * per_head; i += ROW_THREADS) {
		int in_head = i % per_head;
		clear_element(kv, head_of(s, i / per_head), s->slot + 1 + in_head / kv->head_pad,
		              in_head % kv->head_pad);
	}
}

/* The last token of a sequence that opened its page in this step clears the slots behind it: what a page holds
 * past its last position must be finite. Other tokens write only slots before. */
KERNEL __launch_bounds__(ROW_THREADS) store(const struct phase *p)
{
	const struct device_batch *b = p->batch;
	const struct kv_layout *kv = &p->kv;
	int row = blockIdx.x, n = kv->head_dim;
	if (row >= b->counts->tokens)
		return;
	const struct sequence_rows *seq = &b->sequences[b->sequence_of[row]];
	float *q = row_of(&p->out, row), *k = row_of(&p->in, row);
	if (p->gamma)
		norm_heads(q, p->gamma, p->epsilon, p->heads, n);
	if (p->beta)
		norm_heads(k, p->beta, p->epsilon, kv->kv_heads, n);
	__syncthreads();
	if (p->rope.dim > 0) {
		rope_heads(q, &p->rope, row, p->heads, n);
		rope_heads(k, &p->rope, row, kv->kv_heads, n);
	}
	__syncthreads();
	int position = b->positions[row];
	int64_t page = b->pages[seq->first_page + position / PAGE_TOKENS];
	struct slot s = {kv, p->pages + page * kv->page_bytes + (int64_t)p->layer * kv->kv_heads * kv->head_bytes,
	                 position % PAGE_TOKENS};
	if (kv->type == KV_Q8_0)
		store_blocks(&s, k, row_of(&p->in2, row));
	else
		store_floats(&s, k, row_of(&p->in2, row));
	int in_sequence = row - seq->first_token;
	if (in_sequence == seq->token_count - 1 && in_sequence >= s.slot)
		clear_after(&s);
}
