/* op_attend.cu owns attention over pages.
 *
 * The order of every sum depends on absolute positions alone, as in cgo/attend_body.h. Positions are split
 * every SPLIT_TOKENS: a split is one position per thread. Exponentials are added in lane position mod 16, in
 * page order, then by the fixed tree; outputs in ascending position, a thread per element; splits merge in
 * ascending order. Sequences of one token take a thread block per split and merge behind it; rows of longer
 * ones walk their splits: the same functions, so the same bits. */
#include "turn.cuh"

enum { ELEMENTS = MAX_HEAD_DIM / ATTEND_THREADS }; /* of a head that a thread of attend_rows owns */

/* One query: a row and head, and what it sees of one split. */
struct query {
	const struct device_batch *b;
	const struct op_attend *o;
	const int32_t *pages; /* the sequence's page table, moved so that page number 0 is the first */
	int64_t head;         /* offset of the layer and kv head in a page */
	int row, q_head;
	int from, to;  /* it sees positions [from, to), */
	int low, high; /* of the split [low, high) */
};

/* What a split leaves in shared memory; q stays over all of a query's splits. */
struct split {
	float q[MAX_HEAD_DIM];
	float score[SPLIT_TOKENS]; /* then exponentials */
	float lane[LANES];
	int peak;
};

/* Splits so far, for one element of the output. That there were none is not told by the peak: a split of nothing
 * but NaN has the peak -inf and a sum that is NaN, and must stay. */
struct running_split {
	int splits;
	float peak, sum, out;
};

/* see sets the positions that a query sees. */
static __device__ void see(struct query *q, const struct table *t)
{
	const struct device_group *g = &q->o->group;
	int position = q->b->positions[q->row];
	q->from = 0;
	q->to = g->mask == MASK_BIDIRECTIONAL || g->mask == MASK_CROSS ? t->length : position + 1;
	if (g->mask == MASK_WINDOW)
		q->from = max(0, position - g->window + 1);
}

static __device__ struct query query_of(const struct phase *p, int row, int head)
{
	const struct op_attend *o = &p->op.attend;
	const struct kv_layout *kv = &o->group.kv;
	const struct device_batch *b = p->batch;
	const struct table *t = &b->tables[(int64_t)b->sequence_of[row] * o->group.groups + o->group.index];
	struct query q = {b, o, b->pages + t->first - t->base, 0, row, head, 0, 0, 0, 0};
	q.head = ((int64_t)o->layer * kv->kv_heads + head / (o->heads / kv->kv_heads)) * kv->head_bytes;
	see(&q, t);
	return q;
}

/* load_query puts the query, normalised and turned, in shared memory. */
static __device__ void load_query(const struct query *q, struct split *s)
{
	int n = q->o->group.kv.key_width;
	turn_head<ATTEND_THREADS>(&q->o->turn, q->row, row_of(&q->o->q, q->row) + (int64_t)q->q_head * n, n, s->q);
}

/* The first and last split that a query sees of. */
static __device__ int first_split(const struct query *q) { return q->from / SPLIT_TOKENS; }

static __device__ int last_split(const struct query *q) { return (q->to - 1) / SPLIT_TOKENS; }

/* sees sets the range of a query in split i and tells whether it is not empty. */
static __device__ bool sees(struct query *q, int i)
{
	q->low = max(i * SPLIT_TOKENS, q->from);
	q->high = min((i + 1) * SPLIT_TOKENS, q->to);
	return q->high > q->low;
}

static __device__ const uint8_t *page_of(const struct query *q, int position)
{
	return q->o->group.pages + q->pages[position / PAGE_TOKENS] * q->o->group.kv.page_bytes + q->head;
}

