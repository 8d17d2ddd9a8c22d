/* attend_body.h owns attention over pages.
 *
 * The order of every sum depends on absolute positions alone. Positions are split every SPLIT_TOKENS;
 * in a split the scores of each page are one vector (lane = position mod 16), their exponentials are
 * added lane by lane in page order and then by the fixed tree, and the outputs are accumulated in
 * ascending position. Splits merge in ascending order by their maxima. Prefill and decode, whatever
 * the tile, share this order; a tile only shares the loads of K and V. */

#ifdef ISA_AVX512
enum { ATTEND_PAGES = 2 }; /* pages whose scores are formed together: 4 x 2 chains hide the fma latency */
#else
enum { ATTEND_PAGES = 1 }; /* four rows of two ymm already fill the sixteen registers */
#endif
enum { ATTEND_ROWS = 4 };

/* One split of up to ATTEND_ROWS queries. */
struct FN(split) {
	const struct attend_args *a;
	int first_row, rows;
	int begin, end;       /* positions that any of the rows sees, inside the split */
	int low[ATTEND_ROWS]; /* each row sees [low, high) */
	int high[ATTEND_ROWS];
	const float *q[ATTEND_ROWS];
	float score[ATTEND_ROWS][SPLIT_TOKENS]; /* scores, then probabilities, by position in split */
	float peak[ATTEND_ROWS], sum[ATTEND_ROWS];
	float out[ATTEND_ROWS][MAX_HEAD_DIM];
};

INLINE const uint8_t *FN(page_of)(const struct attend_args *a, int position)
{
	return a->base + (int64_t)a->pages[position / PAGE_TOKENS - a->first_page] * a->kv->page_bytes;
}

/* load_k is element d of the 16 positions of a page. */
INLINE vf FN(load_k)(const struct kv_layout *l, const uint8_t *page, int d, const int type)
{
	if (type == KV_F32)
		return v_load((const float *)page + (int64_t)d * PAGE_TOKENS);
	if (type == KV_F16)
		return v_load_f16((const uint16_t *)page + (int64_t)d * PAGE_TOKENS);
	const uint16_t *scale = (const uint16_t *)(page + l->k_scales);
	return v_mul(v_load_f16(scale + d / BLOCK * PAGE_TOKENS),
	             v_load_i8((const int8_t *)page + (int64_t)d * PAGE_TOKENS));
}

/* load_v is elements d to d+15 of V at one position of a page that holds V. */
INLINE vf FN(load_v)(const struct kv_layout *l, const uint8_t *page, int slot, int d, const int type)
{
	int64_t at = (int64_t)slot * l->value_pad + d;
	if (type == KV_F32)
		return v_load((const float *)(page + l->v) + at);
	if (type == KV_F16)
		return v_load_f16((const uint16_t *)(page + l->v) + at);
	uint16_t scale = ((const uint16_t *)(page + l->v_scales))[slot * l->value_blocks + d / BLOCK];
	return v_mul(v_set1(half_to_float(scale)), v_load_i8((const int8_t *)(page + l->v) + at));
}

/* latent_v writes elements d to d+15 of V at all positions of a page whose V is the end of K, which lies transposed. */
INLINE void FN(latent_v)(const struct kv_layout *l, const uint8_t *page, int d, float *v, const int type)
{
	int first = l->key_width - l->value_width + d, n = l->key_width - first < LANES ? l->key_width - first : LANES;
	for (int i = 0; i < LANES; i++) {
		float element[PAGE_TOKENS]; /* beyond V's width: nobody reads it, but it is computed with */
		v_store(element, i < n ? FN(load_k)(l, page, first + i, type) : v_zero());
		for (int slot = 0; slot < PAGE_TOKENS; slot++)
			v[slot * LANES + i] = element[slot];
	}
}

/* scores forms q.k of `rows` queries with the positions of `pages` pages. */
INLINE void FN(scores)(struct FN(split) * s, int position, int at, const int rows, const int pages, const int type)
{
	const struct kv_layout *l = s->a->kv;
	const uint8_t *page[ATTEND_PAGES];
	vf acc[ATTEND_ROWS][ATTEND_PAGES];
	for (int p = 0; p < pages; p++)
		page[p] = FN(page_of)(s->a, position + p * PAGE_TOKENS);
	for (int r = 0; r < rows; r++)
		for (int p = 0; p < pages; p++)
			acc[r][p] = v_zero();
	for (int d = 0; d < l->key_width; d++) {
		vf k[ATTEND_PAGES];
		for (int p = 0; p < pages; p++)
			k[p] = FN(load_k)(l, page[p], d, type);
		for (int r = 0; r < rows; r++) {
			vf q = v_set1(s->q[r][d]);
			for (int p = 0; p < pages; p++)
				acc[r][p] = v_fma(q, k[p], acc[r][p]);
		}
	}
	for (int r = 0; r < rows; r++)
		for (int p = 0; p < pages; p++)
			v_store(s->score[r] + at + p * PAGE_TOKENS, acc[r][p]);
}

