/* product_test.cc owns the tests of products: every form of weights, one row and many, what follows them, the head. */
#include "check.h"

DECLARE(product_one);
DECLARE(product_many);
DECLARE(head_one);
DECLARE(head_many);

/* A packed matrix of random bits: scales of the input's kind, all values of quants. */
struct matrix {
	memory<uint8_t> data;
	struct packed packed;

	matrix(int form, int rows, int cols, enum input kind)
	    : data((rows + GROUP - 1) / GROUP * pack_group_bytes(form, cols)),
	      packed{data.at, pack_group_bytes(form, cols), form, rows, cols, (rows + GROUP - 1) / GROUP, 0}
	{
		for (int64_t i = 0; i < data.count; i++)
			data[i] = (uint8_t)random_bits();
		if (form < PACK_U4)
			fill_floats(kind);
		else
			fill_scales(kind);
	}
	void fill_floats(enum input kind)
	{
		int64_t n = data.count / (packed.form == PACK_F32 ? 4 : 2);
		for (int64_t i = 0; i < n; i++) {
			float x = value_of(kind, (int)i);
			uint32_t bits;
			memcpy(&bits, &x, 4);
			if (packed.form == PACK_F32)
				((float *)data.at)[i] = x;
			else
				((uint16_t *)data.at)[i] =
				        packed.form == PACK_F16 ? float_to_half(x) : (uint16_t)(bits >> 16);
		}
	}
	void fill_scales(enum input kind)
	{
		int64_t step = block_bytes(packed.form);
		for (int64_t at = 0; at < data.count; at += step) {
			struct parts parts = parts_of(packed.form, data.at + at);
			int n = (int)(parts.q - (data.at + at)) / 4;
			for (int i = 0; i < n; i++)
				parts.d[i] = value_of(kind, i) * 0.01f;
		}
	}
};

/* Rows of activations, rounded as the CPU does; the kernels read the same arrays. */
struct activations {
	memory<float> x, d, sum, half_sum;
	memory<int8_t> q;
	memory<int32_t> total, half_total, start, half_start;
	struct acts cpu;

	activations(int rows, int cols, enum input kind)
	    : x(rows * cols, kind), d(rows * blocks_of(cols)), sum(d), half_sum(2 * d.count), q(d.count * BLOCK),
	      total(d.count), half_total(2 * d.count), start(d.count),
	      half_start(2 * d.count), cpu{.x = x.at,
	                                   .q = q.at,
	                                   .d = d.at,
	                                   .sum = sum.at,
	                                   .half_sum = half_sum.at,
	                                   .total = total.at,
	                                   .half_total = half_total.at,
	                                   .start = start.at,
	                                   .half_start = half_start.at,
	                                   .cols = cols,
	                                   .blocks = blocks_of(cols)}
	{
		for (int t = 0; t < rows; t++)
			kernels_scalar.product.quantise(&cpu, t, x.at + t * cols, cols);
	}
	static int blocks_of(int cols) { return (cols + BLOCK - 1) / BLOCK; }
	struct device_acts device(void) { return {q.at, d.at, sum.at, half_sum.at, cpu.blocks, 0}; }
};

/* product_of is row `row` of the weights times row t, in the order that the contract states: float weights by fma in
 * ascending k; blocks by the sum of their integers, one fma for each half that has a scale of its own, one for its
 * minimum. */
static float product_of(const struct packed *w, const struct activations *a, int row, int t)
{
	const uint8_t *group = w->data + row / GROUP * w->group_bytes;
	int lane = row % GROUP, halves = w->form == PACK_I8H || w->form == PACK_I8HM ? 2 : 1;
	float acc = 0.0f;
	for (int k = 0; w->form < PACK_U4 && k < w->cols; k++)
		acc = fmaf(unpack_float(w->form, group, lane, k), a->x.at[t * w->cols + k], acc);
	for (int i = 0; w->form >= PACK_U4 && i < w->cols / BLOCK; i++) {
		struct block32 b;
		int64_t at = (int64_t)t * a->cpu.blocks + i;
		get_block(w->form, group + i * block_bytes(w->form), lane, &b);
		for (int h = 0; h < halves; h++) {
			int32_t sum = 0;
			for (int k = h * 16; k < (halves == 2 ? h * 16 + 16 : BLOCK); k++)
				sum += b.q[k] * a->q.at[at * BLOCK + k];
			acc = fmaf(b.d[h] * a->d.at[at], (float)sum, acc);
			if (has_minimum(w->form))
				acc = fmaf(b.m[h], halves == 2 ? a->half_sum.at[at * 2 + h] : a->sum.at[at], acc);
		}
	}
	return acc;
}

/* multiply writes (rows, padded rows of w): padding stays as it is. */
static void multiply(const struct packed *w, const struct activations *a, int rows, memory<float> &out)
{
	for (int t = 0; t < rows; t++)
		for (int row = 0; row < w->rows; row++)
			out[(int64_t)t * w->groups * GROUP + row] = product_of(w, a, row, t);
}