static __device__ float key_at(const struct kv_layout *l, const uint8_t *page, int slot, int d)
{
	int64_t at = (int64_t)d * PAGE_TOKENS + slot;
	if (l->type == KV_F32)
		return ((const float *)page)[at];
	if (l->type == KV_F16)
		return half_to_float(((const uint16_t *)page)[at]);
	uint16_t scale = ((const uint16_t *)(page + l->k_scales))[d / BLOCK * PAGE_TOKENS + slot];
	return half_to_float(scale) * (float)((const int8_t *)page)[at];
}

static __device__ float value_at(const struct kv_layout *l, const uint8_t *page, int slot, int d)
{
	if (l->latent)
		return key_at(l, page, slot, l->key_width - l->value_width + d);
	int64_t at = (int64_t)slot * l->value_pad + d;
	if (l->type == KV_F32)
		return ((const float *)(page + l->v))[at];
	if (l->type == KV_F16)
		return half_to_float(((const uint16_t *)(page + l->v))[at]);
	uint16_t scale = ((const uint16_t *)(page + l->v_scales))[slot * l->value_blocks + d / BLOCK];
	return half_to_float(scale) * (float)((const int8_t *)(page + l->v))[at];
}

/* score_at is the scaled and capped score of one position; what the query does not see is -inf. */
static __device__ float score_at(const struct query *q, const struct split *s, int position)
{
	const struct op_attend *o = q->o;
	if (position < q->low || position >= q->high)
		return -INFINITY;
	const uint8_t *page = page_of(q, position);
	float acc = 0.0f;
	for (int d = 0; d < o->group.kv.key_width; d++)
		acc = fmaf(s->q[d], key_at(&o->group.kv, page, position % PAGE_TOKENS, d), acc);
	acc *= o->scale;
	return o->softcap > 0.0f ? v_softcap(acc, o->softcap) : acc;
}

/* soften forms the scores of split i and their exponentials; the peak and sum are returned to all threads. The
 * peak passes over a NaN, as the CPU's v_max does. */
static __device__ void soften(const struct query *q, struct split *s, int i, float *peak, float *sum)
{
	int at = threadIdx.x;
	if (at == 0)
		s->peak = ordered(-INFINITY);
	__syncthreads();
	float score = score_at(q, s, i * SPLIT_TOKENS + at);
	if (score > -INFINITY)
		atomicMax(&s->peak, ordered(score));
	__syncthreads();
	*peak = from_ordered(s->peak);
	s->score[at] = v_exp(score - *peak);
	__syncthreads();
	/* Lane by lane in page order: warp 0 alone, its upper half repeats the lower for the tree. */
	if (at < warpSize) {
		float lane = 0.0f;
		for (int k = at % LANES; k < SPLIT_TOKENS; k += LANES)
			lane += s->score[k];
		lane = lanes_sum(lane);
		if (at == 0)
			s->lane[0] = lane;
	}
	__syncthreads();
	*sum = s->lane[0];
}

/* output_at adds p*v of what the query sees to element d, in ascending position. */
static __device__ float output_at(const struct query *q, const struct split *s, int i, int d)
{
	float acc = 0.0f;
	for (int position = q->low; position < q->high;) {
		const uint8_t *page = page_of(q, position);
		int end = min(q->high, position / PAGE_TOKENS * PAGE_TOKENS + PAGE_TOKENS);
		for (; position < end; position++)
			acc = fmaf(s->score[position - i * SPLIT_TOKENS],
			           value_at(&q->o->group.kv, page, position % PAGE_TOKENS, d), acc);
	}
	return acc;
}

/* merge adds a split to those before it. */
static __device__ void merge(struct running_split *r, float peak, float sum, float out)
{
	if (r->splits++ == 0) {
		r->peak = peak;
		r->sum = sum;
		r->out = out;
		return;
	}
	float top = r->peak > peak ? r->peak : peak;
	float before = v_exp(r->peak - top), now = v_exp(peak - top);
	r->out = fmaf(out, now, r->out * before);
	r->sum = fmaf(sum, now, r->sum * before);
	r->peak = top;
}