/* mask hides the lanes outside [low, high). */
INLINE vf FN(mask)(float *score, int low, int high)
{
	for (int i = 0; i < LANES; i++)
		if (i < low || i >= high)
			score[i] = -INFINITY;
	return v_load(score);
}

/* soften scales, caps and masks row r's scores and turns them into exponentials. */
INLINE void FN(soften)(struct FN(split) * s, int r, int base)
{
	const struct attend_args *a = s->a;
	float *score = s->score[r];
	int first = s->begin - base, last = s->end - base;
	vf peak = v_set1(-INFINITY), sum = v_zero();
	for (int at = first; at < last; at += LANES) {
		vf x = v_mul(v_load(score + at), v_set1(a->scale));
		if (a->softcap > 0.0f)
			x = v_softcap(x, a->softcap);
		v_store(score + at, x);
		if (base + at < s->low[r] || base + at + LANES > s->high[r])
			x = FN(mask)(score + at, s->low[r] - base - at, s->high[r] - base - at);
		peak = v_max(x, peak);
	}
	s->peak[r] = v_highest(peak);
	for (int at = first; at < last; at += LANES) {
		vf e = v_exp(v_sub(v_load(score + at), v_set1(s->peak[r])));
		v_store(score + at, e);
		sum = v_add(sum, e);
	}
	s->sum[r] = v_sum(sum);
}

/* add_position adds p*v of one position to `rows` rows from `first`. */
INLINE void FN(add_position)(const struct FN(split) * s, int first, const int rows, int at, vf v, vf *acc)
{
	for (int r = 0; r < rows; r++)
		acc[r] = v_fma(v_set1(s->score[first + r][at]), v, acc[r]);
}

/* add_page does so with elements d to d+15 of n positions of a page from `slot` on. `latent` is a constant, as `rows`
 * and `type` are: a branch here would take acc out of its registers. */
INLINE void FN(add_page)(const struct FN(split) * s, int first, const int rows, int d, const uint8_t *page, int slot,
                         int n, int at, vf *acc, const int type, const int latent)
{
	const struct kv_layout *l = s->a->kv;
	if (latent) {
		float v[PAGE_TOKENS * LANES];
		FN(latent_v)(l, page, d, v, type);
		for (int i = 0; i < n; i++)
			FN(add_position)(s, first, rows, at + i, v_load(v + (slot + i) * LANES), acc);
		return;
	}
	for (int i = 0; i < n; i++)
		FN(add_position)(s, first, rows, at + i, FN(load_v)(l, page, slot + i, d, type), acc);
}

/* accumulate adds p*v of positions [from, to) to elements d to d+15 of `rows` rows from `first`. */
INLINE void FN(accumulate)(struct FN(split) * s, int first, const int rows, int d, int from, int to, int base,
                           const int type, const int latent)
{
	vf acc[ATTEND_ROWS];
	for (int r = 0; r < rows; r++)
		acc[r] = v_load(s->out[first + r] + d);
	for (int position = from; position < to;) {
		int slot = position % PAGE_TOKENS, n = PAGE_TOKENS - slot;
		n = n < to - position ? n : to - position;
		FN(add_page)
		(s, first, rows, d, FN(page_of)(s->a, position), slot, n, position - base, acc, type, latent);
		position += n;
	}
	for (int r = 0; r < rows; r++)
		v_store(s->out[first + r] + d, acc[r]);
}

/* outputs forms sum p*v of each row: the positions that all rows see together, what is before and
 * behind them row by row, so that every row adds just what it sees, in ascending order. */
INLINE void FN(outputs)(struct FN(split) * s, int base, const int rows, const int type, const int latent)
{
	int low = s->low[0], high = s->high[0];
	for (int r = 1; r < rows; r++) {
		low = s->low[r] > low ? s->low[r] : low;
		high = s->high[r] < high ? s->high[r] : high;
	}
	if (high < low)
		high = low;
	for (int d = 0; d < s->a->kv->value_width; d += LANES) {
		for (int r = 0; r < rows; r++) {
			int to = s->high[r] < low ? s->high[r] : low;
			v_store(s->out[r] + d, v_zero());
			FN(accumulate)(s, r, 1, d, s->low[r], to, base, type, latent);
		}
		FN(accumulate)(s, 0, rows, d, low, high, base, type, latent);
		for (int r = 0; r < rows; r++) {
			int from = s->low[r] > high ? s->low[r] : high;
			FN(accumulate)(s, r, 1, d, from, s->high[r], base, type, latent);
		}
	}
}

