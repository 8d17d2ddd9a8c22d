/* quantise_block.c owns the search for blocks of 32 whose scale, and minimum if they have one, are halves of their own:
 * Q4_0, Q5_0 and Q5_1, the types of rows that are no multiple of 256.
 *
 * Every candidate is judged as the file will hold it, with its scale rounded to a half. */
#include "quantise.h"
#include <math.h>

enum {
	STARTS = 32, /* candidates: the largest value, or the range, as so many codes */
	AGAIN = 2,   /* least squares from each */
};

struct found {
	struct fit fit;
	uint16_t d, m;
};

static void keep_better(struct found *best, const struct scaled *s, struct codes c, struct fit f)
{
	struct found now = {.d = half_at(s, f.a), .m = half_at(s, -f.m)};
	now.fit.a = scale_of(s, now.d);
	now.fit.m = -scale_of(s, now.m);
	now.fit.error = error_with(c, s->x, s->w, 32, now.fit.a, now.fit.m);
	if (now.fit.error < best->fit.error)
		*best = now;
}

/* from_scale judges a scale, and what least squares makes of it: the latter need not be better when it is a half. */
static void from_scale(struct found *best, const struct scaled *s, struct codes c, float a)
{
	keep_better(best, s, c, (struct fit){.a = a});
	for (int i = 0; i < AGAIN; i++)
		a = best_scale(c, s->x, s->w, 32, a);
	keep_better(best, s, c, (struct fit){.a = a});
}

static void search_signed(struct found *best, const struct scaled *s, struct codes c)
{
	float peak = 0;
	for (int i = 0; i < 32; i++)
		peak = fabsf(s->x[i]) > fabsf(peak) ? s->x[i] : peak;
	for (int i = 0; i < STARTS && peak != 0; i++) {
		float span = c.high * (0.65f + 0.65f / STARTS * (float)i);
		from_scale(best, s, c, peak / span);
		from_scale(best, s, c, -peak / span);
	}
}

static void search_range(struct found *best, const struct scaled *s, struct codes c)
{
	float low = s->x[0], high = s->x[0];
	for (int i = 1; i < 32; i++) {
		low = s->x[i] < low ? s->x[i] : low;
		high = s->x[i] > high ? s->x[i] : high;
	}
	keep_better(best, s, c, (struct fit){.m = -low});
	keep_better(best, s, c, (struct fit){fmaxf(high, 0) / c.high - fminf(low, 0) / c.high, -fminf(low, 0), 0});
	for (int i = 0; i < STARTS && high > low; i++) {
		struct fit f = {(high - low) / (c.high * (0.8f + 0.3f / STARTS * (float)i)), -low, 0};
		for (int again = 0; again < AGAIN; again++)
			f = best_pair(c, s->x, s->w, 32, f, 1);
		keep_better(best, s, c, f);
	}
}

void search_block(uint32_t type, const struct scaled *s, struct block_codes *out)
{
	struct codes c = type == TYPE_Q4_0 ? (struct codes){-8, 7} : (struct codes){-16, 15};
	struct found best = {.d = 0, .m = 0};
	if (type == TYPE_Q5_1)
		c = (struct codes){0, 31};
	best.fit.error = error_with(c, s->x, s->w, 32, 0, 0);
	if (type == TYPE_Q5_1)
		search_range(&best, s, c);
	else
		search_signed(&best, s, c);
	out->d = best.d;
	out->m = best.m;
	for (int i = 0; i < 32; i++)
		out->code[i] = (int8_t)code_for(c, s->x[i], best.fit.a != 0 ? 1 / best.fit.a : 0, best.fit.m);
}