/* options: bit 0 bias, 1 gate, 2 residual, 3 the residual is out. */
static void test_product(int form, int rows, int cols, int tokens, enum input kind, int options)
{
	struct test_batch b = {};
	int page = 0, padded = (rows + GROUP - 1) / GROUP * GROUP, bucket = tokens + 3;
	matrix weight(form, rows, cols, kind),
	        gate((form + 1) % PACK_FORMS < PACK_U4 ? form : (form + 1) % PACK_FORMS, rows, cols, NORMAL);
	activations acts(tokens, cols, kind);
	memory<float> bias(rows, NORMAL), residual(bucket * rows, NORMAL), product(tokens * padded), gates(product);
	struct phase p = {};
	b.add(0, tokens, &page);
	b.done();
	p.batch = &b.device;
	struct op_linear *o = &p.op.linear;
	*o = {};
	o->acts = acts.device();
	o->in = {acts.x.at, cols, PER_TOKEN};
	o->weight = weight.packed;
	o->bias = options & 1 ? bias.at : NULL;
	o->activation = below(4);
	multiply(&weight.packed, &acts, tokens, product);
	if (options & 2) {
		o->gate = gate.packed;
		multiply(&gate.packed, &acts, tokens, gates);
	}
	if (options & 12)
		o->residual = {residual.at, rows, PER_TOKEN};
	for (void (*kernel)(const void *) : {product_one, product_many}) {
		memory<float> fresh(bucket * rows), own(residual), &out = options & 8 ? own : fresh, expected(out);
		int per_block = kernel == product_one ? 1 : PRODUCT_TOKENS;
		if (options & 8)
			o->residual.data = out.at;
		for (int t = 0; t < tokens; t++)
			kernels_scalar.row.epilogue(expected.at + t * rows, product.at + t * padded,
			                            options & 2 ? gates.at + t * padded : NULL, o->bias,
			                            options & 8   ? expected.at + t * rows
			                            : options & 4 ? residual.at + t * rows
			                                          : NULL,
			                            o->activation, rows);
		o->out = {out.at, rows, PER_TOKEN};
		launch(per_block == 1 ? "product_one" : "product_many", kernel, &p,
		       dim3(weight.packed.groups, (bucket + per_block - 1) / per_block),
		       dim3(PRODUCT_LANES, PRODUCT_SLICES));
		same(per_block == 1 ? "product_one" : "product_many", out, expected);
	}
}

/* test_head computes the second buffer of HEAD_ROWS rows, not all of them there. */
static void test_head(int form, int vocab, int cols, int behind, enum input kind)
{
	struct test_batch b = {};
	int page = 0, outputs = HEAD_ROWS + behind, padded = (vocab + GROUP - 1) / GROUP * GROUP;
	matrix weight(form, vocab, cols, kind);
	activations acts(outputs, cols, kind);
	memory<float> bias(vocab, NORMAL), all(outputs * padded);
	struct phase p = {};
	b.add(0, 1, &page);
	b.outputs.resize(outputs);
	b.done();
	p.batch = &b.device;
	struct op_head *o = &p.op.head;
	*o = {};
	o->acts = acts.device();
	o->in = {acts.x.at, cols, PER_OUTPUT};
	o->weight = weight.packed;
	o->vocab = vocab;
	o->first_row = HEAD_ROWS;
	o->bias = below(2) ? bias.at : NULL;
	o->scale = below(2) ? 1.0f : 0.3f;
	o->softcap = below(2) ? 0.0f : 30.0f;
	multiply(&weight.packed, &acts, outputs, all);
	memory<float> fresh(HEAD_ROWS * vocab), expected(fresh);
	for (int t = 0; t < behind; t++) {
		memcpy(expected.at + t * vocab, all.at + (HEAD_ROWS + t) * padded, vocab * sizeof(float));
		kernels_scalar.row.logits(expected.at + t * vocab, o->bias, o->scale, o->softcap, vocab);
	}
	for (int per_block : {1, (int)PRODUCT_TOKENS}) {
		memory<float> logits(fresh);
		o->logits = logits.at;
		launch("head", per_block == 1 ? head_one : head_many, &p,
		       dim3(weight.packed.groups, HEAD_ROWS / per_block), dim3(PRODUCT_LANES, PRODUCT_SLICES));
		same(per_block == 1 ? "head_one" : "head_many", logits, expected);
	}
}

void test_products(void)
{
	for (int form = 0; form < PACK_FORMS; form++) {
		for (int kind = 0; kind < INPUTS; kind++) {
			for (int rows : {1, 16, 39}) {
				int odd = below(300) + 1, blocks = 1 + below(40);
				int cols = form < PACK_U4 ? odd : blocks * BLOCK;
				for (int tokens : {1, 2, 8, 11}) {
					int options = below(16);
					what = text("form %d, input %d, %d x %d, %d rows, options %d", form, kind, rows,
					            cols, tokens, options);
					test_product(form, rows, cols, tokens, (enum input)kind, options);
				}
			}
		}
		for (int blocks : {1, 7, 8, 9, 31, 32, 33, 65}) {
			what = text("form %d, %d blocks", form, blocks);
			test_product(form, 17, blocks * BLOCK, 9, NORMAL, 3);
		}
		for (int kind = 0; kind < INPUTS; kind++) {
			what = text("head of form %d, input %d", form, kind);
			test_head(form, 1 + below(70), BLOCK * (1 + below(9)), 1 + below(HEAD_ROWS), (enum input)kind);
		}
	}
}
