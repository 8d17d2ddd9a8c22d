/* draw.h owns the parts of sampling that CPU and GPU share: adjustments of logits, which rows have none, the order of
 * sums over weights, and the classes that bound what must be sorted. */
#ifndef CHIMERA_DRAW_H
#define CHIMERA_DRAW_H
#include "batch.h"
#include "portable.h"
#include <math.h>
#include <string.h>

/* Weights are summed DRAW_CHUNK at a time, in order, and the sums of chunks in order: so can a GPU,
 * where a thread takes a chunk. */
enum { DRAW_CHUNK = 256 };

/* A sum in that order. */
struct running {
	double chunks, chunk; /* of the full chunks before; of the chunk under way */
	int n;                /* weights of the chunk under way */
};

static inline PORTABLE void running_add(struct running *r, float weight)
{
	if (r->n == DRAW_CHUNK) {
		r->chunks += r->chunk;
		r->chunk = 0.0;
		r->n = 0;
	}
	r->chunk += weight;
	r->n++;
}

static inline PORTABLE double running_sum(const struct running *r) { return r->chunks + r->chunk; }

/* ---- adjustments ---- */

/* adjusts tells whether o changes logits before the draw. */
static inline PORTABLE int adjusts(const struct output *o)
{
	return o->bias_count > 0 ||
	       (o->penalty_count > 0 && (o->repetition != 1.0f || o->presence != 0.0f || o->frequency != 0.0f));
}

static inline PORTABLE float penalised(float logit, const struct penalty *p, const struct output *o)
{
	if (p->seen > 0)
		logit = logit > 0.0f ? logit / o->repetition : logit * o->repetition;
	logit -= o->frequency * (float)p->generated;
	return logit - (p->generated > 0 ? o->presence : 0.0f);
}

/* draws_from_all tells whether no cut applies. */
static inline PORTABLE int draws_from_all(const struct output *o)
{
	return o->top_k <= 0 && o->top_p >= 1.0f && o->min_p <= 0.0f;
}

/* ---- rows without logits ---- */

/* taps_alone: engine.Output.TapsAlone. */
static inline PORTABLE int taps_alone(const struct output *o)
{
	return o->mode == OUTPUT_TAPPED && o->top == 0 && o->target_count == 0;
}

/* forms_logits tells whether any of n outputs asks for something of its logits. */
static inline PORTABLE int forms_logits(const struct output *o, int n)
{
	for (int i = 0; i < n; i++)
		if (!taps_alone(&o[i]))
			return 1;
	return 0;
}

/* ---- classes ---- */

/* Weights lie in (0, 1], the heaviest is 1: they are counted by their binary exponent, so that only
 * those which may survive the cuts are gathered and sorted. */
enum { EXPONENTS = 128 };

static inline PORTABLE int exponent_of(float weight)
{
	uint32_t bits;
	int e;
	memcpy(&bits, &weight, sizeof bits);
	e = 127 - (int)(bits >> 23); /* 1 is 0, [0.5, 1) is 1 ... */
	return e < 0 ? 0 : e < EXPONENTS ? e : EXPONENTS - 1;
}

/* last_exponent is the smallest class that top-k, top-p or min-p may still need; count and mass are
 * those of each class, the masses exact: 24-bit numbers of one exponent. The slack of 2^-10 covers
 * what rounding the sums in another order can do to top-p. With top-k and top-p both, top-k alone
 * decides: top-p takes its share of the mass that top-k leaves, so all of that is needed. */
static inline PORTABLE int last_exponent(const int *count, const double *mass, const struct output *o, double total)
{
	double sum = 0.0;
	int n = 0, share = o->top_k > 0 && o->top_p < 1.0f;
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
#endif
