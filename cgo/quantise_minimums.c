/* quantise_minimums.c owns the search for super-blocks whose sub-blocks have integer scales and minimums under two
 * common halves: Q2_K (16 values each), Q4_K and Q5_K (32). It goes as quantise_scales.c, in two dimensions.
 *
 * Here the integers beside the nearest are worth their time: taking the nearest alone makes the error 2% (Q2_K, Q4_K)
 * to 3% larger (Q5_K), since a scale and a minimum that are both rounded up or both down make up for each other. */
#include "quantise.h"
#include <math.h>

enum {
	MOST_SUBS = 16,
	STARTS = 8,     /* of the search for a free pair: scales, from the range's own down and up */
	SHIFTS = 3,     /* and minimums for each, a third of a code apart */
	AGAIN = 2,      /* least squares from each */
	CANDIDATES = 3, /* of each half: one above what the largest free pair asks for, one below */
	REFINED = 3,    /* of these: all nine take twice as long for a thousandth of the error */
	ROUNDS = 6,     /* of refinement; more change hardly a block */
};

struct minimums_format {
	struct codes codes;
	int subs, each;
	int most;       /* of integer scales and minimums */
	float step;     /* of candidates for a free pair, in codes */
	float narrower; /* how much each candidate of a half is below the one before */
};

static struct minimums_format format_of(uint32_t type)
{
	if (type == TYPE_Q2_K)
		return (struct minimums_format){{0, 3}, 16, 16, 15, 0.125f, 0.1f};
	if (type == TYPE_Q4_K)
		return (struct minimums_format){{0, 15}, 8, 32, 63, 0.5f, 0.02f};
	return (struct minimums_format){{0, 31}, 8, 32, 63, 0.5f, 0.02f};
}

/* A choice of both halves and of all integers, and what it costs. */
struct choice {
	uint16_t d, dmin;
	int scale[MOST_SUBS], minimum[MOST_SUBS];
	float error;
};

/* free_pair is the best scale and minimum of a sub-block. */
static struct fit free_pair(const struct minimums_format *f, const float *x, const float *w)
{
	float low = 0, high = 0;
	struct fit best = {0, 0, error_with(f->codes, x, w, f->each, 0, 0)};
	for (int i = 0; i < f->each; i++) {
		low = x[i] < low ? x[i] : low;
		high = x[i] > high ? x[i] : high;
	}
	if (!(best.error > 0))
		return best;
	for (int i = 0; i < STARTS * SHIFTS; i++) {
		float a = (high - low) / (f->codes.high + (float)(i / SHIFTS - STARTS / 2 - 1) * f->step);
		float m = -low + a * (float)(i % SHIFTS - 1) / SHIFTS;
		struct fit at = {a, m > 0 ? m : 0, 0};
		for (int again = 0; again < AGAIN; again++)
			at = best_pair(f->codes, x, w, f->each, at, 0);
		at.error = error_with(f->codes, x, w, f->each, at.a, at.m);
		if (at.error < best.error)
			best = at;
	}
	return best;
}

static int integer_for(const struct minimums_format *f, float free, float unit)
{
	return unit > 0 ? (int)nearest(within(free / unit, 0, (float)f->most)) : 0;
}

/* choose_pair takes the best integers of sub-block b. */
static void choose_pair(const struct minimums_format *f, const struct scaled *s, struct fit free, int b,
                        struct choice *c)
{
	const float *x = s->x + b * f->each, *w = s->w + b * f->each;
	float unit = scale_of(s, c->d), below = scale_of(s, c->dmin), least = INFINITY;
	int scale = integer_for(f, free.a, unit), minimum = integer_for(f, free.m, below);
	for (int i = scale - 1; i <= scale + 1; i++)
		for (int j = minimum - 1; j <= minimum + 1; j++) {
			float error;
			if (i < 0 || i > f->most || j < 0 || j > f->most)
				continue;
			error = error_with(f->codes, x, w, f->each, unit * (float)i, below * (float)j);
			if (error < least) {
				least = error;
				c->scale[b] = i;
				c->minimum[b] = j;
			}
		}
	c->error += least;
}

