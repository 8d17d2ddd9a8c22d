/* kv_test.cc owns the tests of what touches pages: store and attention. */
#include "check.h"
extern "C" {
#include "../../../cgo/rope.h"
}

DECLARE(store);
DECLARE(attend_splits);
DECLARE(attend_merge);
DECLARE(attend_rows);

/* A model's shape and the pool of pages that a test works on. */
struct cache {
	struct kv_layout kv;
	int heads, layer, pages;
	memory<uint8_t> pool;

	cache(int type, int kv_heads, int group, int head_dim, int pages)
	    : kv(layout_of(type, kv_heads, head_dim)), heads(kv_heads * group), layer(1), pages(pages),
	      pool(pages * kv.page_bytes)
	{
	}
	static struct kv_layout layout_of(int type, int kv_heads, int head_dim)
	{
		struct kv_layout l;
		kv_layout_init(&l, type, 2, kv_heads, head_dim);
		return l;
	}
	uint8_t *head(uint8_t *pool, int page, int h) const
	{
		return pool + page * kv.page_bytes + (layer * kv.kv_heads + h) * kv.head_bytes;
	}
};

/* ---- store ---- */

/* What store is told: norms and rotation. */
struct turning {
	memory<float> gamma, beta, cosine, sine;
	int dim, style;
	bool norm;
};

static void turn(const struct turning *t, const float *gamma, float *x, int row, int n)
{
	if (t->norm)
		kernels_scalar.row.norm(NORM_RMS, x, gamma, NULL, NULL, 1e-6f, n, x);
	if (t->dim > 0)
		kernels_scalar.row.rope(x, t->cosine.at + row * (t->dim / 2), t->sine.at + row * (t->dim / 2), t->dim,
		                        t->style);
}

/* store_on_cpu is run_store of cgo/step.c on one row. */
static void store_on_cpu(const struct cache *c, const struct test_batch *b, const struct turning *t, int row, float *q,
                         float *k, const float *v, uint8_t *pool)
{
	const struct sequence_rows *s = &b->sequences[b->sequence_of[row]];
	int n = c->kv.head_dim, position = b->positions[row], slot = position % PAGE_TOKENS;
	int page = b->pages[s->first_page + position / PAGE_TOKENS], in_sequence = row - s->first_token;
	for (int h = 0; h < c->heads; h++)
		turn(t, t->gamma.at, q + h * n, row, n);
	for (int h = 0; h < c->kv.kv_heads; h++) {
		uint8_t *head = c->head(pool, page, h);
		turn(t, t->beta.at, k + h * n, row, n);
		kernels_scalar.attend.store(&c->kv, head, slot, k + h * n, v + h * n);
		if (in_sequence == s->token_count - 1 && in_sequence >= slot && slot < PAGE_TOKENS - 1)
			kv_clear_after(&c->kv, head, slot);
	}
}

static void test_store_of(int type, int kv_heads, int group, int n, int dim, enum input kind)
{
	struct cache c(type, kv_heads, group, n, 32);
	struct test_batch b = {};
	int page = 0;
	for (int first : {0, 5, 16, 31})
		b.add(first, 1 + below(21), &page);
	b.add(47, 1, &page);
	b.add(48, 1, &page);
	b.done();
	int rows = b.counts.tokens, width = c.heads * n, kv_width = kv_heads * n;
	struct turning t = {memory<float>(n, NORMAL),
	                    memory<float>(n, NORMAL),
	                    memory<float>(rows * dim / 2, NORMAL),
	                    memory<float>(rows * dim / 2, NORMAL),
	                    dim,
	                    below(2),
	                    below(3) > 0};
	memory<float> q(rows * width, kind), k(rows * kv_width, kind), v(rows * kv_width, kind), want_q(q), want_k(k);
	memory<uint8_t> want(c.pool);
	what = text("store of kv type %d, %d x %d heads of %d, %d turning, input %d", type, kv_heads, group, n, dim,
	            kind);
	for (int row = 0; row < rows; row++)
		store_on_cpu(&c, &b, &t, row, want_q.at + row * width, want_k.at + row * kv_width,
		             v.at + row * kv_width, want.at);
	struct phase p = {};
	p.batch = &b.device;
	p.out = {q.at, width, 0};
	p.in = {k.at, kv_width, 0};
	p.in2 = {v.at, kv_width, 0};
	p.gamma = t.norm ? t.gamma.at : NULL;
	p.beta = t.norm ? t.beta.at : NULL;
	p.epsilon = 1e-6f;
	p.rope = {NULL, t.cosine.at, t.sine.at, dim, t.style, 1.0f, 0};
	p.kv = c.kv;
	p.pages = c.pool.at;
	p.layer = c.layer;
	p.heads = c.heads;
	LAUNCH(store, &p, dim3(rows + 2), dim3(ROW_THREADS));
	same("queries", q, want_q);
	same("keys", k, want_k);
	if (kind == POISONED) /* a NaN that is rounded to a KV type has no one sign */
		return;
	same("pages", c.pool, want);
}

