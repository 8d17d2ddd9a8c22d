/* rows_test.cc owns the tests of row-wise kernels: norms, rounding, embedding, rotary tables, sums. */
#include "check.h"
extern "C" {
#include "../../../cgo/rope.h"
}

DECLARE(rope_table);
DECLARE(embed);
DECLARE(quantise);
DECLARE(normalise);
DECLARE(add);
DECLARE(gather);
DECLARE(tap);
DECLARE(repack);

static const int widths[] = {1, 2, 3, 15, 16, 17, 31, 33, 64, 100, 257, 576, 1031};
enum { ROWS = 3, BUCKET = 5 }; /* rows of the step, and of the grid: what lies between must stay untouched */

/* Rounded activations as both sides keep them. */
struct rounded {
	memory<int8_t> q;
	memory<float> d, sum, half_sum;
	int blocks;

	rounded(int rows, int width)
	    : q((int64_t)rows * blocks_of(width) * BLOCK), d(rows * blocks_of(width)), sum(rows * blocks_of(width)),
	      half_sum(2 * rows * blocks_of(width)), blocks(blocks_of(width))
	{
	}
	static int blocks_of(int width) { return (width + BLOCK - 1) / BLOCK; }
	struct device_acts device(void) { return {q.at, d.at, sum.at, half_sum.at, blocks, 0}; }
	void compare(const rounded &want) const
	{
		same("q", q, want.q);
		same("d", d, want.d);
		same("sum", sum, want.sum);
		same("half sum", half_sum, want.half_sum);
	}
	void round(const float *x, int rows, int width)
	{
		memory<int32_t> total(rows * blocks), half_total(2 * rows * blocks);
		memory<int32_t> start(rows * blocks), half_start(2 * rows * blocks);
		struct acts a = {.q = q.at,
		                 .d = d.at,
		                 .sum = sum.at,
		                 .half_sum = half_sum.at,
		                 .total = total.at,
		                 .half_total = half_total.at,
		                 .start = start.at,
		                 .half_start = half_start.at,
		                 .cols = width,
		                 .blocks = blocks};
		for (int t = 0; t < rows; t++)
			kernels_scalar.product.quantise(&a, t, x + (int64_t)t * width, width);
	}
};

static struct device_value value(memory<float> &m, int width, int per_output = 0)
{
	return {m.at, width, per_output ? PER_OUTPUT : PER_TOKEN};
}

/* A phase on a batch of ROWS tokens and one output fewer. */
static struct phase phase_of(struct test_batch *b)
{
	int page = 0;
	b->add(0, ROWS, &page);
	for (int i = 0; i < ROWS - 1; i++) {
		b->outputs.push_back({});
		b->outputs[i].row = (i + 1) % ROWS;
	}
	b->done();
	struct phase p = {};
	p.batch = &b->device;
	return p;
}

/* options: bit 0 gamma, 1 beta, 2 residual, 3 in place, 4 round, 5 per output, 6 layer norm. */
static void test_norm(int n, enum input kind, int options)
{
	struct test_batch b = {};
	struct phase p = phase_of(&b);
	memory<float> x(BUCKET * n, kind), gamma(n, kind), beta(n, NORMAL), residual(BUCKET * n, NORMAL),
	        out(BUCKET * n);
	rounded got(BUCKET, n), want(BUCKET, n);
	int rows = options & 32 ? ROWS - 1 : ROWS;
	struct op_norm *o = &p.op.norm;
	*o = {};
	o->kind = options & 64 ? NORM_LAYER : NORM_RMS;
	o->epsilon = 1e-5f;
	o->gamma = options & 1 ? gamma.at : NULL;
	o->beta = options & 2 ? beta.at : NULL;
	if (options & 4)
		o->residual = value(residual, n);
	memory<float> expected(options & 8 ? x : out);
	for (int t = 0; t < rows; t++)
		kernels_scalar.row.norm(o->kind, x.at + t * n, o->gamma, o->beta,
		                        options & 4 ? residual.at + t * n : NULL, o->epsilon, n, expected.at + t * n);
	o->in = value(x, n, options & 32);
	o->out = value(options & 8 ? x : out, n, options & 32);
	o->quantise = options & 16;
	o->acts = got.device();
	LAUNCH(normalise, &p, dim3(BUCKET), dim3(ROW_THREADS));
	same("out", options & 8 ? x : out, expected);
	if (o->quantise)
		want.round(expected.at, rows, n);
	got.compare(want);
}

static void test_quantise(int n, enum input kind)
{
	struct test_batch b = {};
	struct phase p = phase_of(&b);
	memory<float> x(BUCKET * n, kind);
	rounded got(BUCKET, n), want(BUCKET, n);
	p.op.quantise = {value(x, n), got.device()};
	want.round(x.at, ROWS, n);
	LAUNCH(quantise, &p, dim3(BUCKET), dim3(ROW_THREADS));
	got.compare(want);
}

