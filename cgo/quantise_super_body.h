/* quantise_super_body.h owns the search for super-blocks: each run's best scale, and minimum where the format has them,
 * as if these could be any numbers; the candidates of the halves that follow; and the codes under the integers. */

enum {
	SCALES = 20, /* candidates for a free scale: the largest value as each end of the codes */
	STARTS = 8,  /* for a free pair: scales, from the range's own down and up */
	SHIFTS = 3,  /* and minimums for each, a third of a code apart */
	EDGES = 6,   /* for the half of scales, for each sign */
	STEPS = 3,   /* for each half beside minimums: one above what the largest free pair asks for, one below */
	MOST_TRIED = 12,
};

/* free_scales are the best scales. Candidates map the largest value to each end of the codes, from two steps beyond it
 * to seven before. */
static vf FN(free_scales)(const super *s)
{
	const struct super_format *f = s->format;
	vf peak = FN(peaks)(&s->fit), best = v_zero(), least = s->nothing;
	for (int i = 0; i < SCALES; i++) {
		float beyond = (float)(2 - i / 2) * f->step;
		vf a = v_div(peak, v_set1(i % 2 ? f->codes.low - beyond : f->codes.high + beyond)), error;
		vm better;
		for (int again = 0; again < AGAIN; again++)
			a = FN(best_scale)(&s->fit, a);
		error = FN(errors)(&s->fit, a, v_zero());
		better = v_lt(error, least);
		least = v_select(better, error, least);
		best = v_select(better, a, best);
	}
	return best;
}

/* free_pairs are the best scales and minimums. */
static pairs FN(free_pairs)(const super *s)
{
	const struct super_format *f = s->format;
	const int starts = STARTS / s->copies;
	vf low = v_zero(), high = v_zero();
	integer_pairs best = {s->nothing, v_zero(), v_zero()};
	for (int i = 0; i < f->n; i++) {
		vf x = v_load(s->fit.runs->x[i]);
		low = v_min(x, low);
		high = v_max(x, high);
	}
	for (int i = 0; i < starts * SHIFTS; i++) {
		int start = i / SHIFTS - STARTS / 2 - 1;
		vf steps = v_mul(FN(by_copy)(s, start, start + starts), v_set1(f->step));
		vf a = v_div(v_sub(high, low), v_add(v_set1(f->codes.high), steps));
		vf shift = v_div(v_mul(a, v_set1((float)(i % SHIFTS - 1))), v_set1(SHIFTS));
		pairs at = {a, v_max(v_add(v_neg(low), shift), v_zero())};
		for (int again = 0; again < AGAIN; again++)
			at = FN(best_pair)(&s->fit, at, 0);
		FN(keep_integers)(&best, (integer_pairs){FN(errors)(&s->fit, at.a, at.m), at.a, at.m});
	}
	if (s->copies > 1)
		best = FN(best_copy)(best);
	return (pairs){best.scale, best.minimum};
}

/* by_scales are candidates that map the largest free scale to about either end of the integers. */
static int FN(by_scales)(const super *s, float (*candidates)[2])
{
	float free[LANES], peak = 0;
	v_store(free, s->free.a);
	for (int b = 0; b < LANES; b++)
		peak = fabsf(free[b]) > fabsf(peak) ? free[b] : peak;
	for (int i = 0; i < 2 * EDGES; i++) {
		float edge = i % 2 ? s->format->least : s->format->most;
		candidates[i][0] = peak / (edge * (1.04f - 0.02f * (float)(i / 2)));
		candidates[i][1] = 0;
	}
	return 2 * EDGES;
}

/* by_pairs are candidates of both halves. */
static int FN(by_pairs)(const super *s, float (*candidates)[2])
{
	const struct super_format *f = s->format;
	const float scale = v_highest(s->free.a), minimum = v_highest(s->free.m);
	for (int i = 0; i < STEPS * STEPS; i++) {
		candidates[i][0] = scale / f->most * (1 + f->narrower * (float)(1 - i / STEPS));
		candidates[i][1] = minimum / f->most * (1 + f->narrower * (float)(1 - i % STEPS));
	}
	return STEPS * STEPS;
}

/* write_choice writes a choice down, with the codes nearest to the values. */
static void FN(write_choice)(const super *s, const choice *c, struct super_codes *out)
{
	const int n = s->format->n;
	const vf a = v_mul(v_set1(scale_of(s->unit, c->d)), c->scale);
	const vf m = v_mul(v_set1(scale_of(s->unit, c->dmin)), c->minimum), inverse = FN(inverse)(a);
	int32_t scale[LANES], minimum[LANES];
	vi_store(scale, v_to_int(c->scale));
	vi_store(minimum, v_to_int(c->minimum));
	out->d = c->d;
	out->dmin = c->dmin;
	for (int b = 0; b < SUPER / n; b++) {
		out->scale[b] = (int16_t)scale[b];
		out->minimum[b] = (int16_t)minimum[b];
	}
	for (int i = 0; i < n; i++) {
		int8_t code[LANES];
		vf x = v_load(s->fit.runs->x[i]);
		vi_store_i8(code, v_to_int(FN(code_for)(s->fit.codes, s->fit.minimums, x, inverse, m)));
		for (int b = 0; b < SUPER / n; b++)
			out->code[b * n + i] = code[b];
	}
}

static void FN(search_super)(const struct super_format *f, const struct runs *r, struct super_codes *out)
{
	static const float second[LANES] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
	super s = {.format = f, .fit = FN(fit)(r, f->codes, f->n, f->minimums), .unit = r->unit[0]};
	float candidates[MOST_TRIED][2];
	choice best;
	int count;
	s.copies = RUNS * f->n / SUPER;
	s.copy = s.copies > 1 ? v_load(second) : v_zero();
	s.nothing = FN(errors)(&s.fit, v_zero(), v_zero());
	s.free = f->minimums ? FN(free_pairs)(&s) : (pairs){FN(free_scales)(&s), v_zero()};
	count = f->minimums ? FN(by_pairs)(&s, candidates) : FN(by_scales)(&s, candidates);
	best = FN(best_choice)(&s, candidates, count);
	FN(write_choice)(&s, &best, out);
}

#define QUANTISE_KERNELS \
	{ \
		.search_blocks = FN(search_blocks), .search_super = FN(search_super) \
	}