INLINE void FN(run_split)(struct FN(split) * s, int base, const int rows, const int type)
{
	int position = s->begin;
	for (; position + ATTEND_PAGES * PAGE_TOKENS <= s->end; position += ATTEND_PAGES * PAGE_TOKENS)
		FN(scores)(s, position, position - base, rows, ATTEND_PAGES, type);
	for (; position < s->end; position += PAGE_TOKENS)
		FN(scores)(s, position, position - base, rows, 1, type);
	for (int r = 0; r < rows; r++)
		FN(soften)(s, r, base);
	if (s->a->kv->latent)
		FN(outputs)(s, base, rows, type, 1);
	else
		FN(outputs)(s, base, rows, type, 0);
}

/* The running result of a query over the splits so far. That there were none is not told by the peak: a split of
 * nothing but NaN has the peak -inf and a sum that is NaN, and must stay. */
struct FN(merged) {
	int splits;
	float peak, sum;
	float out[MAX_HEAD_DIM];
};

/* merge adds a split to those before it; the factors are exp(peak - new peak). */
INLINE void FN(merge)(struct FN(merged) * m, const float *out, float peak, float sum, int n)
{
	if (m->splits++ == 0) {
		m->peak = peak;
		m->sum = sum;
		memcpy(m->out, out, (size_t)n * sizeof *out);
		return;
	}
	float top = m->peak > peak ? m->peak : peak, x[LANES];
	v_store(x, v_exp(v_set1(m->peak - top)));
	vf old = v_set1(x[0]);
	v_store(x, v_exp(v_set1(peak - top)));
	vf new = v_set1(x[0]);
	for (int d = 0; d < n; d += LANES)
		v_store(m->out + d, v_fma(v_load(out + d), new, v_mul(v_load(m->out + d), old)));
	v_store(x, v_fma(v_set1(sum), new, v_mul(v_set1(m->sum), old)));
	m->sum = x[0];
	m->peak = top;
}

/* The positions [low, high) that a query sees. */
struct FN(seen) {
	int low, high;
};

INLINE struct FN(seen) FN(seen)(const struct attend_args *a, int row)
{
	int position = a->first_position + row / a->heads;
	if (a->mask == MASK_BIDIRECTIONAL || a->mask == MASK_CROSS)
		return (struct FN(seen)){0, a->length};
	if (a->mask == MASK_WINDOW && position >= a->window)
		return (struct FN(seen)){position - a->window + 1, position + 1};
	return (struct FN(seen)){0, position + 1};
}

/* prepare sets which positions of the split that begins at base each row sees. */
INLINE int FN(prepare)(struct FN(split) * s, int base)
{
	int begin = base + SPLIT_TOKENS, end = base;
	for (int r = 0; r < s->rows; r++) {
		struct FN(seen) seen = FN(seen)(s->a, s->first_row + r);
		int low = seen.low > base ? seen.low : base;
		int high = seen.high < base + SPLIT_TOKENS ? seen.high : base + SPLIT_TOKENS;
		s->low[r] = low;
		s->high[r] = high > low ? high : low;
		if (high > low) {
			begin = low < begin ? low : begin;
			end = high > end ? high : end;
		}
	}
	s->begin = begin / PAGE_TOKENS * PAGE_TOKENS;
	s->end = (end + PAGE_TOKENS - 1) / PAGE_TOKENS * PAGE_TOKENS;
	return end > begin;
}

INLINE void FN(dispatch_split)(struct FN(split) * s, int base, const int type)
{
	switch (s->rows) {
	case 1:
		FN(run_split)(s, base, 1, type);
		break;
	case 2:
		FN(run_split)(s, base, 2, type);
		break;
	case 3:
		FN(run_split)(s, base, 3, type);
		break;
	default:
		FN(run_split)(s, base, ATTEND_ROWS, type);
	}
}

INLINE void FN(one_split)(struct FN(split) * s, int base)
{
	switch (s->a->kv->type) {
	case KV_F32:
		FN(dispatch_split)(s, base, KV_F32);
		break;
	case KV_F16:
		FN(dispatch_split)(s, base, KV_F16);
		break;
	default:
		FN(dispatch_split)(s, base, KV_Q8_0);
	}
}

