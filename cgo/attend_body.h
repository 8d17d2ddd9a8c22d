/* attend_body.h owns attention over pages.
 *
 * The order of every sum depends on absolute positions alone. Positions are split every SPLIT_TOKENS;
 * in a split the scores of each page are one vector (lane = position mod 16), their exponentials are
 * added lane by lane in page order and then by the fixed tree, and the outputs are accumulated in
 * ascending position. Splits merge in ascending order by their maxima. Prefill and decode, whatever
 * the tile, share this order; a tile only shares the loads of K and V.
 *
 * A pass is up to PASS_ROWS queries. In each split it takes all their scores, their exponentials, and then all their
 * sums of V. Where it is more than one tile, pages are unpacked to floats once for all tiles, a panel at a time, which
 * stays in L1 meanwhile. */

enum {
	PASS_ROWS = 32,      /* 32 KiB of scores; what is unpacked serves so many */
	PANEL_FLOATS = 4096, /* 16 KiB: half of the smallest L1, the other half is scores and queries */
	PANEL_PAGES = 8,
	FETCH_PAGES = 2, /* a page of K takes about as long as memory does */
};

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

/* The running result of a query over the splits so far. That there were none is not told by the peak: a split of
 * nothing but NaN has the peak -inf and a sum that is NaN, and must stay. */
struct FN(merged) {
	int splits;
	float peak, sum;
};

/* One split of the queries of a pass, and what the splits before gave. */
struct FN(pass) {
	const struct attend_args *a;
	int first_row, rows;
	int type;           /* of what tiles read: KV_F32 where it is unpacked */
	int last;           /* position that any of the rows sees, and one */
	int base;           /* the split's first position */
	int begin, end;     /* its pages that any of the rows sees, as positions */
	int low[PASS_ROWS]; /* each row sees [low, high) of the split */
	int high[PASS_ROWS];
	float score[PASS_ROWS][SPLIT_TOKENS]; /* scores, then weights, by position in split */
	float peak[PASS_ROWS], sum[PASS_ROWS];
	struct FN(merged) merged[PASS_ROWS];
	float out[PASS_ROWS * MAX_HEAD_DIM];    /* (rows, value_pad), of the split */
	float result[PASS_ROWS * MAX_HEAD_DIM]; /* (rows, value_pad), of the splits so far */
	float panel[PAGE_TOKENS * MAX_HEAD_DIM];
};

/* Pages side by side that a tile reads, K or V of each. */
struct FN(panel) {
	const uint8_t *page[PANEL_PAGES];
	const uint8_t *ahead[PANEL_PAGES]; /* of K: what to fetch meanwhile */
	int position, pages;
};

INLINE const uint8_t *FN(page_of)(const struct attend_args *a, int position)
{
	return a->base + (int64_t)a->pages[position / PAGE_TOKENS - a->first_page] * a->kv->page_bytes;
}

/* page_ahead is the page that tiles read FETCH_PAGES later, or the last of all. */
INLINE const uint8_t *FN(page_ahead)(const struct FN(pass) * s, int position)
{
	position += FETCH_PAGES * PAGE_TOKENS;
	return FN(page_of)(s->a, position < s->last ? position : s->last - 1);
}

/* panel_at is the panel from a position on, of pages with `width` floats a position. */
INLINE struct FN(panel) FN(panel_at)(const struct FN(pass) * s, int position, int width)
{
	int left = (s->end - position) / PAGE_TOKENS, pages = PANEL_FLOATS / (PAGE_TOKENS * width);
	pages = pages < 1 ? 1 : pages > PANEL_PAGES ? PANEL_PAGES : pages;
	return (struct FN(panel)){.position = position, .pages = pages < left ? pages : left};
}

static struct FN(panel) FN(panel_of_k)(struct FN(pass) * s, int position)
{
	const struct kv_layout *l = s->a->kv;
	struct FN(panel) n = FN(panel_at)(s, position, l->key_width);
	for (int p = 0; p < n.pages; p++) {
		const uint8_t *page = FN(page_of)(s->a, position + p * PAGE_TOKENS);
		float *k = s->panel + p * PAGE_TOKENS * l->key_width;
		n.page[p] = s->type == l->type ? page : (const uint8_t *)k;
		n.ahead[p] = FN(page_ahead)(s, position + p * PAGE_TOKENS);
		if (s->type != l->type)
			FN(unpack_k)(l, page, k);
	}
	return n;
}

static struct FN(panel) FN(panel_of_v)(struct FN(pass) * s, int position)
{
	const struct kv_layout *l = s->a->kv;
	struct FN(panel) n = FN(panel_at)(s, position, l->value_pad);
	for (int p = 0; p < n.pages; p++) {
		const uint8_t *page = FN(page_of)(s->a, position + p * PAGE_TOKENS);
		float *v = s->panel + p * PAGE_TOKENS * l->value_pad;
		int in_place = s->type == l->type && !l->latent;
		n.page[p] = in_place ? page + l->v : (const uint8_t *)v;
		if (!in_place)
			FN(unpack_v)(l, page, v);
	}
	return n;
}

