/* quantise_blocks_body.h owns the search for blocks of 32 whose scale, and minimum if they have one, are halves of
 * their own: Q4_0, Q5_0 and Q5_1, the types of rows that are no multiple of 256. Each lane is a block.
 *
 * Every candidate is judged as the file will hold it, with its scale rounded to a half. */

enum {
	SPANS = 32, /* candidates: the largest value, or the range, as so many codes */
	AGAIN = 2,  /* least squares from each */
};

/* The best so far: halves as floats, where a minimum is as the format has it, with the other sign, and what they cost.
 */
typedef struct {
	vf d, m, error;
} halves;

INLINE vf FN(to_half)(vf v)
{
	uint16_t h[LANES];
	v_store_f16(h, v);
	return v_load_f16(h);
}

INLINE pairs FN(pair_of)(halves h, vf unit) { return (pairs){v_div(h.d, unit), v_neg(v_div(h.m, unit))}; }

static void FN(keep_better)(halves *best, const fitting *f, vf a, vf m)
{
	vf unit = v_load(f->runs->unit);
	halves now = {FN(to_half)(v_mul(a, unit)), FN(to_half)(v_mul(v_neg(m), unit)), v_zero()};
	pairs rounded = FN(pair_of)(now, unit);
	vm better;
	now.error = FN(errors)(f, rounded.a, rounded.m);
	better = v_lt(now.error, best->error);
	best->d = v_select(better, now.d, best->d);
	best->m = v_select(better, now.m, best->m);
	best->error = v_select(better, now.error, best->error);
}

/* from_scale judges a scale, and what least squares makes of it: the latter need not be better when it is a half. */
static void FN(from_scale)(halves *best, const fitting *f, vf a)
{
	FN(keep_better)(best, f, a, v_zero());
	for (int i = 0; i < AGAIN; i++)
		a = FN(best_scale)(f, a);
	FN(keep_better)(best, f, a, v_zero());
}

/* peaks is the value of each run that is largest without its sign. */
static vf FN(peaks)(const fitting *f)
{
	vf peak = v_zero();
	for (int i = 0; i < f->n; i++) {
		vf x = v_load(f->runs->x[i]);
		peak = v_select(v_lt(v_abs(peak), v_abs(x)), x, peak);
	}
	return peak;
}

static void FN(search_signed)(halves *best, const fitting *f)
{
	vf peak = FN(peaks)(f);
	for (int i = 0; i < SPANS; i++) {
		vf span = v_set1(f->codes.high * (0.65f + 0.65f / SPANS * (float)i));
		FN(from_scale)(best, f, v_div(peak, span));
		FN(from_scale)(best, f, v_div(v_neg(peak), span));
	}
}

static void FN(search_range)(halves *best, const fitting *f)
{
	vf low = v_load(f->runs->x[0]), high = low, codes = v_set1(f->codes.high), below, above;
	for (int i = 1; i < f->n; i++) {
		vf x = v_load(f->runs->x[i]);
		low = v_min(x, low);
		high = v_max(x, high);
	}
	below = v_min(low, v_zero());
	above = v_max(high, v_zero());
	FN(keep_better)(best, f, v_zero(), v_neg(low));
	FN(keep_better)(best, f, v_sub(v_div(above, codes), v_div(below, codes)), v_neg(below));
	for (int i = 0; i < SPANS; i++) {
		vf span = v_set1(f->codes.high * (0.8f + 0.3f / SPANS * (float)i));
		pairs p = {v_div(v_sub(high, low), span), v_neg(low)};
		for (int again = 0; again < AGAIN; again++)
			p = FN(best_pair)(f, p, 1);
		FN(keep_better)(best, f, p.a, p.m);
	}
}

static void FN(search_blocks)(const struct block_format *b, const struct runs *r, struct block_codes *out)
{
	const fitting f = FN(fit)(r, b->codes, LONGEST, b->minimums);
	halves best = {v_zero(), v_zero(), FN(errors)(&f, v_zero(), v_zero())};
	pairs p;
	uint16_t d[LANES], m[LANES];
	if (b->minimums)
		FN(search_range)(&best, &f);
	else
		FN(search_signed)(&best, &f);
	v_store_f16(d, best.d);
	v_store_f16(m, best.m);
	p = FN(pair_of)(best, v_load(r->unit));
	for (int block = 0; block < RUNS; block++) {
		out[block].d = d[block];
		out[block].m = m[block];
	}
	for (int i = 0; i < LONGEST; i++) {
		int8_t code[LANES];
		vf x = v_load(r->x[i]);
		vi_store_i8(code, v_to_int(FN(code_for)(f.codes, f.minimums, x, FN(inverse)(p.a), p.m)));
		for (int block = 0; block < RUNS; block++)
			out[block].code[i] = code[block];
	}
}