/* write_row divides what the splits gave by the sum of their weights. */
INLINE void FN(write_row)(const struct attend_args *a, int row, const struct FN(merged) * m)
{
	int n = a->kv->value_width;
	float *out = a->out + row / a->heads * a->out_stride + (int64_t)(row % a->heads) * n;
	for (int d = 0; d < n; d += LANES)
		v_store_n(out + d, v_div(v_load(m->out + d), v_set1(m->sum)), n - d < LANES ? n - d : LANES);
}

/* attend_tile runs up to ATTEND_ROWS queries over all their splits. */
static void FN(attend_tile)(const struct attend_args *a, int first_row, int rows)
{
	struct FN(split) s; /* large: what is not set here is set before it is read */
	struct FN(merged) m[ATTEND_ROWS];
	int low = FN(seen)(a, first_row).low, high = FN(seen)(a, first_row + rows - 1).high; /* both ascend */
	s.a = a;
	s.first_row = first_row;
	s.rows = rows;
	for (int r = 0; r < rows; r++) {
		s.q[r] = a->q + (int64_t)(first_row + r) * a->kv->key_width;
		m[r].splits = 0;
	}
	for (int base = low / SPLIT_TOKENS * SPLIT_TOKENS; base < high; base += SPLIT_TOKENS) {
		if (!FN(prepare)(&s, base))
			continue;
		FN(one_split)(&s, base);
		for (int r = 0; r < rows; r++)
			if (s.high[r] > s.low[r])
				FN(merge)(&m[r], s.out[r], s.peak[r], s.sum[r], a->kv->value_pad);
	}
	for (int r = 0; r < rows; r++)
		FN(write_row)(a, first_row + r, &m[r]);
}

static void FN(attend)(const struct attend_args *a)
{
	for (int row = 0; row < a->rows; row += ATTEND_ROWS)
		FN(attend_tile)(a, row, a->rows - row < ATTEND_ROWS ? a->rows - row : ATTEND_ROWS);
}

INLINE void FN(round_head)(const float *x, int n, int8_t *q, int q_step, uint16_t *scale, int s_step)
{
	for (int b = 0; b * BLOCK < n; b++)
		kv_round_block(x + b * BLOCK, n - b * BLOCK < BLOCK ? n - b * BLOCK : BLOCK,
		               q + (int64_t)b * BLOCK * q_step, q_step, scale + (int64_t)b * s_step);
}

INLINE void FN(store_k)(const struct kv_layout *l, uint8_t *head, int slot, const float *k)
{
	int n = l->key_width;
	if (l->type == KV_Q8_0) {
		uint16_t *scales = (uint16_t *)(head + l->k_scales) + slot;
		FN(round_head)(k, n, (int8_t *)head + slot, PAGE_TOKENS, scales, PAGE_TOKENS);
	} else if (l->type == KV_F32) {
		for (int d = 0; d < n; d++)
			((float *)head)[d * PAGE_TOKENS + slot] = k[d];
	} else {
		for (int d = 0; d < n; d += LANES) {
			uint16_t h[LANES];
			int m = n - d < LANES ? n - d : LANES;
			v_store_f16(h, v_load_n(k + d, m, 0.0f));
			for (int i = 0; i < m; i++)
				((uint16_t *)head)[(d + i) * PAGE_TOKENS + slot] = h[i];
		}
	}
}

INLINE void FN(store_v)(const struct kv_layout *l, uint8_t *head, int slot, const float *v)
{
	int n = l->value_width;
	int64_t at = (int64_t)slot * l->value_pad;
	if (l->type == KV_Q8_0) {
		uint16_t *scales = (uint16_t *)(head + l->v_scales) + slot * l->value_blocks;
		FN(round_head)(v, n, (int8_t *)(head + l->v) + at, 1, scales, 1);
	} else if (l->type == KV_F32) {
		memcpy((float *)(head + l->v) + at, v, (size_t)n * sizeof *v);
	} else {
		for (int d = 0; d < n; d += LANES) {
			uint16_t h[LANES];
			int m = n - d < LANES ? n - d : LANES;
			v_store_f16(h, v_load_n(v + d, m, 0.0f));
			memcpy((uint16_t *)(head + l->v) + at + d, h, (size_t)m * 2);
		}
	}
}

static void FN(store)(const struct kv_layout *l, uint8_t *head, int slot, const float *k, const float *v)
{
	FN(store_k)(l, head, slot, k);
	if (v)
		FN(store_v)(l, head, slot, v);
}

#define ATTEND_KERNELS \
	{ \
		.attend = FN(attend), .store = FN(store) \
	}
