/* kv_test.cc owns the tests of what touches pages: store and attention. */
#include "check.h"
extern "C" {
#include "../../../cgo/rope.h"
}

DECLARE(store);
DECLARE(attend_splits);
DECLARE(attend_merge);
DECLARE(attend_rows);

/* A group's geometry and mask. */
struct shape {
	int type, kv_heads, key_width, value_width;
	bool latent;
	int mask, window;
};

/* Heads of n elements, keys and values alike, that see all before them. */
static struct shape even(int type, int kv_heads, int n) { return {type, kv_heads, n, n, false, MASK_CAUSAL, 0}; }

/* The pool of pages that a test works on: two layers, of which it uses the second. */
struct cache {
	struct shape shape;
	struct kv_layout kv;
	int layer;
	memory<uint8_t> pool;

	cache(const struct shape &s, int pages) : shape(s), kv(layout_of(s)), layer(1), pool(pages * kv.page_bytes) {}
	static struct kv_layout layout_of(const struct shape &s)
	{
		struct kv_layout l;
		kv_layout_init(&l, s.type, 2, s.kv_heads, s.key_width, s.value_width, s.latent);
		return l;
	}
	uint8_t *head(uint8_t *pool, int page, int h) const
	{
		return pool + page * kv.page_bytes + (layer * kv.kv_heads + h) * kv.head_bytes;
	}
	struct device_group device(void)
	{
		return {kv, pool.at, test_batch::GROUP_INDEX, test_batch::GROUPS, shape.mask, shape.window};
	}
};

static const struct table *table_of(const struct test_batch *b, int sequence)
{
	return &b->tables[sequence * test_batch::GROUPS + test_batch::GROUP_INDEX];
}

static int page_of(const struct test_batch *b, int sequence, int position)
{
	const struct table *t = table_of(b, sequence);
	return b->pages[t->first + position / PAGE_TOKENS - t->base];
}

/* ---- norms and rotation of heads ---- */

struct turning {
	memory<float> gamma, cosine, sine;
	int dim, style;
	bool norm;

	turning(int rows, int n, int dim)
	    : gamma(n, NORMAL), cosine(rows * dim / 2, NORMAL), sine(rows * dim / 2, NORMAL), dim(dim), style(below(2)),
	      norm(below(3) > 0)
	{
	}
	/* turn does to one head of n elements what turn_head of cgo/op_rope.c does. */
	void turn(const float *x, int row, int n, float *out) const
	{
		if (norm)
			kernels_scalar.row.norm(NORM_RMS, x, gamma.at, NULL, NULL, 1e-6f, n, out);
		else
			memcpy(out, x, n * sizeof *out);
		if (dim > 0)
			kernels_scalar.row.rope(out, cosine.at + row * (dim / 2), sine.at + row * (dim / 2), dim,
			                        style);
	}
	struct device_turn device(void)
	{
		return {norm ? gamma.at : NULL, 1e-6f, 0, {NULL, cosine.at, sine.at, dim, style, 1.0f, 0}};
	}
};

/* ---- store ---- */

/* store_on_cpu is store_row of cgo/op_store.c. */
static void store_on_cpu(const struct cache *c, const struct test_batch *b, const struct turning *t, int row,
                         const float *k, const float *v, uint8_t *pool)
{
	int sequence = b->sequence_of[row], position = b->positions[row], slot = position % PAGE_TOKENS;
	const struct sequence_rows *s = &b->sequences[sequence];
	int page = page_of(b, sequence, position), in_sequence = row - s->first_token;
	memory<float> turned(c->kv.key_width);
	for (int h = 0; h < c->kv.kv_heads; h++) {
		uint8_t *head = c->head(pool, page, h);
		t->turn(k + h * c->kv.key_width, row, c->kv.key_width, turned.at);
		kernels_scalar.attend.store(&c->kv, head, slot, turned.at,
		                            c->kv.latent ? NULL : v + h * c->kv.value_width);
		if (in_sequence == s->token_count - 1 && in_sequence >= slot && slot < PAGE_TOKENS - 1)
			kv_clear_after(&c->kv, head, slot);
	}
}