void test_store(void)
{
	for (int type : {KV_F32, KV_F16, KV_Q8_0})
		for (int kind = 0; kind < INPUTS; kind++)
			for (int n : {2, 7, 16, 33, 64, 128})
				test_store_of(type, 1 + below(3), 1 + below(4), n, below(3) ? n / 2 * 2 : 0,
				              (enum input)kind);
	test_store_of(KV_F16, 1, 20, 64, 32, NORMAL);
	test_store_of(KV_Q8_0, 2, 1, MAX_HEAD_DIM, 64, NORMAL);
}

/* ---- attention ---- */

/* fill_pages stores random keys and values at every position that the batch can see. Keys before position `nan`
 * are NaN: a split of nothing else leaves a peak of -inf. */
static void fill_pages(struct cache *c, const struct test_batch *b, enum input kind, int nan)
{
	int n = c->kv.head_dim;
	memset(c->pool.at, 0, c->pool.count);
	for (const struct sequence_rows &s : b->sequences) {
		int last = b->positions[s.first_token + s.token_count - 1];
		for (int position = 0; position <= last; position++)
			for (int h = 0; h < c->kv.kv_heads; h++) {
				memory<float> k(n, kind), v(n, kind);
				if (position < nan)
					k[0] = NAN;
				uint8_t *head = c->head(c->pool.at, b->pages[s.first_page + position / PAGE_TOKENS], h);
				kernels_scalar.attend.store(&c->kv, head, position % PAGE_TOKENS, k.at, v.at);
			}
	}
}

static void attend_on_cpu(const struct cache *c, const struct test_batch *b, const struct phase *p, float *out)
{
	int group = c->heads / c->kv.kv_heads, n = c->kv.head_dim;
	for (const struct sequence_rows &s : b->sequences)
		for (int h = 0; h < c->kv.kv_heads; h++) {
			int64_t at = (int64_t)s.first_token * p->in.width + h * group * n;
			struct attend_args a = {&c->kv,
			                        c->head(c->pool.at, 0, h),
			                        b->pages.data() + s.first_page,
			                        p->in.data + at,
			                        out + at,
			                        p->in.width,
			                        p->in.width,
			                        b->positions[s.first_token],
			                        s.token_count * group,
			                        group,
			                        p->window,
			                        p->scale,
			                        p->softcap};
			kernels_scalar.attend.attend(&a);
		}
}

/* A step of prefill and decode mixed, around the borders of pages and splits. */
static void mixed_batch(struct test_batch *b)
{
	int page = 0;
	for (int position : {0, 1, 14, 15, 16, 100, 254, 255, 256, 257, 511, 700})
		b->add(position, 1, &page);
	b->add(0, 19, &page);
	b->add(250, 9, &page);
	b->add(509, 4, &page);
	b->done();
}

static void test_attention_of(int type, int kv_heads, int group, int n, int window, float softcap, enum input kind,
                              int nan = 0)
{
	struct test_batch b = {};
	mixed_batch(&b);
	struct cache c(type, kv_heads, group, n, (int)b.pages.size());
	int rows = b.counts.tokens, width = c.heads * n, splits = 3, sequences = b.counts.sequences;
	memory<float> q(rows * width, kind), out((rows + 2) * width), want(out);
	memory<float> partials((int64_t)sequences * c.heads * splits * (c.kv.head_pad + 2));
	what = text("attention of kv type %d, %d x %d heads of %d, window %d, softcap %g, input %d, NaN before %d",
	            type, kv_heads, group, n, window, softcap, kind, nan);
	fill_pages(&c, &b, kind, nan);
	struct phase p = {};
	p.batch = &b.device;
	p.in = {q.at, width, 0};
	p.out = {out.at, width, 0};
	p.kv = c.kv;
	p.pages = c.pool.at;
	p.layer = c.layer;
	p.heads = c.heads;
	p.window = window;
	p.scale = 1.0f / sqrtf((float)n);
	p.softcap = softcap;
	p.splits = splits;
	p.partials = partials.at;
	attend_on_cpu(&c, &b, &p, want.at);
	LAUNCH(attend_splits, &p, dim3(sequences + 1, c.heads, splits), dim3(ATTEND_THREADS));
	LAUNCH(attend_merge, &p, dim3(sequences + 1, c.heads), dim3(ROW_THREADS));
	LAUNCH(attend_rows, &p, dim3(rows + 2, c.heads), dim3(ATTEND_THREADS));
	same("out", out, want);
}

void test_attention(void)
{
	for (int type : {KV_F32, KV_F16, KV_Q8_0}) {
		for (int kind = 0; kind < INPUTS; kind++)
			test_attention_of(type, 1, 2, 20, below(2) ? 0 : 70, below(2) ? 0.0f : 5.0f, (enum input)kind);
		for (int n : {1, 16, 31, 64, 128})
			test_attention_of(type, 2, 1, n, 0, 0.0f, NORMAL);
		for (int window : {1, 5, 16, 256, 300})
			test_attention_of(type, 1, 1, 32, window, 0.0f, NORMAL);
		test_attention_of(type, 1, 1, 300, 0, 0.0f, NORMAL);
		test_attention_of(type, 1, 1, 16, 0, 0.0f, NORMAL, SPLIT_TOKENS);
		test_attention_of(type, 1, 1, MAX_HEAD_DIM, 400, 30.0f, NORMAL);
	}
}
