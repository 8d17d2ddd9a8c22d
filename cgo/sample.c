/* sample.c owns what happens to a row of logits: scores, penalties, truncation and the draw. */
#include "sample.h"
#include "dmath.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- randomness ---- */

static void philox_round(uint32_t c[4], const uint32_t k[2])
{
	uint64_t a = (uint64_t)0xD2511F53 * c[0], b = (uint64_t)0xCD9E8D57 * c[2];
	uint32_t c1 = c[1], c3 = c[3];
	c[0] = (uint32_t)(b >> 32) ^ c1 ^ k[0];
	c[1] = (uint32_t)b;
	c[2] = (uint32_t)(a >> 32) ^ c3 ^ k[1];
	c[3] = (uint32_t)a;
}

void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
	uint32_t k[2] = {key[0], key[1]};
	memcpy(out, counter, 4 * sizeof *out);
	for (int i = 0; i < 10; i++) {
		philox_round(out, k);
		k[0] += 0x9E3779B9;
		k[1] += 0xBB67AE85;
	}
}

double random_uniform(uint64_t seed, uint32_t choice, uint32_t position)
{
	uint32_t counter[4] = {position, choice, 0, 0}, out[4];
	uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	philox(counter, key, out);
	return (double)((uint64_t)out[0] << 21 | out[1] >> 11) * 0x1p-53;
}

/* ---- the candidates ---- */

int64_t sample_scratch_bytes(int vocab)
{
	int64_t row = ((int64_t)vocab + 15) / 16 * 16 * (int64_t)sizeof(float);
	return row + (int64_t)vocab * (int64_t)sizeof(struct candidate) + 64;
}

static int adjusts(const struct output *o)
{
	return o->bias_count > 0 ||
	       (o->penalty_count > 0 && (o->repetition != 1.0f || o->presence != 0.0f || o->frequency != 0.0f));
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
		float *l = &x[p->token];
		if (p->seen > 0)
			*l = *l > 0.0f ? *l / o->repetition : *l * o->repetition;
		*l -= o->frequency * (float)p->generated;
		*l -= p->generated > 0 ? o->presence : 0.0f;
	}
}

static int heavier(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	return x->token < y->token ? -1 : x->token > y->token;
}

/* Weights lie in (0, 1], the heaviest is 1: they are counted by their binary exponent, so that only
 * those which may survive the cuts are gathered and sorted. */
enum { EXPONENTS = 128 };

static int exponent_of(float weight)
{
	uint32_t bits;
	int e;
	memcpy(&bits, &weight, sizeof bits);
	e = 127 - (int)(bits >> 23); /* 1 is 0, [0.5, 1) is 1 ... */
	return e < 0 ? 0 : e < EXPONENTS ? e : EXPONENTS - 1;
}

/* last_exponent is the smallest class that top-k, top-p or min-p may still need. The slack of 2^-10
 * covers what rounding the sums in another order can do to top-p. With top-k and top-p both, top-k
 * alone decides: top-p takes its share of the mass that top-k leaves, so all of that is needed. */
static int last_exponent(const float *w, int vocab, const struct output *o, double total)
{
	int count[EXPONENTS] = {0};
	double mass[EXPONENTS] = {0}, sum = 0.0;
	int n = 0, share = o->top_k > 0 && o->top_p < 1.0f;
	for (int i = 0; i < vocab; i++) {
		if (w[i] > 0.0f) {
			int e = exponent_of(w[i]);
			count[e]++;
			mass[e] += w[i];
		}
	}
	for (int e = 0; e < EXPONENTS; e++) {
		n += count[e];
		sum += mass[e];
		if ((o->top_k > 0 && n >= o->top_k) ||
		    (o->top_p < 1.0f && !share && sum >= total * (o->top_p + 0x1p-10)) ||
		    (o->min_p > 0.0f && !share && ldexp(1.0, -e) < o->min_p))
			return e;
	}
	return EXPONENTS - 1;
}

/* gather lists the candidates heaviest first and cuts them: top-k, then top-p by the mass of what
 * top-k left, then min-p. At least one stays. */
static int gather(const float *w, int vocab, const struct output *o, struct candidate *c)
{
	double total = 0.0, sum = 0.0;
	int n = 0, kept = 0, last;
	for (int i = 0; i < vocab; i++)
		total += w[i];
	last = last_exponent(w, vocab, o, total);
	for (int i = 0; i < vocab; i++)
		if (w[i] > 0.0f && exponent_of(w[i]) <= last)
			c[n++] = (struct candidate){w[i], i};
	qsort(c, (size_t)n, sizeof *c, heavier);
	if (o->top_k > 0 && n >= o->top_k) {
		n = o->top_k;
		total = 0.0;
		for (int i = 0; i < n; i++)
			total += c[i].weight;
	}
	while (kept < n && (kept == 0 || (sum < total * o->top_p && c[kept].weight >= o->min_p * c[0].weight)))
		sum += c[kept++].weight;
	return kept;
}

static int draw(const struct candidate *c, int n, double u)
{
	double total = 0.0, sum = 0.0;
	for (int i = 0; i < n; i++)
		total += c[i].weight;
	for (int i = 0; i < n; i++) {
		sum += c[i].weight;
		if (sum > u * total)
			return c[i].token;
	}
	return c[n - 1].token;
}

/* draw_any is draw over the whole vocabulary, in order of ids. */
static int draw_any(const float *w, int vocab, double u)
{
	double total = 0.0, sum = 0.0;
	int last = 0;
	for (int i = 0; i < vocab; i++)
		total += w[i];
	for (int i = 0; i < vocab; i++) {
		if (w[i] > 0.0f)
			last = i;
		sum += w[i];
		if (sum > u * total)
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
	if (o->top_k <= 0 && o->top_p >= 1.0f && o->min_p <= 0.0f)
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
