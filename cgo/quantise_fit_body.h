/* quantise_fit_body.h owns the arithmetic that all searches for scales share: codes for given scales, their error, and
 * the scales that are best for given codes, by weighted least squares. Each lane has a run of its own, so that no sum
 * goes across lanes, and a search takes the best of its candidates lane by lane.
 *
 * A run's sum is taken in eight parts, value i in part i mod 8, and these are folded in one order: that is what the
 * bytes of a tier depend on, and what QuantiseVersion counts.
 *
 * Rejected: a lane for each part. Runs are of two or four times eight values, so that folding would take as long as the
 * sums, and half of a vector would be idle. */

enum { PARTS = 8 };

/* What is fitted: runs of n values to codes, which mean a * code - m, or a * code where there are no minimums. */
typedef struct {
	const struct runs *runs;
	struct codes codes;
	int n, minimums;
	vf w, x; /* of each run: the sum of its weights, and of its weighed values */
} fitting;

/* A scale and a minimum for each run. */
typedef struct {
	vf a, m;
} pairs;

INLINE vf FN(fold)(const vf *s)
{
	return v_add(v_add(v_add(s[0], s[4]), v_add(s[2], s[6])), v_add(v_add(s[1], s[5]), v_add(s[3], s[7])));
}

/* nearest rounds half to even; |v| must be below 2^22. Zeros come out positive. */
INLINE vf FN(nearest)(vf v) { return v_sub(v_add(v, v_set1(0x1.8p23f)), v_set1(0x1.8p23f)); }

INLINE vf FN(within)(vf v, vf low, vf high) { return v_min(v_max(v, low), high); }

INLINE vf FN(inverse)(vf a) { return v_select(v_lt(v_zero(), v_abs(a)), v_div(v_set1(1), a), v_zero()); }

/* code_for is the code nearest to x. */
INLINE vf FN(code_for)(struct codes c, int minimums, vf x, vf inverse, vf m)
{
	vf at = v_mul(minimums ? v_add(x, m) : x, inverse);
	return FN(nearest)(FN(within)(at, v_set1(c.low), v_set1(c.high)));
}

INLINE vf FN(errors_of)(const fitting *f, int n, int minimums, vf a, vf m)
{
	const struct codes c = f->codes;
	const vf inverse = FN(inverse)(a);
	vf s[PARTS];
	for (int part = 0; part < PARTS; part++) {
		s[part] = v_zero();
		for (int i = part; i < n; i += PARTS) {
			vf x = v_load(f->runs->x[i]), y = v_mul(a, FN(code_for)(c, minimums, x, inverse, m));
			vf e = v_sub(x, minimums ? v_sub(y, m) : y);
			s[part] = v_add(s[part], v_mul(v_mul(v_load(f->runs->w[i]), e), e));
		}
	}
	return FN(fold)(s);
}

/* errors is what each run costs at its nearest codes. The numbers that a loop over values is compiled for are
 * constants. */
static vf FN(errors)(const fitting *f, vf a, vf m)
{
	if (f->n == LONGEST)
		return f->minimums ? FN(errors_of)(f, LONGEST, 1, a, m) : FN(errors_of)(f, LONGEST, 0, a, m);
	return f->minimums ? FN(errors_of)(f, LONGEST / 2, 1, a, m) : FN(errors_of)(f, LONGEST / 2, 0, a, m);
}

/* The sums that least squares needs of the codes q: weighed q, without minimums none, its squares, and q times x. */
typedef struct {
	vf q, qq, qx;
} moments;

INLINE moments FN(moments_of)(const fitting *f, int n, int minimums, vf a, vf m)
{
	const struct codes c = f->codes;
	const vf inverse = FN(inverse)(a);
	vf q[PARTS], qq[PARTS], qx[PARTS];
	for (int part = 0; part < PARTS; part++) {
		q[part] = qq[part] = qx[part] = v_zero();
		for (int i = part; i < n; i += PARTS) {
			vf x = v_load(f->runs->x[i]), code = FN(code_for)(c, minimums, x, inverse, m);
			vf wq = v_mul(v_load(f->runs->w[i]), code);
			if (minimums)
				q[part] = v_add(q[part], wq);
			qq[part] = v_add(qq[part], v_mul(wq, code));
			qx[part] = v_add(qx[part], v_mul(wq, x));
		}
	}
	return (moments){FN(fold)(q), FN(fold)(qq), FN(fold)(qx)};
}

static moments FN(moments_at)(const fitting *f, vf a, vf m)
{
	if (f->n == LONGEST)
		return f->minimums ? FN(moments_of)(f, LONGEST, 1, a, m) : FN(moments_of)(f, LONGEST, 0, a, m);
	return f->minimums ? FN(moments_of)(f, LONGEST / 2, 1, a, m) : FN(moments_of)(f, LONGEST / 2, 0, a, m);
}

static fitting FN(fit)(const struct runs *r, struct codes c, int n, int minimums)
{
	fitting f = {r, c, n, minimums, v_zero(), v_zero()};
	vf w[PARTS], x[PARTS];
	for (int part = 0; part < PARTS; part++) {
		w[part] = x[part] = v_zero();
		for (int i = part; i < n; i += PARTS) {
			w[part] = v_add(w[part], v_load(r->w[i]));
			x[part] = v_add(x[part], v_mul(v_load(r->w[i]), v_load(r->x[i])));
		}
	}
	f.w = FN(fold)(w);
	f.x = FN(fold)(x);
	return f;
}

/* best_scale is the scale that least squares gives for the codes at a. */
static vf FN(best_scale)(const fitting *f, vf a)
{
	moments s = FN(moments_at)(f, a, v_zero());
	return v_select(v_lt(v_zero(), s.qq), v_div(s.qx, s.qq), a);
}

/* best_pair is the scale and the minimum for the codes at a pair; `signed_minimum` is for formats whose minimum may
 * have either sign, all others have none below zero. */
static pairs FN(best_pair)(const fitting *f, pairs at, int signed_minimum)
{
	moments s = FN(moments_at)(f, at.a, at.m);
	vf det = v_sub(v_mul(f->w, s.qq), v_mul(s.q, s.q));
	vm solved = v_lt(v_zero(), det), good;
	vf a = v_select(solved, v_div(v_sub(v_mul(f->w, s.qx), v_mul(f->x, s.q)), det), at.a);
	vf m = v_select(solved, v_div(v_sub(v_mul(s.q, s.qx), v_mul(s.qq, f->x)), det), at.m);
	if (!signed_minimum) {
		vm above = v_lt(v_zero(), m);
		vf alone = v_select(v_lt(v_zero(), s.qq), v_div(s.qx, s.qq), at.a);
		a = v_select(above, a, alone);
		m = v_select(above, m, v_zero());
	}
	good = v_lt(v_zero(), a);
	return (pairs){v_select(good, a, at.a), v_select(good, m, at.m)};
}
