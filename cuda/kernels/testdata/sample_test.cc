/* sample_test.cc owns the tests of sampling: scores, penalties, every cut and its borders, ties, poison. */
#include "check.h"
#include "draw_probe.h"

DECLARE(sample);
DECLARE(draw_probe);

static float one_of(std::initializer_list<float> values) { return values.begin()[below((int)values.size())]; }

/* logits of a row: the kinds of all tests, and rows of few distinct values, whose order ties decide: both zeros
 * are equal. */
static float logit(int kind, int i)
{
	return kind < INPUTS ? value_of((enum input)kind, i) : one_of({-0.0f, 0.0f, -1, -2});
}

static struct output output_of(struct test_batch *b, int vocab)
{
	struct output o = {};
	o.row = below(b->counts.tokens);
	o.mode = below(5) ? OUTPUT_SAMPLE : 0;
	o.mode |= (below(3) ? 0 : OUTPUT_SCORE) | (below(3) ? 0 : OUTPUT_WHOLE_ROW);
	o.mode |= (below(3) ? OUTPUT_LOG_SUM_EXP : 0) | (below(3) ? OUTPUT_RANK : 0);
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
	o.first_target = (int)b->targets.size();
	o.target_count = below(2) ? 0 : below(600);
	for (int i = 0; i < o.target_count; i++)
		b->targets.push_back(below(vocab));
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
	same_bytes("not finite", &got->not_finite, &want->not_finite, sizeof got->not_finite);
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
	memory<float> targets(b.targets.size()), want_targets(targets);
	memory<struct top_token> top(outputs * TOP), want_top(top);
	memory<uint8_t> scratch(HEAD_ROWS * sample_row_bytes(vocab)), cpu_scratch(sample_scratch_bytes(vocab));
	for (int64_t i = 0; i < logits.count; i++)
		logits[i] = logit(kind, (int)i);
	for (int i = 0; i < behind; i++) {
		const struct output *o = &b.outputs[HEAD_ROWS + i];
		const float *row = logits.at + (int64_t)i * vocab;
		int at = HEAD_ROWS + i;
		for (int t = o->first_target; t < o->first_target + o->target_count; t++)
			want_targets[t] = row[b.targets[t]];
		if (b.whole_row[at] >= 0)
			memcpy(want_rows.at + (int64_t)b.whole_row[at] * vocab, row, vocab * sizeof(float));
		sample_row(&kernels_scalar.sample, row, vocab, o, b.positions[o->row],
		           b.penalties.data() + o->first_penalty, b.biases.data() + o->first_bias, &want[at],
		           want_top.at + at * TOP, cpu_scratch.at);
	}
	b.device.results = results.at;
	b.device.top = top.at;
	b.device.logits = rows.at;
	b.device.target_logits = targets.at;
	struct phase p = {};
	p.batch = &b.device;
	p.op.head = {};
	p.op.head.vocab = vocab;
	p.op.head.first_row = HEAD_ROWS;
	p.op.head.logits = logits.at;
	p.op.head.scratch = scratch.at;
	p.op.head.scratch_bytes = sample_row_bytes(vocab);
	LAUNCH(sample, &p, dim3(HEAD_ROWS), dim3(SAMPLE_THREADS));
	for (int i = 0; i < outputs; i++) {
		const struct output *o = &b.outputs[i];
		what = text("vocabulary of %d, logits %d, mode %d, temperature %g, top-k %d, top-p %g, min-p %g, %d "
		            "penalties, %d biases",
		            vocab, kind, o->mode, o->temperature, o->top_k, o->top_p, o->min_p, o->penalty_count,
		            o->bias_count);
		same_result(&results[i], &want[i]);
		same_bytes("top", top.at + i * TOP, want_top.at + i * TOP, TOP * sizeof *top.at);
	}
	same("whole rows", rows, want_rows);
	same("targets", targets, want_targets);
}

/* The sums themselves, since a draw that shows their last bit is one in 2^50. */
static void test_sums(int n, enum input kind, bool listed)
{
	memory<float> weights(n);
	memory<int32_t> list(n);
	memory<double> chunk(n / DRAW_CHUNK + 1), mass(n + 1), want_mass(mass);
	memory<int32_t> place(n + 1), want_place(place);
	struct output o = {};
	struct running sum = {};
	what = text("sums of %d weights, input %d%s", n, kind, listed ? ", listed" : "");
	for (int i = 0; i < n; i++) {
		weights[i] = std::min(1.0f, fabsf(value_of(kind, i)));
		list[i] = below(n);
	}
	for (int i = 0; i <= n; i++) {
		want_mass[i] = running_sum(&sum);
		want_place[i] =
		        i; /* the first place whose sum passes that of those before; the same if it adds nothing */
		if (i < n)
			running_add(&sum, weights[listed ? list[i] : i]);
	}
	for (int i = n - 1; i >= 0; i--)
		if (want_mass[i + 1] == want_mass[i])
			want_place[i] = want_place[i + 1];
	struct draw_probe_args a = {weights.at, listed ? list.at : NULL, n, chunk.at, mass.at, place.at, &o, 0};
	int count[EXPONENTS] = {};
	double masses[EXPONENTS] = {};
	for (int i = 0; i < n; i++)
		if (weights[i] > 0.0f) {
			count[exponent_of(weights[i])]++;
			masses[exponent_of(weights[i])] += weights[i];
		}
	o.top_p = below(2) ? 1.0f : 0.9f;
	o.top_k = below(2) ? 0 : 1 + below(n);
	o.min_p = o.top_p < 1.0f || o.top_k > 0 ? 0.0f : 0.01f;
	LAUNCH(draw_probe, &a, dim3(1), dim3(SAMPLE_THREADS));
	same("masses", mass, want_mass);
	same("places", place, want_place);
	int want_class = last_exponent(count, masses, &o, want_mass[n]);
	same_bytes("class", &a.smallest_class, &want_class, sizeof want_class);
}

void test_sampling(void)
{
	for (enum input kind : {NORMAL, ILL_CONDITIONED, SUBNORMAL, ZERO})
		for (int n : {1, 255, 256, 257, 1500})
			test_sums(n, kind, below(2));
	for (int kind = 0; kind <= INPUTS; kind++) {
		for (int vocab : {1, 2, 15, 17, 255, 256, 257, 512, 1000})
			test_row_buffer(vocab, kind, 1 + below(8));
		test_row_buffer(4099, kind, 5);
	}
	test_row_buffer(70001, NORMAL, 4);
}
