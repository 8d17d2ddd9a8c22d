/* quantise_choice_body.h owns the choice of a super-block's integers: when the best scale of each run is known as if it
 * could be any number, candidates of the common halves are tried. Under each, each run takes the best integers near its
 * own, judged with codes rounded anew. The best candidates go on: least squares gives the halves that are best for all
 * codes and integers together, and the integers are chosen again, until nothing gets better.
 *
 * Of minimums too the integers beside the nearest are worth their time: taking the nearest alone makes the error 2%
 * (Q2_K, Q4_K) to 3% larger (Q5_K), since a scale and a minimum that are both rounded up or both down make up for each
 * other.
 *
 * Rejected: to refine every candidate of the halves, in twice the time, and to try integers further away, in up to
 * twice the time. Neither makes more than a thousandth of the error less. */

enum {
	REFINED = 3, /* candidates, the best at first */
	NEAR = 3,    /* integers beside each other that are tried */
};

/* A choice of both halves and of all integers, and what it costs. Lanes are runs; where these fill the lanes twice,
 * both times alike. */
typedef struct {
	uint16_t d, dmin;
	float error;
	vf scale, minimum;
} choice;

/* What integers are chosen for. */
typedef struct {
	const struct super_format *format;
	fitting fit;
	float unit;
	int copies; /* how often the runs fill the lanes: so many candidates of each are judged at the same time */
	vf copy;    /* 0 in the lanes of the first, 1 in those of the second */
	pairs free; /* the best scales and minimums, as if they could be any numbers */
	vf nothing; /* what each run costs without a scale */
} super;

/* by_copy is one number in the lanes of the first copy, another in those of the second. */
INLINE vf FN(by_copy)(const super *s, int first, int second)
{
	return v_add(v_set1((float)first), v_mul(s->copy, v_set1((float)(second - first))));
}

/* total adds what the runs cost, in their order. */
static float FN(total)(const super *s, vf costs)
{
	float cost[LANES], sum = 0;
	v_store(cost, costs);
	for (int b = 0; b < LANES / s->copies; b++)
		sum += cost[b];
	return sum;
}

/* integers are the nearest ones to free numbers. */
static vf FN(integers)(vf free, float unit, float least, float most)
{
	if (unit == 0)
		return v_zero();
	return FN(nearest)(FN(within)(v_div(free, v_set1(unit)), v_set1(least), v_set1(most)));
}

/* The best integers so far, as floats, and what they cost. */
typedef struct {
	vf error, scale, minimum;
} integer_pairs;

INLINE void FN(keep_integers)(integer_pairs *best, integer_pairs now)
{
	vm better = v_lt(now.error, best->error);
	best->error = v_select(better, now.error, best->error);
	best->scale = v_select(better, now.scale, best->scale);
	best->minimum = v_select(better, now.minimum, best->minimum);
}

/* best_copy gives both copies the better of the two. The second copy's candidates come behind the first's, which win
 * where they cost as much. */
INLINE integer_pairs FN(best_copy)(integer_pairs both)
{
	integer_pairs best = {v_lower(both.error), v_lower(both.scale), v_lower(both.minimum)};
	FN(keep_integers)(&best, (integer_pairs){v_upper(both.error), v_upper(both.scale), v_upper(both.minimum)});
	return best;
}

/* choose takes the best integers of each run under two halves. Those beyond the format's are its last ones once more,
 * which changes nothing: of candidates that cost as much the first wins. */