static void test_store_of(const struct shape &shape, int dim, enum input kind)
{
	struct cache c(shape, 32);
	struct test_batch b = {};
	int page = 0;
	for (int first : {0, 5, 16, 31})
		b.add(first, 1 + below(21), &page);
	b.add(47, 1, &page, below(3));
	b.add(48, 1, &page, 3);
	b.add(70, 30, &page, below(5), 128); /* pages behind the last row */
	b.done();
	int rows = b.counts.tokens, k_width = shape.kv_heads * shape.key_width,
	    v_width = shape.kv_heads * shape.value_width;
	struct turning t(rows, shape.key_width, dim);
	memory<float> k(rows * k_width, kind), v(rows * v_width, kind), same_k(k), same_v(v);
	memory<uint8_t> want(c.pool);
	what = text("store of kv type %d, %d heads of %d and %d%s, %d turning, input %d", shape.type, shape.kv_heads,
	            shape.key_width, shape.value_width, shape.latent ? ", latent" : "", dim, kind);
	for (int row = 0; row < rows; row++)
		store_on_cpu(&c, &b, &t, row, k.at + row * k_width, v.at + row * v_width, want.at);
	struct phase p = {};
	p.batch = &b.device;
	p.op.store = {{k.at, k_width, PER_TOKEN},
	              {shape.latent ? NULL : v.at, v_width, PER_TOKEN},
	              t.device(),
	              c.device(),
	              c.layer,
	              0};
	LAUNCH(store, &p, dim3(rows + 2, shape.kv_heads), dim3(ROW_THREADS));
	same("keys", k, same_k);
	same("values", v, same_v);
	if (kind == POISONED) /* a NaN that is rounded to a KV type has no one sign */
		return;
	same("pages", c.pool, want);
}

void test_store(void)
{
	for (int type : {KV_F32, KV_F16, KV_Q8_0}) {
		for (int kind = 0; kind < INPUTS; kind++)
			for (int n : {2, 7, 16, 33, 64, 128})
				test_store_of(even(type, 1 + below(3), n), below(3) ? n / 2 * 2 : 0, (enum input)kind);
		test_store_of({type, 2, 48, 20, false, MASK_WINDOW, 40}, 32, NORMAL);
		test_store_of({type, 1, 20, 48, false, MASK_CAUSAL, 0}, 0, NORMAL);
		test_store_of({type, 1, 72, 64, true, MASK_CAUSAL, 0}, 8, NORMAL);
		test_store_of(even(type, 1, MAX_HEAD_DIM), 64, NORMAL);
	}
}

/* ---- attention ---- */

/* fill_pages stores random keys and values at every position that the batch can see. Keys before position `nan`
 * are NaN: a split of nothing else leaves a peak of -inf. */
static void fill_pages(struct cache *c, const struct test_batch *b, enum input kind, int nan)
{
	memset(c->pool.at, 0, c->pool.count);
	for (int s = 0; s < b->counts.sequences; s++) {
		const struct table *t = table_of(b, s);
		for (int position = t->base * PAGE_TOKENS; position < t->length; position++)
			for (int h = 0; h < c->kv.kv_heads; h++) {
				memory<float> k(c->kv.key_width, kind), v(c->kv.value_width, kind);
				if (position < nan)
					k[0] = NAN;
				uint8_t *head = c->head(c->pool.at, page_of(b, s, position), h);
				kernels_scalar.attend.store(&c->kv, head, position % PAGE_TOKENS, k.at,
				                            c->kv.latent ? NULL : v.at);
			}
	}
}

/* attend_on_cpu is attend_chunk of cgo/op_attend.c, a row and KV head at a time. */
static void attend_on_cpu(const struct cache *c, const struct test_batch *b, const struct turning *turning,
                          const struct op_attend *o, float *out)
{
	int shared = o->heads / c->kv.kv_heads, n = c->kv.key_width;
	memory<float> q(shared * n);
	for (int row = 0; row < b->counts.tokens; row++)
		for (int h = 0; h < c->kv.kv_heads; h++) {
			const struct table *t = table_of(b, b->sequence_of[row]);
			for (int i = 0; i < shared; i++)
				turning->turn(o->q.data + (int64_t)row * o->q.width + (h * shared + i) * n, row, n,
				              q.at + i * n);
			struct attend_args a = {};
			a.kv = &c->kv;
			a.base = c->head(c->pool.at, 0, h);
			a.pages = b->pages.data() + t->first;
			a.first_page = t->base;
			a.first_position = b->positions[row];
			a.rows = a.heads = shared;
			a.mask = c->shape.mask;
			a.window = c->shape.window;
			a.length = t->length;
			a.q = q.at;
			a.out = out + (int64_t)row * o->out.width + h * shared * c->kv.value_width;
			a.out_stride = o->out.width;
			a.scale = o->scale;
			a.softcap = o->softcap;
			kernels_scalar.attend.attend(&a);
		}
}

/* first_page is the first that a table of the mask keeps for a row at position. */
static int first_page(const struct shape &s, int position)
{
	return s.mask == MASK_WINDOW ? std::max(0, position - s.window + 1) / PAGE_TOKENS : 0;
}