/* tile_rows is how many of `left` rows the next tile takes, so that tiles are as equal as can be. */
INLINE int FN(tile_rows)(int left)
{
	int tiles = (left + TILE_ROWS - 1) / TILE_ROWS;
	return (left + tiles - 1) / tiles;
}

/* scores forms q.k of the pass with all pages of the split. */
static void FN(scores)(struct FN(pass) * s)
{
	for (int position = s->begin; position < s->end;) {
		struct FN(panel) n = FN(panel_of_k)(s, position);
		for (int row = 0, rows; row < s->rows; row += rows) {
			rows = FN(tile_rows)(s->rows - row);
			struct FN(score_tile) t = {
			        .kv = s->a->kv,
			        .page = n.page,
			        .ahead = n.ahead,
			        .pages = n.pages,
			        .q = s->a->q + (int64_t)(s->first_row + row) * s->a->kv->key_width,
			        .scale = s->a->scale,
			        .score = s->score[row] + position - s->base,
			};
			FN(score_tiles)[rows - 1][s->type](&t);
		}
		position += n.pages * PAGE_TOKENS;
	}
}

/* mask hides the lanes outside [low, high). */
INLINE vf FN(mask)(vf x, int low, int high)
{
	static const float lanes[LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	vf lane = v_load(lanes), hidden = v_set1(-INFINITY);
	x = v_select(v_lt(lane, v_set1((float)high)), x, hidden);
	return v_select(v_lt(lane, v_set1((float)low)), hidden, x);
}

/* weigh turns n vectors of scores into exponentials and adds them to sum, in their order. */
INLINE vf FN(weigh)(float *score, float peak, vf sum, const int n)
{
	vf e[EXP_VECTORS];
	for (int i = 0; i < n; i++)
		e[i] = v_sub(v_load(score + i * LANES), v_set1(peak));
	v_exp_below(e, n);
	for (int i = 0; i < n; i++) {
		v_store(score + i * LANES, e[i]);
		sum = v_add(sum, e[i]);
	}
	return sum;
}

/* peak_of caps and masks row r's scores and returns the largest. */
INLINE float FN(peak_of)(struct FN(pass) * s, int r)
{
	float *score = s->score[r], softcap = s->a->softcap;
	int low = s->low[r] - s->base, high = s->high[r] - s->base;
	vf peak = v_set1(-INFINITY);
	for (int at = s->begin - s->base; at < s->end - s->base; at += LANES) {
		vf x = v_load(score + at);
		if (softcap > 0.0f || at < low || at + LANES > high) {
			if (softcap > 0.0f)
				x = v_softcap(x, softcap);
			x = FN(mask)(x, low - at, high - at);
			v_store(score + at, x);
		}
		peak = v_max(x, peak);
	}
	return v_highest(peak);
}

/* soften turns row r's scores into exponentials. */
static void FN(soften)(struct FN(pass) * s, int r)
{
	float peak = FN(peak_of)(s, r), *score = s->score[r];
	int at = s->begin - s->base, end = s->end - s->base;
	vf sum = v_zero();
	for (; at + EXP_VECTORS * LANES <= end; at += EXP_VECTORS * LANES)
		sum = FN(weigh)(score + at, peak, sum, EXP_VECTORS);
	for (; at < end; at += LANES)
		sum = FN(weigh)(score + at, peak, sum, 1);
	s->peak[r] = peak;
	s->sum[r] = v_sum(sum);
}

/* add_seen adds the panel's positions in [from, to) to `rows` rows from `row` on. */
INLINE void FN(add_seen)(struct FN(pass) * s, const struct FN(panel) * n, int row, int rows, int from, int to)
{
	int end = n->position + n->pages * PAGE_TOKENS;
	from = from > n->position ? from : n->position;
	to = to < end ? to : end;
	if (from >= to)
		return;
	struct FN(sum_tile) t = {
	        .kv = s->a->kv,
	        .page = n->page,
	        .from = from - n->position,
	        .to = to - n->position,
	        .weight = s->score[row] + n->position - s->base,
	        .out = s->out + (int64_t)row * s->a->kv->value_pad,
	};
	FN(sum_tiles)[rows - 1][s->a->kv->latent ? KV_F32 : s->type](&t);
}

/* add_tile adds the panel to the rows of a tile: the positions that all of them see together, what is before and
 * behind them row by row, so that every row adds just what it sees, in ascending order. */
static void FN(add_tile)(struct FN(pass) * s, const struct FN(panel) * n, int row, int rows)
{
	int low = s->low[row], high = s->high[row];
	for (int r = row + 1; r < row + rows; r++) {
		low = s->low[r] > low ? s->low[r] : low;
		high = s->high[r] < high ? s->high[r] : high;
	}
	high = high < low ? low : high;
	for (int r = row; r < row + rows; r++)
		FN(add_seen)(s, n, r, 1, s->low[r], s->high[r] < low ? s->high[r] : low);
	FN(add_seen)(s, n, row, rows, low, high);
	for (int r = row; r < row + rows; r++)
		FN(add_seen)(s, n, r, 1, s->low[r] > high ? s->low[r] : high, s->high[r]);
}

/* outputs forms the sum p*v of each row. */
static void FN(outputs)(struct FN(pass) * s)
{
	memset(s->out, 0, (size_t)s->rows * s->a->kv->value_pad * sizeof *s->out);
	for (int position = s->begin; position < s->end;) {
		struct FN(panel) n = FN(panel_of_v)(s, position);
		for (int row = 0, rows; row < s->rows; row += rows) {
			rows = FN(tile_rows)(s->rows - row);
			FN(add_tile)(s, &n, row, rows);
		}
		position += n.pages * PAGE_TOKENS;
	}
}

/* merge adds row r's split to those before it; the factors are exp(peak - new peak). */
INLINE void FN(merge)(struct FN(pass) * s, int r)
{
	struct FN(merged) *m = &s->merged[r];
	int n = s->a->kv->value_pad;
	const float *out = s->out + (int64_t)r * n;
	float *result = s->result + (int64_t)r * n, peak = s->peak[r], sum = s->sum[r];
	if (m->splits++ == 0) {
		m->peak = peak;
		m->sum = sum;
		memcpy(result, out, (size_t)n * sizeof *out);
		return;
	}
	float top = m->peak > peak ? m->peak : peak, x[LANES];
	v_store(x, v_exp(v_set1(m->peak - top)));
	vf old = v_set1(x[0]);
	v_store(x, v_exp(v_set1(peak - top)));
	vf new = v_set1(x[0]);
	for (int d = 0; d < n; d += LANES)
		v_store(result + d, v_fma(v_load(out + d), new, v_mul(v_load(result + d), old)));
	v_store(x, v_fma(v_set1(sum), new, v_mul(v_set1(m->sum), old)));
	m->sum = x[0];
	m->peak = top;
}

/* prepare sets which positions of the split each row sees, and tells whether any sees one. */
static int FN(prepare)(struct FN(pass) * s)
{
	int begin = s->base + SPLIT_TOKENS, end = s->base;
	for (int r = 0; r < s->rows; r++) {
		struct FN(seen) seen = FN(seen)(s->a, s->first_row + r);
		int low = seen.low > s->base ? seen.low : s->base;
		int high = seen.high < s->base + SPLIT_TOKENS ? seen.high : s->base + SPLIT_TOKENS;
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

static void FN(run_split)(struct FN(pass) * s)
{
	FN(scores)(s);
	for (int r = 0; r < s->rows; r++)
		FN(soften)(s, r);
	FN(outputs)(s);
	for (int r = 0; r < s->rows; r++)
		if (s->high[r] > s->low[r])
			FN(merge)(s, r);
}

/* write_row divides what the splits gave by the sum of their weights. */
INLINE void FN(write_row)(const struct FN(pass) * s, int r)
{
	const struct attend_args *a = s->a;
	int n = a->kv->value_width, row = s->first_row + r;
	const float *result = s->result + (int64_t)r * a->kv->value_pad;
	float *out = a->out + row / a->heads * a->out_stride + (int64_t)(row % a->heads) * n;
	vf sum = v_set1(s->merged[r].sum);
	int d = 0;
	for (; d + LANES <= n; d += LANES)
		v_store(out + d, v_div(v_load(result + d), sum));
	if (d < n)
		v_store_n(out + d, v_div(v_load(result + d), sum), n - d);
}

/* attend_pass runs up to PASS_ROWS queries over all their splits. */
static void FN(attend_pass)(const struct attend_args *a, int first_row, int rows)
{
	struct FN(pass) s; /* large: what is not set here is set before it is read */
	int low = FN(seen)(a, first_row).low, high = FN(seen)(a, first_row + rows - 1).high; /* both ascend */
	s.a = a;
	s.first_row = first_row;
	s.rows = rows;
	s.last = high;
	s.type = rows > TILE_ROWS ? KV_F32 : a->kv->type;
	for (int r = 0; r < rows; r++)
		s.merged[r].splits = 0;
	for (s.base = low / SPLIT_TOKENS * SPLIT_TOKENS; s.base < high; s.base += SPLIT_TOKENS)
		if (FN(prepare)(&s))
			FN(run_split)(&s);
	for (int r = 0; r < rows; r++)
		FN(write_row)(&s, r);
}

static void FN(attend)(const struct attend_args *a)
{
	for (int row = 0; row < a->rows; row += PASS_ROWS)
		FN(attend_pass)(a, row, a->rows - row < PASS_ROWS ? a->rows - row : PASS_ROWS);
}

#define ATTEND_KERNELS \
	{ \
		.attend = FN(attend), .store = FN(store) \
	}
