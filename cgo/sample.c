/* sample.c owns what happens to a row of logits: scores, penalties, truncation and the draw. */
#include "sample.h"
#include "dmath.h"
#include "draw.h"
#include "random.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the candidates ---- */

int64_t sample_scratch_bytes(int vocab)
{
	int64_t row = ((int64_t)vocab + 15) / 16 * 16 * (int64_t)sizeof(float);
	return row + (int64_t)vocab * (int64_t)sizeof(struct candidate) + 64;
}

/* adjust applies biases, then penalties, to a copy of the logits. */
static void adjust(float *x, int vocab, const struct output *o, const struct penalty *penalties,
                   const struct bias *biases)
{
	for (int i = 0; i < o->bias_count; i++)
		if (biases[i].token >= 0 && biases[i].token < vocab)
			x[biases[i].token] += biases[i].value;
	for (int i = 0; i < o->penalty_count; i++) {
		const struct penalty *p = &penalties[i];
		if (p->token < 0 || p->token >= vocab)
			continue;
		x[p->token] = penalised(x[p->token], p, o);
	}
}

static int heavier(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	return x->token < y->token ? -1 : x->token > y->token;
}

static int smallest_class(const float *w, int vocab, const struct output *o, double total)
{
	int count[EXPONENTS] = {0};
	double mass[EXPONENTS] = {0};
	for (int i = 0; i < vocab; i++) {
		if (w[i] > 0.0f) {
			int e = exponent_of(w[i]);
			count[e]++;
			mass[e] += w[i];
		}
	}
	return last_exponent(count, mass, o, total);
}

static double mass_of(const struct candidate *c, int n)
{
	struct running sum = {0};
	for (int i = 0; i < n; i++)
		running_add(&sum, c[i].weight);
	return running_sum(&sum);
}

static double mass_of_all(const float *w, int vocab)
{
	struct running sum = {0};
	for (int i = 0; i < vocab; i++)
		running_add(&sum, w[i]);
	return running_sum(&sum);
}

/* gather lists the candidates heaviest first and cuts them: top-k, then top-p by the mass of what
 * top-k left, then min-p. At least one stays. */
static int gather(const float *w, int vocab, const struct output *o, struct candidate *c)
{
	double total = mass_of_all(w, vocab);
	struct running sum = {0};
	int n = 0, kept = 0, last = smallest_class(w, vocab, o, total);
	for (int i = 0; i < vocab; i++)
		if (w[i] > 0.0f && exponent_of(w[i]) <= last)
			c[n++] = (struct candidate){w[i], i};
	qsort(c, (size_t)n, sizeof *c, heavier);
	if (o->top_k > 0 && n >= o->top_k) {
		n = o->top_k;
		total = mass_of(c, n);
	}
	while (kept < n &&
	       (kept == 0 || (running_sum(&sum) < total * o->top_p && c[kept].weight >= o->min_p * c[0].weight)))
		running_add(&sum, c[kept++].weight);
	return kept;
}

static int draw(const struct candidate *c, int n, double u)
{
	double target = u * mass_of(c, n);
	struct running sum = {0};
	for (int i = 0; i < n; i++) {
		running_add(&sum, c[i].weight);
		if (running_sum(&sum) > target)
			return c[i].token;
	}
	return c[n - 1].token;
}

/* draw_any is draw over the whole vocabulary, in order of ids. */
static int draw_any(const float *w, int vocab, double u)
{
	double target = u * mass_of_all(w, vocab);
	struct running sum = {0};
	int last = 0;
	for (int i = 0; i < vocab; i++) {
		if (w[i] > 0.0f)
			last = i;
		running_add(&sum, w[i]);
		if (running_sum(&sum) > target)
			return i;
	}
	return last;
}

static int choose(const struct sample_kernels *k, float *x, int vocab, const struct output *o, int position,
                  struct candidate *c)
{
	float peak = k->peak(x, vocab);
	double u;
	if (o->temperature <= 0.0f || !(peak > -INFINITY) || peak == INFINITY)
		return k->first_at(x, vocab, peak);
	k->weights(x, vocab, peak, o->temperature);
	u = random_uniform(o->seed, (uint32_t)o->choice, (uint32_t)position);
	if (draws_from_all(o))
		return draw_any(x, vocab, u);
	return draw(c, gather(x, vocab, o, c), u);
}

/* ---- the row ---- */

static int pick(const struct sample_kernels *k, const float *logits, int vocab, const struct output *o, int position,
                float peak, const struct penalty *penalties, const struct bias *biases, void *scratch)
{
	float *copy = scratch;
	struct candidate *c = (struct candidate *)(copy + ((int64_t)vocab + 15) / 16 * 16);
	if (!(o->mode & OUTPUT_SAMPLE))
		return o->target;
	if (o->temperature <= 0.0f && !adjusts(o))
		return k->first_at(logits, vocab, peak);
	memcpy(copy, logits, (size_t)vocab * sizeof *copy);
	if (adjusts(o))
		adjust(copy, vocab, o, penalties, biases);
	return choose(k, copy, vocab, o, position, c);
}

void sample_row(const struct sample_kernels *k, const float *logits, int vocab, const struct output *o, int position,
                const struct penalty *penalties, const struct bias *biases, struct result *r, struct top_token *top,
                void *scratch)
{
	float peak = k->peak(logits, vocab);
	int token = pick(k, logits, vocab, o, position, peak, penalties, biases, scratch);
	if (token < 0 || token >= vocab) /* nothing but NaN: any token is as wrong */
		token = 0;
	r->token = token;
	r->logit = logits[token];
	r->log_sum_exp = peak + (float)d_log(k->sum_exp(logits, vocab, peak));
	r->rank = logits[token] == peak ? 0 : k->count_above(logits, vocab, logits[token]);
	r->target_logit = o->mode & OUTPUT_SCORE ? logits[o->target] : 0.0f;
	if (o->top > 0)
		k->top(logits, vocab, o->top, top);
}
