/* quantise_scales.c owns the search for super-blocks of 16 sub-blocks of 16 signed codes, whose integer scales share
 * one half: Q3_K and Q6_K.
 *
 * First each sub-block's best scale is looked for as if it could be any number. Then candidates of the common half are
 * tried; under each, each sub-block takes the best integer scale near its own, judged with codes rounded anew. The best
 * candidate goes on: least squares gives the half that is best for all codes and scales together, and the scales are
 * chosen again, until nothing gets better.
 *
 * Rejected: to refine every candidate of the half, in twice the time; trying integers further away, in up to twice the
 * time. Neither makes a thousandth of the error less. */
#include "quantise.h"
#include <math.h>

enum {
	SUBS = 16,
	EACH = SUPER / SUBS,
	CANDIDATES = 6, /* of the common half, for each sign */
	REFINED = 3,    /* of these, the best at first */
	ROUNDS = 4,     /* of refinement; more change hardly a block */
};

struct scales_format {
	struct codes codes;
	int low, high; /* of integer scales */
	float step;    /* of candidates for a free scale, in codes */
};

static struct scales_format format_of(uint32_t type)
{
	if (type == TYPE_Q3_K)
		return (struct scales_format){{-4, 3}, -32, 31, 0.25f};
	return (struct scales_format){{-32, 31}, -128, 127, 0.5f};
}

/* A choice of the half and of all integers, and what it costs. */
struct choice {
	uint16_t d;
	int scale[SUBS];
	float error;
};

/* free_scale is the best scale of a sub-block. Candidates map the largest value to each end of the codes, from two
 * steps beyond it to seven before. */
static float free_scale(const struct scales_format *f, const float *x, const float *w)
{
	float peak = 0, best = 0, least = error_with(f->codes, x, w, EACH, 0, 0);
	for (int i = 0; i < EACH; i++)
		peak = fabsf(x[i]) > fabsf(peak) ? x[i] : peak;
	for (int i = 0; i < 20 && peak != 0; i++) {
		float beyond = (float)(2 - i / 2) * f->step;
		float a = peak / (i % 2 ? f->codes.low - beyond : f->codes.high + beyond), error;
		for (int again = 0; again < 2; again++)
			a = best_scale(f->codes, x, w, EACH, a);
		error = error_with(f->codes, x, w, EACH, a, 0);
		if (error < least) {
			least = error;
			best = a;
		}
	}
	return best;
}

/* choose takes the best integer scale for each sub-block under the half d. */
static struct choice choose(const struct scales_format *f, const struct scaled *s, const float *free, uint16_t d)
{
	struct choice c = {.d = d};
	float unit = scale_of(s, d);
	for (int b = 0; b < SUBS; b++) {
		const float *x = s->x + b * EACH, *w = s->w + b * EACH;
		int middle = unit != 0 ? (int)nearest(within(free[b] / unit, (float)f->low, (float)f->high)) : 0;
		float least = error_with(f->codes, x, w, EACH, 0, 0);
		for (int i = middle - 1; i <= middle + 1; i++) {
			float error = i < f->low || i > f->high ? least
			                                        : error_with(f->codes, x, w, EACH, unit * (float)i, 0);
			if (error < least) {
				least = error;
				c.scale[b] = i;
			}
		}
		c.error += least;
	}
	return c;
}

/* best_half is the half that is best for the scales and codes of a choice. */
static uint16_t best_half(const struct scales_format *f, const struct scaled *s, const struct choice *c)
{
	float unit = scale_of(s, c->d), up = 0, down = 0;
	for (int b = 0; b < SUBS; b++) {
		float i = (float)c->scale[b];
		struct moments m = moments_at(f->codes, s->x + b * EACH, s->w + b * EACH, EACH, unit * i, 0);
		up += i * m.qx;
		down += i * i * m.qq;
	}
	return down > 0 ? half_at(s, up / down) : c->d;
}

/* refine alternates between the half and the integers until neither gets better. */
static struct choice refine(const struct scales_format *f, const struct scaled *s, const float *free,
                            struct choice best)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct choice next = choose(f, s, free, best_half(f, s, &best));
		if (!(next.error < best.error))
			break;
		best = next;
	}
	return best;
}

/* insert keeps the best candidates in order. */
static void insert(struct choice *top, struct choice c)
{
	for (int i = 0; i < REFINED; i++)
		if (c.error < top[i].error) {
			struct choice last = top[i];
			top[i] = c;
			c = last;
		}
}

/* best_choice tries candidates of the half: those that map the largest free scale to about either end of the integers.
 */
static struct choice best_choice(const struct scales_format *f, const struct scaled *s, const float *free, float peak)
{
	struct choice best = choose(f, s, free, 0), top[REFINED];
	for (int i = 0; i < REFINED; i++)
		top[i] = best;
	for (int i = 0; i < 2 * CANDIDATES; i++) {
		float edge = i % 2 ? (float)f->low : (float)f->high;
		insert(top, choose(f, s, free, half_above(s, peak / (edge * (1.04f - 0.02f * (float)(i / 2))))));
	}
	for (int i = 0; i < REFINED; i++) {
		struct choice next = refine(f, s, free, top[i]);
		if (next.error < best.error)
			best = next;
	}
	return best;
}

void search_scales(uint32_t type, const struct scaled *s, struct super_codes *out)
{
	const struct scales_format f = format_of(type);
	float free[SUBS], peak = 0;
	struct choice best;
	for (int b = 0; b < SUBS; b++) {
		free[b] = free_scale(&f, s->x + b * EACH, s->w + b * EACH);
		peak = fabsf(free[b]) > fabsf(peak) ? free[b] : peak;
	}
	best = best_choice(&f, s, free, peak);
	out->d = best.d;
	out->dmin = 0;
	for (int b = 0; b < SUBS; b++) {
		float a = scale_of(s, best.d) * (float)best.scale[b];
		out->scale[b] = (int16_t)best.scale[b];
		out->minimum[b] = 0;
		for (int i = b * EACH; i < (b + 1) * EACH; i++)
			out->code[i] = (int8_t)code_for(f.codes, s->x[i], a != 0 ? 1 / a : 0, 0);
	}
}