static void test_add_and_gather(int n, enum input kind)
{
	struct test_batch b = {};
	struct phase p = phase_of(&b);
	memory<float> x(BUCKET * n, kind), y(BUCKET * n, NORMAL), out(BUCKET * n), expected(out), rows(BUCKET * n),
	        taken(rows);
	kernels_scalar.row.add(expected.at, x.at, y.at, ROWS * n);
	p.op.add = {value(x, n), value(y, n), value(out, n)};
	LAUNCH(add, &p, dim3(BUCKET), dim3(ROW_THREADS));
	same("sum", out, expected);
	for (int i = 0; i < ROWS - 1; i++)
		memcpy(taken.at + i * n, x.at + b.outputs[i].row * n, n * sizeof(float));
	p.op.rows = {value(x, n), value(rows, n, 1)};
	LAUNCH(gather, &p, dim3(BUCKET), dim3(ROW_THREADS));
	same("gathered", rows, taken);
}

/* Two taps of a row, of tokens and of outputs, for the outputs that ask: the second first, to see that rows are told by the output. */
static void test_tap(int n, enum input kind)
{
	struct test_batch b = {};
	struct phase p = phase_of(&b);
	memory<float> x(BUCKET * n, kind), y(BUCKET * n, NORMAL), taps(BUCKET * 2 * n), expected(taps);
	b.device.taps = taps.at;
	b.outputs[0].tap = 2;
	b.outputs[1].tap = 1;
	for (int i = 0; i < 2; i++) {
		float *to = expected.at + (int64_t)(b.outputs[i].tap - 1) * 2 * n;
		memcpy(to, x.at + b.outputs[i].row * n, n * sizeof(float));
		memcpy(to + n, y.at + i * n, n * sizeof(float));
	}
	p.op.tap = {value(x, n), 0, 2 * n};
	LAUNCH(tap, &p, dim3(BUCKET), dim3(ROW_THREADS));
	p.op.tap = {value(y, n, 1), n, 2 * n};
	LAUNCH(tap, &p, dim3(BUCKET), dim3(ROW_THREADS));
	same("tapped", taps, expected);
}

static void test_rope_table(int dim)
{
	struct test_batch b = {};
	struct phase p = phase_of(&b);
	memory<float> frequency(dim / 2), cosine(BUCKET * dim / 2), sine(cosine), want_cosine(cosine),
	        want_sine(cosine);
	struct rope_scaling scaling = {10000.0, 0.25, 1.0, 2.0, dim / 4.0 + 3.0, NULL};
	rope_frequencies(&scaling, dim, frequency.at);
	for (int t = 0; t < ROWS; t++) {
		b.positions[t] = below(1 << 17);
		for (int i = 0; i < dim / 2; i++)
			rope_angle(b.positions[t], frequency[i], 1.25f, &want_cosine[t * (dim / 2) + i],
			           &want_sine[t * (dim / 2) + i]);
	}
	p.op.rope.rope = {frequency.at, cosine.at, sine.at, dim, ROPE_HALVES, 1.25f, 0};
	LAUNCH(rope_table, &p, dim3(BUCKET), dim3(ROW_THREADS));
	same("cosine", cosine, want_cosine);
	same("sine", sine, want_sine);
}

/* ---- repacking and embedding, for every type of weight ---- */

static const struct {
	uint32_t type;
	int values, bytes;
} types[] = {
        {TYPE_F32, 1, 4},      {TYPE_F16, 1, 2},      {TYPE_BF16, 1, 2},     {TYPE_Q4_0, 32, 18},
        {TYPE_Q4_1, 32, 20},   {TYPE_Q5_0, 32, 22},   {TYPE_Q5_1, 32, 24},   {TYPE_Q8_0, 32, 34},
        {TYPE_IQ4_NL, 32, 18}, {TYPE_MXFP4, 32, 17},  {TYPE_Q2_K, 256, 84},  {TYPE_Q3_K, 256, 110},
        {TYPE_Q4_K, 256, 144}, {TYPE_Q5_K, 256, 176}, {TYPE_Q6_K, 256, 210}, {TYPE_IQ4_XS, 256, 136},
};

/* extreme: all bits of a row set or clear. */
static void fill_blocks(memory<uint8_t> &raw, int64_t row_bytes, bool extreme)
{
	for (int64_t i = 0; i < raw.count; i++)
		raw[i] = extreme ? (uint8_t)(i / row_bytes % 2 ? 0 : 0xff) : (uint8_t)random_bits();
}

/* A matrix as its file has it. */
struct file_rows {
	uint32_t type;
	const uint8_t *data;
	int64_t row_bytes;
};

