/* sample.c owns what happens to a row of logits: scores, penalties, truncation and the draw. */
#include "sample.h"
#include "dmath.h"
#include "draw.h"
#include "random.h"
#include <math.h>
#include <string.h>

/* ---- memory ---- */

/* What one row's sampling works in. */
struct scratch {
	float *row;                     /* (vocab) adjusted logits, then weights */
	struct candidate *list, *other; /* (vocab) each: candidates, and where a pass of the sort puts them */
};

int64_t sample_scratch_bytes(int vocab)
{
	int64_t row = ((int64_t)vocab + 15) / 16 * 16 * (int64_t)sizeof(float);
	return row + 2 * (int64_t)vocab * (int64_t)sizeof(struct candidate) + 64;
}

static struct scratch scratch_of(void *memory, int vocab)
{
	float *row = memory;
	struct candidate *c = (struct candidate *)(row + ((int64_t)vocab + 15) / 16 * 16);
	return (struct scratch){row, c, c + vocab};
}

/* ---- adjustments ---- */

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

/* ---- the sort ---- */

/* Weights are positive, so their bits are in their order; complemented, the heaviest come first. Three
 * digits cover them, and the counts of one stay in the first-level cache. */
enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

static uint32_t digit_of(float weight, int shift)
{
	uint32_t bits;
	memcpy(&bits, &weight, sizeof bits);
	return ~bits >> shift & (DIGITS - 1);
}

static void sort_by_digit(const struct candidate *from, struct candidate *to, int n, int shift)
{
	int32_t at[DIGITS] = {0}, before = 0; /* counts, then where the next of each digit goes */
	for (int i = 0; i < n; i++)
		at[digit_of(from[i].weight, shift)]++;
	for (int d = 0; d < DIGITS; d++) {
		int32_t count = at[d];
		at[d] = before;
		before += count;
	}
	for (int i = 0; i < n; i++)
		to[at[digit_of(from[i].weight, shift)]++] = from[i];
}

/* sort returns the n of s->list heaviest first. Each pass keeps the order of equals, and ids ascend at
 * first: ties stay with the lower id. The time is linear in n, since a step waits for its slowest row.
 *
 * Rejected: qsort, 24 ms where a flat row leaves 150,000 candidates. */
static const struct candidate *sort(const struct scratch *s, int n)
{
	sort_by_digit(s->list, s->other, n, 0);
	sort_by_digit(s->other, s->list, n, DIGIT_BITS);
	sort_by_digit(s->list, s->other, n, 2 * DIGIT_BITS);
	return s->other;
}

/* ---- the cuts ---- */

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

/* What the cuts leave, heaviest first: at least one. */
struct nucleus {
	const struct candidate *c;
	int n;
	double mass;
};

/* list_candidates lists the ids of weights in classes up to `last`, ascending, and returns how many. */
static int list_candidates(const float *w, int vocab, int last, struct candidate *list)
{
	int n = 0;
	for (int i = 0; i < vocab; i++)
		if (w[i] > 0.0f && exponent_of(w[i]) <= last)
			list[n++] = (struct candidate){w[i], i};
	return n;
}

/* cut keeps the top-k, of these the top-p by the mass of what top-k left, of these what min-p leaves. */
static struct nucleus cut(const struct scratch *s, int vocab, const struct output *o)
{
	double total = mass_of_all(s->row, vocab);
	int n = list_candidates(s->row, vocab, smallest_class(s->row, vocab, o, total), s->list), kept = 0;
	const struct candidate *c = sort(s, n);
	struct running sum = {0};
	if (o->top_k > 0 && n >= o->top_k) {
		n = o->top_k;
		total = mass_of(c, n);
	}
	while (kept < n &&
	       (kept == 0 || (running_sum(&sum) < total * o->top_p && c[kept].weight >= o->min_p * c[0].weight)))
		running_add(&sum, c[kept++].weight);
	return (struct nucleus){c, kept, running_sum(&sum)};
}

/* ---- the draw ---- */

static int draw(struct nucleus nucleus, double u)
{
	double target = u * nucleus.mass;
	struct running sum = {0};
	for (int i = 0; i < nucleus.n; i++) {
		running_add(&sum, nucleus.c[i].weight);
		if (running_sum(&sum) > target)
			return nucleus.c[i].token;
	}
	return nucleus.c[nucleus.n - 1].token;
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

/* choose picks from adjusted logits, s->row, which become weights. */
static int choose(const struct sample_kernels *k, const struct scratch *s, int vocab, const struct output *o,
                  int position)
{
	float peak = k->peak(s->row, vocab);
	double u;
	if (!(o->temperature > 0.0f) || !(peak > -INFINITY) || peak == INFINITY)
		return k->first_at(s->row, vocab, peak);
	k->weights(s->row, vocab, peak, o->temperature);
	u = random_uniform(o->seed, (uint32_t)o->choice, (uint32_t)position);
	return draws_from_all(o) ? draw_any(s->row, vocab, u) : draw(cut(s, vocab, o), u);
}

/* ---- the row ---- */

static int pick(const struct sample_kernels *k, const float *logits, int vocab, const struct output *o, int position,
                const struct penalty *penalties, const struct bias *biases, void *scratch)
{
	struct scratch s = scratch_of(scratch, vocab);
	if (!(o->mode & OUTPUT_SAMPLE))
		return o->target;
	if (!(o->temperature > 0.0f) && !adjusts(o))
		return k->first_at(logits, vocab, k->peak(logits, vocab));
	memcpy(s.row, logits, (size_t)vocab * sizeof *s.row);
	if (adjusts(o))
		adjust(s.row, vocab, o, penalties, biases);
	return choose(k, &s, vocab, o, position);
}

static float log_sum_exp(const struct sample_kernels *k, const float *logits, int vocab)
{
	float peak = k->peak(logits, vocab);
	return peak + (float)d_log(k->sum_exp(logits, vocab, peak));
}

void sample_row(const struct sample_kernels *k, const float *logits, int vocab, const struct output *o, int position,
                const struct penalty *penalties, const struct bias *biases, struct result *r, struct top_token *top,
                void *scratch)
{
	int token = pick(k, logits, vocab, o, position, penalties, biases, scratch);
	if (token < 0 || token >= vocab) /* nothing but NaN: any token is as wrong, and not_finite says so */
		token = 0;
	r->token = token;
	r->logit = logits[token];
	r->log_sum_exp = o->mode & OUTPUT_LOG_SUM_EXP ? log_sum_exp(k, logits, vocab) : 0.0f;
	r->rank = o->mode & OUTPUT_RANK ? k->count_above(logits, vocab, logits[token]) : 0;
	r->target_logit = o->mode & OUTPUT_SCORE ? logits[o->target] : 0.0f;
	r->not_finite = !k->finite(logits, vocab);
	if (o->top > 0)
		k->top(logits, vocab, o->top, top);
}