/* The row of a sequence of one token, or -1. */
static __device__ int single_row(const struct device_batch *b, int sequence)
{
	if (sequence >= b->counts->sequences || b->sequences[sequence].token_count != 1)
		return -1;
	return b->sequences[sequence].first_token;
}

static __device__ float *partial_of(const struct op_attend *o, int sequence, int head, int i)
{
	return o->partials + (((int64_t)sequence * o->heads + head) * o->splits + i) * (o->group.kv.value_pad + 2);
}

static __device__ float *out_of(const struct query *q)
{
	return row_of(&q->o->out, q->row) + (int64_t)q->q_head * q->o->group.kv.value_width;
}

/* (sequences, heads, splits): one split of a sequence of one token, to partials. */
KERNEL(attend_splits, ATTEND_THREADS, 4)(const struct phase *p)
{
	__shared__ struct split s;
	const struct kv_layout *kv = &p->op.attend.group.kv;
	int row = single_row(p->batch, blockIdx.x), i = blockIdx.z;
	if (row < 0 || i >= p->op.attend.splits)
		return;
	struct query q = query_of(p, row, blockIdx.y);
	if (!sees(&q, i))
		return;
	float peak, sum, *partial = partial_of(q.o, blockIdx.x, blockIdx.y, i);
	load_query(&q, &s);
	soften(&q, &s, i, &peak, &sum);
	for (int d = threadIdx.x; d < kv->value_width; d += ATTEND_THREADS)
		partial[d] = output_at(&q, &s, i, d);
	if (threadIdx.x == 0) {
		partial[kv->value_pad] = peak;
		partial[kv->value_pad + 1] = sum;
	}
}

/* (sequences, heads): the splits of a sequence of one token, in ascending order. Each thread forms the factors
 * itself: they are few. */
KERNEL(attend_merge, ROW_THREADS)(const struct phase *p)
{
	const struct kv_layout *kv = &p->op.attend.group.kv;
	int row = single_row(p->batch, blockIdx.x), pad = kv->value_pad;
	if (row < 0)
		return;
	struct query q = query_of(p, row, blockIdx.y);
	for (int d = threadIdx.x; d < kv->value_width; d += ROW_THREADS) {
		struct running_split r = {0, 0.0f, 0.0f, 0.0f};
		for (int i = first_split(&q); i <= last_split(&q); i++) {
			const float *partial = partial_of(q.o, blockIdx.x, blockIdx.y, i);
			merge(&r, partial[pad], partial[pad + 1], partial[d]);
		}
		out_of(&q)[d] = r.out / r.sum;
	}
}

/* (rows, heads): a row of a longer sequence, all its splits. */
KERNEL(attend_rows, ATTEND_THREADS, 4)(const struct phase *p)
{
	__shared__ struct split s;
	const struct device_batch *b = p->batch;
	int row = blockIdx.x, first = threadIdx.x, n = p->op.attend.group.kv.value_width;
	if (row >= b->counts->tokens || b->sequences[b->sequence_of[row]].token_count == 1)
		return;
	struct query q = query_of(p, row, blockIdx.y);
	struct running_split r[ELEMENTS] = {};
	load_query(&q, &s);
	for (int i = first_split(&q); i <= last_split(&q); i++) {
		float peak, sum;
		sees(&q, i); /* each does, from the first to the last */
		soften(&q, &s, i, &peak, &sum);
#pragma unroll
		for (int e = 0; e < ELEMENTS; e++)
			if (first + e * ATTEND_THREADS < n)
				merge(&r[e], peak, sum, output_at(&q, &s, i, first + e * ATTEND_THREADS));
		/* No barrier: soften overwrites scores only behind barriers of its own. */
	}
	float *out = out_of(&q);
#pragma unroll
	for (int e = 0; e < ELEMENTS; e++)
		if (first + e * ATTEND_THREADS < n)
			out[first + e * ATTEND_THREADS] = r[e].out / r[e].sum;
}
