/* sample_test.cc owns the tests of sampling: scores, penalties, every cut and its borders, ties, poison. */
#include "check.h"

DECLARE(sample);

/* logits of a row: the kinds of all tests, and rows of few distinct values, whose order ties decide. */
static float logit(int kind, int i) { return kind < INPUTS ? value_of((enum input)kind, i) : (float)below(4); }

static float one_of(std::initializer_list<float> values) { return values.begin()[below((int)values.size())]; }

static struct output output_of(struct test_batch *b, int vocab)
{
	struct output o = {};
	o.row = below(b->counts.tokens);
	o.mode = below(5) ? OUTPUT_SAMPLE : 0;
	o.mode |= (below(3) ? 0 : OUTPUT_SCORE) | (below(3) ? 0 : OUTPUT_WHOLE_ROW);
	o.target = below(vocab);
	o.top = below(3) ? 0 : below(12);
	o.temperature = one_of({0, 0.01f, 0.7f, 1, 1.3f, 100, 1e30f});
	o.top_k = (int)one_of({0, 0, 1, 2, 40, 257, (float)vocab, 2.0f * vocab});
	o.top_p = one_of({1, 1, 0.95f, 0.5f, 0.999f, 1e-6f, 0});
	o.min_p = one_of({0, 0, 0.05f, 0.5f, 1, 1e-9f});
	o.repetition = one_of({1, 1, 1.3f, 0.5f});
	o.presence = one_of({0, 0, 0.7f, -0.5f});
	o.frequency = one_of({0, 0, 0.3f, -0.2f});
	o.choice = below(3);
	o.seed = random_bits();
	o.first_penalty = (int)b->penalties.size();
	o.penalty_count = below(2) ? 0 : below(30);
	o.first_bias = (int)b->biases.size();
	o.bias_count = below(2) ? 0 : below(30);
	for (int i = 0; i < o.penalty_count; i++) /* ids outside are passed over; some are named twice */
		b->penalties.push_back({below(vocab + 2) - 1, below(3), below(3)});
	for (int i = 0; i < o.bias_count; i++)
		b->biases.push_back({below(vocab + 2) - 1, normal() * 3});
	return o;
}

/* A NaN in a result has no one sign. */
static void same_result(const struct result *got, const struct result *want)
{
	same_bytes("token", &got->token, &want->token, sizeof got->token);
	same_bytes("rank", &got->rank, &want->rank, sizeof got->rank);
	same_floats("logit", &got->logit, &want->logit, 1);
	same_floats("log-sum-exp", &got->log_sum_exp, &want->log_sum_exp, 1);
	same_floats("target's logit", &got->target_logit, &want->target_logit, 1);
	same_bytes("reserved", &got->reserved, &want->reserved, sizeof got->reserved);
}

/* The step's outputs are behind + HEAD_ROWS; the kernel takes those from HEAD_ROWS on. */
static void test_row_buffer(int vocab, int kind, int behind)
{
	enum { TOP = 12 };
	struct test_batch b = {};
	int page = 0, outputs = HEAD_ROWS + behind, whole = 0;
	b.counts.max_top = TOP;
	b.add(below(1000), 9, &page);
	b.done();
	for (int i = 0; i < outputs; i++)
		b.outputs.push_back(output_of(&b, vocab));
	b.done();
	for (int i = 0; i < outputs; i++)
		b.whole_row[i] = b.outputs[i].mode & OUTPUT_WHOLE_ROW ? whole++ : -1;
	memory<float> logits((int64_t)behind * vocab), rows((int64_t)whole * vocab), want_rows(rows);
	memory<struct result> results(outputs), want(results);
	memory<struct top_token> top(outputs * TOP), want_top(top);
	memory<uint8_t> scratch(HEAD_ROWS * sample_row_bytes(vocab)), cpu_scratch(sample_scratch_bytes(vocab));
	for (int64_t i = 0; i < logits.count; i++)
		logits[i] = logit(kind, (int)i);
	for (int i = 0; i < behind; i++) {
		const struct output *o = &b.outputs[HEAD_ROWS + i];
		const float *row = logits.at + (int64_t)i * vocab;
		int at = HEAD_ROWS + i;
		if (b.whole_row[at] >= 0)
			memcpy(want_rows.at + (int64_t)b.whole_row[at] * vocab, row, vocab * sizeof(float));
		sample_row(&kernels_scalar.sample, row, vocab, o, b.positions[o->row], b.penalties.data() + o->first_penalty,
		           b.biases.data() + o->first_bias, &want[at], want_top.at + at * TOP, cpu_scratch.at);
	}
	b.device.results = results.at;
	b.device.top = top.at;
	b.device.logits = rows.at;
	struct phase p = {};
	p.batch = &b.device;
	p.vocab = vocab;
	p.first_row = HEAD_ROWS;
	p.logits = logits.at;
	p.scratch = scratch.at;
	p.scratch_bytes = sample_row_bytes(vocab);
	LAUNCH(sample, &p, dim3(HEAD_ROWS), dim3(SAMPLE_THREADS));
	for (int i = 0; i < outputs; i++) {
		const struct output *o = &b.outputs[i];
		what = text("vocabulary of %d, logits %d, mode %d, temperature %g, top-k %d, top-p %g, min-p %g, %d penalties, %d biases",
		            vocab, kind, o->mode, o->temperature, o->top_k, o->top_p, o->min_p, o->penalty_count, o->bias_count);
		same_result(&results[i], &want[i]);
		same_bytes("top", top.at + i * TOP, want_top.at + i * TOP, TOP * sizeof *top.at);
	}
	same("whole rows", rows, want_rows);
}

void test_sampling(void)
{
	for (int kind = 0; kind <= INPUTS; kind++) {
		for (int vocab : {1, 2, 15, 17, 255, 256, 257, 512, 1000})
			test_row_buffer(vocab, kind, 1 + below(8));
		test_row_buffer(4099, kind, 5);
	}
	test_row_buffer(70001, NORMAL, 4);
}