static struct choice choose(const struct minimums_format *f, const struct scaled *s, const struct fit *free, uint16_t d,
                            uint16_t dmin)
{
	struct choice c = {.d = d, .dmin = dmin};
	for (int b = 0; b < f->subs; b++)
		choose_pair(f, s, free[b], b, &c);
	return c;
}

/* best_halves writes the halves that are best for the integers and codes of a choice. */
static void best_halves(const struct minimums_format *f, const struct scaled *s, const struct choice *c, uint16_t *d,
                        uint16_t *dmin)
{
	float unit = scale_of(s, c->d), below = scale_of(s, c->dmin);
	float aa = 0, ab = 0, bb = 0, ax = 0, bx = 0, det;
	for (int b = 0; b < f->subs; b++) {
		float i = (float)c->scale[b], j = (float)c->minimum[b];
		struct moments m =
		        moments_at(f->codes, s->x + b * f->each, s->w + b * f->each, f->each, unit * i, below * j);
		aa += i * i * m.qq;
		ab += i * j * m.q;
		bb += j * j * m.w;
		ax += i * m.qx;
		bx += j * m.x;
	}
	*d = c->d;
	*dmin = c->dmin;
	det = aa * bb - ab * ab;
	if (det > 0 && ax * bb - bx * ab > 0 && ax * ab - bx * aa >= 0) {
		*d = half_at(s, (ax * bb - bx * ab) / det);
		*dmin = half_at(s, (ax * ab - bx * aa) / det);
	} else if (aa > 0 && bb == 0) {
		*d = half_at(s, ax / aa);
	}
}

static struct choice refine(const struct minimums_format *f, const struct scaled *s, const struct fit *free,
                            struct choice best)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct choice next;
		uint16_t d, dmin;
		best_halves(f, s, &best, &d, &dmin);
		next = choose(f, s, free, d, dmin);
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

/* best_choice tries candidates of both halves. */
static struct choice best_choice(const struct minimums_format *f, const struct scaled *s, const struct fit *free)
{
	float scale = 0, minimum = 0;
	struct choice best = choose(f, s, free, 0, 0), top[REFINED];
	for (int b = 0; b < f->subs; b++) {
		scale = free[b].a > scale ? free[b].a : scale;
		minimum = free[b].m > minimum ? free[b].m : minimum;
	}
	for (int i = 0; i < REFINED; i++)
		top[i] = best;
	for (int i = 0; i < CANDIDATES * CANDIDATES; i++) {
		float a = scale / (float)f->most * (1 + f->narrower * (float)(1 - i / CANDIDATES));
		float m = minimum / (float)f->most * (1 + f->narrower * (float)(1 - i % CANDIDATES));
		insert(top, choose(f, s, free, half_above(s, a), half_above(s, m)));
	}
	for (int i = 0; i < REFINED; i++) {
		struct choice next = refine(f, s, free, top[i]);
		if (next.error < best.error)
			best = next;
	}
	return best;
}

void search_minimums(uint32_t type, const struct scaled *s, struct super_codes *out)
{
	const struct minimums_format f = format_of(type);
	struct fit free[MOST_SUBS] = {{0}};
	struct choice best;
	for (int b = 0; b < f.subs; b++)
		free[b] = free_pair(&f, s->x + b * f.each, s->w + b * f.each);
	best = best_choice(&f, s, free);
	out->d = best.d;
	out->dmin = best.dmin;
	for (int b = 0; b < f.subs; b++) {
		float a = scale_of(s, best.d) * (float)best.scale[b],
		      m = scale_of(s, best.dmin) * (float)best.minimum[b];
		out->scale[b] = (int16_t)best.scale[b];
		out->minimum[b] = (int16_t)best.minimum[b];
		for (int i = b * f.each; i < (b + 1) * f.each; i++)
			out->code[i] = (int8_t)code_for(f.codes, s->x[i], a != 0 ? 1 / a : 0, m);
	}
}
