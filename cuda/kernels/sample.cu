/* sample.cu owns what happens to a row of logits: scores, penalties, truncation and the draw, in the order that
 * stands on engine.Output. Thread block x takes output row first_row + x. */
#include "draw.cuh"
#include "../../cgo/dmath.h"
#include "../../cgo/random.h"

/* One row's scratch: sample_row_bytes of plan.h. */
struct row_scratch {
	float *weights;
	double *chunk;
	int32_t *list, *other;
};

static __device__ struct row_scratch scratch_of(const struct op_head *h)
{
	int64_t padded = round_up(h->vocab, 16);
	struct row_scratch r;
	r.weights = (float *)(h->scratch + blockIdx.x * h->scratch_bytes);
	r.chunk = (double *)(r.weights + padded);
	r.list = (int32_t *)(r.chunk + padded / DRAW_CHUNK + 1);
	r.other = r.list + padded;
	return r;
}

/* adjust applies biases, then penalties. The thread of a token does all that concerns it, so that entries of one
 * token keep their order, however often it is named. */
static __device__ void adjust(float *x, int vocab, const struct output *o, const struct device_batch *b)
{
	for (int i = 0; i < o->bias_count; i++) {
		const struct bias *bias = &b->biases[o->first_bias + i];
		if (bias->token >= 0 && bias->token < vocab && bias->token % SAMPLE_THREADS == (int)threadIdx.x)
			x[bias->token] += bias->value;
	}
	for (int i = 0; i < o->penalty_count; i++) {
		const struct penalty *penalty = &b->penalties[o->first_penalty + i];
		int token = penalty->token;
		if (token >= 0 && token < vocab && token % SAMPLE_THREADS == (int)threadIdx.x)
			x[token] = penalised(x[token], penalty, o);
	}
	__syncthreads();
}

/* choose picks from adjusted logits, which become weights: e^((x - peak) / temperature). */
static __device__ int choose(struct sampler *s, const struct row_scratch *r, int vocab, const struct output *o,
                             int position)
{
	int id = peak_id(s, r->weights, vocab);
	float peak = logit_at(r->weights, id);
	if (!(o->temperature > 0.0f) || !(peak > -INFINITY) || peak == INFINITY)
		return id;
	__syncthreads();
	for (int i = threadIdx.x; i < vocab; i += SAMPLE_THREADS)
		r->weights[i] = v_exp((logit_at(r->weights, i) - peak) / o->temperature);
	__syncthreads();
	double u = random_uniform(o->seed, (uint32_t)o->choice, (uint32_t)position);
	struct weights all = {r->weights, NULL, vocab, r->chunk};
	return draws_from_all(o) ? draw_any(s, &all, u) : draw_cut(s, &all, o, u, r->list, r->other);
}

static __device__ int pick(struct sampler *s, const struct phase *p, const float *logits, const struct output *o)
{
	const struct op_head *h = &p->op.head;
	if (!(o->mode & OUTPUT_SAMPLE))
		return o->target;
	if (!(o->temperature > 0.0f) && !adjusts(o))
		return peak_id(s, logits, h->vocab);
	struct row_scratch r = scratch_of(h);
	for (int i = threadIdx.x; i < h->vocab; i += SAMPLE_THREADS)
		r.weights[i] = logits[i];
	__syncthreads();
	if (adjusts(o))
		adjust(r.weights, h->vocab, o, p->batch);
	return choose(s, &r, h->vocab, o, p->batch->positions[o->row]);
}

static __device__ float log_sum_exp(struct sampler *s, const float *logits, int vocab)
{
	float peak = logit_at(logits, peak_id(s, logits, vocab));
	return peak + (float)d_log(sum_exp(s, logits, vocab, peak));
}

KERNEL(sample, SAMPLE_THREADS, 1)(const struct phase *p)
{
	__shared__ struct sampler s;
	const struct device_batch *b = p->batch;
	const struct op_head *h = &p->op.head;
	int row = h->first_row + blockIdx.x, vocab = h->vocab;
	if (row >= b->counts->outputs)
		return;
	const float *logits = h->logits + (int64_t)blockIdx.x * vocab;
	const struct output *o = &b->outputs[row];
	if (taps_alone(o)) { /* its logits were not formed */
		struct result none = {};
		if (threadIdx.x == 0)
			b->results[row] = none;
		return;
	}
	if (b->whole_row[row] >= 0)
		for (int i = threadIdx.x; i < vocab; i += SAMPLE_THREADS)
			b->logits[(int64_t)b->whole_row[row] * vocab + i] = logits[i];
	int token = pick(&s, p, logits, o);
	if (token < 0 || token >= vocab) /* a target that nobody asked for */
		token = 0;
	float log_sum = o->mode & OUTPUT_LOG_SUM_EXP ? log_sum_exp(&s, logits, vocab) : 0.0f;
	int rank = o->mode & OUTPUT_RANK ? count_above(&s, logits, vocab, logits[token]) : 0;
	int spoiled = not_finite(&s, logits, vocab);
	for (int i = threadIdx.x; i < o->target_count; i += SAMPLE_THREADS)
		b->target_logits[o->first_target + i] = logits[b->targets[o->first_target + i]];
	top(&s, logits, vocab, o->top, b->top + (int64_t)row * b->counts->max_top);
	if (threadIdx.x != 0)
		return;
	struct result *r = &b->results[row];
	r->token = token;
	r->logit = logits[token];
	r->log_sum_exp = log_sum;
	r->rank = rank;
	r->target_logit = o->mode & OUTPUT_SCORE ? logits[o->target] : 0.0f;
	r->not_finite = spoiled;
}