/* pack writes what the device is to make of a file's rows. */
static void pack(const struct packed *w, struct file_rows from)
{
	int size = w->form == PACK_F32 ? 4 : 2;
	memset((void *)w->data, 0, w->groups * w->group_bytes);
	for (int row = 0; row < w->rows; row++) {
		const uint8_t *source = from.data + row * from.row_bytes;
		uint8_t *group = (uint8_t *)w->data + row / GROUP * w->group_bytes;
		for (int k = 0; w->form < PACK_U4 && k < w->cols; k++)
			memcpy(group + (k * GROUP + row % GROUP) * size, source + k * size, size);
		for (int i = 0; w->form >= PACK_U4 && i < w->cols / BLOCK; i++) {
			struct block32 b;
			block32_read(from.type, source, i, &b);
			put_block(w->form, group + i * block_bytes(w->form), row % GROUP, &b);
		}
	}
}

/* embed_rows looks rows up in the packed table and in the file; the last one is a vector. */
static void embed_rows(const struct packed *w, struct file_rows from, float scale, bool positions)
{
	struct test_batch b = {};
	struct phase p = phase_of(&b);
	int n = w->cols;
	memory<float> out(BUCKET * n), expected(out), table(ROWS * n, NORMAL);
	b.vectors.resize(2 * n);
	for (float &x : b.vectors)
		x = normal();
	b.device.vectors = b.vectors.data();
	for (int t = 0; t < ROWS; t++) {
		float *row = expected.at + t * n;
		bool vector = t == ROWS - 1;
		b.ids[t] = vector ? INT32_MIN + 1 : below(w->rows);
		if (vector)
			memcpy(row, &b.vectors[n], n * sizeof *row);
		else
			plain_row(from.type, from.data + b.ids[t] * from.row_bytes, n, row);
		if (scale != 1.0f && !vector)
			kernels_scalar.row.scale(row, scale, n);
		if (positions)
			kernels_scalar.row.add(row, row, table.at + b.positions[t] * n, n);
	}
	p.op.embed = {value(out, n), *w, positions ? table.at : NULL, scale, 0};
	LAUNCH(embed, &p, dim3(BUCKET), dim3(ROW_THREADS));
	same("embedded", out, expected);
}

/* test_repack packs in two launches, as loading does: some groups, then the others. */
static void test_repack(int type, int rows, int columns, bool extreme)
{
	int form = pack_form(types[type].type),
	    cols = columns * (types[type].values > 32 ? 256 : 32) + (form < PACK_U4);
	int64_t row_bytes = (int64_t)cols / types[type].values * types[type].bytes;
	memory<uint8_t> raw(rows * row_bytes);
	fill_blocks(raw, row_bytes, extreme);
	struct packed w = {NULL, pack_group_bytes(form, cols), form, rows, cols, (rows + GROUP - 1) / GROUP, 0};
	memory<uint8_t> got(w.groups * w.group_bytes), want(got);
	what = text("type %u, %d x %d, %s", types[type].type, rows, cols, extreme ? "extreme" : "random");
	w.data = want.at;
	struct file_rows from = {types[type].type, raw.at, row_bytes};
	pack(&w, from);
	struct packed on_device = w;
	on_device.data = got.at;
	for (int first = 0, count = (w.groups + 1) / 2; first < w.groups; first += count) {
		count = std::min(count, w.groups - first);
		struct repack_args a = {on_device,
		                        raw.at + first * GROUP * row_bytes,
		                        row_bytes,
		                        types[type].type,
		                        first,
		                        count,
		                        rows - first * GROUP};
		LAUNCH(repack, &a, dim3(count), dim3(256));
	}
	same("packed", got, want);
	embed_rows(&w, from, 1.0f, false);
	embed_rows(&w, from, 11.3f, true);
}

void test_rows(void)
{
	for (int kind = 0; kind < INPUTS; kind++) {
		for (int n : widths) {
			what = text("width %d, input %d", n, kind);
			test_quantise(n, (enum input)kind);
			test_add_and_gather(n, (enum input)kind);
			test_tap(n, (enum input)kind);
			for (int i = 0; i < 8; i++) {
				int options = below(128);
				what = text("norm of width %d, input %d, options %d", n, kind, options);
				test_norm(n, (enum input)kind, options);
			}
		}
	}
	for (int dim : {2, 6, 64, 300}) {
		what = text("rope table of %d", dim);
		test_rope_table(dim);
	}
	for (size_t type = 0; type < sizeof types / sizeof *types; type++)
		for (int rows : {1, 15, 16, 17, 40})
			for (int columns : {1, 3, 17})
				test_repack((int)type, rows, columns, (rows + columns) % 3 == 0);
}