/* A step of prefill and decode mixed, around the borders of pages and splits. */
static void mixed_batch(struct test_batch *b, const struct shape &s)
{
	int page = 0;
	if (s.mask == MASK_BIDIRECTIONAL)
		for (int count : {1, 15, 16, 40, 260})
			b->add(0, count, &page);
	if (s.mask == MASK_CROSS)
		for (int length : {1, 16, 255, 256, 300, 600})
			b->add(below(40), 1 + length % 3, &page, 0, length);
	if (s.mask == MASK_BIDIRECTIONAL || s.mask == MASK_CROSS)
		return b->done();
	for (int position : {0, 1, 14, 15, 16, 100, 254, 255, 256, 257, 511, 700})
		b->add(position, 1, &page, first_page(s, position));
	b->add(0, 19, &page);
	b->add(250, 9, &page, first_page(s, 250));
	b->add(509, 4, &page, first_page(s, 509));
	b->done();
}

static void test_attention_of(const struct shape &shape, int shared, float softcap, enum input kind, int nan = 0)
{
	struct test_batch b = {};
	mixed_batch(&b, shape);
	struct cache c(shape, (int)b.pages.size());
	int rows = b.counts.tokens, heads = shape.kv_heads * shared, q_width = heads * shape.key_width,
	    width = heads * shape.value_width, splits = 3, sequences = b.counts.sequences;
	memory<float> q(rows * q_width, kind), same_q(q), out((rows + 2) * width), want(out);
	memory<float> partials((int64_t)sequences * heads * splits * (c.kv.value_pad + 2));
	struct turning t(rows, shape.key_width, below(3) ? shape.key_width / 2 * 2 : 0);
	what = text("attention of kv type %d, %d x %d heads of %d and %d%s, mask %d, window %d, softcap %g, input %d, "
	            "NaN before %d",
	            shape.type, shape.kv_heads, shared, shape.key_width, shape.value_width,
	            shape.latent ? ", latent" : "", shape.mask, shape.window, softcap, kind, nan);
	fill_pages(&c, &b, kind, nan);
	struct phase p = {};
	p.batch = &b.device;
	p.op.attend = {{q.at, q_width, PER_TOKEN},
	               {out.at, width, PER_TOKEN},
	               t.device(),
	               c.device(),
	               c.layer,
	               heads,
	               splits,
	               1.0f / sqrtf((float)shape.key_width),
	               softcap,
	               0,
	               partials.at};
	attend_on_cpu(&c, &b, &t, &p.op.attend, want.at);
	LAUNCH(attend_splits, &p, dim3(sequences + 1, heads, splits), dim3(ATTEND_THREADS));
	LAUNCH(attend_merge, &p, dim3(sequences + 1, heads), dim3(ROW_THREADS));
	LAUNCH(attend_rows, &p, dim3(rows + 2, heads), dim3(ATTEND_THREADS));
	same("queries", q, same_q);
	same("out", out, want);
}

static struct shape windowed(int type, int kv_heads, int n, int window)
{
	return {type, kv_heads, n, n, false, window ? MASK_WINDOW : MASK_CAUSAL, window};
}

void test_attention(void)
{
	for (int type : {KV_F32, KV_F16, KV_Q8_0}) {
		for (int kind = 0; kind < INPUTS; kind++)
			test_attention_of(windowed(type, 1, 20, below(2) ? 0 : 70), 2, below(2) ? 0.0f : 5.0f,
			                  (enum input)kind);
		for (int n : {1, 16, 31, 64, 128})
			test_attention_of(even(type, 2, n), 1, 0.0f, NORMAL);
		for (int window : {1, 5, 16, 256, 300})
			test_attention_of(windowed(type, 1, 32, window), 1, 0.0f, NORMAL);
		test_attention_of(even(type, 1, 300), 1, 0.0f, NORMAL);
		test_attention_of(even(type, 1, 16), 1, 0.0f, NORMAL, SPLIT_TOKENS);
		test_attention_of(windowed(type, 1, MAX_HEAD_DIM, 400), 1, 30.0f, NORMAL);
		test_attention_of({type, 2, 24, 40, false, MASK_BIDIRECTIONAL, 0}, 1, 0.0f, NORMAL);
		test_attention_of({type, 1, 40, 24, false, MASK_CROSS, 0}, 3, 0.0f, NORMAL);
		test_attention_of({type, 1, 72, 64, true, MASK_CAUSAL, 0}, 4, 0.0f, NORMAL);
	}
}