static choice FN(choose)(const super *s, uint16_t d, uint16_t dmin)
{
	const struct super_format *f = s->format;
	const float unit = scale_of(s->unit, d), below = scale_of(s->unit, dmin);
	const vf scale = FN(integers)(s->free.a, unit, f->least, f->most);
	const vf minimum = FN(integers)(s->free.m, below, 0, f->most);
	const int rows = f->minimums ? NEAR : 1, count = NEAR * rows, steps = (count + s->copies - 1) / s->copies;
	/* A format without minimums may as well have nothing of a run. */
	integer_pairs best = {f->minimums ? v_set1(INFINITY) : s->nothing, v_zero(), v_zero()};
	for (int k = 0; k < steps; k++) {
		int second = k + steps < count ? k + steps : count - 1;
		vf i = v_add(scale, FN(by_copy)(s, k / rows - 1, second / rows - 1));
		vf j = rows == 1 ? minimum : v_add(minimum, FN(by_copy)(s, k % rows - 1, second % rows - 1));
		integer_pairs now = {v_zero(), FN(within)(i, v_set1(f->least), v_set1(f->most)),
		                     FN(within)(j, v_zero(), v_set1(f->most))};
		now.error = FN(errors)(&s->fit, v_mul(v_set1(unit), now.scale), v_mul(v_set1(below), now.minimum));
		FN(keep_integers)(&best, now);
	}
	if (s->copies > 1)
		best = FN(best_copy)(best);
	return (choice){d, dmin, FN(total)(s, best.error), best.scale, best.minimum};
}

/* best_halves writes the halves that are best for the integers and codes of a choice. */
static void FN(best_halves)(const super *s, const choice *c, uint16_t *d, uint16_t *dmin)
{
	const vf i = c->scale, j = c->minimum;
	const moments m = FN(moments_at)(&s->fit, v_mul(v_set1(scale_of(s->unit, c->d)), i),
	                                 v_mul(v_set1(scale_of(s->unit, c->dmin)), j));
	const float aa = FN(total)(s, v_mul(v_mul(i, i), m.qq)), ab = FN(total)(s, v_mul(v_mul(i, j), m.q));
	const float bb = FN(total)(s, v_mul(v_mul(j, j), s->fit.w));
	const float ax = FN(total)(s, v_mul(i, m.qx)), bx = FN(total)(s, v_mul(j, s->fit.x));
	const float det = aa * bb - ab * ab;
	*d = c->d;
	*dmin = c->dmin;
	if (det > 0 && ax * bb - bx * ab > 0 && ax * ab - bx * aa >= 0) {
		*d = half_at(s->unit, (ax * bb - bx * ab) / det);
		*dmin = half_at(s->unit, (ax * ab - bx * aa) / det);
	} else if (aa > 0 && bb == 0) {
		*d = half_at(s->unit, ax / aa);
	}
}

/* refine alternates between halves and integers until neither gets better. */
static choice FN(refine)(const super *s, choice best)
{
	for (int i = 0; i < s->format->rounds; i++) {
		choice next;
		uint16_t d, dmin;
		FN(best_halves)(s, &best, &d, &dmin);
		if (d == best.d && dmin == best.dmin) /* under which the integers are what they are */
			break;
		next = FN(choose)(s, d, dmin);
		if (!(next.error < best.error))
			break;
		best = next;
	}
	return best;
}

/* insert keeps the best candidates in order. */
static void FN(insert)(choice *top, choice c)
{
	for (int i = 0; i < REFINED; i++)
		if (c.error < top[i].error) {
			choice last = top[i];
			top[i] = c;
			c = last;
		}
}

/* best_choice tries candidates of the halves: (count) pairs of what d and dmin should be no less than. */
static choice FN(best_choice)(const super *s, float (*candidates)[2], int count)
{
	choice best = {0, 0, FN(total)(s, s->nothing), v_zero(), v_zero()}, top[REFINED];
	for (int i = 0; i < REFINED; i++)
		top[i] = best;
	for (int i = 0; i < count; i++) {
		uint16_t d = half_above(s->unit, candidates[i][0]), dmin = half_above(s->unit, candidates[i][1]);
		FN(insert)(top, FN(choose)(s, d, dmin));
	}
	for (int i = 0; i < REFINED; i++) {
		choice next = FN(refine)(s, top[i]);
		if (next.error < best.error)
			best = next;
	}
	return best;
}
